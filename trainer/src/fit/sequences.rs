//! Sequences drawn from episodes, and the losses of the RSSM on them that both recipes have.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;

use super::config::{ModelConfig, RewardHeads, TrainingConfig};
use super::dataset::{Frames, normals, sequence_starts};
use super::objective::{Losses, RewardScale};
use crate::rssm::fused::softplus;
use crate::rssm::overshooting::Overshooting;
use crate::rssm::params::tensor_on;
use crate::rssm::recurrent::{Core, Unrolled, balanced_kl};
use crate::rssm::world::Predictions;

/// All of a batch of sequences but what is observed, in rows `t * batch + b`.
pub struct Sequences {
    /// Number of sequences.
    pub batch: usize,
    /// Actions before the observations, `[rows, action]`; zero in the first step.
    pub before: Tensor<2>,
    /// Actions after them, `[rows, action]`.
    pub after: Tensor<2>,
    /// Rewards, `[rows, 1]`.
    pub rewards: Tensor<2>,
    /// Standard normal numbers that draw the samples of the posterior, `[rows, stoch]`.
    pub noise: Tensor<2>,
    /// Standard normal numbers of latent overshooting, if it is used; see [`Overshooting::noise`].
    pub overshooting: Option<Tensor<2>>,
}

impl Sequences {
    /// Draws that many sequences of `training.sequence` frames; gives the frame of every row as well.
    pub(super) fn draw(
        frames: &Frames,
        batch: usize,
        training: &TrainingConfig,
        stoch: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        scale: &mut RewardScale,
    ) -> (Vec<usize>, Self) {
        let length = training.sequence;
        let (at_start, recent) = (training.at_start, training.recent_share);
        let starts = sequence_starts(frames, batch, length, at_start, recent, rng);
        let rows = (0..length).flat_map(|t| starts.iter().map(move |start| start + t));
        let rows: Vec<usize> = rows.collect();
        let (count, na) = (rows.len(), frames.action_width);
        let of = |frame: usize| &frames.actions[frame * na..][..na];
        let mut before = vec![0.0; batch * na];
        before.extend(rows[batch..].iter().flat_map(|frame| of(frame - 1)));
        let after = rows.iter().flat_map(|frame| of(*frame)).copied().collect();
        let targets = frames.reward_targets();
        let mut rewards: Vec<f32> = rows.iter().map(|frame| targets[*frame]).collect();
        scale.apply(&mut rewards);
        let tensor = |values, shape| tensor_on(device, values, shape);
        let mut noise = |rows: usize| tensor(normals(rows * stoch, rng), [rows, stoch]);
        let drawn = Self {
            batch,
            before: tensor(before, [count, na]),
            after: tensor(after, [count, na]),
            rewards: tensor(rewards, [count, 1]),
            noise: noise(count),
            overshooting: (training.overshooting > 0).then(|| {
                noise(Overshooting::noise_rows(
                    training.overshooting,
                    length,
                    batch,
                ))
            }),
        };
        (rows, drawn)
    }

    /// Filters the embedded observations `[rows, embed]`; gives the beliefs, the weighted sum of their divergences, and
    /// what is recorded of these: without weights and free nats.
    pub(super) fn filter(
        &self,
        core: &Core,
        embed: Tensor<2>,
        training: &TrainingConfig,
    ) -> (Unrolled, Tensor<1>, Losses) {
        let (before, noise) = (self.before.clone(), self.noise.clone());
        let unrolled = core.unroll(embed, before, noise, self.batch);
        let (balance, free_nats) = (training.kl_balance as f32, training.free_nats as f32);
        let (kl, measured) = balanced_kl(&unrolled.posterior, &unrolled.prior, balance, free_nats);
        let mut loss = kl.mul_scalar(training.kl_weight as f32);
        let mut losses = vec![("kl", measured.into_scalar())];
        if let Some(noise) = &self.overshooting {
            let overshooting = Overshooting {
                distance: training.overshooting,
                batch: self.batch,
                actions: &self.after,
                noise: noise.clone(),
                free_nats,
            };
            let (overshot, measured) = overshooting.loss(core, &unrolled);
            loss = loss + overshot.mul_scalar(training.overshooting_weight as f32);
            losses.push(("overshooting", measured.into_scalar()));
        }
        (unrolled, loss, losses)
    }
}

/// What is to be predicted for rows of states.
pub(super) struct Targets {
    pub(super) code: Option<Tensor<2>>,
    pub(super) joints: Option<Tensor<2>>,
    pub(super) reward: Tensor<2>,
}

/// The weighted sum of the losses of what is predicted, and their values before weighting; `error` is that of a
/// prediction and its target.
///
/// # Panics
/// If the model has no loss.
pub(super) fn prediction_loss(
    predicted: Predictions,
    targets: &Targets,
    (model, training): (&ModelConfig, &TrainingConfig),
    error: fn(Tensor<2>, Tensor<2>) -> Tensor<1>,
) -> (Tensor<1>, Losses) {
    let logit_name = match model.reward {
        RewardHeads::Both => "reward_logit",
        _ => "reward",
    };
    let reward = || targets.reward.clone();
    let weights = [
        training.reward_weight,
        training.image_weight,
        training.joints_weight,
    ];
    let terms = [
        ("reward", predicted.reward.map(|x| error(x, reward())), 0),
        (
            logit_name,
            predicted.logit.map(|x| cross_entropy(x, reward())),
            0,
        ),
        (
            "code",
            predicted
                .code
                .zip(targets.code.clone())
                .map(|(x, y)| error(x, y)),
            1,
        ),
        (
            "joints",
            (predicted.joints.zip(targets.joints.clone())).map(|(x, y)| error(x, y)),
            2,
        ),
    ];
    let mut losses = Losses::new();
    let sum = terms.into_iter().filter_map(|(name, value, weight)| {
        let value = value?;
        losses.push((name, value.clone().into_scalar()));
        Some(value.mul_scalar(weights[weight] as f32))
    });
    let sum = sum.reduce(|sum, term| sum + term);
    (sum.expect("every model has losses"), losses)
}

/// -log p(target) of a 0/1 target with that logit, mean over rows.
fn cross_entropy(logit: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (softplus(logit.clone()) - logit * target).mean()
}
