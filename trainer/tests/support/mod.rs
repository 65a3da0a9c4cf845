//! The program, as the tests run it.

#![allow(dead_code)] // every test uses some of it

use std::path::Path;
use std::process::{Command, Stdio};

/// `latco-train` with these arguments, in the folder of the workspace, silent unless told otherwise.
pub fn latco_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latco-train"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command
        .current_dir(workspace)
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Records that many episodes of Reach, 50 frames of 32x32 each, 154 kB, in bags of 100.
pub fn collect(out: &Path, episodes: usize) {
    let count = episodes.to_string();
    let what = ["collect", "--task", "reach", "--episodes", &count];
    let how = ["--image-size", "32", "--out", text(out)];
    let output = latco_train(&[&what[..], &how].concat())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
