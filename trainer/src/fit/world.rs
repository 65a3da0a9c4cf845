//! Stage two of the two-stage recipe: the RSSM on image codes and joints.

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{ModelConfig, RewardKind, TrainingConfig};
use super::dataset::{Frames, normals, sequence_starts, step_rng};
use crate::rssm::params::{Params, tensor};
use crate::rssm::recurrent::balanced_kl;
use crate::rssm::world::{Predictions, World, WorldSizes};

/// Stream of random numbers of this stage.
const STAGE: u64 = 2;

/// What the model is trained on: one row per frame.
pub struct Rows<'a> {
    /// Actions, rewards and episode limits.
    pub frames: &'a Frames,
    /// Whitened image codes, `[frames, code]`.
    pub codes: &'a [f32],
    /// Width of a code.
    pub code: usize,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    pub joints: Vec<f32>,
}

impl Rows<'_> {
    /// Width of the joints that are observed.
    pub fn joints_width(&self) -> usize {
        self.joints.len() / self.frames.len().max(1)
    }

    /// Appends the embedded observation of one frame.
    pub fn embed(&self, frame: usize, out: &mut Vec<f32>) {
        let joints = self.joints_width();
        out.extend_from_slice(&self.codes[frame * self.code..][..self.code]);
        out.extend_from_slice(&self.joints[frame * joints..][..joints]);
    }
}

/// (x - mean) / std for every row.
pub fn normalised(values: &[f32], mean: &[f32], std: &[f32]) -> Vec<f32> {
    values
        .chunks_exact(mean.len().max(1))
        .flat_map(|row| row.iter().zip(mean).zip(std).map(|((x, m), s)| (x - m) / s))
        .collect()
}

/// Parameters before the first step.
pub fn create(sizes: &WorldSizes, seed: u64) -> Params {
    let mut params = Params::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    World::create(&mut params, sizes, &mut rng);
    params
}

/// Values of one step's losses by name, before weighting.
pub type Losses = Vec<(&'static str, f32)>;

/// Targets of rows of states.
struct Targets {
    code: Tensor<2>,
    joints: Option<Tensor<2>>,
    reward: Tensor<2>,
}

/// Losses and gradients of one step.
pub fn step(
    params: &Params,
    sizes: WorldSizes,
    rows: &Rows,
    model: &ModelConfig,
    training: &TrainingConfig,
    seed: u64,
    step: usize,
) -> (Losses, Vec<Vec<f32>>) {
    let mut rng = step_rng(seed, STAGE, step);
    let (batch, length) = (training.batch, training.sequence);
    let frames = rows.frames;
    let starts = sequence_starts(
        frames,
        batch,
        length,
        training.at_start,
        training.recent_share,
        &mut rng,
    );
    let count = batch * length;
    let na = frames.action_width;
    let mut embed = Vec::with_capacity(count * sizes.core.embed);
    let mut before = Vec::with_capacity(count * na);
    let mut after = Vec::with_capacity(count * na);
    let mut rewards = Vec::with_capacity(count);
    for t in 0..length {
        for start in &starts {
            let frame = start + t;
            rows.embed(frame, &mut embed);
            match t {
                0 => before.resize(before.len() + na, 0.0),
                _ => before.extend_from_slice(&frames.actions[(frame - 1) * na..][..na]),
            }
            after.extend_from_slice(&frames.actions[frame * na..][..na]);
            rewards.push(frames.rewards[frame]);
        }
    }
    let embed: Tensor<2> = tensor(embed, [count, sizes.core.embed]);
    let before = tensor(before, [count, na]);
    let after: Tensor<2> = tensor(after, [count, na]);
    let noise = tensor(
        normals(count * sizes.core.stoch, &mut rng),
        [count, sizes.core.stoch],
    );
    let targets = Targets {
        code: embed.clone().narrow(1, 0, rows.code),
        joints: (sizes.joints > 0).then(|| embed.clone().narrow(1, rows.code, sizes.joints)),
        reward: tensor(rewards, [count, 1]),
    };

    let leaves = params.leaves(true);
    let world = World::new(&leaves, sizes);
    let unrolled = world.core.unroll(embed, before, noise, batch);
    let (kl, measured_kl) = balanced_kl(
        &unrolled.posterior,
        &unrolled.prior,
        training.kl_balance as f32,
        training.free_nats as f32,
    );
    let state = Tensor::cat(vec![unrolled.sample, unrolled.posterior.deter.clone()], 1);
    let (mut loss, mut losses) = prediction_loss(world.predict(state), &targets, model, training);
    loss = loss + kl.mul_scalar(training.kl_weight as f32);
    losses.push(("kl", measured_kl.into_scalar()));

    if training.rollout_steps > 0 {
        let steps = training.rollout_steps;
        let rows = (length - steps) * batch;
        let from = unrolled.posterior.state().narrow(0, 0, rows);
        let actions: Vec<_> = (0..steps)
            .map(|k| after.clone().narrow(0, k * batch, rows))
            .collect();
        let states = Tensor::cat(world.core.rollout(from, &actions), 0);
        let shifted = |x: &Tensor<2>| {
            let parts = (1..=steps).map(|k| x.clone().narrow(0, k * batch, rows));
            Tensor::cat(parts.collect(), 0)
        };
        let targets = Targets {
            code: shifted(&targets.code),
            joints: targets.joints.as_ref().map(shifted),
            reward: shifted(&targets.reward),
        };
        let (rollout, parts) = prediction_loss(world.predict(states), &targets, model, training);
        loss = loss + rollout.mul_scalar(training.rollout_weight as f32);
        let names = [
            ("code", "rollout_code"),
            ("joints", "rollout_joints"),
            ("reward", "rollout_reward"),
        ];
        for (name, value) in parts {
            if let Some((_, renamed)) = names.iter().find(|(plain, _)| *plain == name) {
                losses.push((renamed, value));
            }
        }
    }
    losses.insert(0, ("loss", loss.clone().into_scalar()));
    let gradients = leaves.gradients(&mut loss.backward());
    (losses, gradients)
}

fn prediction_loss(
    predicted: Predictions,
    targets: &Targets,
    model: &ModelConfig,
    training: &TrainingConfig,
) -> (Tensor<1>, Losses) {
    let squared = |x: Tensor<2>, y: &Tensor<2>| (x - y.clone()).square().mean();
    let reward = match model.reward {
        RewardKind::Regression => squared(predicted.reward, &targets.reward),
        RewardKind::BernoulliLogit => cross_entropy(predicted.reward, targets.reward.clone()),
    };
    let mut losses = vec![("reward", reward.clone().into_scalar())];
    let mut loss = reward.mul_scalar(training.reward_weight as f32);
    if let Some(code) = predicted.code {
        let code = squared(code, &targets.code);
        losses.push(("code", code.clone().into_scalar()));
        loss = loss + code.mul_scalar(training.image_weight as f32);
    }
    if let (Some(joints), Some(target)) = (predicted.joints, &targets.joints) {
        let joints = squared(joints, target);
        losses.push(("joints", joints.clone().into_scalar()));
        loss = loss + joints.mul_scalar(training.joints_weight as f32);
    }
    (loss, losses)
}

/// -log p(target) of a 0/1 target with that logit, mean over rows.
pub fn cross_entropy(logit: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (crate::rssm::fused::softplus(logit.clone()) - logit * target).mean()
}
