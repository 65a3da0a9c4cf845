//! The weights of a recurrent state-space model, under the names that they have from training to the solver.
//!
//! The state is `z = [s, h]`: stochastic part first. One prior step (Eq. 2 of Rybkin et al. 2021, with PlaNet's cell):
//!
//! ```text
//! x = elu(input([s, a]))                                 hidden
//! u, r = sigmoid(gru_input(x) + gru_recurrent(h))        gates in the order update, reset, candidate
//! c = tanh(gru_input(x) + r gru_recurrent(h))            reset applied after the recurrent product
//! h' = u h + (1 - u) c
//! e = elu(prior(h'))                                     mean prior_mean(e), std = softplus(prior_std(e)) + min_std
//! e = elu(posterior([h', embed]))                        posterior_mean and posterior_std; embed from image and joints
//! ```
//!
//! In the constants of the ONNX graphs each layer is `NAME.kernel` and `NAME.bias`; the trainer's parameters have the same
//! names, mean and deviation side by side as `prior_moments` and `posterior_moments`.
//!
//! Without a GRU (PlaNet's SSM) the state is `z = s`, and x stands for h' in prior and posterior. Such a model has no
//! gate factors: its dynamics graph is of the kind `dense`.

use latco_models::DynamicsKind;
use latco_models::manifest::Dims;
use ndarray::{Array1, NdFloat};

use crate::layers::{Conv, Dense, Gru, Mlp, TransposedConv};

/// The weights of the prior step.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorStep<A = f32> {
    /// The dense layer on `[s, a]`, `[ns + na, hidden]`.
    pub input: Dense<A>,
    /// The recurrent cell; `None` without a deterministic part of the state.
    pub gru: Option<Gru<A>>,
    /// The dense layer on h', `[nd, hidden]`; `[hidden, hidden]` without a GRU.
    pub prior: Dense<A>,
    /// The mean of the stochastic part, `[hidden, ns]`.
    pub prior_mean: Dense<A>,
    /// The deviation of the stochastic part before softplus, `[hidden, ns]`.
    pub prior_std: Dense<A>,
    /// What is added to every softplus deviation.
    pub min_std: A,
}

impl<A: NdFloat> PriorStep<A> {
    /// The sizes, read off the weights, for a model trained for `horizon` steps.
    pub fn dims(&self, horizon: usize) -> Dims {
        let stoch = self.prior_mean.outputs();
        Dims {
            stoch,
            deter: self.gru.as_ref().map_or(0, |_| self.prior.inputs()),
            action: self.input.inputs().saturating_sub(stoch),
            hidden: self.input.outputs(),
            horizon,
        }
    }
}

/// What is taken off the reward in states far from the data: `weight (1 - 1 / (1 + x^2))`, where x is the sum of the
/// squares of what `deviations` says of the state. Bounded and smooth; one half of `weight` at x = 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// `[n]` to any number of values, ELU: the deviations of the heads of an ensemble from their mean, scaled so that
    /// their squares add up to the disagreement over its reference.
    pub deviations: Mlp,
    /// The most that is taken off.
    pub weight: f32,
    /// The number of heads of the ensemble; for the manifest.
    pub heads: usize,
    /// The disagreement that x = 1 stands for; for the manifest.
    pub reference: f32,
}

/// Image to features.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoder {
    /// PlaNet's: convolutions with a ReLU after each, flattened in the order channel, row, column.
    Conv {
        /// The convolutions.
        layers: Vec<Conv>,
    },
    /// Keypoints: convolutions with a ReLU after all but the last; then per channel, with `p = softmax` over its
    /// pixels, the expectations of column and row (both from -1 at the first to 1 at the last pixel) and the presence
    /// `sigmoid(sum p a)` of the channel's values a; ordered `[x, y, presence]` channel by channel; an MLP; whitening.
    Keypoint {
        /// The convolutions.
        layers: Vec<Conv>,
        /// `[3 channels]` to code.
        mlp: Mlp,
        /// Code to whitened code; see [`Dense::whiten`].
        whiten: Dense,
    },
}

/// State to image, in scaled pixel values (see [`PixelScaling`]) unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoder {
    /// PlaNet's: a dense layer to `[channels, 1, 1]`, then transposed convolutions with a ReLU after all but the last.
    Conv {
        /// `[n]` to channels.
        input: Dense,
        /// The transposed convolutions.
        layers: Vec<TransposedConv>,
    },
    /// A head predicts the whitened code; un-whitened, it is decoded into square patches. The last layer of `mlp` has
    /// `height * width * 3` columns: at 64x64 pixels and a width of 128 that alone is 6.3 MB.
    Patch {
        /// `[n]` to whitened code.
        head: Mlp,
        /// Whitened code to code; see [`Dense::unwhiten`].
        unwhiten: Dense,
        /// Code to pixels, ordered `[patch row, patch column, row, column, rgb]`.
        mlp: Mlp,
        /// Side of a patch, pixels; 1 for plain row-major order `[row, column, rgb]`.
        patch: usize,
        /// Whether a sigmoid follows; the image is then its output, 0 to 1, not a scaled pixel value.
        sigmoid: bool,
    },
}

/// Inside the graphs a byte b of the camera image becomes `b * scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScaling {
    /// Factor.
    pub scale: f32,
    /// Summand.
    pub offset: f32,
}

impl PixelScaling {
    /// 0 to 1.
    pub const UNIT: Self = Self {
        scale: 1.0 / 255.0,
        offset: 0.0,
    };
    /// -0.5 to 0.5, as PlaNet has it.
    pub const CENTRED: Self = Self {
        scale: 1.0 / 255.0,
        offset: -0.5,
    };
}

/// Normalisation of the joints `[positions, velocities]` inside the observe graph: `(j - mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// `[2 nj]`.
    pub mean: Array1<f32>,
    /// `[2 nj]`, positive.
    pub std: Array1<f32>,
}

/// All weights of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct RssmWeights {
    /// The prior step.
    pub step: PriorStep,
    /// The dense layer on what the prior starts from and the embedded observation, `[nd + embed, any width]`;
    /// `[hidden + embed, any width]` without a GRU.
    pub posterior: Dense,
    /// The mean of the stochastic part given the observation, `[width of posterior, ns]`.
    pub posterior_mean: Dense,
    /// The deviation of the stochastic part given the observation, before softplus, `[width of posterior, ns]`.
    pub posterior_std: Dense,
    /// The reward head, `[n]` to 1, ELU.
    pub reward: Mlp,
    /// What is taken off the reward far from the data, if anything is.
    pub penalty: Option<Penalty>,
    /// Scaling of the pixels before the encoder and after the decoder.
    pub pixels: PixelScaling,
    /// Image to features.
    pub encoder: Encoder,
    /// Normalisation of the joints after the features; `None` if the model sees only the image.
    pub joints: Option<Normalisation>,
    /// State to image.
    pub decoder: Decoder,
}

impl RssmWeights {
    /// The kind of dynamics graph to choose for them: matrices only where there are no gate factors.
    pub fn kind(&self) -> DynamicsKind {
        match self.step.gru {
            Some(_) => DynamicsKind::GruFactors,
            None => DynamicsKind::Dense,
        }
    }
}

impl Encoder {
    /// Number of features for RGB images of this size; `None` if the layers do not fit.
    pub fn features(&self, height: usize, width: usize) -> Option<usize> {
        let through = |layers: &[Conv]| {
            layers
                .iter()
                .try_fold((3, height, width), |shape, layer| layer.output(shape))
        };
        match self {
            Self::Conv { layers } => through(layers).map(|(c, h, w)| c * h * w),
            Self::Keypoint {
                layers,
                mlp,
                whiten,
            } => {
                let (channels, _, _) = through(layers)?;
                let (inputs, code) = mlp.size()?;
                let fits = inputs == 3 * channels
                    && whiten.inputs() == code
                    && whiten.bias.len() == whiten.outputs();
                fits.then(|| whiten.outputs())
            }
        }
    }
}
