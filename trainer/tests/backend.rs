//! `latco-train fit --backend`.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::Path;
use std::process::Command;

/// Whether there is an NVIDIA GPU with its driver.
fn has_gpu() -> bool {
    Path::new("/dev/nvidia0").exists()
}

#[test]
fn a_backend_that_is_not_there_is_refused_before_anything_is_read() {
    if cfg!(feature = "cuda") && has_gpu() {
        eprintln!("SKIPPED: this machine has a GPU");
        return;
    }
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
    let reason = if cfg!(feature = "cuda") {
        "found none; take --backend cpu"
    } else {
        "--features cuda"
    };
    assert!(said.contains(reason), "{said}");
    assert!(!said.contains("nowhere"), "{said}");
    assert!(!folder.path().join("run").exists());
}
