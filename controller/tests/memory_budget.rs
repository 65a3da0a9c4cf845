//! The arenas have exactly the bytes that `memory-budget.toml` says, so that memory never grows
//! unnoticed.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::Path;

use latco_controller::Config;
use latco_controller::plan::{MemoryBudget, memory};
use latco_export::{RandomSpec, random_weights};
use latco_models::manifest::Dims;
use latco_models::{DynamicsKind, Manifest, read_manifest};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    budget: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    limit_bytes: usize,
    #[serde(flatten)]
    dims: Dims,
    #[serde(flatten)]
    bytes: MemoryBudget,
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn file() -> File {
    toml::from_str(&std::fs::read_to_string(path("tests/memory-budget.toml")).unwrap()).unwrap()
}

/// A manifest of other sizes.
fn manifest(dims: Dims) -> Manifest {
    let (weights, metadata) = random_weights(&RandomSpec::keypoint(), 1);
    let mut manifest = metadata.manifest(&weights, DynamicsKind::GruFactors);
    manifest.dims = dims;
    manifest
}

#[test]
fn arenas_have_the_recorded_bytes() {
    let mut different = Vec::new();
    for entry in &file().budget {
        let found = memory(&manifest(entry.dims), &Config::default());
        let most = entry.limit_bytes;
        assert!(
            found.arena_bytes() <= most,
            "{}: {} bytes are more than the limit of {most}",
            entry.name,
            found.arena_bytes()
        );
        if found != entry.bytes {
            different.push(format!(
                "name = {:?}\nsolver_arena_bytes = {}\njacobian_arena_bytes = {}",
                entry.name, found.solver_arena_bytes, found.jacobian_arena_bytes
            ));
        }
    }
    assert!(
        different.is_empty(),
        "these arenas are not what controller/tests/memory-budget.toml says; if that is meant, write this \
         into it:\n{}",
        different.join("\n")
    );
}

#[test]
fn the_bundle_s_entry_has_its_sizes() {
    let manifest = read_manifest(&path("../models/bundles/reach")).unwrap();
    let file = file();
    let entry = (file
        .budget
        .iter()
        .find(|entry| entry.name == "bundle reach"))
    .unwrap();
    assert_eq!(entry.dims, manifest.dims);
    assert_eq!(memory(&manifest, &Config::default()), entry.bytes);
}
