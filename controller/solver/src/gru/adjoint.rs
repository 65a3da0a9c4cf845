//! Products with the transposed Jacobian: reward gradients one step back in time.
//!
//! With `y = q_h + (dm/dh')' q_s` the chain goes on as `q_h <- D_h' y`, `[q_s, q_a] <- (slope1 (D_x' y)) W1'`,
//! where `D_h = dh'/dh` and `D_x = dh'/dx` are sums of three scaled weight matrices (and, for `D_h`,
//! the update gate on the diagonal). They are formed once a step, two panels at a time, and serve
//! all rows of a plan.

use heapless::Vec;

use super::factors::{Factors, GruFactors, GruSizes};
use super::jacobian::GruJacobian;
use super::work::{Part, Work};
use crate::crew::MAX_PARTS;
use crate::kernels::gram::scale_rows;
use crate::kernels::lanes::{LANES, padded};
use crate::kernels::packed::{Rows, formed_product, product, scaled_sum};
use crate::{Crew, Scalar, Slab};

impl<S: Scalar, A: AsRef<[S]> + AsMut<[S]>> GruJacobian<S, A> {
    /// Does what [`crate::Model::transpose_product`] asks for; the slabs are cut as [`GruJacobian::cut`]
    /// says.
    ///
    /// # Real-time
    /// No allocation; about `k (hidden (2 nd + 2 ns + na) + nd^2) + 3 nd (nd + hidden)`
    /// multiply-adds a plan, without the terms of `nd^2` where `states` is empty.
    pub fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        factors: GruFactors<'_, S>,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    ) {
        let sizes = self.sizes;
        let plans = self.shape.plans;
        let rows = actions.len() / sizes.action;
        let k = rows / plans;
        let mut work = Work::split(&sizes, &self.shape, self.arena.as_mut());
        // slope2 (Wm' q_s): little work, and all parts need it
        let stride = padded(sizes.hidden);
        let units = &mut work.shared.units[..rows * stride];
        let stochs = [Rows::new(slabs[0].rows, slabs[0].stride, sizes.stoch)];
        product::<S, false>(
            rows,
            &stochs,
            sizes.stoch,
            work.shared.mean_t,
            units,
            stride,
        );
        for (b, units) in units.chunks_exact_mut(k * stride).enumerate() {
            scale_rows(units, stride, factors.at(&sizes, b, t).slope2);
        }
        let units = [Rows::new(&*units, stride, sizes.hidden)];

        // y, by its columns
        let rows_of: Vec<_, MAX_PARTS> = slabs.iter().map(|s| (s.rows, s.stride)).collect();
        crew.each(&mut work.parts, |i, part| {
            let (memory, slab_stride) = rows_of[i];
            let own = padded(part.deter);
            let first = if i == 0 { sizes.stoch } else { 0 };
            if own == 0 {
                return;
            }
            let state = &mut part.state[..rows * own];
            for (y, row) in state
                .chunks_exact_mut(own)
                .zip(memory.chunks_exact(slab_stride))
            {
                y.copy_from_slice(&row[first..][..own]);
            }
            product::<S, true>(rows, &units, sizes.hidden, part.prior_t, state, own);
        });

        // back through the GRU: to its state, and to the dense layer before it
        let mut y: Vec<Rows<'_, S>, MAX_PARTS> = Vec::new();
        let mut parts: Vec<(Back<'_, S>, &mut Slab<'_, S>), MAX_PARTS> = Vec::new();
        for (i, (part, slab)) in work.parts.iter_mut().zip(slabs.iter_mut()).enumerate() {
            let (back, own) = Back::new(i, part);
            // no more parts than MAX_PARTS, see Cut
            let _ = y.push(own);
            let _ = parts.push((back, slab));
        }
        let y = &y;
        crew.each(&mut parts, |i, (back, slab)| {
            let first = if i == 0 { sizes.stoch } else { 0 };
            for b in 0..plans {
                let f = factors.at(&sizes, b, t);
                let pieces: Vec<_, MAX_PARTS> = y.iter().map(|piece| piece.from(b * k)).collect();
                // back and forth over the weights from step to step: what was read last is still
                // in the cache, also where all of them do not fit into it
                let order = Order::of_step(t);
                if order == Order::Backward {
                    back.write_units(&sizes, &f, b, k, &pieces, order);
                }
                if !slab.states.is_empty() {
                    let states = &mut slab.states[(b * (k + 1) + 1) * slab.stride..];
                    let states = &mut states[first..];
                    back.write_state(&sizes, &f, k, &pieces, order, states, slab.stride);
                }
                if order == Order::Forward {
                    back.write_units(&sizes, &f, b, k, &pieces, order);
                }
            }
            back.write_share(&sizes, rows);
        });

        // what the hidden units of all parts add up to
        let inputs = sizes.stoch + sizes.action;
        let stride = padded(inputs);
        let mut parts = parts.iter_mut();
        let (sum, slab) = parts.next().expect("a cut has a part");
        let sum = &mut sum.share[..rows * stride];
        for (other, _) in parts {
            for (sum, &share) in sum.iter_mut().zip(&*other.share) {
                *sum += share;
            }
        }
        for (row, action) in sum
            .chunks_exact(stride)
            .zip(actions.chunks_exact_mut(sizes.action))
        {
            action.copy_from_slice(&row[sizes.stoch..inputs]);
        }
        if slab.states.is_empty() {
            return;
        }
        for (r, row) in sum.chunks_exact(stride).enumerate() {
            let state = &mut slab.states[(r + r / k + 1) * slab.stride..];
            state[..sizes.stoch].copy_from_slice(&row[..sizes.stoch]);
        }
    }
}

/// Order in which a stage goes over the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Forward,
    Backward,
}

impl Order {
    fn of_step(t: usize) -> Self {
        if t.is_multiple_of(2) {
            Self::Forward
        } else {
            Self::Backward
        }
    }

    /// The `i`th of `count` indices in this order.
    fn index(self, i: usize, count: usize) -> usize {
        match self {
            Self::Forward => i,
            Self::Backward => count - 1 - i,
        }
    }
}

/// The second stage of one part.
struct Back<'a, S> {
    index: usize,
    deter_first: usize,
    hidden_first: usize,
    hidden: usize,
    recurrent_t: &'a [S],
    gru_input_t: &'a [S],
    input_t: &'a [S],
    own_units: &'a mut [S],
    share: &'a mut [S],
    panels: &'a mut [S],
}

impl<'a, S: Scalar> Back<'a, S> {
    /// Makes the second stage of a part, and gives the part's columns of `y`, which all parts read.
    fn new(index: usize, part: &'a mut Part<'_, S>) -> (Self, Rows<'a, S>) {
        let own = Rows::new(&*part.state, padded(part.deter), part.deter);
        let back = Self {
            index,
            deter_first: part.deter_first,
            hidden_first: part.hidden_first,
            hidden: part.hidden,
            recurrent_t: part.recurrent_t,
            gru_input_t: part.gru_input_t,
            input_t: part.input_t,
            own_units: part.own_units,
            share: part.share,
            panels: part.panels,
        };
        (back, own)
    }

    /// Writes `D_h' y` into the part's columns of `states`, for the `k` rows of one plan.
    #[expect(clippy::too_many_arguments)]
    fn write_state(
        &mut self,
        sizes: &GruSizes,
        f: &Factors<'_, S>,
        k: usize,
        y: &[Rows<'_, S>],
        order: Order,
        states: &mut [S],
        stride: usize,
    ) {
        let len = 2 * 3 * sizes.deter * LANES;
        let pairs = self.recurrent_t.len().div_ceil(len);
        for c in 0..pairs {
            let c = order.index(c, pairs);
            let panels = &self.recurrent_t[c * len..self.recurrent_t.len().min((c + 1) * len)];
            let factors = [f.au, f.ar, f.acr];
            let out = &mut states[2 * c * LANES..];
            formed_product(k, y, panels, factors, self.panels, out, stride);
        }
        // the update gate's diagonal
        let own = &y[self.index];
        let update = &f.update[self.deter_first..][..own.len];
        for (r, out) in states.chunks_mut(stride).take(k).enumerate() {
            let row = &own.data[r * own.stride..][..own.len];
            for ((out, &y), &update) in out.iter_mut().zip(row).zip(update) {
                *out = (*out + update * y).flush();
            }
        }
    }

    /// Writes `slope1 (D_x' y)` of the part's hidden units, for the `k` rows of plan `b`.
    fn write_units(
        &mut self,
        sizes: &GruSizes,
        f: &Factors<'_, S>,
        b: usize,
        k: usize,
        y: &[Rows<'_, S>],
        order: Order,
    ) {
        let stride = padded(self.hidden);
        if stride == 0 {
            return;
        }
        let units = &mut self.own_units[b * k * stride..][..k * stride];
        let len = 2 * 3 * sizes.deter * LANES;
        let pairs = self.gru_input_t.len().div_ceil(len);
        for c in 0..pairs {
            let c = order.index(c, pairs);
            let panels = &self.gru_input_t[c * len..self.gru_input_t.len().min((c + 1) * len)];
            let factors = [f.au, f.ar, f.ac];
            let out = &mut units[2 * c * LANES..];
            formed_product(k, y, panels, factors, self.panels, out, stride);
        }
        scale_rows(units, stride, &f.slope1[self.hidden_first..][..self.hidden]);
    }

    /// Writes what the part's hidden units add to the gradients of `[s, a]`.
    fn write_share(&mut self, sizes: &GruSizes, rows: usize) {
        let inputs = sizes.stoch + sizes.action;
        let share = &mut self.share[..rows * padded(inputs)];
        if self.hidden == 0 {
            share.fill(S::ZERO);
            return;
        }
        let units = Rows::new(&*self.own_units, padded(self.hidden), self.hidden);
        product::<S, false>(
            rows,
            &[units],
            self.hidden,
            self.input_t,
            share,
            padded(inputs),
        );
    }
}

/// The scaled sums of one or two panels of a triple packing.
pub(super) fn form<'a, S: Scalar>(
    panels: &[S],
    inner: usize,
    factors: [&[S]; 3],
    out: &'a mut [S],
) -> &'a mut [S] {
    let out = &mut out[..panels.len() / 3];
    for (panel, out) in panels
        .chunks_exact(3 * inner * LANES)
        .zip(out.chunks_exact_mut(inner * LANES))
    {
        scaled_sum(panel, factors, out);
    }
    out
}
