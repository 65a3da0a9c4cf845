//! Random bundles in temporary folders.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use latco_export::{Family, RandomSpec, write_random_bundle};
use latco_models::manifest::FileSum;
use latco_models::onnx::ModelProto;
use latco_models::sha256;
use latco_models::{
    Bundle, BundleError, Graph, LoadOptions, Manifest, read_manifest, write_manifest,
};
use prost::Message;
use tempfile::TempDir;

/// A small model of each family: fast to write and to run.
pub fn small(family: Family) -> RandomSpec {
    RandomSpec {
        family,
        stoch: 5,
        deter: 12,
        hidden: 10,
        units: 10,
        action: 2,
        horizon: 4,
        image: if family == Family::Conv { 64 } else { 16 },
        joints: if family == Family::Conv { 0 } else { 2 },
    }
}

pub struct Fixture {
    pub folder: TempDir,
}

impl Fixture {
    pub fn new(spec: &RandomSpec, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_random_bundle(folder.path(), spec, seed).unwrap();
        Self { folder }
    }

    pub fn keypoint() -> Self {
        Self::new(&small(Family::Keypoint), 7)
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir().join(file)
    }

    pub fn load(&self) -> Result<Bundle, BundleError> {
        Bundle::load(self.dir(), &LoadOptions::default())
    }

    /// The mismatches with which the bundle is refused.
    pub fn refused(&self) -> Vec<String> {
        match self.load() {
            Err(BundleError::Refused { mismatches, .. }) => mismatches,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    pub fn edit_manifest(&self, edit: impl FnOnce(&mut Manifest)) {
        let mut manifest = read_manifest(self.dir()).unwrap();
        edit(&mut manifest);
        write_manifest(self.dir(), &manifest).unwrap();
    }

    /// Gives constants of a graph, and with them what reads them, the names that `rename` says.
    pub fn rename_constants(&self, graph: Graph, rename: impl Fn(&str) -> Option<String>) {
        let bytes = std::fs::read(self.path(graph.file())).unwrap();
        let mut model = ModelProto::decode(bytes.as_slice()).unwrap();
        let content = model.graph.as_mut().unwrap();
        let constants = content.initializer.iter_mut().map(|c| &mut c.name);
        let inputs = content.node.iter_mut().flat_map(|node| &mut node.input);
        for name in constants.chain(inputs) {
            if let Some(other) = rename(name) {
                *name = other;
            }
        }
        self.replace(graph.file(), &model.encode_to_vec());
    }

    /// Replaces a file and its sum in the manifest, so that only later checks can notice.
    pub fn replace(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.path(file), bytes).unwrap();
        self.edit_manifest(|manifest| {
            let sum = FileSum {
                sha256: sha256(bytes),
                bytes: bytes.len() as u64,
            };
            manifest.files.insert(file.to_owned(), sum);
        });
    }
}
