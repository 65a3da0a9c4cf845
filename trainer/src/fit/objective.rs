//! What a stage of training makes small, and one step towards it.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;

use super::dataset::step_rng;
use super::moments::Moments;
use crate::rssm::params::{Leaves, Params};

/// Values of one batch's losses by name, before weighting.
pub type Losses = Vec<(&'static str, f32)>;

/// Name of the weighted sum in [`Losses`].
pub const TOTAL: &str = "loss";
/// The weighted sum of [`Losses`].
pub fn total(losses: &Losses) -> f32 {
    let found = losses.iter().find(|(name, _)| *name == TOTAL);
    found.map_or(f32::NAN, |(_, value)| *value)
}

/// Batches that the held-out loss is the mean of.
const HELD_OUT_BATCHES: usize = 4;
/// Added to the stream of random numbers of a stage for its held-out batches.
const HELD_OUT_STREAM: u64 = 1 << 20;

/// A loss over batches drawn from episodes.
pub trait Objective {
    /// Stream of random numbers, another for every stage.
    fn stream(&self) -> u64;

    /// The loss of one batch and its parts.
    ///
    /// # Errors
    /// Images that cannot be read.
    fn loss(
        &self,
        leaves: &Leaves,
        rng: &mut ChaCha8Rng,
        rewards: &mut RewardScale,
    ) -> std::io::Result<(Tensor<1>, Losses)>;

    /// Measures what is kept beside trained weights once they are final; nothing by default.
    fn settle(&self, _params: &mut Params, _device: &Device) {}
}

/// The scale in which the rewards of batches are learned.
pub struct RewardScale<'a> {
    /// Moments of the rewards drawn so far; none if rewards are learned as they are.
    moments: Option<&'a mut Moments>,
    /// Whether these batches count.
    counts: bool,
}

impl RewardScale<'_> {
    /// Brings the rewards of a batch to that scale.
    pub fn apply(&mut self, rewards: &mut [f32]) {
        if let Some(moments) = &mut self.moments {
            if self.counts {
                moments.update(rewards);
            }
            moments.normalise(rewards);
        }
    }
}

/// Losses and gradients of training step `step`, which draws the same batch whenever it is done.
///
/// # Errors
/// Images that cannot be read.
pub fn step(
    objective: &dyn Objective,
    params: &Params,
    moments: Option<&mut Moments>,
    seed: u64,
    step: usize,
    device: &Device,
) -> std::io::Result<(Losses, Vec<Vec<f32>>)> {
    let mut rng = step_rng(seed, objective.stream(), step);
    let leaves = params.leaves_on(device, true);
    let mut rewards = RewardScale {
        moments,
        counts: true,
    };
    let (loss, mut losses) = objective.loss(&leaves, &mut rng, &mut rewards)?;
    losses.insert(0, (TOTAL, loss.clone().into_scalar()));
    let gradients = leaves.gradients(&mut loss.backward());
    Ok((losses, gradients))
}

/// Mean losses of a few batches, always the same ones, nothing learned.
///
/// # Errors
/// Images that cannot be read.
pub fn held_out(
    objective: &dyn Objective,
    params: &Params,
    moments: Option<&mut Moments>,
    seed: u64,
    device: &Device,
) -> std::io::Result<Losses> {
    let leaves = params.leaves_on(device, false);
    let mut rewards = RewardScale {
        moments,
        counts: false,
    };
    let mut mean = Losses::new();
    for batch in 0..HELD_OUT_BATCHES {
        let mut rng = step_rng(seed, objective.stream() + HELD_OUT_STREAM, batch);
        let (loss, mut losses) = objective.loss(&leaves, &mut rng, &mut rewards)?;
        losses.insert(0, (TOTAL, loss.into_scalar()));
        if mean.is_empty() {
            mean = losses.iter().map(|(name, _)| (*name, 0.0)).collect();
        }
        for ((_, sum), (_, value)) in mean.iter_mut().zip(&losses) {
            *sum += value / HELD_OUT_BATCHES as f32;
        }
    }
    Ok(mean)
}
