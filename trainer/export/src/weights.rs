//! The weights of a recurrent state-space model as plain arrays, in the layout that the export expects.
//!
//! Kernels of dense layers are `[in, out]` and act as `y = x W + b`. The state is `z = [s, h]`: stochastic part first.
//! One prior step (Eq. 2 of Rybkin et al. 2021, with PlaNet's cell):
//!
//! ```text
//! x = elu([s, a] img1)                                   hidden
//! u, r = sigmoid(x Wx + bx + h Wh + bh)                  gates in the order update, reset, candidate
//! c = tanh(x Wxc + bxc + r (h Whc + bhc))                reset applied after the recurrent product
//! h' = u h + (1 - u) c
//! [m, sd] = elu(h' img2) img3                            prior mean m, std = softplus(sd) + min_std
//! [m, sd] = elu([h', embed] obs1) obs2                   posterior, embed from image and joints
//! ```
//!
//! Without a GRU (PlaNet's SSM) the state is `z = s`, and x stands for h' in prior and posterior. Such a model has no
//! gate factors: its dynamics graph is of the kind `dense`.

use latco_models::DynamicsKind;
use ndarray::{Array1, Array2, Array4};

use crate::error::ExportError;

/// A dense layer `y = x kernel + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[in, out]`.
    pub kernel: Array2<f32>,
    /// `[out]`.
    pub bias: Array1<f32>,
}

impl Dense {
    /// Inputs.
    pub fn inputs(&self) -> usize {
        self.kernel.nrows()
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.kernel.ncols()
    }

    /// The layer `y = (x - mean) / std`, entry by entry: whitening.
    pub fn whiten(mean: &Array1<f32>, std: &Array1<f32>) -> Self {
        Self {
            kernel: Array2::from_diag(&std.mapv(|s| 1.0 / s)),
            bias: -(mean / std),
        }
    }

    /// The layer `y = x std + mean`, entry by entry: the inverse of [`Dense::whiten`].
    pub fn unwhiten(mean: &Array1<f32>, std: &Array1<f32>) -> Self {
        Self {
            kernel: Array2::from_diag(std),
            bias: mean.clone(),
        }
    }
}

/// The GRU cell. The three gates lie side by side in the columns: update, reset, candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    /// Wx `[hidden, 3 nd]`.
    pub input_kernel: Array2<f32>,
    /// bx `[3 nd]`.
    pub input_bias: Array1<f32>,
    /// Wh `[nd, 3 nd]`.
    pub recurrent_kernel: Array2<f32>,
    /// bh `[3 nd]`.
    pub recurrent_bias: Array1<f32>,
}

/// Nonlinearity between the layers of an [`Mlp`]; none after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x` if positive, else `exp(x) - 1`.
    Elu,
}

/// Dense layers with a nonlinearity between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// At least one layer.
    pub layers: Vec<Dense>,
    /// Applied after every layer but the last.
    pub activation: Activation,
}

/// What is taken off the reward in states far from the data: `weight (1 - 1 / (1 + x^2))`, where x is the sum of the
/// squares of what `deviations` says of the state. Bounded and smooth; one half of `weight` at x = 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// `[n]` to any number of values, ELU: the deviations of the heads of an ensemble from their mean, scaled so that
    /// their squares add up to the disagreement over its reference.
    pub deviations: Mlp,
    /// Most that is taken off.
    pub weight: f32,
    /// Heads of the ensemble; for the manifest.
    pub heads: usize,
    /// Disagreement that x = 1 stands for; for the manifest.
    pub reference: f32,
}

/// A convolution on `[N, channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// `[out, in, kernel height, kernel width]`.
    pub kernel: Array4<f32>,
    /// `[out]`.
    pub bias: Array1<f32>,
    /// Stride in both directions.
    pub stride: usize,
    /// Zero padding on all four sides.
    pub padding: usize,
}

/// A transposed convolution without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct TransposedConv {
    /// `[in, out, kernel height, kernel width]`.
    pub kernel: Array4<f32>,
    /// `[out]`.
    pub bias: Array1<f32>,
    /// Stride in both directions.
    pub stride: usize,
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
    /// `[ns + na, hidden]`.
    pub img1: Dense,
    /// The recurrent cell; `None` without a deterministic part of the state.
    pub gru: Option<Gru>,
    /// `[nd, hidden]`; `[hidden, hidden]` without a GRU.
    pub img2: Dense,
    /// `[hidden, 2 ns]`: mean half, then deviation half.
    pub img3: Dense,
    /// `[nd + embed, hidden of the posterior]`; `[hidden + embed, ..]` without a GRU.
    pub obs1: Dense,
    /// `[hidden of the posterior, 2 ns]`: mean half, then deviation half.
    pub obs2: Dense,
    /// `[n]` to 1, ELU.
    pub reward: Mlp,
    /// What is taken off the reward far from the data, if anything is.
    pub penalty: Option<Penalty>,
    /// Added to every softplus deviation.
    pub min_std: f32,
    /// Scaling of the pixels before the encoder and after the decoder.
    pub pixels: PixelScaling,
    /// Image to features.
    pub encoder: Encoder,
    /// Joints after the features; `None` if the model sees only the image.
    pub joints: Option<Normalisation>,
    /// State to image.
    pub decoder: Decoder,
}

/// Sizes read off the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// ns.
    pub stoch: usize,
    /// nd; 0 without a GRU.
    pub deter: usize,
    /// Width of `img1` and `img2`.
    pub hidden: usize,
    /// na.
    pub action: usize,
}

impl Sizes {
    /// n = ns + nd.
    pub fn state(&self) -> usize {
        self.stoch + self.deter
    }
}

impl RssmWeights {
    /// Sizes read off the weights.
    pub fn sizes(&self) -> Sizes {
        let stoch = self.img3.outputs() / 2;
        Sizes {
            stoch,
            deter: self.gru.as_ref().map_or(0, |_| self.img2.inputs()),
            hidden: self.img1.outputs(),
            action: self.img1.inputs().saturating_sub(stoch),
        }
    }

    /// The kind of dynamics graph to choose for them: matrices only where there are no gate factors.
    pub fn kind(&self) -> DynamicsKind {
        match self.gru {
            Some(_) => DynamicsKind::GruFactors,
            None => DynamicsKind::Dense,
        }
    }

    /// Whether all layers fit together, for images of `height` x `width` pixels.
    ///
    /// # Errors
    /// [`ExportError::Weights`] with every contradiction.
    pub fn validate(&self, height: usize, width: usize) -> Result<(), ExportError> {
        let Sizes {
            stoch,
            deter,
            hidden,
            action,
        } = self.sizes();
        let n = stoch + deter;
        let mut found = Vec::new();
        let feature = if self.gru.is_some() { deter } else { hidden };
        if stoch == 0 || feature == 0 || hidden == 0 || action == 0 {
            found.push(format!(
                "sizes are stoch {stoch}, deter {deter}, hidden {hidden}, action {action}; none may be 0"
            ));
        }
        let mut dense = |name: &str, layer: &Dense, inputs: usize, outputs: usize| {
            if layer.kernel.dim() != (inputs, outputs) || layer.bias.len() != outputs {
                found.push(format!(
                    "{name} has kernel {:?} and bias [{}], expected ({inputs}, {outputs}) and [{outputs}]",
                    layer.kernel.dim(),
                    layer.bias.len()
                ));
            }
        };
        dense("img1", &self.img1, stoch + action, hidden);
        dense("img2", &self.img2, feature, hidden);
        dense("img3", &self.img3, hidden, 2 * stoch);
        let posterior = self.obs1.outputs();
        let embed = self.encoder.features(height, width);
        let joints = self.joints.as_ref().map_or(0, |j| j.mean.len());
        if let Some(features) = embed {
            dense("obs1", &self.obs1, feature + features + joints, posterior);
        }
        dense("obs2", &self.obs2, posterior, 2 * stoch);
        if embed.is_none() {
            found.push(format!(
                "the encoder's layers do not fit together or need a larger image than {height}x{width}"
            ));
        }
        let products = self.gru.iter().flat_map(|gru| {
            [
                ("gru input", &gru.input_bias, &gru.input_kernel, hidden),
                (
                    "gru recurrent",
                    &gru.recurrent_bias,
                    &gru.recurrent_kernel,
                    deter,
                ),
            ]
        });
        for (name, bias, kernel, rows) in products {
            if kernel.dim() != (rows, 3 * deter) || bias.len() != 3 * deter {
                found.push(format!(
                    "{name} has kernel {:?} and bias [{}], expected ({rows}, {}) and [{}]",
                    kernel.dim(),
                    bias.len(),
                    3 * deter,
                    3 * deter
                ));
            }
        }
        if self.reward.size() != Some((n, 1)) || self.reward.activation != Activation::Elu {
            found.push(format!(
                "reward must be ELU layers from {n} to 1 that fit together"
            ));
        }
        if let Some(penalty) = &self.penalty
            && (penalty
                .deviations
                .size()
                .is_none_or(|(inputs, _)| inputs != n)
                || penalty.deviations.activation != Activation::Elu)
        {
            found.push(format!(
                "penalty.deviations must be ELU layers from {n} that fit together"
            ));
        }
        if let Some(joints) = &self.joints
            && (joints.mean.len() != joints.std.len() || joints.std.iter().any(|&s| s <= 0.0))
        {
            found.push("joints need as many positive deviations as means".to_owned());
        }
        if self.pixels.scale <= 0.0 {
            found.push("pixels.scale must be positive".to_owned());
        }
        self.decoder.check(n, height, width, &mut found);
        if !self.is_finite() {
            found.push("some weights are not finite".to_owned());
        }
        if found.is_empty() {
            Ok(())
        } else {
            Err(ExportError::Weights(found))
        }
    }

    fn is_finite(&self) -> bool {
        let dense = |d: &Dense| d.kernel.iter().chain(&d.bias).all(|w| w.is_finite());
        let mlp = |m: &Mlp| m.layers.iter().all(dense);
        let conv = |k: &Array4<f32>, b: &Array1<f32>| k.iter().chain(b).all(|w| w.is_finite());
        let gru = |gru: &Gru| {
            gru.input_kernel
                .iter()
                .chain(&gru.recurrent_kernel)
                .chain(&gru.input_bias)
                .chain(&gru.recurrent_bias)
                .all(|w| w.is_finite())
        };
        [&self.img1, &self.img2, &self.img3, &self.obs1, &self.obs2]
            .into_iter()
            .all(dense)
            && self.gru.iter().all(gru)
            && mlp(&self.reward)
            && self.penalty.iter().all(|penalty| mlp(&penalty.deviations))
            && self.min_std.is_finite()
            && match &self.encoder {
                Encoder::Conv { layers } => layers.iter().all(|l| conv(&l.kernel, &l.bias)),
                Encoder::Keypoint {
                    layers,
                    mlp: m,
                    whiten,
                } => layers.iter().all(|l| conv(&l.kernel, &l.bias)) && mlp(m) && dense(whiten),
            }
            && match &self.decoder {
                Decoder::Conv { input, layers } => {
                    dense(input) && layers.iter().all(|l| conv(&l.kernel, &l.bias))
                }
                Decoder::Patch {
                    head,
                    unwhiten,
                    mlp: m,
                    ..
                } => mlp(head) && dense(unwhiten) && mlp(m),
            }
    }
}

impl Mlp {
    /// Inputs and outputs, or `None` if the layers do not fit together.
    pub fn size(&self) -> Option<(usize, usize)> {
        let fits = self
            .layers
            .windows(2)
            .all(|pair| pair[0].outputs() == pair[1].inputs())
            && self.layers.iter().all(|l| l.bias.len() == l.outputs());
        match (self.layers.first(), self.layers.last()) {
            (Some(first), Some(last)) if fits => Some((first.inputs(), last.outputs())),
            _ => None,
        }
    }
}

impl Conv {
    /// Channels, height and width after the layer; `None` if it does not fit.
    pub fn output(
        &self,
        (channels, height, width): (usize, usize, usize),
    ) -> Option<(usize, usize, usize)> {
        let (out, inputs, kh, kw) = self.kernel.dim();
        if inputs != channels || self.bias.len() != out || self.stride == 0 {
            return None;
        }
        let side = |size: usize, kernel: usize| {
            Some((size + 2 * self.padding).checked_sub(kernel)? / self.stride + 1)
        };
        Some((out, side(height, kh)?, side(width, kw)?))
    }
}

impl TransposedConv {
    /// Channels, height and width after the layer; `None` if it does not fit.
    pub fn output(
        &self,
        (channels, height, width): (usize, usize, usize),
    ) -> Option<(usize, usize, usize)> {
        let (inputs, out, kh, kw) = self.kernel.dim();
        if inputs != channels || self.bias.len() != out || self.stride == 0 {
            return None;
        }
        let side = |size: usize, kernel: usize| Some((size.checked_sub(1)?) * self.stride + kernel);
        Some((out, side(height, kh)?, side(width, kw)?))
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

impl Decoder {
    fn check(&self, n: usize, height: usize, width: usize, found: &mut Vec<String>) {
        let fits = match self {
            Self::Conv { input, layers } => {
                let end = layers
                    .iter()
                    .try_fold((input.outputs(), 1, 1), |shape, layer| layer.output(shape));
                input.inputs() == n
                    && input.bias.len() == input.outputs()
                    && end == Some((3, height, width))
            }
            Self::Patch {
                head,
                unwhiten,
                mlp,
                patch,
                ..
            } => {
                *patch > 0
                    && height.is_multiple_of(*patch)
                    && width.is_multiple_of(*patch)
                    && head.size() == Some((n, unwhiten.inputs()))
                    && unwhiten.bias.len() == unwhiten.outputs()
                    && mlp.size() == Some((unwhiten.outputs(), height * width * 3))
            }
        };
        if !fits {
            found.push(format!(
                "the decoder's layers must fit together, start at a state of {n} and end at an image of \
                 {height}x{width}x3"
            ));
        }
    }
}
