//! Loading a bundle: everything is checked before anything is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::BundleError;
use crate::factors::DynamicsWeights;
use crate::golden::Golden;
use crate::graph::Graph;
use crate::graphs::{Decode, Dynamics, Observe, Reward, Rollout};
use crate::manifest::{DynamicsKind, MANIFEST_FILE, Manifest};
use crate::provider::Provider;
use crate::runtime;
use crate::session::Bound;
use crate::verify::{self, Verification};

/// How to load a bundle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadOptions {
    /// Where the graphs are computed; the golden vectors are run there too.
    pub provider: Provider,
    /// Joint names, in order, that the caller's robot has; a bundle with other joints is refused.
    pub expect_joints: Option<Vec<String>>,
}

/// A verified bundle. Makes sessions for any number of threads.
#[derive(Debug)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
    provider: Provider,
    graphs: BTreeMap<Graph, Vec<u8>>,
    weights: Option<DynamicsWeights>,
    verification: Verification,
}

impl Bundle {
    /// Loads the bundle in folder `dir` and checks all of it: manifest, sums, inputs and outputs of the graphs, the
    /// shapes of the weights, the joints that are expected, the golden vectors on the provider asked for, and the
    /// Jacobian against finite differences.
    ///
    /// # Errors
    /// ONNX Runtime is missing, there is no readable manifest, or the checks fail; then the message lists every
    /// mismatch.
    pub fn load(dir: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, BundleError> {
        let dir = dir.as_ref().to_path_buf();
        let manifest = read_manifest(&dir)?;
        runtime::load()?;
        let mut mismatches = manifest.contradictions();
        if let Some(expected) = &options.expect_joints {
            verify::joints(&manifest, expected, &mut mismatches);
        }
        let files = verify::files(&dir, &manifest, &mut mismatches);
        let mut graphs = BTreeMap::new();
        for graph in Graph::ALL {
            if let Some(bytes) = files.get(graph.file()) {
                verify::ports(graph, bytes, &manifest, &mut mismatches);
                graphs.insert(graph, bytes.clone());
            }
        }
        let weights = graphs
            .get(&Graph::Dynamics)
            .and_then(|bytes| verify::weights(bytes, &manifest, &mut mismatches));
        let golden =
            files.get(crate::golden::GOLDEN_FILE).and_then(|bytes| {
                match Golden::from_bytes(bytes) {
                    Ok(golden) => Some(golden),
                    Err(e) => {
                        mismatches.push(format!("golden.postcard cannot be read: {e}"));
                        None
                    }
                }
            });
        let mut bundle = Self {
            dir,
            manifest,
            provider: options.provider,
            graphs,
            weights,
            verification: Verification::default(),
        };
        // Only a bundle whose files fit together is worth running.
        if mismatches.is_empty() {
            let golden = golden.unwrap_or_default();
            bundle.verification = verify::run(&bundle, &golden, &mut mismatches)?;
        }
        if mismatches.is_empty() {
            Ok(bundle)
        } else {
            Err(BundleError::Refused {
                dir: bundle.dir,
                mismatches,
            })
        }
    }

    /// Folder of the bundle.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Execution provider of the sessions.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Constant weights for the solver; `None` for a dynamics graph of kind [`DynamicsKind::Dense`].
    pub fn weights(&self) -> Option<&DynamicsWeights> {
        self.weights.as_ref()
    }

    /// What the checks at load measured.
    pub fn verification(&self) -> &Verification {
        &self.verification
    }

    /// Session of the filter step for `batch` images.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn observe(&self, batch: usize) -> Result<Observe, BundleError> {
        Ok(Observe {
            bound: self.bound(Graph::Observe, batch)?,
            batch,
            joints: self.manifest.joints.observed,
        })
    }

    /// Session of the prior step for `steps` states at once.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn dynamics(&self, steps: usize) -> Result<Dynamics, BundleError> {
        Ok(Dynamics {
            bound: self.bound(Graph::Dynamics, steps)?,
            steps,
            kind: self.kind(),
        })
    }

    /// Session of the reward head for `steps` states at once.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn reward(&self, steps: usize) -> Result<Reward, BundleError> {
        Ok(Reward {
            bound: self.bound(Graph::Reward, steps)?,
            steps,
        })
    }

    /// Session that rolls `batch` action sequences over the trained horizon.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn rollout(&self, batch: usize) -> Result<Rollout, BundleError> {
        Ok(Rollout {
            bound: self.bound(Graph::Rollout, batch)?,
            batch,
            horizon: self.manifest.dims.horizon,
        })
    }

    /// Session that decodes `batch` states into images.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn decode(&self, batch: usize) -> Result<Decode, BundleError> {
        Ok(Decode {
            bound: self.bound(Graph::Decode, batch)?,
            batch,
        })
    }

    fn kind(&self) -> DynamicsKind {
        self.manifest.dynamics.kind
    }

    pub(crate) fn bound(&self, graph: Graph, batch: usize) -> Result<Bound, BundleError> {
        let bytes = self
            .graphs
            .get(&graph)
            .expect("all graphs were read before the bundle was accepted");
        Bound::new(graph, bytes, &self.manifest, batch, self.provider)
    }
}

/// Reads `manifest.toml` alone, without checking the files or needing ONNX Runtime.
///
/// # Errors
/// The file is missing, not TOML, or has missing or unknown keys.
pub fn read_manifest(dir: &Path) -> Result<Manifest, BundleError> {
    let error = |reason: String| BundleError::Manifest {
        dir: dir.to_path_buf(),
        reason,
    };
    let text = std::fs::read_to_string(dir.join(MANIFEST_FILE))
        .map_err(|e| error(format!("cannot be read: {e}")))?;
    Manifest::from_toml(&text).map_err(|e| error(format!("is not valid: {e}")))
}
