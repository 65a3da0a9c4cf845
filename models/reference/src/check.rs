//! Whether the weights of a model fit together.

use latco_models::manifest::Dims;
use ndarray::{Array1, Array4};

use crate::layers::{Activation, Dense, Mlp};
use crate::weights::{Decoder, Encoder, RssmWeights};

/// The weights contradict each other; one sentence for every contradiction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights do not fit together:\n  - {}", .0.join("\n  - "))]
pub struct WeightsError(pub Vec<String>);

impl RssmWeights {
    /// Whether all layers fit together, for images of `height` x `width` pixels.
    ///
    /// # Errors
    /// [`WeightsError`] with every contradiction.
    pub fn validate(&self, height: usize, width: usize) -> Result<(), WeightsError> {
        let step = &self.step;
        let Dims {
            stoch,
            deter,
            hidden,
            action,
            ..
        } = step.dims(0);
        let n = stoch + deter;
        let mut found = Vec::new();
        let feature = if step.gru.is_some() { deter } else { hidden };
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
        dense("input", &step.input, stoch + action, hidden);
        if let Some(gru) = &step.gru {
            dense("gru_input", &gru.input, hidden, 3 * deter);
            dense("gru_recurrent", &gru.recurrent, deter, 3 * deter);
        }
        dense("prior", &step.prior, feature, hidden);
        dense("prior_mean", &step.prior_mean, hidden, stoch);
        dense("prior_std", &step.prior_std, hidden, stoch);
        let posterior = self.posterior.outputs();
        let embed = self.encoder.features(height, width);
        let joints = self.joints.as_ref().map_or(0, |j| j.mean.len());
        if let Some(features) = embed {
            let inputs = feature + features + joints;
            dense("posterior", &self.posterior, inputs, posterior);
        }
        dense("posterior_mean", &self.posterior_mean, posterior, stoch);
        dense("posterior_std", &self.posterior_std, posterior, stoch);
        if embed.is_none() {
            found.push(format!(
                "the encoder's layers do not fit together or need a larger image than {height}x{width}"
            ));
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
            Err(WeightsError(found))
        }
    }

    fn is_finite(&self) -> bool {
        let dense = |d: &Dense| d.kernel.iter().chain(&d.bias).all(|w| w.is_finite());
        let mlp = |m: &Mlp| m.layers.iter().all(dense);
        let conv = |k: &Array4<f32>, b: &Array1<f32>| k.iter().chain(b).all(|w| w.is_finite());
        let step = &self.step;
        let gru = step.gru.iter().flat_map(|gru| [&gru.input, &gru.recurrent]);
        let layers = [&step.input, &step.prior, &step.prior_mean, &step.prior_std];
        let posterior = [&self.posterior, &self.posterior_mean, &self.posterior_std];
        gru.chain(layers).chain(posterior).all(dense)
            && mlp(&self.reward)
            && self.penalty.iter().all(|penalty| mlp(&penalty.deviations))
            && step.min_std.is_finite()
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
