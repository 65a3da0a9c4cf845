//! The prior step, its gate factors and its Jacobians.

use ndarray::{Array2, Array3, ArrayView2, Axis, NdFloat, concatenate, s};

use crate::layers::{Dense, elu, elu_slope, sigmoid, softplus};
use crate::weights::PriorStep;

/// What a prior step gives for T states and actions.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior<A = f32> {
    /// Mean states `[T, n]`. Eq. 6 of Rybkin et al. 2021.
    pub mean: Array2<A>,
    /// Deviations of the stochastic part `[T, ns]`.
    pub std: Array2<A>,
    /// Gate factors `[T, 2 hidden + 5 nd]`, in the order of [`latco_models::factors`]; without a GRU the two slopes alone.
    pub factors: Array2<A>,
}

/// What prior and posterior start from, and what was on the way.
pub(crate) struct Transition<A> {
    /// The input layer before its nonlinearity, `[T, hidden]`.
    input: Array2<A>,
    /// h' `[T, nd]`, or the input layer's output `[T, hidden]` without a GRU.
    pub(crate) feature: Array2<A>,
    /// The gates, if there is a GRU.
    gates: Option<Gates<A>>,
}

/// The gates of a GRU, each `[T, nd]`.
struct Gates<A> {
    update: Array2<A>,
    reset: Array2<A>,
    candidate: Array2<A>,
    /// The candidate's product with the state, before the reset gate.
    recurrent: Array2<A>,
}

/// One prior step for `state` `[T, n]` and `action` `[T, na]`.
pub fn prior<A: NdFloat>(
    w: &PriorStep<A>,
    state: ArrayView2<'_, A>,
    action: ArrayView2<'_, A>,
) -> Prior<A> {
    let Transition {
        input,
        feature,
        gates,
    } = transition(w, state, action);
    let hidden = w.prior.apply(feature.view());
    let layers = [&w.prior_mean, &w.prior_std];
    let (mean, std) = gaussian(w, layers, &hidden, &feature);
    let mut parts = vec![input.mapv(elu_slope)];
    if let Some(g) = gates {
        let one = A::one();
        let h = state.slice(s![.., w.prior_mean.outputs()..]);
        let keep = g.update.mapv(|u| one - u);
        let au = (&h - &g.candidate) * &g.update * &keep;
        let ac = &keep * g.candidate.mapv(|c| one - c * c);
        let acr = &ac * &g.reset;
        let ar = &acr * &g.reset.mapv(|r| one - r) * &g.recurrent;
        parts.extend([g.update, au, ac, acr, ar]);
    }
    parts.push(hidden.mapv(elu_slope));
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let factors = concatenate(Axis(1), &views).expect("one batch size");
    Prior { mean, std, factors }
}

/// The way from `state` `[T, n]` and `action` `[T, na]` to what prior and posterior start from.
pub(crate) fn transition<A: NdFloat>(
    w: &PriorStep<A>,
    state: ArrayView2<'_, A>,
    action: ArrayView2<'_, A>,
) -> Transition<A> {
    let (stoch, h) = state.split_at(Axis(1), w.prior_mean.outputs());
    let both = concatenate(Axis(1), &[stoch, action]).expect("one batch size");
    let input = w.input.apply(both.view());
    let x = input.mapv(elu);
    let Some(gru) = &w.gru else {
        return Transition {
            input,
            feature: x,
            gates: None,
        };
    };
    let nd = gru.recurrent.inputs();
    let (from_x, from_h) = (gru.input.apply(x.view()), gru.recurrent.apply(h));
    let columns = |gate: usize| s![.., gate * nd..(gate + 1) * nd];
    let sum = |gate: usize| &from_x.slice(columns(gate)) + &from_h.slice(columns(gate));
    let (update, reset) = (sum(0).mapv(sigmoid), sum(1).mapv(sigmoid));
    let recurrent = from_h.slice(columns(2)).to_owned();
    let candidate = (&from_x.slice(columns(2)) + &reset * &recurrent).mapv(A::tanh);
    let feature = &update * &h + update.mapv(|u| A::one() - u) * &candidate;
    Transition {
        input,
        feature,
        gates: Some(Gates {
            update,
            reset,
            candidate,
            recurrent,
        }),
    }
}

/// Mean states `[T, n]` and deviations `[T, ns]` by the layers `[mean, std]` on a hidden layer `[T, any width]` before
/// its nonlinearity; `feature` is what it was made from, which is h' if there is a GRU.
pub(crate) fn gaussian<A: NdFloat>(
    w: &PriorStep<A>,
    [mean, std]: [&Dense<A>; 2],
    hidden: &Array2<A>,
    feature: &Array2<A>,
) -> (Array2<A>, Array2<A>) {
    let hidden = hidden.mapv(elu);
    let mut mean = mean.apply(hidden.view());
    if w.gru.is_some() {
        mean = concatenate(Axis(1), &[mean.view(), feature.view()]).expect("one batch size");
    }
    let std = std.apply(hidden.view());
    (mean, std.mapv(|x| softplus(x) + w.min_std))
}

/// Jacobians of the prior mean by state `[T, n, n]` and action `[T, n, na]` (rows: outputs), from gate factors
/// `[T, 2 hidden + 5 nd]`.
pub fn jacobians<A: NdFloat>(w: &PriorStep<A>, factors: &Array2<A>) -> (Array3<A>, Array3<A>) {
    let dims = w.dims(0);
    let (ns, nd, hidden) = (dims.stoch, dims.deter, dims.hidden);
    let n = ns + nd;
    let steps = factors.nrows();
    let mut state = Array3::zeros((steps, n, n));
    let mut action = Array3::zeros((steps, n, dims.action));
    let part_of = |t: usize, from: usize, len: usize| factors.slice(s![t, from..from + len]);
    for t in 0..steps {
        let slope1 = part_of(t, 0, hidden);
        let slope2 = part_of(t, hidden + 5 * nd, hidden);
        // Everything transposed, [in, out], so that slopes and gates scale columns.
        let dx_dsa = &w.input.kernel * &slope1;
        let dm_dfeature = (&w.prior.kernel * &slope2).dot(&w.prior_mean.kernel);
        let (dfeature_dz, dfeature_da) = match &w.gru {
            None => (
                dx_dsa.slice(s![..ns, ..]).to_owned(),
                dx_dsa.slice(s![ns.., ..]).to_owned(),
            ),
            Some(gru) => {
                let gate = |kernel: &Array2<A>, g: usize| {
                    kernel.slice(s![.., g * nd..(g + 1) * nd]).to_owned()
                };
                let wh = [0, 1, 2].map(|g| gate(&gru.recurrent.kernel, g));
                let wx = [0, 1, 2].map(|g| gate(&gru.input.kernel, g));
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
