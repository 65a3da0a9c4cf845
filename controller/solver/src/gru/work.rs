use heapless::Vec;

use super::factors::{GruSizes, GruWeights, Shape};
use crate::Scalar;
use crate::crew::{Cut, MAX_PARTS};
use crate::kernels::lanes::{LANES, padded};
use crate::kernels::packed::{pack, pack_triple, packed_len, triple_len};
use crate::workspace::{Parts, take_parts, total};

/// The arena of a Jacobian: what all parts read, and what each has of its own.
pub(super) struct Work<'a, S> {
    pub(super) shared: Shared<'a, S>,
    pub(super) parts: Vec<Part<'a, S>, MAX_PARTS>,
}

/// The memory that every part reads.
#[derive(Debug)]
pub(super) struct Shared<'a, S> {
    /// Kernel of the input layer, shape `[ns + na, hidden]`.
    pub(super) input: &'a mut [S],
    /// Kernel of the mean head, transposed, shape `[ns, hidden]`.
    pub(super) mean_t: &'a mut [S],
    /// Scratch for all hidden units, a row for each column of the products.
    pub(super) units: &'a mut [S],
}

/// Weights and scratch memory of one part. It owns `deter` columns of the GRU's state from
/// `deter_first` on, and `hidden` hidden units from `hidden_first` on.
#[derive(Debug)]
pub(super) struct Part<'a, S> {
    pub(super) deter_first: usize,
    pub(super) deter: usize,
    pub(super) hidden_first: usize,
    pub(super) hidden: usize,

    // packed weights of the adjoint products
    /// Kernel of the prior's dense layer, transposed, shape `[hidden units, deter]`.
    pub(super) prior_t: &'a mut [S],
    /// Triple packing of the recurrent kernels, shape `[nd, deter]`: gates by the state that they are
    /// computed from.
    pub(super) recurrent_t: &'a mut [S],
    /// Triple packing of the input kernels, shape `[nd, hidden]`: gates by the hidden unit that they are
    /// computed from.
    pub(super) gru_input_t: &'a mut [S],
    /// Kernel of the input layer, transposed, shape `[hidden, ns + na]`.
    pub(super) input_t: &'a mut [S],

    // packed weights of the tangent products
    /// Kernels of the update gate, shape `[hidden units + nd, deter]`.
    pub(super) update: &'a mut [S],
    /// Kernels of the reset gate, shape `[hidden units + nd, deter]`.
    pub(super) reset: &'a mut [S],
    /// Kernel of the candidate from the hidden units, shape `[hidden units, deter]`.
    pub(super) candidate_input: &'a mut [S],
    /// Kernel of the candidate from the state, before the reset gate, shape `[nd, deter]`.
    pub(super) candidate_state: &'a mut [S],
    /// Kernel of the prior's dense layer, shape `[nd, hidden]`.
    pub(super) prior: &'a mut [S],
    /// Kernel of the mean head, shape `[hidden, ns]`.
    pub(super) mean: &'a mut [S],

    // scratch, a row for each column of the products
    /// The part's columns of the GRU's state.
    pub(super) state: &'a mut [S],
    /// The part's hidden units.
    pub(super) own_units: &'a mut [S],
    /// The amount that the part's hidden units add to `[s, a]` or to the mean.
    pub(super) share: &'a mut [S],
    /// Products of the four gates with a tangent, shape `[4, N, deter]`.
    pub(super) gates: &'a mut [S],
    /// Two panels of a block of the Jacobian.
    pub(super) panels: &'a mut [S],
}

/// The ranges of part `p`: first and length of its columns of the GRU's state, then of its hidden units.
fn ranges(sizes: &GruSizes, shape: &Shape, p: usize) -> [usize; 4] {
    let deter = Cut::even(sizes.deter, shape.parts);
    let hidden = Cut::even(sizes.hidden, shape.parts);
    [
        deter.first(p),
        deter.width(p),
        hidden.first(p),
        hidden.width(p),
    ]
}

fn shared_lens(sizes: &GruSizes, shape: &Shape) -> [usize; 3] {
    [
        packed_len(sizes.stoch + sizes.action, sizes.hidden),
        packed_len(sizes.stoch, sizes.hidden),
        shape.plans * shape.horizon * padded(sizes.hidden),
    ]
}

fn part_lens(sizes: &GruSizes, shape: &Shape, p: usize) -> [usize; 15] {
    let &GruSizes {
        stoch,
        deter: nd,
        action,
        hidden: units,
    } = sizes;
    let [_, deter, _, hidden] = ranges(sizes, shape, p);
    let rows = shape.plans * shape.horizon;
    [
        packed_len(units, deter),
        triple_len(nd, deter),
        triple_len(nd, hidden),
        packed_len(hidden, stoch + action),
        packed_len(units + nd, deter),
        packed_len(units + nd, deter),
        packed_len(units, deter),
        packed_len(nd, deter),
        packed_len(nd, hidden),
        packed_len(hidden, stoch),
        rows * padded(deter),
        rows * padded(hidden),
        rows * padded(stoch + action),
        4 * shape.plans * padded(deter),
        2 * LANES * nd,
    ]
}

impl<'a, S: Scalar> Work<'a, S> {
    pub(super) fn len(sizes: &GruSizes, shape: &Shape) -> usize {
        let parts = Cut::even(sizes.deter, shape.parts).parts();
        let of_parts = (0..parts).flat_map(|p| part_lens(sizes, shape, p));
        total(shared_lens(sizes, shape).into_iter().chain(of_parts))
    }

    pub(super) fn split(sizes: &GruSizes, shape: &Shape, arena: &'a mut [S]) -> Self {
        let mut memory = Parts::new(arena);
        let shared = take_parts!(
            memory,
            shared_lens(sizes, shape),
            Shared {
                input,
                mean_t,
                units
            }
        );
        let parts = (0..shape.parts).map(|p| {
            let [deter_first, deter, hidden_first, hidden] = ranges(sizes, shape, p);
            take_parts!(memory, part_lens(sizes, shape, p), Part {
                prior_t, recurrent_t, gru_input_t, input_t, update, reset, candidate_input, candidate_state, prior, mean,
                state, own_units, share, gates, panels;
                deter_first, deter, hidden_first, hidden
            })
        });
        Self {
            shared,
            parts: parts.collect(),
        }
    }

    /// Fills the packed weights.
    pub(super) fn pack(self, sizes: &GruSizes, weights: &GruWeights<'_, S>) {
        let &GruSizes {
            stoch,
            deter: nd,
            action,
            hidden: units,
        } = sizes;
        let GruWeights {
            input,
            gru_input,
            gru_recurrent: recurrent,
            prior,
            prior_mean: mean,
        } = *weights;
        pack(stoch + action, units, self.shared.input, |i, j| {
            input[i * units + j]
        });
        pack(stoch, units, self.shared.mean_t, |i, j| mean[j * stoch + i]);
        for part in self.parts {
            let Part {
                deter_first: d0,
                deter,
                hidden_first: m0,
                hidden,
                ..
            } = part;
            let row = 3 * nd;
            pack(units, deter, part.prior_t, |i, j| {
                prior[(d0 + j) * units + i]
            });
            pack_triple(nd, deter, part.recurrent_t, |gate, i, j| {
                recurrent[(d0 + j) * row + gate * nd + i]
            });
            pack_triple(nd, hidden, part.gru_input_t, |gate, i, j| {
                gru_input[(m0 + j) * row + gate * nd + i]
            });
            pack(hidden, stoch + action, part.input_t, |i, j| {
                input[j * units + m0 + i]
            });
            for (gate, packed) in [(0, part.update), (1, part.reset)] {
                pack(units + nd, deter, packed, |i, j| {
                    let column = gate * nd + d0 + j;
                    if i < units {
                        gru_input[i * row + column]
                    } else {
                        recurrent[(i - units) * row + column]
                    }
                });
            }
            pack(units, deter, part.candidate_input, |i, j| {
                gru_input[i * row + 2 * nd + d0 + j]
            });
            pack(nd, deter, part.candidate_state, |i, j| {
                recurrent[i * row + 2 * nd + d0 + j]
            });
            pack(nd, hidden, part.prior, |i, j| prior[i * units + m0 + j]);
            pack(hidden, stoch, part.mean, |i, j| mean[(m0 + i) * stoch + j]);
        }
    }
}
