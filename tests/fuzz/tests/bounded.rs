//! A bounded run of each target: no input panics, takes long or takes much memory. A process each, so that one that is killed is
//! noticed; 10^6 inputs a target by hand: `cargo run --release -p latco-fuzz -- TARGET`.

#![allow(clippy::unwrap_used)] // in tests

use std::process::Command;

#[test]
fn changed_input_of_every_kind_is_read_or_refused() {
    let program = env!("CARGO_BIN_EXE_latco-fuzz");
    let listed = Command::new(program).arg("list").output().unwrap();
    let names: Vec<String> = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let arguments = [&name, "--executions", "4000", "--seconds", "2"];
        let output = Command::new(program).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{}", said.trim());
        assert!(
            output.status.success(),
            "{name}: {:?}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let figures: serde_json::Value = serde_json::from_str(&said).unwrap();
        // As slow as a machine may be that does other things, too.
        assert!(figures["executions"].as_u64() >= Some(5), "{figures}");
    }
}
