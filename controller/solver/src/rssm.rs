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
