//! What a stage of training makes small, and one step towards it.

use burn::tensor::{Device, Tensor};
use chacha20::ChaCha8Rng;

use super::dataset::step_rng;
use super::moments::Moments;
use super::shards::Shards;
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
/// Added to the stream of random numbers of a stage for every further shard of a batch.
const SHARD_STREAM: u64 = 1 << 40;

/// The loss of drawn examples and its parts, as a function of the parameters.
pub type DrawnLoss<'a> = Box<dyn FnOnce(&Leaves) -> (Tensor<1>, Losses) + Send + 'a>;

/// A loss over batches drawn from episodes: the mean over the examples of a batch.
pub trait Objective {
    /// Stream of random numbers, another for every stage.
    fn stream(&self) -> u64;

    /// Number of examples in a batch: frames or sequences.
    fn batch(&self) -> usize;

    /// Draws that many examples.
    ///
    /// # Errors
    /// Images that cannot be read.
    fn draw<'a>(
        &'a self,
        count: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
        rewards: &mut RewardScale,
    ) -> std::io::Result<DrawnLoss<'a>>;

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
    shards: &Shards,
) -> std::io::Result<(Losses, Vec<Vec<f32>>)> {
    let mut rewards = RewardScale {
        moments,
        counts: true,
    };
    let mut drawn = Vec::new();
    for (shard, count) in (0..).zip(shards.counts(objective.batch())) {
        let mut rng = step_rng(seed, objective.stream() + SHARD_STREAM * shard, step);
        let loss = objective.draw(count, shards.device(), &mut rng, &mut rewards)?;
        drawn.push((count, loss));
    }
    let found = shards.run(drawn, |(count, loss)| {
        let leaves = params.leaves_on(shards.device(), true);
        let (loss, mut losses) = loss(&leaves);
        losses.insert(0, (TOTAL, loss.clone().into_scalar()));
        (count, losses, leaves.gradients(&mut loss.backward()))
    });
    Ok(mean(found, objective.batch()))
}

/// The mean of losses and gradients over the examples of a whole batch, from those of its shards.
fn mean(shards: Vec<(usize, Losses, Vec<Vec<f32>>)>, batch: usize) -> (Losses, Vec<Vec<f32>>) {
    let mut shards = shards.into_iter();
    let (count, mut losses, mut gradients) = shards.next().expect("a batch has at least one shard");
    if count == batch {
        return (losses, gradients);
    }
    let share = |count: usize| count as f32 / batch as f32;
    let scale = share(count);
    losses.iter_mut().for_each(|(_, value)| *value *= scale);
    let values = gradients.iter_mut().flatten();
    values.for_each(|value| *value *= scale);
    for (count, others, other_gradients) in shards {
        let scale = share(count);
        for ((_, sum), (_, value)) in losses.iter_mut().zip(&others) {
            *sum += scale * value;
        }
        let pairs = gradients.iter_mut().zip(&other_gradients);
        for (sum, value) in pairs.flat_map(|(sums, values)| sums.iter_mut().zip(values)) {
            *sum += scale * value;
        }
    }
    (losses, gradients)
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
        let drawn = objective.draw(objective.batch(), device, &mut rng, &mut rewards)?;
        let (loss, mut losses) = drawn(&leaves);
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
