//! What the heads beside the prior learn from, and what their disagreement is compared with.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::dataset::Frames;
use super::rows::Rows;
use crate::rssm::ensemble::{DEVIATION, REFERENCE};
use crate::rssm::params::{Params, to_vec};
use crate::rssm::world::{World, WorldSizes};

/// Episodes that the reference is measured on.
const EPISODES: usize = 200;
/// Frame of the first prediction, once the belief rests on a few.
const FIRST: usize = 2;
/// Frames between two predictions.
const STRIDE: usize = 5;
/// Longest prediction, steps.
const LOOKAHEAD: usize = 20;
/// Share of the predictions that disagree less than the reference.
const QUANTILE: f64 = 0.95;

/// Which head learns from which row, `[length * starts, heads]` of 0 and 1, rows in time-major
/// order. Each learns from half of the episodes, the same ones throughout: what it has never seen
/// differs from head to head. Mirror images go with what they mirror.
pub fn shares(frames: &Frames, starts: &[usize], length: usize, heads: usize) -> Vec<f32> {
    let of_step: Vec<f32> = starts
        .iter()
        .flat_map(|start| {
            let episode = frames.recorded_episode(*start) as u64;
            (0..heads as u64).map(move |head| f32::from(u8::from(learns(episode, head))))
        })
        .collect();
    of_step.repeat(length)
}

/// Whether a head learns from an episode: a fair coin, the same whenever it is asked.
fn learns(episode: u64, head: u64) -> bool {
    // The finaliser of SplitMix64 (Steele et al. 2014).
    let mut x = (episode << 8 | head).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) & 1 == 1
}

/// Measures the unit and the reference of disagreement for trained weights and puts them into the
/// parameters. The reference is of predictions under recorded actions: plans consist of
/// predictions, and those of actions that were tried must not count as far from the data.
pub fn calibrate(params: &mut Params, sizes: WorldSizes, rows: &Rows, device: &Device) {
    let known = Known::of(params, sizes, rows, device);
    params.get_mut(DEVIATION).values = to_vec(known.deviation);
    let world = World::new(&params.leaves_on(device, false), sizes);
    let ensemble = (world.ensemble.as_ref()).expect("only models with an ensemble are calibrated");
    let [filtered, predicted] = [known.filtered, known.predicted].map(|features| {
        let mut found = to_vec(ensemble.disagreement(Tensor::cat(features, 0)));
        found.sort_unstable_by(f32::total_cmp);
        found
    });
    tracing::info!(
        "disagreement of the ensemble: filtered {}, predicted {}",
        summary(&filtered),
        summary(&predicted)
    );
    params.get_mut(REFERENCE).values[0] = quantile(&predicted, QUANTILE);
}

/// States of recorded episodes.
struct Known {
    /// Mean of the prior's standard deviation, `[1, stoch]`.
    deviation: Tensor<2>,
    /// h of states filtered with the posterior mean, each `[N, deter]`.
    filtered: Vec<Tensor<2>>,
    /// h of states predicted from these under the recorded actions, each `[N, deter]`.
    predicted: Vec<Tensor<2>>,
}

impl Known {
    fn of(params: &Params, sizes: WorldSizes, rows: &Rows, device: &Device) -> Self {
        let frames = rows.frames;
        let leaves = params.leaves_on(device, false);
        let core = World::new(&leaves, sizes).core;
        let stride = frames.episodes().div_ceil(EPISODES).max(1);
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for episode in (0..frames.episodes()).step_by(stride) {
            let range = frames.range(episode);
            by_length.entry(range.len()).or_default().push(range.start);
        }
        let mut stds = Vec::new();
        let (mut filtered, mut predicted) = (Vec::new(), Vec::new());
        for (length, starts) in by_length {
            let (batch, na) = (starts.len(), frames.action_width);
            let count = batch * length;
            let (mut embed, mut after) = (Vec::new(), Vec::new());
            for t in 0..length {
                for start in &starts {
                    rows.embed(start + t, &mut embed);
                    after.extend_from_slice(&frames.actions[(start + t) * na..][..na]);
                }
            }
            let mut before = vec![0.0; batch * na];
            before.extend_from_slice(&after[..(length - 1) * batch * na]);
            let unrolled = core.unroll(
                leaves.tensor(embed, [count, sizes.core.embed]),
                leaves.tensor(before, [count, na]),
                Tensor::zeros([count, sizes.core.stoch], device),
                batch,
            );
            let after = leaves.tensor(after, [count, na]);
            let at = |x: &Tensor<2>, t: usize| x.clone().narrow(0, t * batch, batch);
            let state = unrolled.state();
            for t in (FIRST..length).step_by(STRIDE) {
                let actions: Vec<_> = (t..length - 1)
                    .take(LOOKAHEAD)
                    .map(|step| at(&after, step))
                    .collect();
                let path = core.rollout(at(&state, t), &actions);
                predicted.extend(path.into_iter().map(|z| sizes.core.deter_of(z)));
            }
            filtered.push(sizes.core.deter_of(state));
            stds.push(unrolled.prior.std);
        }
        // Episodes too short for any prediction.
        if predicted.is_empty() {
            predicted.clone_from(&filtered);
        }
        Self {
            deviation: Tensor::cat(stds, 0).mean_dim(0),
            filtered,
            predicted,
        }
    }
}

/// Median and [`QUANTILE`] of ascending values.
fn summary(sorted: &[f32]) -> String {
    let at = |q| quantile(sorted, q);
    format!("{:.2e} (95 %: {:.2e})", at(0.5), at(QUANTILE))
}

/// The value below which that share of ascending values lies.
fn quantile(sorted: &[f32], share: f64) -> f32 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f32::NAN)
}
