//! The prior step and the `dynamics` graph.

use latco_models::{Graph, Manifest};
use latco_reference::{Gru, PriorStep};
use ndarray::{Array1, Array2, Axis, s};

use crate::builder::{Builder, Value};

/// Values of the GRU that the Jacobian needs.
pub(crate) struct Gates {
    /// `h'`.
    pub(crate) next: Value,
    h: Value,
    u: Value,
    r: Value,
    c: Value,
    /// `h Whc + bhc`.
    recurrent_candidate: Value,
}

/// One GRU step from `x` and `h`.
fn gru_step(b: &mut Builder, gru: &Gru, x: &Value, h: &Value) -> Gates {
    let nd = gru.recurrent.inputs();
    let gx = b.dense("gru_input", &gru.input, x);
    let gh = b.dense("gru_recurrent", &gru.recurrent, h);
    let gx = b.split(&gx, &[2 * nd, nd]);
    let gh = b.split(&gh, &[2 * nd, nd]);
    let sum = b.op("Add", &[&gx[0], &gh[0]]);
    let both = b.op("Sigmoid", &[&sum]);
    let both = b.split(&both, &[nd, nd]);
    let reset = b.op("Mul", &[&both[1], &gh[1]]);
    let candidate = b.op("Add", &[&gx[1], &reset]);
    let c = b.op("Tanh", &[&candidate]);
    let difference = b.op("Sub", &[h, &c]);
    let kept = b.op("Mul", &[&both[0], &difference]);
    let next = b.op("Add", &[&c, &kept]);
    Gates {
        next,
        h: h.clone(),
        u: both[0].clone(),
        r: both[1].clone(),
        c,
        recurrent_candidate: gh[1].clone(),
    }
}

/// A state in its parts: s, and h if there is a deterministic part.
#[derive(Clone)]
pub(crate) struct StateParts {
    s: Value,
    h: Option<Value>,
}

/// The parts of the input `state`.
pub(crate) fn split_state(b: &mut Builder, w: &PriorStep) -> StateParts {
    let dims = w.dims(0);
    let state = "state".to_owned();
    if w.gru.is_none() {
        return StateParts { s: state, h: None };
    }
    let both = b.split(&state, &[dims.stoch, dims.deter]);
    StateParts {
        s: both[0].clone(),
        h: Some(both[1].clone()),
    }
}

/// The state of a mean of s and what [`transition`] gave.
pub(crate) fn join_state(b: &mut Builder, w: &PriorStep, mean: &Value, feature: &Value) -> Value {
    match w.gru {
        Some(_) => b.concat(&[mean, feature], 1),
        None => mean.clone(),
    }
}

/// The next state in its parts, of a mean of s and what [`transition`] gave.
pub(crate) fn next_state(w: &PriorStep, mean: Value, feature: &Value) -> StateParts {
    StateParts {
        s: mean,
        h: w.gru.as_ref().map(|_| feature.clone()),
    }
}

/// What prior and posterior start from, for state parts and action: `h'`, or `x` without a GRU.
pub(crate) fn transition(b: &mut Builder, w: &PriorStep, z: &StateParts, a: &Value) -> Value {
    let input = b.concat(&[&z.s, a], 1);
    let pre = b.dense("input", &w.input, &input);
    let x = b.op("Elu", &[&pre]);
    match (&w.gru, &z.h) {
        (Some(gru), Some(h)) => gru_step(b, gru, &x, h).next,
        _ => x,
    }
}

/// Prior mean of the stochastic part from what [`transition`] gave.
pub(crate) fn prior_mean(b: &mut Builder, w: &PriorStep, feature: &Value) -> Value {
    let pre = b.dense("prior", &w.prior, feature);
    let e = b.op("Elu", &[&pre]);
    b.dense("prior_mean", &w.prior_mean, &e)
}

struct Step {
    slope1: Value,
    slope2: Value,
    /// Gates of the GRU; none without one.
    gates: Option<Gates>,
    mean: Value,
    std: Value,
}

fn step(b: &mut Builder, w: &PriorStep) -> Step {
    let z = split_state(b, w);
    let input = b.concat(&[&z.s, &"action".to_owned()], 1);
    let pre = b.dense("input", &w.input, &input);
    let (x, slope1) = b.elu_with_slope(&pre);
    let gates = match (&w.gru, &z.h) {
        (Some(gru), Some(h)) => Some(gru_step(b, gru, &x, h)),
        _ => None,
    };
    let feature = gates.as_ref().map_or(&x, |gates| &gates.next);
    let pre = b.dense("prior", &w.prior, feature);
    let (e, slope2) = b.elu_with_slope(&pre);
    let m = b.dense("prior_mean", &w.prior_mean, &e);
    let sd = b.dense("prior_std", &w.prior_std, &e);
    let std = b.deviation(&sd, w.min_std);
    let mean = join_state(b, w, &m, feature);
    Step {
        slope1,
        slope2,
        gates,
        mean,
        std,
    }
}

struct Scalings {
    au: Value,
    ac: Value,
    acr: Value,
    ar: Value,
}

fn scalings(b: &mut Builder, g: &Gates) -> Scalings {
    let one = b.scalar(1.0);
    let off = b.op("Sub", &[&one, &g.u]);
    let difference = b.op("Sub", &[&g.h, &g.c]);
    let slope_u = b.op("Mul", &[&g.u, &off]);
    let au = b.op("Mul", &[&difference, &slope_u]);
    let c_squared = b.op("Mul", &[&g.c, &g.c]);
    let slope_c = b.op("Sub", &[&one, &c_squared]);
    let ac = b.op("Mul", &[&off, &slope_c]);
    let acr = b.op("Mul", &[&ac, &g.r]);
    let not_r = b.op("Sub", &[&one, &g.r]);
    let acr_not_r = b.op("Mul", &[&acr, &not_r]);
    let ar = b.op("Mul", &[&acr_not_r, &g.recurrent_candidate]);
    Scalings { au, ac, acr, ar }
}

/// The `dynamics` graph of kind `gru_factors`.
///
/// # Panics
/// If there is no GRU: the writer refuses such weights before.
pub(crate) fn factors(w: &PriorStep, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("dynamics", Graph::Dynamics.batch_name());
    b.inputs(&Graph::Dynamics.inputs(manifest));
    let step = step(&mut b, w);
    let gates = step.gates.as_ref().expect("gate factors are of a GRU");
    let s = scalings(&mut b, gates);
    let factors = b.concat(
        &[
            &step.slope1,
            &gates.u,
            &s.au,
            &s.ac,
            &s.acr,
            &s.ar,
            &step.slope2,
        ],
        1,
    );
    b.outputs(
        &Graph::Dynamics.outputs(manifest),
        &[&step.mean, &step.std, &factors],
    );
    b.finish()
}

/// The `dynamics` graph of kind `dense`: the Jacobians as matrices. With a GRU far slower than the factors and there to
/// check the loader and the solver; without one the only kind.
pub(crate) fn dense(w: &PriorStep, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("dynamics", Graph::Dynamics.batch_name());
    b.inputs(&Graph::Dynamics.inputs(manifest));
    let step = step(&mut b, w);
    let (state, action) = match (&w.gru, &step.gates) {
        (Some(gru), Some(gates)) => gru_jacobians(&mut b, w, gru, &step, gates),
        _ => plain_jacobians(&mut b, w, &step),
    };
    b.outputs(
        &Graph::Dynamics.outputs(manifest),
        &[&step.mean, &step.std, &state, &action],
    );
    b.finish()
}

/// `dm/dfeature` `[T, ns, feature]`: the prior's two layers.
fn head_jacobian(b: &mut Builder, w: &PriorStep, step: &Step) -> Value {
    let slope2 = b.reshape(&step.slope2, &[0, 1, w.input.outputs()]);
    let w3 = b.constant("dense.w3", &w.prior_mean.kernel.t());
    let head = b.op("Mul", &[&w3, &slope2]);
    let w2 = b.constant("dense.w2", &w.prior.kernel.t());
    b.op("MatMul", &[&head, &w2])
}

/// The columns of s and of a, of a derivative by both `[T, rows, ns + na]`.
fn by_state_and_action(b: &mut Builder, w: &PriorStep, both: &Value) -> (Value, Value) {
    let dims = w.dims(0);
    // The pieces of the last axis, by split along axis 1 of a transposed view.
    let turned = b.transpose(both, &[0, 2, 1]);
    let pieces = b.split(&turned, &[dims.stoch, dims.action]);
    (
        b.transpose(&pieces[0], &[0, 2, 1]),
        b.transpose(&pieces[1], &[0, 2, 1]),
    )
}

/// Jacobians by state and action without a GRU: four layers one after the other.
fn plain_jacobians(b: &mut Builder, w: &PriorStep, step: &Step) -> (Value, Value) {
    let head = head_jacobian(b, w, step);
    let slope1 = b.reshape(&step.slope1, &[0, 1, w.input.outputs()]);
    let through = b.op("Mul", &[&head, &slope1]);
    let w1 = b.constant("dense.w1", &w.input.kernel.t());
    let both = b.op("MatMul", &[&through, &w1]);
    by_state_and_action(b, w, &both)
}

fn gru_jacobians(
    b: &mut Builder,
    w: &PriorStep,
    gru: &Gru,
    step: &Step,
    gates: &Gates,
) -> (Value, Value) {
    let (nd, hidden) = (gru.recurrent.inputs(), w.input.outputs());
    let scale = scalings(b, gates);

    // Columns [T, nd, 1] scale the rows of transposed kernels [1, nd, in].
    let transposed = |b: &mut Builder, name: &str, kernel: &Array2<f32>, gate: usize| {
        let part = kernel.slice(s![.., gate * nd..(gate + 1) * nd]);
        b.constant(name, &part.t().insert_axis(Axis(0)))
    };
    let scaled_sum = |b: &mut Builder, terms: [(&Value, Value); 3]| {
        let scaled: Vec<Value> = terms
            .iter()
            .map(|(by, matrix)| {
                let column = b.reshape(by, &[0, nd, 1]);
                b.op("Mul", &[&column, matrix])
            })
            .collect();
        let two = b.op("Add", &[&scaled[0], &scaled[1]]);
        b.op("Add", &[&two, &scaled[2]])
    };
    let wh = &gru.recurrent.kernel;
    let (hu, hr, hc) = (
        transposed(b, "dense.whu", wh, 0),
        transposed(b, "dense.whr", wh, 1),
        transposed(b, "dense.whc", wh, 2),
    );
    let wx = &gru.input.kernel;
    let (xu, xr, xc) = (
        transposed(b, "dense.wxu", wx, 0),
        transposed(b, "dense.wxr", wx, 1),
        transposed(b, "dense.wxc", wx, 2),
    );
    let recurrent = scaled_sum(b, [(&scale.au, hu), (&scale.acr, hc), (&scale.ar, hr)]);
    let u = b.reshape(&gates.u, &[0, nd, 1]);
    let eye = b.constant("dense.eye", &Array2::from_diag(&Array1::<f32>::ones(nd)));
    let diagonal = b.op("Mul", &[&u, &eye]);
    let dh_dh = b.op("Add", &[&diagonal, &recurrent]);
    let dh_dx = scaled_sum(b, [(&scale.au, xu), (&scale.ac, xc), (&scale.ar, xr)]);

    let slope1 = b.reshape(&step.slope1, &[0, 1, hidden]);
    let through = b.op("Mul", &[&dh_dx, &slope1]);
    let w1 = b.constant("dense.w1", &w.input.kernel.t());
    let dh_dsa = b.op("MatMul", &[&through, &w1]);
    let (dh_ds, dh_da) = by_state_and_action(b, w, &dh_dsa);
    let dh_dz = b.concat(&[&dh_ds, &dh_dh], 2);
    let dm_dh = head_jacobian(b, w, step);
    let dm_dz = b.op("MatMul", &[&dm_dh, &dh_dz]);
    let dm_da = b.op("MatMul", &[&dm_dh, &dh_da]);
    (
        b.concat(&[&dm_dz, &dh_dz], 1),
        b.concat(&[&dm_da, &dh_da], 1),
    )
}
