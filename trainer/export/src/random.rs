//! Bundles with random weights of any size: for benchmarks, tests and hardware that is to be sized before a model
//! is trained.

use std::collections::BTreeMap;
use std::path::Path;

use chacha20::ChaCha8Rng;
use latco_models::{Manifest, RewardKind, RewardRange};
use latco_reference::{
    Activation, Conv, Decoder, Dense, Encoder, Gru, Mlp, Normalisation, PixelScaling, PriorStep,
    RssmWeights, TransposedConv,
};
use ndarray::{Array1, Array2, Array4};
use rand::{RngExt, SeedableRng};

use crate::error::ExportError;
use crate::golden;
use crate::metadata::Metadata;
use crate::noise::normal;
use crate::write::write_bundle;

/// The kinds of encoder and decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// PlaNet's convolutions; images must be 64x64.
    Conv,
    /// Keypoints and patches; image sides must be multiples of 8.
    Keypoint,
}

/// Sizes of a random model.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomSpec {
    /// The kind of encoder and decoder.
    pub family: Family,
    /// Length of the stochastic part of a state, ns.
    pub stoch: usize,
    /// Length of the deterministic part of a state, nd; 0 for a model without a GRU.
    pub deter: usize,
    /// Width of the dense layers of the dynamics and the filter.
    pub hidden: usize,
    /// Width of the reward head's two layers.
    pub units: usize,
    /// Number of actions, na.
    pub action: usize,
    /// Horizon, steps of a plan, H.
    pub horizon: usize,
    /// Side of the square image, pixels.
    pub image: usize,
    /// Number of joints that the model sees; 0 for a model of images only. If not 0, as many as actions.
    pub joints: usize,
}

impl RandomSpec {
    /// PlaNet's sizes: 30 + 200, hidden and units 200, 4 actions, H = 30, 64x64 images.
    pub fn planet() -> Self {
        Self {
            family: Family::Conv,
            stoch: 30,
            deter: 200,
            hidden: 200,
            units: 200,
            action: 4,
            horizon: 30,
            image: 64,
            joints: 0,
        }
    }

    /// Sizes of the small model for the Reach task: 16 + 64, hidden 96, 3 actions and joints, H = 20, 64x64 images.
    pub fn keypoint() -> Self {
        Self {
            family: Family::Keypoint,
            stoch: 16,
            deter: 64,
            hidden: 96,
            units: 96,
            action: 3,
            horizon: 20,
            image: 64,
            joints: 3,
        }
    }
}

/// Random weights and fitting metadata, the same for the same seed.
pub fn random_weights(spec: &RandomSpec, seed: u64) -> (RssmWeights, Metadata) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let r = &mut rng;
    let (ns, nd, hidden, na) = (spec.stoch, spec.deter, spec.hidden, spec.action);
    let n = ns + nd;
    let feature = if nd > 0 { nd } else { hidden };
    let (encoder, embed) = encoder(spec, r);
    let joints = (spec.joints > 0).then(|| Normalisation {
        mean: Array1::from_shape_simple_fn(2 * spec.joints, || 0.3 * normal(r)),
        std: Array1::from_shape_simple_fn(2 * spec.joints, || r.random_range(0.5..2.0)),
    });
    let input = dense(r, ns + na, hidden);
    let gru = (nd > 0).then(|| Gru {
        input: dense(r, hidden, 3 * nd),
        recurrent: dense(r, nd, 3 * nd),
    });
    let prior = dense(r, feature, hidden);
    let [prior_mean, prior_std] = dense(r, hidden, 2 * ns).halves();
    let posterior = dense(r, feature + embed + 2 * spec.joints, hidden);
    let [posterior_mean, posterior_std] = dense(r, hidden, 2 * ns).halves();
    let weights = RssmWeights {
        step: PriorStep {
            input,
            gru,
            prior,
            prior_mean,
            prior_std,
            min_std: 0.1,
        },
        posterior,
        posterior_mean,
        posterior_std,
        reward: Mlp {
            layers: vec![
                dense(r, n, spec.units),
                dense(r, spec.units, spec.units),
                dense(r, spec.units, 1),
            ],
            activation: Activation::Elu,
        },
        penalty: None,
        pixels: match spec.family {
            Family::Conv => PixelScaling::CENTRED,
            Family::Keypoint => PixelScaling::UNIT,
        },
        encoder,
        joints,
        decoder: decoder(spec, r),
    };
    let metadata = Metadata {
        task: "random".to_owned(),
        control_period_s: 0.1,
        trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
        data_hash: String::new(),
        horizon: spec.horizon,
        image_height: spec.image,
        image_width: spec.image,
        action_scale: vec![0.5; na],
        action_kinds: Vec::new(),
        action_limit: 1.0,
        joint_names: (1..=spec.joints).map(|j| format!("joint_{j}")).collect(),
        position_lower_rad: vec![-2.0; spec.joints],
        position_upper_rad: vec![2.0; spec.joints],
        velocity_limit_rad_s: vec![1.0; spec.joints],
        reward_kind: RewardKind::Regression,
        reward_range: RewardRange::default(),
        reward_discount: None,
        gates: BTreeMap::new(),
    };
    (weights, metadata)
}

/// Writes a random bundle into folder `dir`, its golden vectors by the reference implementation.
///
/// # Errors
/// Sizes that do not fit the family, or a file that cannot be written.
pub fn write_random_bundle(
    dir: &Path,
    spec: &RandomSpec,
    seed: u64,
) -> Result<Manifest, ExportError> {
    let (weights, metadata) = random_weights(spec, seed);
    let golden = golden::from_reference(&weights, &metadata, 3, seed ^ 1)?;
    write_bundle(dir, &weights, &metadata, &golden)
}

fn encoder(spec: &RandomSpec, r: &mut ChaCha8Rng) -> (Encoder, usize) {
    match spec.family {
        Family::Conv => {
            let layers: Vec<Conv> = [(3, 32), (32, 64), (64, 128), (128, 256)]
                .map(|(inputs, out)| conv(r, inputs, out, 4, 2, 0))
                .into();
            let encoder = Encoder::Conv { layers };
            let features = encoder.features(spec.image, spec.image).unwrap_or(1024);
            (encoder, features)
        }
        Family::Keypoint => {
            let layers = vec![conv(r, 3, 16, 5, 2, 2), conv(r, 16, 8, 3, 1, 1)];
            let code = 24;
            let encoder = Encoder::Keypoint {
                layers,
                mlp: Mlp {
                    layers: vec![dense(r, 24, 64), dense(r, 64, code)],
                    activation: Activation::Elu,
                },
                whiten: {
                    let (mean, std) = moments(r, code);
                    Dense::whiten(&mean, &std)
                },
            };
            (encoder, code)
        }
    }
}

fn decoder(spec: &RandomSpec, r: &mut ChaCha8Rng) -> Decoder {
    let n = spec.stoch + spec.deter;
    match spec.family {
        Family::Conv => Decoder::Conv {
            input: dense(r, n, 1024),
            layers: [(1024, 128, 5), (128, 64, 5), (64, 32, 6), (32, 3, 6)]
                .map(|(inputs, out, size)| TransposedConv {
                    kernel: filters(r, (inputs, out, size, size), inputs * size * size / 4),
                    bias: bias(r, out),
                    stride: 2,
                })
                .into(),
        },
        Family::Keypoint => {
            let code = 24;
            let (mean, std) = moments(r, code);
            Decoder::Patch {
                head: Mlp {
                    layers: vec![dense(r, n, spec.hidden), dense(r, spec.hidden, code)],
                    activation: Activation::Elu,
                },
                unwhiten: Dense::unwhiten(&mean, &std),
                mlp: Mlp {
                    layers: vec![
                        dense(r, code, 128),
                        dense(r, 128, 128),
                        dense(r, 128, spec.image * spec.image * 3),
                    ],
                    activation: Activation::Relu,
                },
                patch: 8,
                sigmoid: false,
            }
        }
    }
}

fn kernel(r: &mut ChaCha8Rng, inputs: usize, outputs: usize) -> Array2<f32> {
    let scale = 1.0 / (inputs as f32).sqrt();
    Array2::from_shape_simple_fn((inputs, outputs), || scale * normal(r))
}

fn bias(r: &mut ChaCha8Rng, outputs: usize) -> Array1<f32> {
    Array1::from_shape_simple_fn(outputs, || 0.1 * normal(r))
}

fn dense(r: &mut ChaCha8Rng, inputs: usize, outputs: usize) -> Dense {
    Dense {
        kernel: kernel(r, inputs, outputs),
        bias: bias(r, outputs),
    }
}

fn filters(r: &mut ChaCha8Rng, shape: (usize, usize, usize, usize), fan_in: usize) -> Array4<f32> {
    let scale = 1.0 / (fan_in as f32).sqrt();
    Array4::from_shape_simple_fn(shape, || scale * normal(r))
}

fn conv(
    r: &mut ChaCha8Rng,
    inputs: usize,
    out: usize,
    size: usize,
    stride: usize,
    padding: usize,
) -> Conv {
    Conv {
        kernel: filters(r, (out, inputs, size, size), inputs * size * size),
        bias: bias(r, out),
        stride,
        padding,
    }
}

fn moments(r: &mut ChaCha8Rng, len: usize) -> (Array1<f32>, Array1<f32>) {
    (
        Array1::from_shape_simple_fn(len, || 0.2 * normal(r)),
        Array1::from_shape_simple_fn(len, || r.random_range(0.5..1.5)),
    )
}
