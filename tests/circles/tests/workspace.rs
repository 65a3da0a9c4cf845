//! The check as `make lint` runs it, on this workspace.

use std::process::Command;

#[test]
fn no_two_source_files_of_the_workspace_import_each_other() {
    let output = Command::new(env!("CARGO_BIN_EXE_latco-circles"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
}
