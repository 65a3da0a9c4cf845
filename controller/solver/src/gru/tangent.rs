//! Products with the Jacobian: a change of state and action one step forward in time.

use heapless::Vec;

use super::factors::GruFactors;
use super::jacobian::GruJacobian;
use super::work::{Part, Work};
use crate::crew::MAX_PARTS;
use crate::kernels::gram::scale_rows;
use crate::kernels::lanes::padded;
use crate::kernels::packed::{Rows, product};
use crate::{Crew, Scalar};

impl<S: Scalar, A: AsRef<[S]> + AsMut<[S]>> GruJacobian<S, A> {
    /// Does what [`crate::Model::product`] asks for.
    ///
    /// # Real-time
    /// No allocation; as many multiply-adds a plan as there are weights.
    pub fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        factors: GruFactors<'_, S>,
        t: usize,
        states: &[S],
        actions: &[S],
        out: &mut [S],
    ) {
        let sizes = self.sizes;
        let (n, nd, units) = (sizes.state(), sizes.deter, sizes.hidden);
        let (plans, h) = (self.shape.plans, factors.horizon);
        let mut work = Work::split(&sizes, &self.shape, self.arena.as_mut());
        let input = &*work.shared.input;
        let stochs = Rows::new(&states[t * n..], (h + 1) * n, sizes.stoch);
        let deters = Rows::new(&states[t * n + sizes.stoch..], (h + 1) * n, nd);
        let actions = Rows::new(&actions[t * sizes.action..], h * sizes.action, sizes.action);

        let stride = padded(units);
        let x = &mut work.shared.units[..plans * stride];
        let inputs = sizes.stoch + sizes.action;
        product::<S, false>(plans, &[stochs, actions], inputs, input, x, stride);
        for (b, row) in x.chunks_exact_mut(stride).enumerate() {
            scale_rows(row, stride, factors.at(&sizes, b, t).slope1);
        }
        let x = Rows::new(&*x, stride, units);

        // the GRU, by the columns of its new state
        crew.each(&mut work.parts, |_, part| {
            let own = padded(part.deter);
            if own == 0 {
                return;
            }
            let (update, rest) = part.gates.split_at_mut(plans * own);
            let (reset, rest) = rest.split_at_mut(plans * own);
            let (candidate_x, candidate_h) = rest.split_at_mut(plans * own);
            let both = units + nd;
            product::<S, false>(plans, &[x, deters], both, part.update, update, own);
            product::<S, false>(plans, &[x, deters], both, part.reset, reset, own);
            product::<S, false>(plans, &[x], units, part.candidate_input, candidate_x, own);
            product::<S, false>(plans, &[deters], nd, part.candidate_state, candidate_h, own);
            let columns = part.deter_first..part.deter_first + part.deter;
            for b in 0..plans {
                let f = factors.at(&sizes, b, t);
                let dh = &deters.data[b * deters.stride..][columns.clone()];
                let row = b * own..b * own + part.deter;
                let new = &mut part.state[row.clone()];
                let (gu, gr) = (&update[row.clone()], &reset[row.clone()]);
                let (cx, ch) = (&candidate_x[row.clone()], &candidate_h[row]);
                for (j, i) in columns.clone().enumerate() {
                    new[j] = f.update[i] * dh[j]
                        + f.au[i] * gu[j]
                        + f.ar[i] * gr[j]
                        + f.ac[i] * cx[j]
                        + f.acr[i] * ch[j];
                }
            }
        });

        // the mean, by hidden units
        let mut h_new: Vec<Rows<'_, S>, MAX_PARTS> = Vec::new();
        let mut parts: Vec<_, MAX_PARTS> = Vec::new();
        for part in &mut work.parts {
            let Part {
                state,
                own_units,
                share,
                ..
            } = part;
            let _ = h_new.push(Rows::new(state, padded(part.deter), part.deter));
            let (prior, mean) = (&*part.prior, &*part.mean);
            let _ = parts.push((
                own_units,
                share,
                prior,
                mean,
                part.hidden_first,
                part.hidden,
            ));
        }
        let h_new = &h_new;
        let stoch_stride = padded(sizes.stoch);
        crew.each(
            &mut parts,
            |_, (own_units, share, prior, mean, first, hidden)| {
                let share = &mut share[..plans * stoch_stride];
                let own = padded(*hidden);
                if own == 0 {
                    share.fill(S::ZERO);
                    return;
                }
                let units = &mut own_units[..plans * own];
                product::<S, false>(plans, h_new, nd, prior, units, own);
                for (b, row) in units.chunks_exact_mut(own).enumerate() {
                    let slopes = factors.at(&sizes, b, t).slope2;
                    scale_rows(row, own, &slopes[*first..][..*hidden]);
                }
                let units = Rows::new(units, own, *hidden);
                product::<S, false>(plans, &[units], *hidden, mean, share, stoch_stride);
            },
        );

        for (b, out) in out.chunks_exact_mut(n).enumerate() {
            let (stoch, mut deter) = out.split_at_mut(sizes.stoch);
            stoch.fill(S::ZERO);
            for (_, share, ..) in &parts {
                for (out, &share) in stoch.iter_mut().zip(&share[b * stoch_stride..]) {
                    *out += share;
                }
            }
            for piece in h_new {
                let (own, rest) = deter.split_at_mut(piece.len);
                own.copy_from_slice(&piece.data[b * piece.stride..][..piece.len]);
                deter = rest;
            }
        }
    }
}
