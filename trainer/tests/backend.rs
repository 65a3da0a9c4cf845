//! `latco-train fit --backend`.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::Path;
use std::process::Command;

#[test]
#[cfg_attr(
    feature = "libtorch",
    ignore = "needs a machine without a GPU: cargo test --release -p latco-trainer --features libtorch --test backend -- --ignored"
)]
fn a_backend_that_is_not_there_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("empty.toml");
    std::fs::write(&config, "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(["fit", "--backend", "cuda", "--data", "nowhere"])
        .args([Path::new("--config"), &config])
        .args([Path::new("--out"), &folder.path().join("run")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let reason = if cfg!(feature = "libtorch") {
        "found no device"
    } else {
        "--features libtorch"
    };
    assert!(said.contains(reason), "{said}");
    assert!(!said.contains("nowhere"), "{said}");
    assert!(!folder.path().join("run").exists());
}

#[cfg(feature = "libtorch")]
#[test]
fn libtorch_trains_to_the_losses_of_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = |args: &[&str], paths: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latco-train"));
        let output = command.args(args).args(paths).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
    };
    let collect = "collect --task reach --policy mixed --episodes 40 --image-size 32 --out";
    program(&collect.split(' ').collect::<Vec<_>>(), &[&data]);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/train/tiny.toml");
    let losses = |backend: &str| -> Vec<(String, f64)> {
        let run = folder.path().join(backend);
        let paths = [
            &data,
            Path::new("--config"),
            &config,
            Path::new("--out"),
            &run,
        ];
        program(&["fit", "--backend", backend, "--data"], &paths);
        let text = std::fs::read_to_string(run.join("losses.csv")).unwrap();
        let rows = text.lines().skip(1).filter_map(|line| {
            let (name, value) = line.rsplit_once(',')?;
            Some((name.to_owned(), value.parse().unwrap()))
        });
        rows.filter(|(name, _)| name.contains("held_out")).collect()
    };
    let (cpu, libtorch) = (losses("cpu"), losses("libtorch"));
    assert!(!cpu.is_empty());
    assert_eq!(cpu.len(), libtorch.len());
    for ((name, a), (_, b)) in cpu.iter().zip(&libtorch) {
        assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{name}: {a} {b}");
    }
}
