//! The prior step and the `dynamics` graph.

use latco_models::{Graph, Manifest};
use ndarray::{Array1, Array2, Axis, s};

use crate::builder::{Builder, Value};
use crate::weights::{Dense, RssmWeights};

/// Names of the constants that the solver reads; they stand in the manifest too.
pub(crate) mod names {
    pub(crate) const INPUT_KERNEL: &str = "img1.kernel";
    pub(crate) const GRU_INPUT_KERNEL: &str = "gru.input_kernel";
    pub(crate) const GRU_RECURRENT_KERNEL: &str = "gru.recurrent_kernel";
    pub(crate) const PRIOR_KERNEL: &str = "img2.kernel";
    pub(crate) const MEAN_KERNEL: &str = "img3_mean.kernel";
}

/// Mean and deviation halves of a layer that gives both.
pub(crate) fn halves(layer: &Dense) -> (Dense, Dense) {
    let middle = layer.outputs() / 2;
    let part = |range: std::ops::Range<usize>| Dense {
        kernel: layer.kernel.slice(s![.., range.clone()]).to_owned(),
        bias: layer.bias.slice(s![range]).to_owned(),
    };
    (part(0..middle), part(middle..layer.outputs()))
}

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
pub(crate) fn gru(b: &mut Builder, weights: &RssmWeights, x: &Value, h: &Value) -> Gates {
    let nd = weights.sizes().deter;
    let gru = &weights.gru;
    let wx = b.constant(names::GRU_INPUT_KERNEL, &gru.input_kernel);
    let bx = b.constant("gru.input_bias", &gru.input_bias);
    let wh = b.constant(names::GRU_RECURRENT_KERNEL, &gru.recurrent_kernel);
    let bh = b.constant("gru.recurrent_bias", &gru.recurrent_bias);
    let gx = b.op("Gemm", &[x, &wx, &bx]);
    let gh = b.op("Gemm", &[h, &wh, &bh]);
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

/// `h'` from state parts and action.
pub(crate) fn transition(
    b: &mut Builder,
    w: &RssmWeights,
    s: &Value,
    h: &Value,
    a: &Value,
) -> Value {
    let input = b.concat(&[s, a], 1);
    let pre = b.dense("img1", &w.img1, &input);
    let x = b.op("Elu", &[&pre]);
    gru(b, w, &x, h).next
}

/// Prior mean of the stochastic part from `h'`.
pub(crate) fn prior_mean(b: &mut Builder, w: &RssmWeights, next: &Value) -> Value {
    let pre = b.dense("img2", &w.img2, next);
    let e = b.op("Elu", &[&pre]);
    b.dense("img3_mean", &halves(&w.img3).0, &e)
}

struct Step {
    slope1: Value,
    slope2: Value,
    gates: Gates,
    mean: Value,
    std: Value,
}

fn step(b: &mut Builder, w: &RssmWeights) -> Step {
    let sizes = w.sizes();
    let parts = b.split(&"state".to_owned(), &[sizes.stoch, sizes.deter]);
    let input = b.concat(&[&parts[0], &"action".to_owned()], 1);
    let pre = b.dense("img1", &w.img1, &input);
    let (x, slope1) = b.elu_with_slope(&pre);
    let gates = gru(b, w, &x, &parts[1]);
    let pre = b.dense("img2", &w.img2, &gates.next);
    let (e, slope2) = b.elu_with_slope(&pre);
    let (mean, deviation) = halves(&w.img3);
    let m = b.dense("img3_mean", &mean, &e);
    let sd = b.dense("img3_std", &deviation, &e);
    let std = b.deviation(&sd, w.min_std);
    let mean = b.concat(&[&m, &gates.next], 1);
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
pub(crate) fn factors(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("dynamics", Graph::Dynamics.batch_name());
    b.inputs(&Graph::Dynamics.inputs(manifest));
    let step = step(&mut b, w);
    let s = scalings(&mut b, &step.gates);
    let factors = b.concat(
        &[
            &step.slope1,
            &step.gates.u,
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

/// The `dynamics` graph of kind `dense`: the Jacobians as matrices. Far slower than the factors and meant for models
/// of another family; with these weights it serves to check the loader and the solver.
pub(crate) fn dense(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let sizes = w.sizes();
    let (ns, nd, na, hidden) = (sizes.stoch, sizes.deter, sizes.action, sizes.hidden);
    let mut b = Builder::new("dynamics", Graph::Dynamics.batch_name());
    b.inputs(&Graph::Dynamics.inputs(manifest));
    let step = step(&mut b, w);
    let scale = scalings(&mut b, &step.gates);

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
    let wh = &w.gru.recurrent_kernel;
    let (hu, hr, hc) = (
        transposed(&mut b, "dense.whu", wh, 0),
        transposed(&mut b, "dense.whr", wh, 1),
        transposed(&mut b, "dense.whc", wh, 2),
    );
    let wx = &w.gru.input_kernel;
    let (xu, xr, xc) = (
        transposed(&mut b, "dense.wxu", wx, 0),
        transposed(&mut b, "dense.wxr", wx, 1),
        transposed(&mut b, "dense.wxc", wx, 2),
    );
    let recurrent = scaled_sum(&mut b, [(&scale.au, hu), (&scale.acr, hc), (&scale.ar, hr)]);
    let u = b.reshape(&step.gates.u, &[0, nd, 1]);
    let eye = b.constant("dense.eye", &Array2::from_diag(&Array1::<f32>::ones(nd)));
    let diagonal = b.op("Mul", &[&u, &eye]);
    let dh_dh = b.op("Add", &[&diagonal, &recurrent]);
    let dh_dx = scaled_sum(&mut b, [(&scale.au, xu), (&scale.ac, xc), (&scale.ar, xr)]);

    let slope1 = b.reshape(&step.slope1, &[0, 1, hidden]);
    let through = b.op("Mul", &[&dh_dx, &slope1]);
    let w1 = b.constant("dense.w1", &w.img1.kernel.t());
    let dh_dsa = b.op("MatMul", &[&through, &w1]);
    // The pieces of the last axis, by split along axis 1 of a transposed view.
    let turned = b.transpose(&dh_dsa, &[0, 2, 1]);
    let pieces = b.split(&turned, &[ns, na]);
    let dh_ds = b.transpose(&pieces[0], &[0, 2, 1]);
    let dh_da = b.transpose(&pieces[1], &[0, 2, 1]);
    let dh_dz = b.concat(&[&dh_ds, &dh_dh], 2);

    let slope2 = b.reshape(&step.slope2, &[0, 1, hidden]);
    let w3 = b.constant("dense.w3", &halves(&w.img3).0.kernel.t());
    let head = b.op("Mul", &[&w3, &slope2]);
    let w2 = b.constant("dense.w2", &w.img2.kernel.t());
    let dm_dh = b.op("MatMul", &[&head, &w2]);
    let dm_dz = b.op("MatMul", &[&dm_dh, &dh_dz]);
    let dm_da = b.op("MatMul", &[&dm_dh, &dh_da]);
    let state = b.concat(&[&dm_dz, &dh_dz], 1);
    let action = b.concat(&[&dm_da, &dh_da], 1);
    b.outputs(
        &Graph::Dynamics.outputs(manifest),
        &[&step.mean, &step.std, &state, &action],
    );
    b.finish()
}
