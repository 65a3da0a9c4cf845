//! Every graph in plain arrays, written for reading, not for speed. Golden vectors of random bundles come from here,
//! and outputs that a trainer does not compute itself (gate factors, reward gradients).

use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, ArrayView3, Axis, concatenate, s};

use latco_models::RewardRange;

use crate::graphs::grid;
use crate::weights::{Activation, Conv, Decoder, Dense, Encoder, Mlp, RssmWeights, TransposedConv};

/// Outputs of `dynamics`.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicsOutput {
    /// `[T, n]`.
    pub mean: Array2<f32>,
    /// `[T, ns]`.
    pub std: Array2<f32>,
    /// `[T, 2 hidden + 5 nd]`; the two slopes alone without a GRU.
    pub factors: Array2<f32>,
}

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

    let next = advance(w, state, action).1;
    let mut input = concatenate(Axis(1), &[next.view(), features.view()]).expect("one batch size");
    if let (Some(normalisation), Some(joints)) = (&w.joints, joints) {
        let normal = (&joints - &normalisation.mean) / &normalisation.std;
        input = concatenate(Axis(1), &[input.view(), normal.view()]).expect("one batch size");
    }
    let both = dense(&w.obs2, dense(&w.obs1, input.view()).mapv(elu).view());
    gaussian(w, &both, &next)
}

/// Prior mean, deviation and gate factors for `state` `[T, n]` and `action` `[T, na]`.
pub fn dynamics(
    w: &RssmWeights,
    state: ArrayView2<'_, f32>,
    action: ArrayView2<'_, f32>,
) -> DynamicsOutput {
    let (pre1, next, gates) = advance(w, state, action);
    let pre2 = dense(&w.img2, next.view());
    let both = dense(&w.img3, pre2.mapv(elu).view());
    let (mean, std) = gaussian(w, &both, &next);
    let mut parts = vec![pre1.mapv(slope)];
    if let Some(g) = gates {
        let h = state.slice(s![.., w.sizes().stoch..]);
        let off = g.u.mapv(|u| 1.0 - u);
        let au = (&h - &g.c) * &g.u * &off;
        let ac = &off * g.c.mapv(|c| 1.0 - c * c);
        let acr = &ac * &g.r;
        let ar = &acr * &g.r.mapv(|r| 1.0 - r) * &g.recurrent_candidate;
        parts.extend([g.u, au, ac, acr, ar]);
    }
    parts.push(pre2.mapv(slope));
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let factors = concatenate(Axis(1), &views).expect("one batch size");
    DynamicsOutput { mean, std, factors }
}

/// Rewards `[T]` and gradients `[T, n]` for `state` `[T, n]`, the penalty taken off.
pub fn reward(w: &RssmWeights, state: ArrayView2<'_, f32>) -> (Array1<f32>, Array2<f32>) {
    let (output, slopes) = forward(&w.reward, state);
    let mut reward = output.column(0).to_owned();
    let mut gradient = backward(&w.reward, &slopes, Array2::ones((state.nrows(), 1)));
    if let Some(penalty) = &w.penalty {
        let (deviations, slopes) = forward(&penalty.deviations, state);
        let x = deviations.mapv(|d| d * d).sum_axis(Axis(1));
        let near = x.mapv(|x| 1.0 / (1.0 + x * x));
        reward -= &near.mapv(|near| penalty.weight * (1.0 - near));
        // Of 1 - near by every deviation: 2 x near^2 times 2 d.
        let factor = (&x * &near * &near).mapv(|x| 4.0 * penalty.weight * x);
        let by_deviation = deviations * &factor.insert_axis(Axis(1));
        gradient -= &backward(&penalty.deviations, &slopes, by_deviation);
    }
    (reward, gradient)
}

/// Outputs of ELU layers and the slopes between them.
fn forward(mlp: &Mlp, state: ArrayView2<'_, f32>) -> (Array2<f32>, Vec<Array2<f32>>) {
    let mut x = state.to_owned();
    let mut slopes = Vec::new();
    for (index, layer) in mlp.layers.iter().enumerate() {
        x = dense(layer, x.view());
        if index + 1 < mlp.layers.len() {
            slopes.push(x.mapv(slope));
            x.mapv_inplace(elu);
        }
    }
    (x, slopes)
}

/// The derivative by the inputs of ELU layers, of that by their outputs.
fn backward(mlp: &Mlp, slopes: &[Array2<f32>], by_output: Array2<f32>) -> Array2<f32> {
    let mut gradient = by_output;
    for (index, layer) in mlp.layers.iter().enumerate().rev() {
        gradient = gradient.dot(&layer.kernel.t());
        if index > 0 {
            gradient *= &slopes[index - 1];
        }
    }
    gradient
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
        z = dynamics(w, z.view(), a).mean;
        rewards.column_mut(t).assign(&reward(w, z.view()).0);
    }
    let returns = rewards.mapv(|r| range.clamp(r)).sum_axis(Axis(1));
    (rewards, returns)
}

/// Images `[N, height, width, 3]`, 0 to 1, for `state` `[N, n]`.
pub fn decode(
    w: &RssmWeights,
    state: ArrayView2<'_, f32>,
    height: usize,
    width: usize,
) -> Array4<f32> {
    let unscale = |y: f32| (y - w.pixels.offset) / (255.0 * w.pixels.scale);
    let mut images = Array4::zeros((state.nrows(), height, width, 3));
    match &w.decoder {
        Decoder::Conv { input, layers } => {
            let features = dense(input, state);
            for (mut image, row) in images.outer_iter_mut().zip(features.outer_iter()) {
                let mut x = row
                    .to_owned()
                    .into_shape_with_order((input.outputs(), 1, 1))
                    .expect("one pixel per channel");
                for (index, layer) in layers.iter().enumerate() {
                    x = transposed_convolve(layer, x.view());
                    if index + 1 < layers.len() {
                        x.mapv_inplace(|v| v.max(0.0));
                    }
                }
                image.assign(&x.permuted_axes([1, 2, 0]).mapv(unscale));
            }
        }
        Decoder::Patch {
            head,
            unwhiten,
            mlp: pixels,
            patch,
            sigmoid: squash,
        } => {
            let code = dense(unwhiten, mlp(head, state).view());
            let flat = mlp(pixels, code.view());
            let columns = width / patch;
            for ((n, y, x, channel), pixel) in images.indexed_iter_mut() {
                let place = (y / patch) * columns + x / patch;
                let inside = (y % patch) * patch + x % patch;
                let value = flat[[n, (place * patch * patch + inside) * 3 + channel]];
                *pixel = if *squash {
                    sigmoid(value)
                } else {
                    unscale(value)
                };
            }
        }
    }
    images.mapv_inplace(|v| v.clamp(0.0, 1.0));
    images
}

struct Gates {
    u: Array2<f32>,
    r: Array2<f32>,
    c: Array2<f32>,
    /// `h Whc + bhc`.
    recurrent_candidate: Array2<f32>,
}

/// The first layer before its nonlinearity; what prior and posterior start from (h', or the first layer's output
/// without a GRU); the gates.
fn advance(
    w: &RssmWeights,
    state: ArrayView2<'_, f32>,
    action: ArrayView2<'_, f32>,
) -> (Array2<f32>, Array2<f32>, Option<Gates>) {
    let sizes = w.sizes();
    let nd = sizes.deter;
    let (stoch, h) = state.split_at(Axis(1), sizes.stoch);
    let input = concatenate(Axis(1), &[stoch, action]).expect("one batch size");
    let pre1 = dense(&w.img1, input.view());
    let x = pre1.mapv(elu);
    let Some(gru) = &w.gru else {
        return (pre1, x, None);
    };
    let gx = x.dot(&gru.input_kernel) + &gru.input_bias;
    let gh = h.dot(&gru.recurrent_kernel) + &gru.recurrent_bias;
    let gate = |g: usize| {
        (
            gx.slice(s![.., g * nd..(g + 1) * nd]),
            gh.slice(s![.., g * nd..(g + 1) * nd]),
        )
    };
    let u = (&gate(0).0 + &gate(0).1).mapv(sigmoid);
    let r = (&gate(1).0 + &gate(1).1).mapv(sigmoid);
    let c = (&gate(2).0 + &r * &gate(2).1).mapv(f32::tanh);
    let next = &u * &h + u.mapv(|u| 1.0 - u) * &c;
    let recurrent_candidate = gate(2).1.to_owned();
    let gates = Gates {
        u,
        r,
        c,
        recurrent_candidate,
    };
    (pre1, next, Some(gates))
}

/// Splits `[mean, deviation]`, appends h' to the mean, if there is a GRU, and makes the deviation positive.
fn gaussian(w: &RssmWeights, both: &Array2<f32>, next: &Array2<f32>) -> (Array2<f32>, Array2<f32>) {
    let ns = w.sizes().stoch;
    let mut mean = both.slice(s![.., ..ns]).to_owned();
    if w.gru.is_some() {
        mean = concatenate(Axis(1), &[mean.view(), next.view()]).expect("one batch size");
    }
    let std = both
        .slice(s![.., ns..])
        .mapv(|x| x.max(0.0) + (-x.abs()).exp().ln_1p() + w.min_std);
    (mean, std)
}

fn encode(encoder: &Encoder, pixels: ArrayView3<'_, f32>) -> Array1<f32> {
    match encoder {
        Encoder::Conv { layers } => {
            let mut x = pixels.to_owned();
            for layer in layers {
                x = convolve(layer, x.view()).mapv(|v| v.max(0.0));
            }
            x.iter().copied().collect()
        }
        Encoder::Keypoint {
            layers,
            mlp: to_code,
            whiten,
        } => {
            let mut x = pixels.to_owned();
            for (index, layer) in layers.iter().enumerate() {
                x = convolve(layer, x.view());
                if index + 1 < layers.len() {
                    x.mapv_inplace(|v| v.max(0.0));
                }
            }
            let (_, height, width) = x.dim();
            let grid = grid(height, width);
            let mut points = Vec::new();
            for channel in x.outer_iter() {
                let top = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f32> = channel.iter().map(|v| (v - top).exp()).collect();
                let total: f32 = weights.iter().sum();
                let mut sums = [0.0f32; 3];
                for ((place, &weight), &value) in grid.outer_iter().zip(&weights).zip(channel) {
                    sums[0] += weight / total * place[0];
                    sums[1] += weight / total * place[1];
                    sums[2] += weight / total * value;
                }
                points.extend([sums[0], sums[1], sigmoid(sums[2])]);
            }
            let points = Array1::from(points).insert_axis(Axis(0));
            let code = mlp(to_code, points.view());
            dense(whiten, code.view()).remove_axis(Axis(0))
        }
    }
}

fn convolve(layer: &Conv, x: ArrayView3<'_, f32>) -> Array3<f32> {
    let (_, height, width) = x.dim();
    let shape = layer.output(x.dim()).expect("the weights were validated");
    Array3::from_shape_fn(shape, |(out, row, column)| {
        let mut sum = layer.bias[out];
        for ((channel, dy, dx), weight) in layer.kernel.index_axis(Axis(0), out).indexed_iter() {
            let y = (row * layer.stride + dy).checked_sub(layer.padding);
            let x_at = (column * layer.stride + dx).checked_sub(layer.padding);
            if let (Some(y), Some(x_at)) = (y, x_at)
                && y < height
                && x_at < width
            {
                sum += weight * x[[channel, y, x_at]];
            }
        }
        sum
    })
}

fn transposed_convolve(layer: &TransposedConv, x: ArrayView3<'_, f32>) -> Array3<f32> {
    let shape = layer.output(x.dim()).expect("the weights were validated");
    let mut y = Array3::from_shape_fn(shape, |(out, _, _)| layer.bias[out]);
    for ((channel, row, column), &value) in x.indexed_iter() {
        for ((out, dy, dx), weight) in layer.kernel.index_axis(Axis(0), channel).indexed_iter() {
            y[[out, row * layer.stride + dy, column * layer.stride + dx]] += weight * value;
        }
    }
    y
}

fn mlp(mlp: &Mlp, x: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut x = x.to_owned();
    for (index, layer) in mlp.layers.iter().enumerate() {
        x = dense(layer, x.view());
        if index + 1 < mlp.layers.len() {
            x.mapv_inplace(match mlp.activation {
                Activation::Relu => |v: f32| v.max(0.0),
                Activation::Elu => elu,
            });
        }
    }
    x
}

fn dense(layer: &Dense, x: ArrayView2<'_, f32>) -> Array2<f32> {
    x.dot(&layer.kernel) + &layer.bias
}

fn elu(x: f32) -> f32 {
    if x > 0.0 { x } else { x.exp_m1() }
}

/// `elu'`.
fn slope(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { x.exp() }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Jacobians of the prior mean, `[T, n, n]` and `[T, n, na]` (rows: outputs), from a `factors` output `[T, ..]`.
pub fn jacobians(w: &RssmWeights, factors: &Array2<f32>) -> (Array3<f32>, Array3<f32>) {
    let sizes = w.sizes();
    let (ns, nd, hidden) = (sizes.stoch, sizes.deter, sizes.hidden);
    let n = ns + nd;
    let steps = factors.nrows();
    let mut state = Array3::zeros((steps, n, n));
    let mut action = Array3::zeros((steps, n, sizes.action));
    let part_of = |t: usize, from: usize, len: usize| factors.slice(s![t, from..from + len]);
    for t in 0..steps {
        let slope1 = part_of(t, 0, hidden);
        let slope2 = part_of(t, hidden + 5 * nd, hidden);
        // Everything transposed, [in, out], so that slopes and gates scale columns.
        let dx_dsa = &w.img1.kernel * &slope1;
        let dm_dfeature = (&w.img2.kernel * &slope2).dot(&w.img3.kernel.slice(s![.., ..ns]));
        let (dfeature_dz, dfeature_da) = match &w.gru {
            None => (
                dx_dsa.slice(s![..ns, ..]).to_owned(),
                dx_dsa.slice(s![ns.., ..]).to_owned(),
            ),
            Some(gru) => {
                let gate = |kernel: &Array2<f32>, g: usize| {
                    kernel.slice(s![.., g * nd..(g + 1) * nd]).to_owned()
                };
                let wh = [0, 1, 2].map(|g| gate(&gru.recurrent_kernel, g));
                let wx = [0, 1, 2].map(|g| gate(&gru.input_kernel, g));
                let [u, au, ac, acr, ar] = [0, 1, 2, 3, 4].map(|i| part_of(t, hidden + i * nd, nd));
                let dh_dh = Array2::from_diag(&u) + &wh[0] * &au + &wh[2] * &acr + &wh[1] * &ar;
                let dh_dx = &wx[0] * &au + &wx[2] * &ac + &wx[1] * &ar;
                let dh_dsa = dx_dsa.dot(&dh_dx);
                let dh_dz = concatenate(Axis(0), &[dh_dsa.slice(s![..ns, ..]), dh_dh.view()])
                    .expect("both have nd columns");
                (dh_dz, dh_dsa.slice(s![ns.., ..]).to_owned())
            }
        };
        let (mut f, mut b) = (
            state.index_axis_mut(Axis(0), t),
            action.index_axis_mut(Axis(0), t),
        );
        f.slice_mut(s![..ns, ..])
            .assign(&dfeature_dz.dot(&dm_dfeature).t());
        b.slice_mut(s![..ns, ..])
            .assign(&dfeature_da.dot(&dm_dfeature).t());
        if nd > 0 {
            f.slice_mut(s![ns.., ..]).assign(&dfeature_dz.t());
            b.slice_mut(s![ns.., ..]).assign(&dfeature_da.t());
        }
    }
    (state, action)
}
