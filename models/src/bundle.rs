//! Loading a bundle: everything is checked before anything is used.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::contents::Content;
use crate::engine_cache::{EngineCache, is_tf32_off};
use crate::error::BundleError;
use crate::factors::DynamicsWeights;
use crate::features::Features;
use crate::golden::Golden;
use crate::graph::Graph;
use crate::graphs::{Decode, Dynamics, Observe, Reward, Rollout};
use crate::load_options::LoadOptions;
use crate::manifest::Manifest;
use crate::options::{self, Execution};
use crate::provider::{Declined, Provider};
use crate::runtime;
use crate::session::BoundSession;
use crate::sessions::Sessions;
use crate::shipped::shipped;
use crate::signature::PublicKey;
use crate::unavailable;
use crate::verify::{self, Verification};

/// A verified bundle. Makes sessions for any number of threads.
#[derive(Debug)]
pub struct Bundle {
    dir: PathBuf,
    signer: Option<PublicKey>,
    sessions: Sessions,
    declined: Vec<Declined>,
    verification: Verification,
    load_time: Duration,
}

impl Bundle {
    /// Loads the bundle in folder `dir`, or the [`shipped`] one of that name, and checks all of it: manifest, seal, signature, sums, operators, inputs and outputs of the graphs, the
    /// shapes of the weights, the joints that are expected, the golden vectors on the provider, and the Jacobian
    /// against finite differences.
    ///
    /// Of several providers, the first on which the graphs can be made and give the golden vectors is used; those
    /// before it are in [`Bundle::declined`].
    ///
    /// # Errors
    /// ONNX Runtime is missing, there is no readable manifest, no provider can be used, or the checks fail; then the
    /// message lists every mismatch.
    pub fn load(dir: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, BundleError> {
        let began = Instant::now();
        let dir = shipped(dir.as_ref());
        let content = Content::read(&dir, options)?;
        runtime::load()?;
        let mut bundle = Self {
            dir,
            signer: content.signer,
            sessions: Sessions {
                manifest: content.manifest,
                execution: Execution::Cpu,
                graphs: content.graphs,
                weights: content.weights,
                limit: options.limit.clone(),
            },
            declined: Vec::new(),
            verification: Verification::default(),
            load_time: Duration::ZERO,
        };
        // Only a bundle whose files fit together is worth running.
        if !content.mismatches.is_empty() {
            return Err(bundle.refused(content.mismatches));
        }
        let golden = content.golden;
        let mut reasons = Vec::new();
        for &provider in options.providers.as_slice() {
            match bundle.start_on(provider, options, &golden) {
                Ok(()) => {
                    for one in &bundle.declined {
                        tracing::warn!("passed over: {}", one.reason);
                    }
                    if provider.is_gpu() || !bundle.declined.is_empty() {
                        tracing::info!("the model runs on provider {provider}");
                    }
                    bundle.load_time = began.elapsed();
                    return Ok(bundle);
                }
                Err(error) => {
                    bundle.declined.push(Declined {
                        provider,
                        reason: error.to_string(),
                    });
                    reasons.push(error);
                }
            }
        }
        match (reasons.pop(), reasons.is_empty()) {
            (Some(only), true) => Err(only),
            _ => Err(BundleError::NoProvider {
                dir: bundle.dir,
                declined: bundle.declined,
            }),
        }
    }

    /// Runs the golden vectors and the finite differences on a provider, which is the bundle's from then on.
    fn start_on(
        &mut self,
        provider: Provider,
        options: &LoadOptions,
        golden: &Golden,
    ) -> Result<(), BundleError> {
        self.sessions.execution = match provider {
            Provider::Cpu => Execution::Cpu,
            Provider::Cuda | Provider::TensorRt => {
                // A provider that is not available is one error, not one mismatch for every graph.
                probe(provider)?;
                if provider == Provider::Cuda {
                    Execution::Cuda
                } else {
                    let root = options.engine_cache.as_deref();
                    let cache =
                        EngineCache::open(root, &self.sessions.manifest).map_err(|reason| {
                            BundleError::Unavailable {
                                provider,
                                missing: None,
                                reason,
                                advice: "engines that are not kept would be built at every start"
                                    .to_owned(),
                            }
                        })?;
                    tracing::info!(
                        folder = %cache.folder().display(),
                        "TensorRT builds the engines that are not in its cache yet, which takes minutes"
                    );
                    Execution::TensorRt(cache)
                }
            }
        };
        if provider.is_gpu() {
            // Some reasons are only found with a graph, for example that there is no device.
            self.bound(Graph::Reward, 1).map_err(with_advice)?;
        }
        let mut mismatches = Vec::new();
        self.verification = verify::run(&self.sessions, golden, &mut mismatches);
        if mismatches.is_empty() {
            return Ok(());
        }
        if provider == Provider::TensorRt && !is_tf32_off() {
            mismatches.push(
                "TensorRT rounds to TF32 on GPUs that have it: set NVIDIA_TF32_OVERRIDE=0 in the environment"
                    .to_owned(),
            );
        }
        Err(self.refused(mismatches))
    }

    fn refused(&self, mismatches: Vec<String>) -> BundleError {
        BundleError::Refused {
            dir: self.dir.clone(),
            mismatches,
        }
    }

    /// Folder of the bundle.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Who signed the bundle.
    pub fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.sessions.manifest
    }

    /// Execution provider of the sessions.
    pub fn provider(&self) -> Provider {
        self.sessions.execution.provider()
    }

    /// Providers that were preferred to [`Bundle::provider`] and cannot be used, with the reasons.
    pub fn declined(&self) -> &[Declined] {
        &self.declined
    }

    /// Folder of TensorRT's engines; `None` on another provider.
    pub fn engine_cache(&self) -> Option<&Path> {
        match &self.sessions.execution {
            Execution::TensorRt(cache) => Some(cache.folder()),
            Execution::Cpu | Execution::Cuda => None,
        }
    }

    /// Constant weights for the solver; `None` for a dynamics graph of kind [`DynamicsKind::Dense`].
    pub fn weights(&self) -> Option<&DynamicsWeights> {
        self.sessions.weights.as_ref()
    }

    /// What the checks at load measured.
    pub fn verification(&self) -> &Verification {
        &self.verification
    }

    /// How long [`Bundle::load`] took.
    pub fn load_time(&self) -> Duration {
        self.load_time
    }

    /// Session of the filter step for `batch` images.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn observe(&self, batch: usize) -> Result<Observe, BundleError> {
        Observe::new(&self.sessions, batch)
    }

    /// Session of the prior step for `steps` states at once.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn dynamics(&self, steps: usize) -> Result<Dynamics, BundleError> {
        Dynamics::new(&self.sessions, steps)
    }

    /// Session of the reward head for `steps` states at once.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn reward(&self, steps: usize) -> Result<Reward, BundleError> {
        Reward::new(&self.sessions, steps)
    }

    /// Session that rolls `batch` action sequences over the trained horizon.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn rollout(&self, batch: usize) -> Result<Rollout, BundleError> {
        Rollout::new(&self.sessions, batch)
    }

    /// Session that decodes `batch` states into images.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn decode(&self, batch: usize) -> Result<Decode, BundleError> {
        Decode::new(&self.sessions, batch)
    }

    /// The encoder alone, for looking into what it sees.
    ///
    /// # Errors
    /// ONNX Runtime's reason, or an `observe` graph whose encoder cannot be told from the rest.
    pub fn features(&self) -> Result<Features, BundleError> {
        Features::new(self.sessions.bytes(Graph::Observe), self.manifest())
    }

    pub(crate) fn bound(&self, graph: Graph, batch: usize) -> Result<BoundSession, BundleError> {
        self.sessions.bound(graph, batch)
    }
}

/// Whether the provider's libraries can be loaded and find a device. Takes well under a second where they cannot.
fn probe(provider: Provider) -> Result<(), BundleError> {
    let builder = ort::session::Session::builder(runtime::environment()?)
        .map_err(|e| e.to_string())
        .and_then(|builder| options::probe(provider, builder));
    builder.map_err(|said| unavailable(provider, &said))
}

fn unavailable(provider: Provider, said: &str) -> BundleError {
    let library = runtime::library_path().unwrap_or(Path::new("libonnxruntime.so"));
    unavailable::error(provider, library, said)
}

/// A session that fails for a reason of the device is no matter of its graph.
fn with_advice(error: BundleError) -> BundleError {
    match error {
        BundleError::Session {
            provider, reason, ..
        } if unavailable::is_of_the_device(&reason) => unavailable(provider, &reason),
        other => other,
    }
}
