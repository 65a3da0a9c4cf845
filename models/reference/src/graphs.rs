//! The five graphs of a bundle; `dynamics` is [`crate::step::prior`] and `decode` is [`crate::image::decode`].

use latco_models::RewardRange;
use ndarray::{Array1, Array2, Array4, ArrayView2, ArrayView3, Axis, concatenate};

use crate::image::encode;
use crate::reward::penalised;
use crate::step::{gaussian, prior, transition};
use crate::weights::RssmWeights;

/// Posterior mean `[N, n]` and deviation `[N, ns]`.
///
/// `image` `[N, height, width, 3]`, `joints` `[N, 2 nj]` (ignored if the model takes none), `state` `[N, n]`,
/// `action` `[N, na]`.
pub fn observe(
    w: &RssmWeights,
    image: &Array4<u8>,
    joints: Option<ArrayView2<'_, f32>>,
    state: ArrayView2<'_, f32>,
    action: ArrayView2<'_, f32>,
) -> (Array2<f32>, Array2<f32>) {
    let pixels = image.mapv(|b| f32::from(b) * w.pixels.scale + w.pixels.offset);
    let pixels = pixels.permuted_axes([0, 3, 1, 2]);
    let mut features = Vec::new();
    for one in pixels.outer_iter() {
        features.push(encode(&w.encoder, one));
    }
    let views: Vec<_> = features
        .iter()
        .map(|f| f.view().insert_axis(Axis(0)))
        .collect();
    let features = concatenate(Axis(0), &views).expect("all images have one size");

    let next = transition(&w.step, state, action).feature;
    let mut input = concatenate(Axis(1), &[next.view(), features.view()]).expect("one batch size");
    if let (Some(normalisation), Some(joints)) = (&w.joints, joints) {
        let normal = (&joints - &normalisation.mean) / &normalisation.std;
        input = concatenate(Axis(1), &[input.view(), normal.view()]).expect("one batch size");
    }
    let hidden = w.posterior.apply(input.view());
    let layers = [&w.posterior_mean, &w.posterior_std];
    gaussian(&w.step, layers, &hidden, &next)
}

/// Rewards `[T]` and gradients `[T, n]` for `state` `[T, n]`, the penalty taken off.
pub fn reward(w: &RssmWeights, state: ArrayView2<'_, f32>) -> (Array1<f32>, Array2<f32>) {
    penalised(&w.reward, w.penalty.as_ref(), state)
}

/// Rewards `[N, H]` and returns `[N]`, the sums of the rewards within `range`, for `state` `[N, n]`
/// and `action` `[N, H, na]`.
pub fn rollout(
    w: &RssmWeights,
    range: RewardRange,
    state: ArrayView2<'_, f32>,
    action: ArrayView3<'_, f32>,
) -> (Array2<f32>, Array1<f32>) {
    let mut rewards = Array2::zeros((state.nrows(), action.len_of(Axis(1))));
    let mut z = state.to_owned();
    for (t, a) in action.axis_iter(Axis(1)).enumerate() {
        z = prior(&w.step, z.view(), a).mean;
        rewards.column_mut(t).assign(&reward(w, z.view()).0);
    }
    let returns = rewards.mapv(|r| range.clamp(r)).sum_axis(Axis(1));
    (rewards, returns)
}
