//! A recurrent state-space model in plain Rust.
//!
//! ```text
//! x = elu([s, a] W1 + b1)
//! u, r, c = gates(x Wx + bx, h Wh + bh)      reset applied after the recurrent product
//! h' = u h + (1 - u) c
//! m = elu(h' W2 + b2) W3 + b3                mean of the stochastic part (Eq. 2)
//! r(z) = two ELU layers and a linear one on [s, h]
//! ```

use core::convert::Infallible;

use crate::kernels::lanes::padded;
use crate::kernels::packed::{Rows, pack, packed_len, product};
use crate::kernels::vector::dot;
use crate::workspace::{Parts, total};
use crate::{
    Crew, Cut, Dims, GruFactors, GruJacobian, GruSizes, GruWeights, LayoutError, Model,
    Predictions, Scalar, SetupError, Shape, Slab, Trajectories,
};

/// Kernel `[in, out]` and bias `[out]` of a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct DenseLayer<'a, S> {
    /// `[in, out]`, row-major.
    pub kernel: &'a [S],
    /// `[out]`.
    pub bias: &'a [S],
}

/// Weights of an [`Rssm`]: those of the prior step up to the mean, and of the reward head.
#[derive(Clone, Copy, Debug)]
pub struct RssmWeights<'a, S> {
    /// Kernels of the prior step.
    pub kernels: GruWeights<'a, S>,
    /// Bias of the dense layer on `[s, a]`, `[hidden]`.
    pub input_bias: &'a [S],
    /// Bias of the GRU's input product, `[3 nd]`.
    pub gru_input_bias: &'a [S],
    /// Bias of the GRU's recurrent product, `[3 nd]`.
    pub gru_recurrent_bias: &'a [S],
    /// Bias of the dense layer on `h'`, `[hidden]`.
    pub prior_bias: &'a [S],
    /// Bias of the mean, `[ns]`.
    pub mean_bias: &'a [S],
    /// Reward head: `[n, units]`, `[units, units]`, `[units, 1]`.
    pub reward: [DenseLayer<'a, S>; 3],
}

impl<S> RssmWeights<'_, S> {
    /// Width of the reward head.
    fn units(&self) -> usize {
        self.reward[0].bias.len()
    }

    fn check(&self, sizes: &GruSizes) -> Result<(), LayoutError> {
        let check = LayoutError::check;
        let (hidden, deter, units) = (sizes.hidden, sizes.deter, self.units());
        check("input bias [hidden]", hidden, self.input_bias.len())?;
        check(
            "GRU input bias [3 nd]",
            3 * deter,
            self.gru_input_bias.len(),
        )?;
        check(
            "GRU recurrent bias [3 nd]",
            3 * deter,
            self.gru_recurrent_bias.len(),
        )?;
        check("prior bias [hidden]", hidden, self.prior_bias.len())?;
        check("mean bias [ns]", sizes.stoch, self.mean_bias.len())?;
        LayoutError::at_least("reward bias 0 [units]", 1, units)?;
        let [first, second, last] = &self.reward;
        check(
            "reward kernel 0 [n, units]",
            sizes.state() * units,
            first.kernel.len(),
        )?;
        check(
            "reward kernel 1 [units, units]",
            units * units,
            second.kernel.len(),
        )?;
        check("reward bias 1 [units]", units, second.bias.len())?;
        check("reward kernel 2 [units, 1]", units, last.kernel.len())?;
        check("reward bias 2 [1]", 1, last.bias.len())
    }
}

/// A recurrent state-space model with its reward head, evaluated in the caller's memory: the
/// reference for models in other runtimes, and the model of solver tests.
#[derive(Debug)]
pub struct Rssm<'a, S> {
    sizes: GruSizes,
    horizon: usize,
    plans: usize,
    weights: RssmWeights<'a, S>,
    jacobian: GruJacobian<S, &'a mut [S]>,
    /// `[N, H, factors]` of the last linearisation.
    factors: &'a mut [S],
    work: Work<'a, S>,
}

/// Packed weights, and scratch memory for the steps of one plan.
#[derive(Debug)]
struct Work<'a, S> {
    input: &'a mut [S],
    gru_input: &'a mut [S],
    gru_recurrent: &'a mut [S],
    prior: &'a mut [S],
    mean: &'a mut [S],
    reward0: &'a mut [S],
    reward1: &'a mut [S],
    reward0_t: &'a mut [S],
    reward1_t: &'a mut [S],
    hidden: &'a mut [S],
    gates_x: &'a mut [S],
    gates_h: &'a mut [S],
    means: &'a mut [S],
    units0: &'a mut [S],
    units1: &'a mut [S],
    back: &'a mut [S],
    gradients: &'a mut [S],
}

impl<'a, S: Scalar> Work<'a, S> {
    fn lens(sizes: &GruSizes, units: usize, horizon: usize) -> [usize; 17] {
        let &GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        [
            packed_len(stoch + action, hidden),
            packed_len(hidden, 3 * deter),
            packed_len(deter, 3 * deter),
            packed_len(deter, hidden),
            packed_len(hidden, stoch),
            packed_len(sizes.state(), units),
            packed_len(units, units),
            packed_len(units, sizes.state()),
            packed_len(units, units),
            horizon * padded(hidden),
            horizon * padded(3 * deter),
            horizon * padded(3 * deter),
            horizon * padded(stoch),
            horizon * padded(units),
            horizon * padded(units),
            horizon * padded(units),
            horizon * padded(sizes.state()),
        ]
    }

    fn split(sizes: &GruSizes, units: usize, horizon: usize, memory: &mut Parts<'a, S>) -> Self {
        let [
            input,
            gru_input,
            gru_recurrent,
            prior,
            mean,
            reward0,
            reward1,
            reward0_t,
            reward1_t,
            hidden,
            gates_x,
            gates_h,
            means,
            units0,
            units1,
            back,
            gradients,
        ] = Self::lens(sizes, units, horizon).map(|len| memory.take(len));
        Self {
            input,
            gru_input,
            gru_recurrent,
            prior,
            mean,
            reward0,
            reward1,
            reward0_t,
            reward1_t,
            hidden,
            gates_x,
            gates_h,
            means,
            units0,
            units1,
            back,
            gradients,
        }
    }

    fn pack(&mut self, sizes: &GruSizes, weights: &RssmWeights<'_, S>) {
        let &GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        let (n, units) = (sizes.state(), weights.units());
        let kernels = &weights.kernels;
        let [reward0, reward1, _] = weights.reward.map(|layer| layer.kernel);
        for (packed, kernel, inner, columns) in [
            (
                &mut *self.input,
                kernels.input_kernel,
                stoch + action,
                hidden,
            ),
            (
                &mut *self.gru_input,
                kernels.gru_input_kernel,
                hidden,
                3 * deter,
            ),
            (
                &mut *self.gru_recurrent,
                kernels.gru_recurrent_kernel,
                deter,
                3 * deter,
            ),
            (&mut *self.prior, kernels.prior_kernel, deter, hidden),
            (&mut *self.mean, kernels.mean_kernel, hidden, stoch),
            (&mut *self.reward0, reward0, n, units),
            (&mut *self.reward1, reward1, units, units),
        ] {
            pack(inner, columns, packed, |i, j| kernel[i * columns + j]);
        }
        pack(units, n, self.reward0_t, |i, j| reward0[j * units + i]);
        pack(units, units, self.reward1_t, |i, j| reward1[j * units + i]);
    }
}

impl<'a, S: Scalar> Rssm<'a, S> {
    /// Elements of the arena, for a reward head of width `units` and plans of this shape (of whose
    /// sizes only the horizon counts).
    #[must_use]
    pub fn len(sizes: &GruSizes, units: usize, shape: &Shape) -> usize {
        let (h, plans) = (shape.dims.horizon, shape.plans);
        let own = [
            GruJacobian::<S, &mut [S]>::len(sizes, plans, h, shape.parts),
            plans * h * sizes.factors(),
        ];
        total(own.into_iter().chain(Work::<S>::lens(sizes, units, h)))
    }

    /// A model for plans of this shape in `arena`.
    ///
    /// # Errors
    /// A size is 0, a weight has the wrong length, or the arena is too short.
    pub fn new_in(
        sizes: GruSizes,
        weights: RssmWeights<'a, S>,
        shape: &Shape,
        arena: &'a mut [S],
    ) -> Result<Self, SetupError> {
        let (horizon, plans) = (shape.dims.horizon, shape.plans);
        if !sizes.is_valid() || horizon == 0 {
            return Err(SetupError::Dims(sizes.dims(horizon)));
        }
        weights.check(&sizes)?;
        let units = weights.units();
        let needed = Self::len(&sizes, units, shape);
        LayoutError::at_least("model arena", needed, arena.len())?;
        let mut memory = Parts::new(arena);
        let len = GruJacobian::<S, &mut [S]>::len(&sizes, plans, horizon, shape.parts);
        let jacobian = GruJacobian::new_in(
            sizes,
            &weights.kernels,
            plans,
            horizon,
            shape.parts,
            memory.take(len),
        )?;
        let factors = memory.take(plans * horizon * sizes.factors());
        let mut work = Work::split(&sizes, units, horizon, &mut memory);
        work.pack(&sizes, &weights);
        Ok(Self {
            sizes,
            horizon,
            plans,
            weights,
            jacobian,
            factors,
            work,
        })
    }

    /// Factors of the last linearisation, `[N, H, factors]`; see [`GruSizes::factors`].
    pub fn factors(&self) -> &[S] {
        self.factors
    }

    /// The prior step at all steps of plan `b`: `states [H + 1, n]`, `actions [H, na]`; writes
    /// `means [H, n]`.
    fn prior(&mut self, b: usize, states: &[S], actions: &[S], means: &mut [S]) {
        let GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = self.sizes;
        let (h, n) = (self.horizon, self.sizes.state());
        let row_len = self.sizes.factors();
        let factors = &mut self.factors[b * h * row_len..][..h * row_len];
        let work = &mut self.work;
        let (wide, gates) = (padded(hidden), padded(3 * deter));

        fill_rows(work.hidden, wide, self.weights.input_bias);
        let inputs = [
            Rows::new(states, n, stoch),
            Rows::new(actions, action, action),
        ];
        product::<S, true>(h, &inputs, stoch + action, work.input, work.hidden, wide);
        for (x, factors) in work
            .hidden
            .chunks_exact_mut(wide)
            .zip(factors.chunks_exact_mut(row_len))
        {
            for (x, slope) in x.iter_mut().zip(&mut factors[..hidden]) {
                *slope = x.elu_slope();
                *x = x.elu();
            }
        }

        fill_rows(work.gates_x, gates, self.weights.gru_input_bias);
        fill_rows(work.gates_h, gates, self.weights.gru_recurrent_bias);
        let x = [Rows::new(&*work.hidden, wide, hidden)];
        product::<S, true>(h, &x, hidden, work.gru_input, work.gates_x, gates);
        let old = [Rows::new(&states[stoch..], n, deter)];
        product::<S, true>(h, &old, deter, work.gru_recurrent, work.gates_h, gates);
        for (t, factors) in factors.chunks_exact_mut(row_len).enumerate() {
            let gate_x = &work.gates_x[t * gates..][..3 * deter];
            let gate_h = &work.gates_h[t * gates..][..3 * deter];
            let old = &states[t * n + stoch..][..deter];
            let new = &mut means[t * n + stoch..][..deter];
            let factors = &mut factors[hidden..][..5 * deter];
            for i in 0..deter {
                let update = (gate_x[i] + gate_h[i]).sigmoid();
                let reset = (gate_x[deter + i] + gate_h[deter + i]).sigmoid();
                let recurrent = gate_h[2 * deter + i];
                let candidate = (gate_x[2 * deter + i] + reset * recurrent).tanh();
                let keep = S::ONE - update;
                new[i] = update * old[i] + keep * candidate;
                let ac = keep * (S::ONE - candidate * candidate);
                factors[i] = update;
                factors[deter + i] = (old[i] - candidate) * update * keep;
                factors[2 * deter + i] = ac;
                factors[3 * deter + i] = ac * reset;
                factors[4 * deter + i] = ac * recurrent * reset * (S::ONE - reset);
            }
        }

        fill_rows(work.hidden, wide, self.weights.prior_bias);
        let new = [Rows::new(&means[stoch..], n, deter)];
        product::<S, true>(h, &new, deter, work.prior, work.hidden, wide);
        for (x, factors) in work
            .hidden
            .chunks_exact_mut(wide)
            .zip(factors.chunks_exact_mut(row_len))
        {
            for (x, slope) in x.iter_mut().zip(&mut factors[hidden + 5 * deter..]) {
                *slope = x.elu_slope();
                *x = x.elu();
            }
        }
        fill_rows(work.means, padded(stoch), self.weights.mean_bias);
        let x = [Rows::new(&*work.hidden, wide, hidden)];
        product::<S, true>(h, &x, hidden, work.mean, work.means, padded(stoch));
        for (row, mean) in means
            .chunks_exact_mut(n)
            .zip(work.means.chunks_exact(padded(stoch)))
        {
            row[..stoch].copy_from_slice(&mean[..stoch]);
        }
    }

    /// Rewards and their gradients at `states [H, n]`.
    fn reward(&mut self, states: &[S], rewards: &mut [S], gradients: &mut [S]) {
        let (h, n, units) = (self.horizon, self.sizes.state(), self.weights.units());
        let [first, second, last] = self.weights.reward;
        let work = &mut self.work;
        let wide = padded(units);

        fill_rows(work.units0, wide, first.bias);
        let x = [Rows::new(states, n, n)];
        product::<S, true>(h, &x, n, work.reward0, work.units0, wide);
        // the ELU goes to `back`, its slope stays
        for (x, value) in work.units0.iter_mut().zip(&mut *work.back) {
            *value = x.elu();
            *x = x.elu_slope();
        }
        fill_rows(work.units1, wide, second.bias);
        let x = [Rows::new(&*work.back, wide, units)];
        product::<S, true>(h, &x, units, work.reward1, work.units1, wide);
        for ((row, back), reward) in work
            .units1
            .chunks_exact_mut(wide)
            .zip(work.back.chunks_exact_mut(wide))
            .zip(rewards)
        {
            for ((x, back), &weight) in row.iter_mut().zip(back).zip(last.kernel) {
                *back = weight * x.elu_slope();
                *x = x.elu();
            }
            *reward = last.bias[0] + dot(&row[..units], last.kernel);
        }

        let x = [Rows::new(&*work.back, wide, units)];
        product::<S, false>(h, &x, units, work.reward1_t, work.units1, wide);
        work.units1
            .iter_mut()
            .zip(&*work.units0)
            .for_each(|(x, &slope)| *x *= slope);
        let x = [Rows::new(&*work.units1, wide, units)];
        product::<S, false>(h, &x, units, work.reward0_t, work.gradients, padded(n));
        for (row, gradient) in gradients
            .chunks_exact_mut(n)
            .zip(work.gradients.chunks_exact(padded(n)))
        {
            row.copy_from_slice(&gradient[..n]);
        }
    }
}

/// Copies `bias` to the beginning of each row of `out`, and zeros behind it.
fn fill_rows<S: Scalar>(out: &mut [S], stride: usize, bias: &[S]) {
    for row in out.chunks_exact_mut(stride) {
        let (row, padding) = row.split_at_mut(bias.len());
        row.copy_from_slice(bias);
        padding.fill(S::ZERO);
    }
}

impl<S: Scalar> Model<S> for Rssm<'_, S> {
    type Error = Infallible;

    fn dims(&self) -> Dims {
        self.sizes.dims(self.horizon)
    }

    fn plans(&self) -> usize {
        self.plans
    }

    fn cut(&self, _parts: usize) -> Cut {
        self.jacobian.cut()
    }

    fn evaluate<C: Crew>(
        &mut self,
        _crew: &mut C,
        plans: &Trajectories<'_, S>,
        predictions: &mut Predictions<'_, S>,
    ) -> Result<(), Infallible> {
        let dims = self.dims();
        let (h, n) = (dims.horizon, dims.state());
        for b in 0..self.plans {
            let states = &plans.states[b * dims.states_len()..][..dims.states_len()];
            let actions = &plans.actions[b * dims.actions_len()..][..dims.actions_len()];
            let rows = b * h * n..(b + 1) * h * n;
            self.prior(b, states, actions, &mut predictions.means[rows.clone()]);
            let rewards = &mut predictions.rewards[b * h..][..h];
            self.reward(&states[n..], rewards, &mut predictions.gradients[rows]);
        }
        Ok(())
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    ) {
        let factors = GruFactors {
            rows: self.factors,
            horizon: self.horizon,
        };
        self.jacobian
            .transpose_product(crew, factors, t, slabs, actions);
    }

    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[S],
        actions: &[S],
        out: &mut [S],
    ) {
        let factors = GruFactors {
            rows: self.factors,
            horizon: self.horizon,
        };
        self.jacobian
            .product(crew, factors, t, states, actions, out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [S], action: &mut [S]) {
        let factors = GruFactors {
            rows: self.factors,
            horizon: self.horizon,
        };
        self.jacobian.jacobian(factors, b, t, state, action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Alone;

    const SIZES: GruSizes = GruSizes {
        stoch: 3,
        deter: 18,
        action: 2,
        hidden: 7,
    };
    const UNITS: usize = 5;
    const HORIZON: usize = 6;

    /// Weights in the order of their use, plan, rows.
    struct Numbers<S>(Vec<S>);

    impl<S: Scalar> Numbers<S> {
        fn new() -> Self {
            let mut state = 1_u64;
            let next = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                S::from_f64(((state >> 40) as f64 / (1 << 23) as f64 - 1.0) * 0.6)
            };
            Self((0..4000).map(next).collect())
        }

        fn weights(&self) -> RssmWeights<'_, S> {
            let GruSizes {
                stoch,
                deter,
                action,
                hidden,
            } = SIZES;
            let mut at = 0;
            let mut take = |len: usize| {
                at += len;
                &self.0[at - len..at]
            };
            let kernels = GruWeights {
                input_kernel: take((stoch + action) * hidden),
                gru_input_kernel: take(hidden * 3 * deter),
                gru_recurrent_kernel: take(deter * 3 * deter),
                prior_kernel: take(deter * hidden),
                mean_kernel: take(hidden * stoch),
            };
            let mut layer = |rows: usize, columns: usize| DenseLayer {
                kernel: take(rows * columns),
                bias: take(columns),
            };
            let reward = [
                layer(stoch + deter, UNITS),
                layer(UNITS, UNITS),
                layer(UNITS, 1),
            ];
            RssmWeights {
                kernels,
                input_bias: take(hidden),
                gru_input_bias: take(3 * deter),
                gru_recurrent_bias: take(3 * deter),
                prior_bias: take(hidden),
                mean_bias: take(stoch),
                reward,
            }
        }

        /// `[N, H + 1, n]`, `[N, H, na]`
        fn plans(&self, plans: usize) -> (Vec<S>, Vec<S>) {
            let all = &self.0[2500..];
            let dims = SIZES.dims(HORIZON);
            let states = plans * dims.states_len();
            (
                all[..states].to_vec(),
                all[states..][..plans * dims.actions_len()].to_vec(),
            )
        }
    }

    fn shape(plans: usize, parts: usize) -> Shape {
        Shape {
            dims: SIZES.dims(HORIZON),
            plans,
            parts,
        }
    }

    fn arena<S: Scalar>(shape: &Shape) -> Vec<S> {
        vec![S::from_f64(f64::NAN); Rssm::<S>::len(&SIZES, UNITS, shape)]
    }

    /// Means, rewards and gradients at plans.
    struct Outputs<S>(Vec<S>, Vec<S>, Vec<S>);

    fn evaluate<S: Scalar>(model: &mut Rssm<'_, S>, states: &[S], actions: &[S]) -> Outputs<S> {
        let rows = model.plans() * HORIZON;
        let mut means = vec![S::ZERO; rows * SIZES.state()];
        let (mut rewards, mut gradients) = (vec![S::ZERO; rows], means.clone());
        let plans = Trajectories { states, actions };
        let mut predictions = Predictions {
            means: &mut means,
            rewards: &mut rewards,
            gradients: &mut gradients,
        };
        model
            .evaluate(&mut Alone, &plans, &mut predictions)
            .unwrap();
        Outputs(means, rewards, gradients)
    }

    /// `F_t`, `B_t` of every step of every plan, and the means.
    fn jacobians(plans: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>, Vec<f64>) {
        let numbers = Numbers::<f64>::new();
        let shape = shape(plans, 1);
        let mut arena = arena(&shape);
        let mut model = Rssm::new_in(SIZES, numbers.weights(), &shape, &mut arena).unwrap();
        let (z, a) = numbers.plans(plans);
        let Outputs(means, ..) = evaluate(&mut model, &z, &a);
        let n = SIZES.state();
        let (mut all_f, mut all_b) = (Vec::new(), Vec::new());
        for i in 0..plans * HORIZON {
            let (mut f, mut b) = (vec![0.0; n * n], vec![0.0; n * SIZES.action]);
            model.jacobian(i / HORIZON, i % HORIZON, &mut f, &mut b);
            all_f.push(f);
            all_b.push(b);
        }
        (all_f, all_b, means)
    }

    #[test]
    fn jacobians_and_gradients_are_the_finite_differences() {
        const STEP: f64 = 1e-6;
        let numbers = Numbers::<f64>::new();
        let shape = shape(2, 1);
        let mut arena = arena(&shape);
        let mut model = Rssm::new_in(SIZES, numbers.weights(), &shape, &mut arena).unwrap();
        let (z, a) = numbers.plans(2);
        let (n, na) = (SIZES.state(), SIZES.action);
        let (f, b, _) = jacobians(2);
        let Outputs(_, _, gradients) = evaluate(&mut model, &z, &a);
        for column in 0..n + na {
            let [above, below] = [STEP, -STEP].map(|step| {
                let (mut z, mut a) = (z.clone(), a.clone());
                if column < n {
                    z.chunks_exact_mut(n).for_each(|z| z[column] += step);
                } else {
                    a.chunks_exact_mut(na).for_each(|a| a[column - n] += step);
                }
                evaluate(&mut model, &z, &a)
            });
            for t in 0..2 * HORIZON {
                for i in 0..n {
                    let numeric = (above.0[t * n + i] - below.0[t * n + i]) / (2.0 * STEP);
                    let own = if column < n {
                        f[t][i * n + column]
                    } else {
                        b[t][i * na + column - n]
                    };
                    assert!(
                        (numeric - own).abs() < 1e-8,
                        "{t} {i} {column}: {numeric} {own}"
                    );
                }
                if column < n {
                    let numeric = (above.1[t] - below.1[t]) / (2.0 * STEP);
                    assert!((numeric - gradients[t * n + column]).abs() < 1e-8);
                }
            }
        }
    }

    /// Both products against the matrices, at every step (so for every number of rows).
    fn products_match<S: Scalar>(plans: usize, parts: usize, tolerance: f64) {
        let numbers = Numbers::<S>::new();
        let shape = shape(plans, parts);
        let mut arena = arena(&shape);
        let mut model = Rssm::new_in(SIZES, numbers.weights(), &shape, &mut arena).unwrap();
        let (z, a) = numbers.plans(plans);
        let (n, na) = (SIZES.state(), SIZES.action);
        let Outputs(means, ..) = evaluate(&mut model, &z, &a);
        let (f, b, expected_means) = jacobians(plans);
        let close = |found: S, expected: f64| {
            assert!(
                (found.to_f64() - expected).abs() < tolerance,
                "{plans} {parts}: {found:?} {expected}"
            );
        };
        means
            .iter()
            .zip(&expected_means)
            .for_each(|(&found, &expected)| close(found, expected));

        let cut = model.cut(parts);
        assert_eq!(cut.parts(), parts);
        for t in 0..HORIZON {
            let k = HORIZON - t;
            let rows = &numbers.0[7..][..plans * k * n];
            // the rows cut into slabs
            let memory: Vec<Vec<S>> = (0..parts)
                .map(|p| {
                    let mut memory = vec![S::ZERO; plans * k * cut.stride(p)];
                    for (row, out) in rows.chunks(n).zip(memory.chunks_mut(cut.stride(p))) {
                        out[..cut.width(p)].copy_from_slice(&row[cut.first(p)..][..cut.width(p)]);
                    }
                    memory
                })
                .collect();
            let mut states: Vec<Vec<S>> = (0..parts)
                .map(|p| vec![S::from_f64(f64::NAN); plans * (k + 1) * cut.stride(p)])
                .collect();
            let mut actions = vec![S::from_f64(f64::NAN); plans * k * na];
            let mut slabs: Vec<Slab<'_, S>> = memory
                .iter()
                .zip(&mut states)
                .enumerate()
                .map(|(p, (rows, states))| Slab {
                    first: cut.first(p),
                    width: cut.width(p),
                    stride: cut.stride(p),
                    rows,
                    states,
                })
                .collect();
            model.transpose_product(&mut Alone, t, &mut slabs, &mut actions);
            let mut only = vec![S::ZERO; plans * k * na];
            slabs.iter_mut().for_each(|slab| slab.states = &mut []);
            model.transpose_product(&mut Alone, t, &mut slabs, &mut only);
            assert_eq!(only, actions);

            let sum = |r: usize, m: &[f64], width: usize, j: usize| -> f64 {
                (0..n)
                    .map(|i| rows[r * n + i].to_f64() * m[i * width + j])
                    .sum()
            };
            for r in 0..plans * k {
                let (plan, step) = (r / k, r / k * HORIZON + t);
                for p in 0..parts {
                    let out = &states[p][(r + plan + 1) * cut.stride(p)..][..cut.stride(p)];
                    for (j, &found) in out[..cut.width(p)].iter().enumerate() {
                        close(found, sum(r, &f[step], n, cut.first(p) + j));
                    }
                }
                (0..na).for_each(|j| close(actions[r * na + j], sum(r, &b[step], na, j)));
            }

            let mut out = vec![S::from_f64(f64::NAN); plans * n];
            model.product(&mut Alone, t, &z, &a, &mut out);
            for (i, &found) in out.iter().enumerate() {
                let (plan, i) = (i / n, i % n);
                let step = plan * HORIZON + t;
                let dz = &z[(plan * (HORIZON + 1) + t) * n..][..n];
                let da = &a[step * na..][..na];
                let from_z: f64 = (0..n).map(|j| f[step][i * n + j] * dz[j].to_f64()).sum();
                let from_a: f64 = (0..na).map(|j| b[step][i * na + j] * da[j].to_f64()).sum();
                close(found, from_z + from_a);
            }
        }
    }

    #[test]
    fn products_are_those_of_the_matrices() {
        for plans in [1, 3] {
            for parts in [1, 2, 3] {
                products_match::<f64>(plans, parts, 1e-12);
                products_match::<f32>(plans, parts, 2e-5);
            }
        }
    }
}
