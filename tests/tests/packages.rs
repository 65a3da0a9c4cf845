//! What the programs are built from: known licences, one source, no copies of what is to be there once.

#![allow(clippy::unwrap_used)] // in tests

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences that may be chosen: permissive ones, and MPL-2.0, which asks only for its own files. Those of fonts and lists of
/// certificates are of what the trainer's pictures and downloads need.
const ALLOWED: [&str; 18] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "Ubuntu-font-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "MIT/Apache-2.0",
];

/// Packages that say their licence in a file: it was read, and is MIT.
const READ: [&str; 1] = ["cfg_block"];

/// What is not to come back: C libraries for what is done in Rust, and programs that phone home.
const BANNED: [&str; 3] = ["openssl-sys", "native-tls", "netdev"];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a licence may be chosen so that all of its parts are allowed.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    // `OR` binds weaker than `AND`, but for what stands in brackets, which is always a choice with an allowed part.
    expression.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|licence| ALLOWED.contains(&licence.trim()))
    })
}

#[test]
fn licences_and_sources_of_all_packages_are_known() {
    let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 200, "{}", packages.len());
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence) && !READ.contains(&name) {
            found.push(format!("{name}: licence {licence:?}"));
        }
        match package["source"].as_str() {
            None | Some(REGISTRY) => {}
            Some(other) => found.push(format!("{name}: from {other}")),
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(
        !is_allowed("GPL-3.0") && !is_allowed("MIT AND GPL-3.0") && is_allowed("GPL-3.0 OR MIT")
    );
}

#[test]
fn the_bill_of_materials_names_every_package_with_its_sum_and_licence() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("python3")
        .arg(format!("{ROOT}/ros/sbom.py"))
        .arg("latco")
        .arg(folder.path())
        .env("CARGO", env!("CARGO"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let bill = std::fs::read_to_string(folder.path().join("sbom.cdx.json")).unwrap();
    let bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["specVersion"], "1.5");
    let components = bill["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|c| c["name"] == name);
    for ours in ["latco-ros", "latco-controller", "rustdds", "onnxruntime"] {
        assert!(named(ours).is_some(), "{ours} is missing");
    }
    assert!(named("syn").is_none(), "macros are not in the program");
    for component in components {
        let licence = &component["licenses"][0];
        let is_known = licence["expression"].is_string() || licence["license"].is_object();
        let sum = component["hashes"][0]["content"].as_str().map(str::len);
        assert!(is_known, "{component}");
        assert!(
            component["purl"].is_null() || sum == Some(64),
            "{component}"
        );
    }
    let licences = std::fs::read_to_string(folder.path().join("licences.txt")).unwrap();
    assert!(licences.contains("Permission is hereby granted, free of charge"));
}

#[test]
fn the_robots_program_has_as_many_packages_as_is_said_and_none_that_is_banned() {
    let document = std::fs::read_to_string(format!("{ROOT}/docs/ros.md")).unwrap();
    let line = "cargo tree -p latco-ros --no-default-features -e normal --no-dedupe --prefix none";
    assert!(document.contains(line));
    let arguments: Vec<&str> = line
        .split(' ')
        .skip(1)
        .chain(["--locked", "--offline"])
        .collect();
    let tree = cargo(&arguments);
    let packages: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    let said = format!("is built from {} crates", packages.len());
    assert!(
        document.contains(&said),
        "docs/ros.md does not say {said:?}"
    );
    for name in BANNED {
        let is_there = packages
            .iter()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(!is_there, "{name} is among them again");
    }
}
