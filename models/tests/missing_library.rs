//! Without the ONNX Runtime library loading is an error that says what to run, not a panic.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use latco_export::{RandomSpec, write_random_bundle};
use latco_models::{Bundle, BundleError, LoadOptions};

/// Runs this test program again with another library path; a process loads the library only once.
fn child(library: &std::path::Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "load_in_child", "--ignored", "--nocapture"])
        .env("ORT_DYLIB_PATH", library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn missing_and_unusable_libraries() {
    let folder = tempfile::tempdir().unwrap();
    let missing = child(&folder.path().join("libonnxruntime.so"));
    assert!(
        missing.contains("the ONNX Runtime library is missing: looked at ")
            && missing.contains("run `make onnxruntime`"),
        "{missing}"
    );
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let unusable = child(&text);
    assert!(
        unusable.contains("text.so cannot be used: ")
            && unusable.contains("run `make onnxruntime`"),
        "{unusable}"
    );
}

#[test]
#[ignore = "run by missing_and_unusable_libraries in a process of its own"]
fn load_in_child() {
    let folder = tempfile::tempdir().unwrap();
    write_random_bundle(folder.path(), &RandomSpec::keypoint(), 1).unwrap();
    let error = Bundle::load(folder.path(), &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, BundleError::Runtime(_)));
    println!("{error}");
}
