//! The previous plan, shifted by the time that has passed, as the start of the next one.
//!
//! Time passes in control periods, and not only in whole ones: images come late and their stamps
//! jitter. With `e = k + f` periods gone (`k` whole, `0 <= f < 1`), the new plan has in
//!
//! * row t of the states `(1 - f) z_{t+k} + f z_{t+k+1}`, where the old plan expected the robot to
//!   be by then;
//! * row t of the actions `(1 - f) a_{t+k} + f a_{t+k+1}`: actions are constant over a period, and
//!   this is the mean of the old ones over the new period;
//! * the multipliers of a step what its constraint had, mixed alike (decision 6).
//!
//! Actions and multipliers after the old horizon repeat the last; the states there are the
//! caller's to fill by prior steps. With `f = 0` nothing is computed: rows are moved bit for bit.

use latco_models::RunError;

use super::batch::IterateMut;
use super::rollout::PriorSteps;
use super::solution::PlanSizes;

/// Distance from a whole number of periods below which the rest counts as rounding of stamps.
const WHOLE: f64 = 1e-3;

/// The shift of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    whole: usize,
    fraction: f32,
}

impl Shift {
    /// Makes the shift by `elapsed` control periods; a negative time counts as none. It is `None` when no
    /// action of the old plan is left after it.
    #[must_use]
    pub fn new(elapsed: f64, horizon: usize) -> Option<Self> {
        let mut elapsed = elapsed.max(0.0); // also of NaN
        if (elapsed - elapsed.round()).abs() < WHOLE {
            elapsed = elapsed.round();
        }
        (elapsed < horizon as f64).then(|| Self {
            whole: elapsed as usize,
            fraction: elapsed.fract() as f32,
        })
    }

    /// The whole periods of the shift.
    #[must_use]
    pub fn whole(self) -> usize {
        self.whole
    }

    /// The last row of the shifted states that the old plan of `horizon` steps reaches.
    #[must_use]
    pub fn last_known(self, horizon: usize) -> usize {
        horizon - self.whole - usize::from(self.fraction > 0.0)
    }

    /// Shifts rows of `size` numbers forward; those after the old end repeat the last.
    pub fn apply(self, values: &mut [f32], size: usize) {
        let rows = values.len() / size;
        let last = rows.saturating_sub(1);
        if self.fraction == 0.0 {
            let by = self.whole.min(last);
            values.copy_within(by * size.., 0);
            for row in rows - by..rows {
                values.copy_within((rows - by - 1) * size..(rows - by) * size, row * size);
            }
            return;
        }
        for row in 0..rows {
            // Rows are only read at or after the one that is written.
            let from = (row + self.whole).min(last) * size;
            let to = (row + self.whole + 1).min(last) * size;
            for column in 0..size {
                let (before, after) = (values[from + column], values[to + column]);
                values[row * size + column] = before + self.fraction * (after - before);
            }
        }
    }
}

/// Makes the previous plan the start of the next one: shifted with its multipliers, anchored at `state` `[n]`, its tail
/// filled by prior steps.
///
/// # Errors
/// ONNX Runtime's reason.
pub(super) fn start_warm(
    plan: &mut IterateMut<'_>,
    sizes: &PlanSizes,
    state: &[f32],
    shift: Shift,
    prior: &mut PriorSteps,
) -> Result<(), RunError> {
    shift.apply(plan.states, sizes.state);
    shift.apply(plan.actions, sizes.action);
    shift.apply(plan.dynamics, 1);
    shift.apply(plan.action_limits, 1);
    plan.states[..sizes.state].copy_from_slice(state);
    let last = shift.last_known(sizes.horizon);
    prior.fill(last, plan.states, plan.actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(elapsed: f64, values: &[f32], size: usize) -> Vec<f32> {
        let mut rows = values.to_vec();
        Shift::new(elapsed, 100).unwrap().apply(&mut rows, size);
        rows
    }

    #[test]
    fn a_whole_shift_moves_rows_bit_for_bit_and_repeats_the_last() {
        let rows = [0.1, 0.5, 1.0, 1.5, 2.0, 2.5, f32::MIN_POSITIVE, 3.5];
        let once = shifted(1.0, &rows, 2);
        assert_eq!(once[..6], rows[2..]);
        assert_eq!(once[6..], rows[6..]);
        assert_eq!(shifted(0.0, &rows, 2), rows);
        assert_eq!(shifted(9.0, &rows, 2), rows[6..].repeat(4));
        // Rounding of stamps is no fraction.
        assert_eq!(shifted(0.9996, &rows, 2), once);
        assert_eq!(shifted(1.0004, &rows, 2), once);
    }

    #[test]
    fn a_fraction_mixes_neighbours() {
        let rows = [0.0, 1.0, 2.0, 4.0];
        assert_eq!(shifted(0.25, &rows, 1), [0.25, 1.25, 2.5, 4.0]);
        assert_eq!(shifted(1.5, &rows, 1), [1.5, 3.0, 4.0, 4.0]);
        let pairs = [0.0, 10.0, 1.0, 20.0];
        assert_eq!(shifted(0.5, &pairs, 2), [0.5, 15.0, 1.0, 20.0]);
    }

    #[test]
    fn a_fraction_next_to_a_whole_shift_is_next_to_it_in_value() {
        let rows = [0.3, -1.0, 2.0, 4.0, 0.7];
        for (near, whole) in [(0.998, 1.0), (1.002, 1.0), (2.002, 2.0)] {
            let difference = |(a, b): (&f32, &f32)| (a - b).abs();
            let largest = (shifted(near, &rows, 1)
                .iter()
                .zip(&shifted(whole, &rows, 1)))
            .map(difference)
            .fold(0.0, f32::max);
            assert!(largest < 0.02, "{near}: {largest}");
        }
    }

    #[test]
    fn the_states_that_the_old_plan_reaches_are_known() {
        let known = |elapsed| Shift::new(elapsed, 8).map(|shift| shift.last_known(8));
        assert_eq!(known(0.0), Some(8));
        assert_eq!(known(0.5), Some(7));
        assert_eq!(known(1.0), Some(7));
        assert_eq!(known(7.5), Some(0));
        assert_eq!(known(7.9999), None, "all of it is over");
        assert_eq!(known(8.0), None);
        assert_eq!(known(f64::INFINITY), None);
        assert_eq!(known(-3.0), Some(8));
        assert_eq!(known(f64::NAN), Some(8));
    }
}
