//! Without the ONNX Runtime library loading is an error that says what to run, not a panic.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use latco_export::{RandomSpec, write_random_bundle};

/// What is said with another library path; a process loads the library only once.
fn child(library: &Path) -> String {
    let bundle = tempfile::tempdir().unwrap();
    write_random_bundle(bundle.path(), &RandomSpec::keypoint(), 1).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_models-child"))
        .arg("load")
        .args([bundle.path(), Path::new("cpu")])
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
