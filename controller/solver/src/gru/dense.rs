//! The Jacobian as a matrix, for the block-tridiagonal solver.

use super::adjoint::form;
use super::factors::{GruFactors, GruSizes};
use super::jacobian::GruJacobian;
use super::work::Work;
use crate::Scalar;
use crate::kernels::lanes::{LANES, padded};
use crate::kernels::packed::{Rows, product};
use crate::kernels::vector::add_row_product;

impl<S: Scalar, A: AsRef<[S]> + AsMut<[S]>> GruJacobian<S, A> {
    /// Does what [`crate::Model::jacobian`] asks for.
    pub fn jacobian(
        &mut self,
        factors: GruFactors<'_, S>,
        b: usize,
        t: usize,
        state: &mut [S],
        action_out: &mut [S],
    ) {
        let GruSizes {
            stoch,
            deter: nd,
            action,
            hidden: units,
        } = self.sizes;
        let n = self.sizes.state();
        let f = factors.at(&self.sizes, b, t);
        let mut work = Work::split(&self.sizes, &self.shape, self.arena.as_mut());
        let (mean_state, deter_state) = state.split_at_mut(stoch * n);
        let (mean_action, deter_action) = action_out.split_at_mut(stoch * action);

        // dh'/d[s, h, a], a row for each element of h'
        deter_state.fill(S::ZERO);
        deter_action.fill(S::ZERO);
        for part in &mut work.parts {
            for (c, panel) in part.recurrent_t.chunks_exact(3 * nd * LANES).enumerate() {
                let formed = form(panel, nd, [f.au, f.ar, f.acr], part.panels);
                let first = c * LANES;
                let width = LANES.min(part.deter - first);
                for (i, line) in formed.chunks_exact(LANES).enumerate() {
                    let column = stoch + part.deter_first + first;
                    deter_state[i * n + column..][..width].copy_from_slice(&line[..width]);
                }
            }
            for (c, panel) in part.gru_input_t.chunks_exact(3 * nd * LANES).enumerate() {
                let formed = form(panel, nd, [f.au, f.ar, f.ac], part.panels);
                let first = c * LANES;
                let width = LANES.min(part.hidden - first);
                let slopes = &f.slope1[part.hidden_first + first..][..width];
                // through these hidden units to [s, a]
                let inputs = stoch + action;
                let share = &mut part.share[..padded(inputs)];
                for (i, line) in formed.chunks_exact_mut(LANES).enumerate() {
                    line.iter_mut()
                        .zip(slopes)
                        .for_each(|(x, &slope)| *x *= slope);
                    share.fill(S::ZERO);
                    for (p, share) in share.chunks_exact_mut(LANES).enumerate() {
                        let panel = &part.input_t[p * part.hidden * LANES..];
                        let lines = &panel[first * LANES..][..width * LANES];
                        add_row_product(share, &line[..width], lines);
                    }
                    let out = &mut deter_state[i * n..][..stoch];
                    out.iter_mut().zip(&*share).for_each(|(x, &s)| *x += s);
                    let out = &mut deter_action[i * action..][..action];
                    out.iter_mut()
                        .zip(&share[stoch..])
                        .for_each(|(x, &s)| *x += s);
                }
            }
        }
        for (i, &update) in f.update.iter().enumerate() {
            deter_state[i * n + stoch + i] += update;
        }

        // dm/d[s, h, a] = dm/dh' dh'/d[s, h, a]
        let mean_t = &*work.shared.mean_t;
        for (m, (out, out_action)) in mean_state
            .chunks_exact_mut(n)
            .zip(mean_action.chunks_exact_mut(action))
            .enumerate()
        {
            out.fill(S::ZERO);
            out_action.fill(S::ZERO);
            for part in &mut work.parts {
                if part.deter == 0 {
                    continue;
                }
                // row m of the mean head, scaled; then the own columns of dm/dh'
                let row = &mut work.shared.units[..units];
                for (j, x) in row.iter_mut().enumerate() {
                    let panel = &mean_t[j / LANES * stoch * LANES..];
                    *x = panel[m * LANES + j % LANES] * f.slope2[j];
                }
                let own = padded(part.deter);
                let slopes = &mut part.state[..own];
                let row = Rows::new(row, units, units);
                product::<S, false>(1, &[row], units, part.prior_t, slopes, own);
                let slopes = &slopes[..part.deter];
                let first = part.deter_first;
                add_row_product(out, slopes, &deter_state[first * n..][..part.deter * n]);
                add_row_product(
                    out_action,
                    slopes,
                    &deter_action[first * action..][..part.deter * action],
                );
            }
        }
    }
}
