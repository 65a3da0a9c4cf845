//! The Jacobian of an RSSM prior step in factors.
//!
//! `mu(z, a) = [m, h']` of a GRU with dense layers before and after it is a chain of constant
//! matrices with diagonal scalings between them. The model only has to give the scalings (one row
//! of factors a step); the matrices are packed once.

use core::marker::PhantomData;

use crate::kernels::packed::{Packed, pack_transposed, packed_len};
use crate::kernels::vector::add_row_product;
use crate::workspace::Parts;
use crate::{LayoutError, Scalar, SetupError};

/// Sizes of an RSSM prior step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruSizes {
    /// Stochastic part `ns`.
    pub stoch: usize,
    /// Deterministic part `nd`, the GRU's state.
    pub deter: usize,
    /// Action `na`.
    pub action: usize,
    /// Width of the dense layers before and after the GRU.
    pub hidden: usize,
}

impl GruSizes {
    /// Length of a state, `n = ns + nd`.
    pub const fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// Length of one row of factors, `2 hidden + 5 nd`:
    /// `[slope1 (hidden) | u | Au | Ac | Acr | Ar (nd each) | slope2 (hidden)]` with the gates `u`
    /// (update), `r` (reset), candidate `c`, `slope` the ELU's derivative,
    /// `Au = (h - c) u (1 - u)`, `Ac = (1 - u)(1 - c^2)`, `Acr = Ac r`,
    /// `Ar = Ac (h Whc + bhc) r (1 - r)`.
    pub const fn factors(&self) -> usize {
        2 * self.hidden + 5 * self.deter
    }

    pub(crate) const fn is_valid(&self) -> bool {
        self.stoch > 0 && self.deter > 0 && self.action > 0 && self.hidden > 0
    }

    pub(crate) const fn dims(&self, horizon: usize) -> crate::Dims {
        crate::Dims {
            stoch: self.stoch,
            deter: self.deter,
            action: self.action,
            horizon,
        }
    }
}

/// Kernels of the prior step, stored `[in, out]` row-major; GRU gates in the order update, reset,
/// candidate, reset applied after the recurrent product.
#[derive(Clone, Copy, Debug)]
pub struct GruWeights<'a, S> {
    /// Dense layer on `[s, a]`: `[ns + na, hidden]`.
    pub input_kernel: &'a [S],
    /// GRU input: `[hidden, 3 nd]`.
    pub gru_input_kernel: &'a [S],
    /// GRU recurrence: `[nd, 3 nd]`.
    pub gru_recurrent_kernel: &'a [S],
    /// Dense layer on `h'`: `[nd, hidden]`.
    pub prior_kernel: &'a [S],
    /// Mean of the stochastic part: `[hidden, ns]`.
    pub mean_kernel: &'a [S],
}

impl<S> GruWeights<'_, S> {
    fn check(&self, sizes: &GruSizes) -> Result<(), LayoutError> {
        let &GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        let check = LayoutError::check;
        check(
            "input kernel [ns + na, hidden]",
            (stoch + action) * hidden,
            self.input_kernel.len(),
        )?;
        check(
            "GRU input kernel [hidden, 3 nd]",
            hidden * 3 * deter,
            self.gru_input_kernel.len(),
        )?;
        check(
            "GRU recurrent kernel [nd, 3 nd]",
            deter * 3 * deter,
            self.gru_recurrent_kernel.len(),
        )?;
        check(
            "prior kernel [nd, hidden]",
            deter * hidden,
            self.prior_kernel.len(),
        )?;
        check(
            "mean kernel [hidden, ns]",
            hidden * stoch,
            self.mean_kernel.len(),
        )
    }
}

/// One row of factors in parts.
#[derive(Clone, Copy)]
struct Factors<'a, S> {
    slope1: &'a [S],
    update: &'a [S],
    au: &'a [S],
    ac: &'a [S],
    acr: &'a [S],
    ar: &'a [S],
    slope2: &'a [S],
}

impl<'a, S> Factors<'a, S> {
    fn split(sizes: &GruSizes, row: &'a [S]) -> Self {
        let (slope1, rest) = row.split_at(sizes.hidden);
        let (gates, slope2) = rest.split_at(5 * sizes.deter);
        let gate = |i: usize| &gates[i * sizes.deter..(i + 1) * sizes.deter];
        Self {
            slope1,
            update: gate(0),
            au: gate(1),
            ac: gate(2),
            acr: gate(3),
            ar: gate(4),
            slope2,
        }
    }
}

/// Products with the Jacobian `[F B] = dmu/d[z, a]` of an RSSM prior step, given its factors.
///
/// The kernels are copied into the arena `A` at construction.
#[derive(Debug)]
pub struct GruJacobian<S, A> {
    sizes: GruSizes,
    columns: usize,
    arena: A,
    kind: PhantomData<fn() -> S>,
}

/// The arena in parts.
struct Work<'a, S> {
    // kernels as given
    input: &'a mut [S],
    gru_input: &'a mut [S],
    gru_recurrent: &'a mut [S],
    prior: &'a mut [S],
    mean: &'a mut [S],
    // their transposes, packed
    input_t: &'a mut [S],
    gru_input_t: &'a mut [S],
    gru_recurrent_t: &'a mut [S],
    prior_t: &'a mut [S],
    mean_t: &'a mut [S],
    // scratch, a row for each column
    hidden: &'a mut [S],
    deter: &'a mut [S],
    gates: &'a mut [S],
    inputs: &'a mut [S],
}

impl<'a, S: Scalar> Work<'a, S> {
    fn lens(sizes: &GruSizes, columns: usize) -> [usize; 14] {
        let &GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        [
            (stoch + action) * hidden,
            hidden * 3 * deter,
            deter * 3 * deter,
            deter * hidden,
            hidden * stoch,
            packed_len(hidden, stoch + action),
            packed_len(3 * deter, hidden),
            packed_len(3 * deter, deter),
            packed_len(hidden, deter),
            packed_len(stoch, hidden),
            columns * hidden,
            columns * deter,
            columns * 3 * deter,
            columns * (stoch + action),
        ]
    }

    fn split(sizes: &GruSizes, columns: usize, arena: &'a mut [S]) -> Self {
        let mut parts = Parts::new(arena);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] =
            Self::lens(sizes, columns).map(|len| parts.take(len));
        Self {
            input: a,
            gru_input: b,
            gru_recurrent: c,
            prior: d,
            mean: e,
            input_t: f,
            gru_input_t: g,
            gru_recurrent_t: h,
            prior_t: i,
            mean_t: j,
            hidden: k,
            deter: l,
            gates: m,
            inputs: n,
        }
    }
}

impl<S: Scalar, A: AsRef<[S]> + AsMut<[S]>> GruJacobian<S, A> {
    /// Elements of the arena; `columns` is the largest number of rows of one
    /// [`GruJacobian::transpose_product`], the horizon for the reduced solver.
    #[must_use]
    pub fn len(sizes: &GruSizes, columns: usize) -> usize {
        Work::<S>::lens(sizes, columns).iter().sum()
    }

    /// Bytes of the arena.
    #[must_use]
    pub fn bytes(sizes: &GruSizes, columns: usize) -> usize {
        Self::len(sizes, columns) * size_of::<S>()
    }

    /// Copies and packs the kernels into `arena`.
    ///
    /// # Errors
    /// A size is 0, a kernel has the wrong length, or the arena is too short.
    pub fn new_in(
        sizes: GruSizes,
        weights: &GruWeights<'_, S>,
        columns: usize,
        mut arena: A,
    ) -> Result<Self, SetupError> {
        if !sizes.is_valid() || columns == 0 {
            return Err(SetupError::Dims(sizes.dims(columns)));
        }
        weights.check(&sizes)?;
        let needed = Self::len(&sizes, columns);
        LayoutError::at_least("Jacobian arena", needed, arena.as_ref().len())?;
        let GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = sizes;
        let work = Work::split(&sizes, columns, arena.as_mut());
        for (own, given) in [
            (work.input, weights.input_kernel),
            (work.gru_input, weights.gru_input_kernel),
            (work.gru_recurrent, weights.gru_recurrent_kernel),
            (work.prior, weights.prior_kernel),
            (work.mean, weights.mean_kernel),
        ] {
            own.copy_from_slice(given);
        }
        pack_transposed(weights.input_kernel, hidden, stoch + action, work.input_t);
        pack_transposed(
            weights.gru_input_kernel,
            3 * deter,
            hidden,
            work.gru_input_t,
        );
        pack_transposed(
            weights.gru_recurrent_kernel,
            3 * deter,
            deter,
            work.gru_recurrent_t,
        );
        pack_transposed(weights.prior_kernel, hidden, deter, work.prior_t);
        pack_transposed(weights.mean_kernel, stoch, hidden, work.mean_t);
        Ok(Self {
            sizes,
            columns,
            arena,
            kind: PhantomData,
        })
    }

    /// Sizes of the prior step.
    pub fn sizes(&self) -> &GruSizes {
        &self.sizes
    }

    /// For each row `q` of `rows [k, n]` writes `F' q` to `states [k, n]` and `B' q` to
    /// `actions [k, na]`; `factors` as in [`GruSizes::factors`]. `k` is at most the `columns` of
    /// the construction. With empty `states` only the actions are
    /// computed.
    ///
    /// # Real-time
    /// No allocation; about `k` times the number of weights multiply-adds.
    pub fn transpose_product(
        &mut self,
        factors: &[S],
        rows: &[S],
        states: &mut [S],
        actions: &mut [S],
    ) {
        let GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = self.sizes;
        let n = self.sizes.state();
        let k = rows.len() / n;
        let f = Factors::split(&self.sizes, factors);
        let work = Work::split(&self.sizes, self.columns, self.arena.as_mut());
        let hiddens = &mut work.hidden[..k * hidden];
        let deters = &mut work.deter[..k * deter];
        let gates = &mut work.gates[..k * 3 * deter];
        let inputs = &mut work.inputs[..k * (stoch + action)];

        // y = q_h + (dm/dh')' q_s
        hiddens.fill(S::ZERO);
        Packed::new(stoch, hidden, work.mean_t).add_product(k, rows, n, hiddens, hidden);
        for row in hiddens.chunks_exact_mut(hidden) {
            row.iter_mut()
                .zip(f.slope2)
                .for_each(|(x, &slope)| *x *= slope);
        }
        for (y, row) in deters.chunks_exact_mut(deter).zip(rows.chunks_exact(n)) {
            y.copy_from_slice(&row[stoch..]);
        }
        Packed::new(hidden, deter, work.prior_t).add_product(k, hiddens, hidden, deters, deter);

        // through the GRU's input
        for (gates, y) in gates
            .chunks_exact_mut(3 * deter)
            .zip(deters.chunks_exact(deter))
        {
            let (update, rest) = gates.split_at_mut(deter);
            let (reset, candidate) = rest.split_at_mut(deter);
            for i in 0..deter {
                update[i] = f.au[i] * y[i];
                reset[i] = f.ar[i] * y[i];
                candidate[i] = f.ac[i] * y[i];
            }
        }
        hiddens.fill(S::ZERO);
        Packed::new(3 * deter, hidden, work.gru_input_t).add_product(
            k,
            gates,
            3 * deter,
            hiddens,
            hidden,
        );
        for row in hiddens.chunks_exact_mut(hidden) {
            row.iter_mut()
                .zip(f.slope1)
                .for_each(|(x, &slope)| *x *= slope);
        }
        inputs.fill(S::ZERO);
        Packed::new(hidden, stoch + action, work.input_t).add_product(
            k,
            hiddens,
            hidden,
            inputs,
            stoch + action,
        );
        let inputs = inputs.chunks_exact(stoch + action);
        for (out, input) in actions.chunks_exact_mut(action).zip(inputs.clone()) {
            out.copy_from_slice(&input[stoch..]);
        }
        if states.is_empty() {
            return;
        }

        // through the recurrence
        for ((gates, y), (out, input)) in gates
            .chunks_exact_mut(3 * deter)
            .zip(deters.chunks_exact(deter))
            .zip(states.chunks_exact_mut(n).zip(inputs))
        {
            let candidate = &mut gates[2 * deter..];
            let (out_stoch, out_deter) = out.split_at_mut(stoch);
            out_stoch.copy_from_slice(&input[..stoch]);
            for i in 0..deter {
                candidate[i] = f.acr[i] * y[i];
                out_deter[i] = f.update[i] * y[i];
            }
        }
        Packed::new(3 * deter, deter, work.gru_recurrent_t).add_product(
            k,
            gates,
            3 * deter,
            &mut states[stoch..],
            n,
        );
    }

    /// Writes `F dz + B da` to `out [n]`; `factors` as in [`GruSizes::factors`].
    ///
    /// # Real-time
    /// No allocation; as many multiply-adds as there are weights.
    pub fn product(&mut self, factors: &[S], dz: &[S], da: &[S], out: &mut [S]) {
        let GruSizes {
            stoch,
            deter,
            hidden,
            ..
        } = self.sizes;
        let f = Factors::split(&self.sizes, factors);
        let work = Work::split(&self.sizes, self.columns, self.arena.as_mut());
        let hiddens = &mut work.hidden[..hidden];
        let gates = &mut work.gates[..3 * deter];
        let (out_stoch, out_deter) = out.split_at_mut(stoch);
        let (ds, dh) = dz.split_at(stoch);

        hiddens.fill(S::ZERO);
        let (from_stoch, from_action) = work.input.split_at(stoch * hidden);
        add_row_product(hiddens, ds, from_stoch);
        add_row_product(hiddens, da, from_action);
        hiddens
            .iter_mut()
            .zip(f.slope1)
            .for_each(|(x, &slope)| *x *= slope);

        gates.fill(S::ZERO);
        add_row_product(gates, hiddens, work.gru_input);
        for i in 0..deter {
            // the candidate's two summands have different factors
            out_deter[i] = f.update[i] * dh[i] + f.ac[i] * gates[2 * deter + i];
            gates[2 * deter + i] = S::ZERO;
        }
        add_row_product(gates, dh, work.gru_recurrent);
        for i in 0..deter {
            out_deter[i] +=
                f.au[i] * gates[i] + f.ar[i] * gates[deter + i] + f.acr[i] * gates[2 * deter + i];
        }

        hiddens.fill(S::ZERO);
        add_row_product(hiddens, out_deter, work.prior);
        hiddens
            .iter_mut()
            .zip(f.slope2)
            .for_each(|(x, &slope)| *x *= slope);
        out_stoch.fill(S::ZERO);
        add_row_product(out_stoch, hiddens, work.mean);
    }

    /// Writes the dense `state [n, n]` (`F`) and `action [n, na]` (`B`); `factors` as in
    /// [`GruSizes::factors`].
    pub fn jacobian(&mut self, factors: &[S], state: &mut [S], action_out: &mut [S]) {
        let GruSizes {
            stoch,
            deter,
            action,
            hidden,
        } = self.sizes;
        let n = self.sizes.state();
        let f = Factors::split(&self.sizes, factors);
        let work = Work::split(&self.sizes, self.columns, self.arena.as_mut());
        let (mean_state, deter_state) = state.split_at_mut(stoch * n);
        let (mean_action, deter_action) = action_out.split_at_mut(stoch * action);
        let row = &mut work.hidden[..hidden];
        let inputs = &mut work.inputs[..stoch + action];

        // dh'/d[s, h, a], a row for each element of h'
        let gru_input = Packed::new(3 * deter, hidden, work.gru_input_t);
        let gru_recurrent = Packed::new(3 * deter, deter, work.gru_recurrent_t);
        let input = Packed::new(hidden, stoch + action, work.input_t);
        for (i, (out, out_action)) in deter_state
            .chunks_exact_mut(n)
            .zip(deter_action.chunks_exact_mut(action))
            .enumerate()
        {
            row.fill(S::ZERO);
            gru_input.add_scaled_row(i, f.au[i], row);
            gru_input.add_scaled_row(deter + i, f.ar[i], row);
            gru_input.add_scaled_row(2 * deter + i, f.ac[i], row);
            row.iter_mut()
                .zip(f.slope1)
                .for_each(|(x, &slope)| *x *= slope);
            inputs.fill(S::ZERO);
            input.add_product(1, row, hidden, inputs, stoch + action);
            let (out_stoch, out_deter) = out.split_at_mut(stoch);
            out_stoch.copy_from_slice(&inputs[..stoch]);
            out_action.copy_from_slice(&inputs[stoch..]);

            out_deter.fill(S::ZERO);
            gru_recurrent.add_scaled_row(i, f.au[i], out_deter);
            gru_recurrent.add_scaled_row(deter + i, f.ar[i], out_deter);
            gru_recurrent.add_scaled_row(2 * deter + i, f.acr[i], out_deter);
            out_deter[i] += f.update[i];
        }

        // dm/d[s, h, a] = dm/dh' dh'/d[s, h, a]
        let mean = Packed::new(stoch, hidden, work.mean_t);
        let prior = Packed::new(hidden, deter, work.prior_t);
        let slopes = &mut work.deter[..deter];
        for (m, (out, out_action)) in mean_state
            .chunks_exact_mut(n)
            .zip(mean_action.chunks_exact_mut(action))
            .enumerate()
        {
            row.fill(S::ZERO);
            mean.add_scaled_row(m, S::ONE, row);
            row.iter_mut()
                .zip(f.slope2)
                .for_each(|(x, &slope)| *x *= slope);
            slopes.fill(S::ZERO);
            prior.add_product(1, row, hidden, slopes, deter);
            out.fill(S::ZERO);
            add_row_product(out, slopes, deter_state);
            out_action.fill(S::ZERO);
            add_row_product(out_action, slopes, deter_action);
        }
    }
}
