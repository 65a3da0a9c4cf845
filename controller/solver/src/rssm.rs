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

use crate::kernels::packed::{Packed, pack, pack_transposed, packed_len};
use crate::kernels::vector::dot;
use crate::workspace::Parts;
use crate::{Dims, GruJacobian, GruSizes, GruWeights, LayoutError, Model, Scalar, SetupError};

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
/// reference for models in other runtimes, and the model of the benchmarks.
#[derive(Debug)]
pub struct Rssm<'a, S> {
    sizes: GruSizes,
    horizon: usize,
    weights: RssmWeights<'a, S>,
    jacobian: GruJacobian<S, &'a mut [S]>,
    /// `[H, factors]` of the last linearisation.
    factors: &'a mut [S],
    input: &'a [S],
    gru_input: &'a [S],
    gru_recurrent: &'a [S],
    prior: &'a [S],
    mean: &'a [S],
    reward0: &'a [S],
    reward1: &'a [S],
    reward0_t: &'a [S],
    reward1_t: &'a [S],
    inputs: &'a mut [S],
    hidden: &'a mut [S],
    gates_x: &'a mut [S],
    gates_h: &'a mut [S],
    units0: &'a mut [S],
    units1: &'a mut [S],
    back: &'a mut [S],
}

fn lens(sizes: &GruSizes, units: usize, horizon: usize) -> [usize; 17] {
    let &GruSizes {
        stoch,
        deter,
        action,
        hidden,
    } = sizes;
    [
        horizon * sizes.factors(),
        packed_len(stoch + action, hidden),
        packed_len(hidden, 3 * deter),
        packed_len(deter, 3 * deter),
        packed_len(deter, hidden),
        packed_len(hidden, stoch),
        packed_len(sizes.state(), units),
        packed_len(units, units),
        packed_len(units, sizes.state()),
        packed_len(units, units),
        horizon * (stoch + action),
        horizon * hidden,
        horizon * 3 * deter,
        horizon * 3 * deter,
        horizon * units,
        horizon * units,
        horizon * units,
    ]
}

impl<'a, S: Scalar> Rssm<'a, S> {
    /// Elements of the arena, for a reward head of width `units`.
    #[must_use]
    pub fn len(sizes: &GruSizes, units: usize, horizon: usize) -> usize {
        GruJacobian::<S, &mut [S]>::len(sizes, horizon)
            + lens(sizes, units, horizon).iter().sum::<usize>()
    }

    /// A model for plans of `horizon` steps in `arena`.
    ///
    /// # Errors
    /// A size is 0, a weight has the wrong length, or the arena is too short.
    pub fn new_in(
        sizes: GruSizes,
        weights: RssmWeights<'a, S>,
        horizon: usize,
        arena: &'a mut [S],
    ) -> Result<Self, SetupError> {
        if !sizes.is_valid() || horizon == 0 {
            return Err(SetupError::Dims(sizes.dims(horizon)));
        }
        weights.check(&sizes)?;
        let units = weights.units();
        LayoutError::at_least(
            "model arena",
            Self::len(&sizes, units, horizon),
            arena.len(),
        )?;
        let mut parts = Parts::new(arena);
        let jacobian = GruJacobian::new_in(
            sizes,
            &weights.kernels,
            horizon,
            parts.take(GruJacobian::<S, &mut [S]>::len(&sizes, horizon)),
        )?;
        let [
            factors,
            input,
            gru_input,
            gru_recurrent,
            prior,
            mean,
            reward0,
            reward1,
            reward0_t,
            reward1_t,
            inputs,
            hidden,
            gates_x,
            gates_h,
            units0,
            units1,
            back,
        ] = lens(&sizes, units, horizon).map(|len| parts.take(len));
        let GruSizes {
            stoch,
            deter,
            action,
            hidden: width,
        } = sizes;
        let kernels = &weights.kernels;
        pack(kernels.input_kernel, stoch + action, width, input);
        pack(kernels.gru_input_kernel, width, 3 * deter, gru_input);
        pack(
            kernels.gru_recurrent_kernel,
            deter,
            3 * deter,
            gru_recurrent,
        );
        pack(kernels.prior_kernel, deter, width, prior);
        pack(kernels.mean_kernel, width, stoch, mean);
        pack(weights.reward[0].kernel, sizes.state(), units, reward0);
        pack(weights.reward[1].kernel, units, units, reward1);
        pack_transposed(weights.reward[0].kernel, units, sizes.state(), reward0_t);
        pack_transposed(weights.reward[1].kernel, units, units, reward1_t);
        Ok(Self {
            sizes,
            horizon,
            weights,
            jacobian,
            factors,
            input,
            gru_input,
            gru_recurrent,
            prior,
            mean,
            reward0,
            reward1,
            reward0_t,
            reward1_t,
            inputs,
            hidden,
            gates_x,
            gates_h,
            units0,
            units1,
            back,
        })
    }

    /// Factors of the last linearisation, `[H, factors]`; see [`GruSizes::factors`].
    pub fn factors(&self) -> &[S] {
        self.factors
    }
}

/// Copies `bias` to each row of `out`.
fn fill_rows<S: Scalar>(out: &mut [S], bias: &[S]) {
    for row in out.chunks_exact_mut(bias.len()) {
        row.copy_from_slice(bias);
    }
}

impl<S: Scalar> Model<S> for Rssm<'_, S> {
    type Error = Infallible;

    fn dims(&self) -> Dims {
        self.sizes.dims(self.horizon)
    }

    fn linearise(
        &mut self,
        states: &[S],
        actions: &[S],
        means: &mut [S],
    ) -> Result<(), Infallible> {
        let GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = self.sizes;
        let (h, n) = (self.horizon, self.sizes.state());
        for ((row, z), a) in self
            .inputs
            .chunks_exact_mut(stoch + action)
            .zip(states.chunks_exact(n))
            .zip(actions.chunks_exact(action))
        {
            row[..stoch].copy_from_slice(&z[..stoch]);
            row[stoch..].copy_from_slice(a);
        }

        fill_rows(self.hidden, self.weights.input_bias);
        Packed::new(stoch + action, hidden, self.input).add_product(
            h,
            self.inputs,
            stoch + action,
            self.hidden,
            hidden,
        );
        let row_len = self.sizes.factors();
        for (x, factors) in self
            .hidden
            .chunks_exact_mut(hidden)
            .zip(self.factors.chunks_exact_mut(row_len))
        {
            for (x, slope) in x.iter_mut().zip(factors) {
                *slope = x.elu_slope();
                *x = x.elu();
            }
        }

        fill_rows(self.gates_x, self.weights.gru_input_bias);
        fill_rows(self.gates_h, self.weights.gru_recurrent_bias);
        Packed::new(hidden, 3 * deter, self.gru_input).add_product(
            h,
            self.hidden,
            hidden,
            self.gates_x,
            3 * deter,
        );
        Packed::new(deter, 3 * deter, self.gru_recurrent).add_product(
            h,
            &states[stoch..],
            n,
            self.gates_h,
            3 * deter,
        );
        for (t, factors) in self.factors.chunks_exact_mut(row_len).enumerate() {
            let gate_x = &self.gates_x[t * 3 * deter..][..3 * deter];
            let gate_h = &self.gates_h[t * 3 * deter..][..3 * deter];
            let old = &states[t * n + stoch..][..deter];
            let new = &mut means[t * n + stoch..][..deter];
            let gates = &mut factors[hidden..][..5 * deter];
            for i in 0..deter {
                let update = (gate_x[i] + gate_h[i]).sigmoid();
                let reset = (gate_x[deter + i] + gate_h[deter + i]).sigmoid();
                let recurrent = gate_h[2 * deter + i];
                let candidate = (gate_x[2 * deter + i] + reset * recurrent).tanh();
                let keep = S::ONE - update;
                new[i] = update * old[i] + keep * candidate;
                let ac = keep * (S::ONE - candidate * candidate);
                gates[i] = update;
                gates[deter + i] = (old[i] - candidate) * update * keep;
                gates[2 * deter + i] = ac;
                gates[3 * deter + i] = ac * reset;
                gates[4 * deter + i] = ac * recurrent * reset * (S::ONE - reset);
            }
        }

        fill_rows(self.hidden, self.weights.prior_bias);
        Packed::new(deter, hidden, self.prior).add_product(
            h,
            &means[stoch..],
            n,
            self.hidden,
            hidden,
        );
        for (x, factors) in self
            .hidden
            .chunks_exact_mut(hidden)
            .zip(self.factors.chunks_exact_mut(row_len))
        {
            for (x, slope) in x.iter_mut().zip(&mut factors[hidden + 5 * deter..]) {
                *slope = x.elu_slope();
                *x = x.elu();
            }
        }
        for row in means.chunks_exact_mut(n) {
            row[..stoch].copy_from_slice(self.weights.mean_bias);
        }
        Packed::new(hidden, stoch, self.mean).add_product(h, self.hidden, hidden, means, n);
        Ok(())
    }

    fn reward(
        &mut self,
        states: &[S],
        rewards: &mut [S],
        gradients: &mut [S],
    ) -> Result<(), Infallible> {
        let (h, n, units) = (self.horizon, self.sizes.state(), self.weights.units());
        let [first, second, last] = self.weights.reward;

        fill_rows(self.units0, first.bias);
        Packed::new(n, units, self.reward0).add_product(h, states, n, self.units0, units);
        // the ELU goes to `back`, its slope stays
        for (x, value) in self.units0.iter_mut().zip(&mut *self.back) {
            *value = x.elu();
            *x = x.elu_slope();
        }
        fill_rows(self.units1, second.bias);
        Packed::new(units, units, self.reward1).add_product(
            h,
            self.back,
            units,
            self.units1,
            units,
        );
        for ((row, back), reward) in self
            .units1
            .chunks_exact_mut(units)
            .zip(self.back.chunks_exact_mut(units))
            .zip(rewards)
        {
            for ((x, back), &weight) in row.iter_mut().zip(back).zip(last.kernel) {
                *back = weight * x.elu_slope();
                *x = x.elu();
            }
            *reward = last.bias[0] + dot(row, last.kernel);
        }

        self.units1.fill(S::ZERO);
        Packed::new(units, units, self.reward1_t).add_product(
            h,
            self.back,
            units,
            self.units1,
            units,
        );
        self.units1
            .iter_mut()
            .zip(&*self.units0)
            .for_each(|(x, &slope)| *x *= slope);
        gradients.fill(S::ZERO);
        Packed::new(units, n, self.reward0_t).add_product(h, self.units1, units, gradients, n);
        Ok(())
    }

    fn transpose_product(&mut self, t: usize, rows: &[S], states: &mut [S], actions: &mut [S]) {
        let len = self.sizes.factors();
        let factors = &self.factors[t * len..][..len];
        self.jacobian
            .transpose_product(factors, rows, states, actions);
    }

    fn product(&mut self, t: usize, dz: &[S], da: &[S], out: &mut [S]) {
        let len = self.sizes.factors();
        self.jacobian
            .product(&self.factors[t * len..][..len], dz, da, out);
    }

    fn jacobian(&mut self, t: usize, state: &mut [S], action: &mut [S]) {
        let len = self.sizes.factors();
        self.jacobian
            .jacobian(&self.factors[t * len..][..len], state, action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

        fn plan(&self) -> (Vec<S>, Vec<S>) {
            let all = &self.0[2500..];
            let n = SIZES.state();
            (
                all[..HORIZON * n].to_vec(),
                all[HORIZON * n..][..HORIZON * SIZES.action].to_vec(),
            )
        }

        fn arena() -> Vec<S> {
            vec![S::from_f64(f64::NAN); Rssm::<S>::len(&SIZES, UNITS, HORIZON)]
        }
    }

    /// `F_t`, `B_t` of every step, and `mu`.
    fn jacobians<S: Scalar>() -> (Vec<Vec<S>>, Vec<Vec<S>>, Vec<S>) {
        let numbers = Numbers::<S>::new();
        let mut arena = Numbers::arena();
        let mut model = Rssm::new_in(SIZES, numbers.weights(), HORIZON, &mut arena).unwrap();
        let (z, a) = numbers.plan();
        let n = SIZES.state();
        let mut mu = vec![S::ZERO; HORIZON * n];
        model.linearise(&z, &a, &mut mu).unwrap();
        let (mut all_f, mut all_b) = (Vec::new(), Vec::new());
        for t in 0..HORIZON {
            let (mut f, mut b) = (vec![S::ZERO; n * n], vec![S::ZERO; n * SIZES.action]);
            model.jacobian(t, &mut f, &mut b);
            all_f.push(f);
            all_b.push(b);
        }
        (all_f, all_b, mu)
    }

    #[test]
    fn jacobians_are_the_finite_differences() {
        const STEP: f64 = 1e-6;
        let numbers = Numbers::<f64>::new();
        let mut arena = Numbers::arena();
        let mut model = Rssm::new_in(SIZES, numbers.weights(), HORIZON, &mut arena).unwrap();
        let (z, a) = numbers.plan();
        let (n, na) = (SIZES.state(), SIZES.action);
        let (f, b, _) = jacobians::<f64>();
        let (mut above, mut below) = (vec![0.0; HORIZON * n], vec![0.0; HORIZON * n]);
        for column in 0..n + na {
            let (width, j) = if column < n {
                (n, column)
            } else {
                (na, column - n)
            };
            for (sign, out) in [(STEP, &mut above), (-STEP, &mut below)] {
                let (mut z, mut a) = (z.clone(), a.clone());
                let moved = if column < n { &mut z } else { &mut a };
                moved
                    .iter_mut()
                    .skip(j)
                    .step_by(width)
                    .for_each(|x| *x += sign);
                model.linearise(&z, &a, out).unwrap();
            }
            for t in 0..HORIZON {
                for i in 0..n {
                    let numeric = (above[t * n + i] - below[t * n + i]) / (2.0 * STEP);
                    let own = if column < n {
                        f[t][i * n + j]
                    } else {
                        b[t][i * na + j]
                    };
                    assert!(
                        (numeric - own).abs() < 1e-8,
                        "{t} {i} {column}: {numeric} {own}"
                    );
                }
            }
        }
    }

    #[test]
    fn reward_gradients_are_the_finite_differences() {
        const STEP: f64 = 1e-6;
        let numbers = Numbers::<f64>::new();
        let mut arena = Numbers::arena();
        let mut model = Rssm::new_in(SIZES, numbers.weights(), HORIZON, &mut arena).unwrap();
        let (z, _) = numbers.plan();
        let n = SIZES.state();
        let (mut r, mut g) = (vec![0.0; HORIZON], vec![0.0; HORIZON * n]);
        model.reward(&z, &mut r, &mut g).unwrap();
        let (mut above, mut below, mut unused) = (r.clone(), r.clone(), g.clone());
        for j in 0..n {
            for (sign, out) in [(STEP, &mut above), (-STEP, &mut below)] {
                let mut z = z.clone();
                z.iter_mut().skip(j).step_by(n).for_each(|x| *x += sign);
                model.reward(&z, out, &mut unused).unwrap();
            }
            for t in 0..HORIZON {
                let numeric = (above[t] - below[t]) / (2.0 * STEP);
                assert!((numeric - g[t * n + j]).abs() < 1e-8);
            }
        }
    }

    /// Both products against the matrices, for every number of rows.
    fn products_match<S: Scalar>(tolerance: f64) {
        let numbers = Numbers::<S>::new();
        let mut arena = Numbers::arena();
        let mut model = Rssm::new_in(SIZES, numbers.weights(), HORIZON, &mut arena).unwrap();
        let (z, a) = numbers.plan();
        let (n, na) = (SIZES.state(), SIZES.action);
        let mut mu = vec![S::ZERO; HORIZON * n];
        model.linearise(&z, &a, &mut mu).unwrap();
        let (f, b, expected_mu) = jacobians::<f64>();
        let close = |found: S, expected: f64| {
            assert!(
                (found.to_f64() - expected).abs() < tolerance,
                "{found:?} {expected}"
            );
        };
        mu.iter()
            .zip(&expected_mu)
            .for_each(|(&found, &expected)| close(found, expected));
        for k in 1..=HORIZON {
            let t = k - 1;
            let rows = &numbers.0[7..7 + k * n];
            let mut states = vec![S::from_f64(f64::NAN); k * n];
            let mut actions = vec![S::from_f64(f64::NAN); k * na];
            model.transpose_product(t, rows, &mut states, &mut actions);
            let sum = |r: usize, m: &[f64], width: usize, j: usize| -> f64 {
                (0..n)
                    .map(|i| rows[r * n + i].to_f64() * m[i * width + j])
                    .sum()
            };
            for r in 0..k {
                (0..n).for_each(|j| close(states[r * n + j], sum(r, &f[t], n, j)));
                (0..na).for_each(|j| close(actions[r * na + j], sum(r, &b[t], na, j)));
            }
            let mut only = vec![S::ZERO; k * na];
            model.transpose_product(t, rows, &mut [], &mut only);
            assert_eq!(only, actions);

            let (dz, da) = (&rows[..n], &numbers.0[500..500 + na]);
            let mut out = vec![S::from_f64(f64::NAN); n];
            model.product(t, dz, da, &mut out);
            for i in 0..n {
                let from_z: f64 = (0..n).map(|j| f[t][i * n + j] * dz[j].to_f64()).sum();
                let from_a: f64 = (0..na).map(|j| b[t][i * na + j] * da[j].to_f64()).sum();
                close(out[i], from_z + from_a);
            }
        }
    }

    #[test]
    fn products_are_those_of_the_matrices() {
        products_match::<f64>(1e-12);
        products_match::<f32>(2e-5);
    }

    #[test]
    fn wrong_weights_are_named() {
        let numbers = Numbers::<f64>::new();
        let mut arena = Numbers::arena();
        let mut weights = numbers.weights();
        weights.mean_bias = &weights.mean_bias[1..];
        let error = Rssm::new_in(SIZES, weights, HORIZON, &mut arena).unwrap_err();
        assert_eq!(
            error,
            SetupError::Layout(LayoutError {
                what: "mean bias [ns]",
                expected: 3,
                found: 2
            })
        );
        let short = &mut arena[1..];
        assert!(Rssm::new_in(SIZES, numbers.weights(), HORIZON, short).is_err());
    }
}
