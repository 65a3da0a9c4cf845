//! How often ONNX Runtime itself allocates in a run. Our code does not allocate there (see `allocation.rs`), so all
//! that a preloaded counter sees grow with the number of runs is the library's.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a failed helper fails the test; it prints figures

use std::path::Path;
use std::process::Command;

use latco_models::{Bundle, LoadOptions};

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
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "run_in_child", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", counter)
        .env("LATCO_TEST_GRAPH", graph)
        .env("LATCO_TEST_RUNS", runs.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find_map(|l| l.strip_prefix("allocations "));
    line.unwrap().parse().unwrap()
}

#[test]
#[ignore = "run by a_run_makes_few_allocations_in_the_library in a process of its own"]
fn run_in_child() {
    let runs: usize = std::env::var("LATCO_TEST_RUNS").unwrap().parse().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/reach");
    let bundle = Bundle::load(&folder, &LoadOptions::default()).unwrap();
    let horizon = bundle.manifest().dims.horizon;
    let mut observe = bundle.observe(1).unwrap();
    let mut dynamics = bundle.dynamics(horizon).unwrap();
    let mut reward = bundle.reward(horizon).unwrap();
    let mut rollout = bundle.rollout(1).unwrap();
    let mut decode = bundle.decode(1).unwrap();
    let graph = std::env::var("LATCO_TEST_GRAPH").unwrap();
    for _ in 0..runs {
        match graph.as_str() {
            "observe" => observe.run().unwrap(),
            "dynamics" => dynamics.run().unwrap(),
            "reward" => reward.run().unwrap(),
            "rollout" => rollout.run().unwrap(),
            _ => decode.run().unwrap(),
        }
    }
}
