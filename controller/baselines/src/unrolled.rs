//! Actions rolled out through the prior, and the derivatives of the rewards with respect to them.

use heapless::Vec as Few;
use latco_controller::SetupError;
use latco_controller::plan::{Goal, GoalSlot, OnnxModel, PlanSizes, PriorSteps, dims};
use latco_models::{Bundle, RunError};
use latco_solver::{Alone, Cut, Dims, MAX_PARTS, Model, Predictions, Shape, Slab, Trajectories};

/// States, outputs of the reward head and derivatives along an action sequence.
pub struct Unrolled {
    model: OnnxModel,
    prior: PriorSteps,
    dims: Dims,
    cut: Cut,
    /// `[H + 1, n]`
    states: Vec<f32>,
    /// `[H, n]`
    means: Vec<f32>,
    /// `[H]`
    rewards: Vec<f32>,
    /// dr/dz, `[H, n]`
    gradients: Vec<f32>,
    goal: GoalSlot,
    /// The adjoint of one step, and behind it those of the step before, by parts of the columns.
    adjoint: Vec<Vec<f32>>,
}

impl Unrolled {
    /// Sessions for plans of these sizes, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let dims = dims(bundle, sizes);
        let shape = Shape::of(dims);
        let model = OnnxModel::new(bundle, shape)?;
        let cut = model.cut(shape.parts);
        let (h, n) = (sizes.horizon, sizes.state);
        Ok(Self {
            prior: PriorSteps::new(bundle, sizes)?,
            dims,
            states: vec![0.0; (h + 1) * n],
            means: vec![0.0; h * n],
            rewards: vec![0.0; h],
            gradients: vec![0.0; h * n],
            goal: GoalSlot::new(sizes),
            adjoint: (0..cut.parts())
                .map(|part| vec![0.0; 3 * cut.stride(part)])
                .collect(),
            cut,
            model,
        })
    }

    /// Sets the state that plans shall end in: it counts in the rewards and their slopes.
    pub fn set_goal(&mut self, goal: Option<&Goal>) {
        self.goal.set(goal);
    }

    /// Rolls `actions` `[H, na]`, which may exceed their limits, from `state` and linearises there.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn roll(&mut self, state: &[f32], actions: &[f32]) -> Result<(), RunError> {
        self.states[..state.len()].copy_from_slice(state);
        self.prior.fill(0, &mut self.states, actions)?;
        self.linearise(actions)
    }

    /// One step from row `step` of the states under `action`, into the row after it.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn step(&mut self, step: usize, action: &[f32]) -> Result<(), RunError> {
        let n = self.dims.state();
        let states = &mut self.states[step * n..][..2 * n];
        self.prior.fill(0, states, action)
    }

    /// Rewards and derivatives at the states that [`Unrolled::step`] made under `actions`.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn linearise(&mut self, actions: &[f32]) -> Result<(), RunError> {
        let plans = Trajectories {
            states: &self.states,
            actions,
        };
        let mut predictions = Predictions {
            means: &mut self.means,
            rewards: &mut self.rewards,
            gradients: &mut self.gradients,
        };
        self.model.evaluate(&mut Alone, &plans, &mut predictions)?;
        if let Some(goal) = self.goal.get() {
            let n = self.dims.state();
            let last = &self.states[self.dims.horizon * n..];
            goal.add_to(&mut self.rewards, last);
            goal.add_to_slopes(&mut self.gradients, last);
        }
        Ok(())
    }

    /// `z_0..z_H`, `[H + 1, n]`; row 0 is to be set before [`Unrolled::step`].
    pub fn states_mut(&mut self) -> &mut [f32] {
        &mut self.states
    }

    /// Predicted means `mu(z_t, a_t)` at the last linearisation, `[H, n]`.
    #[must_use]
    pub fn means(&self) -> &[f32] {
        &self.means
    }

    /// Outputs of the reward head at `z_1..z_H`, `[H]`.
    #[must_use]
    pub fn rewards(&self) -> &[f32] {
        &self.rewards
    }

    /// dr/dz at `z_{t + 1}`, `[n]`.
    #[must_use]
    pub fn gradient(&self, t: usize) -> &[f32] {
        let n = self.dims.state();
        &self.gradients[t * n..][..n]
    }

    /// `F_t` `[n, n]` and `B_t` `[n, na]`.
    pub fn jacobian(&mut self, t: usize, state: &mut [f32], action: &mut [f32]) {
        self.model.jacobian(0, t, state, action);
    }

    /// `B_t' row`, `[na]`, of step `t` for a row `[n]`: nothing goes through the state of the step.
    pub fn pull_back_action(&mut self, t: usize, row: &[f32], out: &mut [f32]) {
        let mut slabs: Few<Slab<'_, f32>, MAX_PARTS> = Few::new();
        for (part, memory) in self.adjoint.iter_mut().enumerate() {
            let (first, width) = (self.cut.first(part), self.cut.width(part));
            let stride = self.cut.stride(part);
            let rows = &mut memory[..stride];
            rows[..width].copy_from_slice(&row[first..][..width]);
            rows[width..].fill(0.0);
            // no more parts than MAX_PARTS, see Cut
            let _ = slabs.push(Slab {
                first,
                width,
                stride,
                rows,
                states: &mut [],
            });
        }
        (self.model).transpose_product(&mut Alone, t, &mut slabs, out);
    }

    /// Gradient of `sum_t weights_t r(z_{t + 1})` with respect to the actions, `[H, na]`: one row
    /// carried back through all steps.
    pub fn pull_back(&mut self, weights: &[f32], gradient: &mut [f32]) {
        let (n, na) = (self.dims.state(), self.dims.action);
        for memory in &mut self.adjoint {
            memory.fill(0.0);
        }
        for t in (0..self.dims.horizon).rev() {
            let mut slabs: Few<Slab<'_, f32>, MAX_PARTS> = Few::new();
            for (part, memory) in self.adjoint.iter_mut().enumerate() {
                let (first, width) = (self.cut.first(part), self.cut.width(part));
                let stride = self.cut.stride(part);
                // The last step's result is this one's row.
                memory.copy_within(2 * stride..2 * stride + width, 0);
                let (row, states) = memory.split_at_mut(stride);
                let of_reward = &self.gradients[t * n + first..][..width];
                for (row, of_reward) in row.iter_mut().zip(of_reward) {
                    *row += weights[t] * of_reward;
                }
                // no more parts than MAX_PARTS, see Cut
                let _ = slabs.push(Slab {
                    first,
                    width,
                    stride,
                    rows: row,
                    states: if t > 0 { states } else { &mut [] },
                });
            }
            let actions = &mut gradient[t * na..][..na];
            (self.model).transpose_product(&mut Alone, t, &mut slabs, actions);
        }
    }
}

#[cfg(test)]
mod tests {
    use latco_export::{RandomSpec, write_random_bundle};

    use super::*;
    use latco_controller::Config;

    /// Derivatives of a weighted sum of rewards against differences of rollouts, and the Jacobians'
    /// against those of single steps.
    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        for deter in [12, 0] {
            let folder = tempfile::tempdir().unwrap();
            let spec = RandomSpec {
                image: 32,
                stoch: 4,
                deter,
                hidden: 16,
                horizon: 6,
                ..RandomSpec::keypoint()
            };
            write_random_bundle(folder.path(), &spec, 5).unwrap();
            let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
            let sizes = PlanSizes::new(&Config::default(), bundle.manifest());
            let mut unrolled = Unrolled::new(&bundle, &sizes).unwrap();
            let (n, na, h) = (sizes.state, sizes.action, sizes.horizon);
            let state: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut actions: Vec<f32> = (0..h * na).map(|i| (i as f32 * 1.3).cos()).collect();
            let weights: Vec<f32> = (0..h).map(|t| 1.0 + 0.3 * t as f32).collect();
            unrolled.roll(&state, &actions).unwrap();
            let mut gradient = vec![0.0; h * na];
            unrolled.pull_back(&weights, &mut gradient);
            let mut value = |actions: &[f32]| -> f64 {
                unrolled.roll(&state, actions).unwrap();
                let rewards = unrolled.rewards().iter().zip(&weights);
                rewards.map(|(r, w)| f64::from(r * w)).sum()
            };
            let step = 1e-2;
            let largest = gradient.iter().fold(0.0f32, |l, g| l.max(g.abs()));
            assert!(largest > 1e-3, "{gradient:?}");
            for (index, found) in gradient.iter().enumerate() {
                let at = actions[index];
                actions[index] = at + step;
                let above = value(&actions);
                actions[index] = at - step;
                let below = value(&actions);
                actions[index] = at;
                let expected = (above - below) / f64::from(2.0 * step);
                assert!(
                    (f64::from(*found) - expected).abs() < 0.02 * f64::from(largest),
                    "deter {deter}, action {index}: {found} {expected}"
                );
            }
        }
    }
}
