//! How often ONNX Runtime itself allocates in a run. Our code does not allocate there (see `allocation.rs`), so all
//! that a preloaded counter sees grow with the number of runs is the library's.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a failed helper fails the test; it prints figures

use std::path::Path;
use std::process::Command;

/// The graphs of the Reach bundle, and how often each may allocate in a run. The library allocates a little for every
/// node; `rollout` has the nodes of all steps.
const GRAPHS: [(&str, usize); 5] = [
    ("observe", 200),
    ("dynamics", 200),
    ("reward", 100),
    ("rollout", 2000),
    ("decode", 200),
];

#[test]
fn a_run_makes_few_allocations_in_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let counter = folder.path().join("count_allocations.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/count_allocations.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-fno-builtin", "-o"])
        .arg(&counter)
        .arg(&source)
        .status()
        .unwrap();
    assert!(built.success(), "cc {}", source.display());
    for (graph, most) in GRAPHS {
        let count = |runs: usize| allocations(&counter, graph, runs);
        let (few, many) = (count(100), count(300));
        let per_run = (many - few) / 200;
        println!("{graph}: {per_run} allocations a run");
        assert!((1..=most).contains(&per_run), "{graph}: {per_run}");
    }
}

/// Allocations of a process that runs a graph so often.
fn allocations(counter: &Path, graph: &str, runs: usize) -> usize {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/reach");
    let output = Command::new(env!("CARGO_BIN_EXE_models-child"))
        .arg("run")
        .arg(bundle)
        .args([graph, &runs.to_string()])
        .env("LD_PRELOAD", counter)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find_map(|l| l.strip_prefix("allocations "));
    line.unwrap().parse().unwrap()
}
