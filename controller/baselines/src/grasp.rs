//! GRASP: gradient-based planning on virtual states (Psenka et al. 2026, arXiv 2602.00475).
//!
//! States are variables beside the actions, and the dynamics are a soft penalty. The model is never
//! differentiated by its state input: with the stopped state `sg(z_t)`, Adam descends
//!
//! ```text
//! L(z, a) = sum_t  w |z_{t+1} - mu(sg(z_t), a_t)|^2  -  r(z_{t+1})  -  r(mu(sg(z_t), a_t))
//! ```
//!
//! in states and actions together; every step has its reward. Noise on the states, and on nothing else, lets them leave a
//! local minimum. After every hundred iterations the actions do a few steps up the return of their own rollout, whose gradient
//! goes through all steps, and the states begin again where it leads.
//!
//! Published are the stopped state, the term of the dynamics, the term of the goal at every prediction, the noise on the states
//! and the synchronisation with the rollout after a hundred iterations. This project's own, as the paper's goal is an image that
//! the last state is fixed to and its states are features of another scale, are: the reward in place of the distance to the goal,
//! at the states as well as at the predictions; Adam and its step sizes; the weight w (the paper weights the goal, which is the
//! same but for the scale of the reward); the size of the noise; the number and the size of the steps of a synchronisation; a
//! start at a rollout instead of a line to the goal. The slope of the reward at `mu` is taken at the state that the penalty holds
//! next to it.

use latco_controller::plan::{Goal, Noise, PlanRequest, PlanSizes, Quantum, Shift, StopCause};
use latco_controller::trace::IterationTrace;
use latco_controller::{Config, SetupError};
use latco_models::Bundle;

use crate::adam::Adam;
use crate::method::Method;
use crate::unrolled::Unrolled;

/// Number of iterations on states and actions between two synchronisations with the rollout, the paper's.
const SYNC_EVERY: u32 = 100;
/// Number of steps of a synchronisation, each an iteration; the paper has a few.
const SYNC_STEPS: u32 = 5;
/// Step sizes of Adam, in units of the normalised action and of the state: about what moves either from one side of its range
/// to the other between two synchronisations.
const ACTION_RATE: f32 = 0.05;
const STATE_RATE: f32 = 0.05;
/// Step size of a synchronisation, small beside the other.
const SYNC_RATE: f32 = 0.01;
/// Weight w of the dynamics: a defect of 1 in one number of a state costs as much as a reward of 1.
const DYNAMICS: f32 = 1.0;
/// Deviation of the noise that is added to the states in an iteration: a fifth of a step.
const STATE_NOISE: f32 = 0.01;

/// The optimiser of GRASP: states and actions by Adam, without the model's slope by the state.
pub(crate) struct Grasp {
    sizes: PlanSizes,
    action_limit: f32,
    /// The states, and the model's predictions at them.
    unrolled: Unrolled,
    noise: Noise,
    /// Actions of the plan, `[H, na]`.
    actions: Vec<f32>,
    /// Slopes of -L by the actions `[H, na]` and by the states `[H, n]`.
    action_slopes: Vec<f32>,
    state_slopes: Vec<f32>,
    /// Pull on one step's action, `[n]`, and the noise of the states, `[H, n]`.
    row: Vec<f32>,
    drawn: Vec<f32>,
    action_steps: Adam,
    state_steps: Adam,
    /// Weights of the rewards in the return, all 1, `[H]`.
    weights: Vec<f32>,
}

impl Method for Grasp {
    /// As often as LatCo's candidates.
    const VALUE_EVERY: u32 = 10;

    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let (h, n, na) = (sizes.horizon, sizes.state, sizes.action);
        Ok(Self {
            sizes: *sizes,
            action_limit: bundle.manifest().action.limit,
            unrolled: Unrolled::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            actions: vec![0.0; h * na],
            action_slopes: vec![0.0; h * na],
            state_slopes: vec![0.0; h * n],
            row: vec![0.0; n],
            drawn: vec![0.0; h * n],
            action_steps: Adam::new(h * na),
            state_steps: Adam::new(h * n),
            weights: vec![1.0; h],
        })
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        match shift {
            Some(shift) => shift.apply(&mut self.actions, self.sizes.action),
            None => (self.noise).fill_uniform(&mut self.actions, self.action_limit),
        }
    }

    fn set_goal(&mut self, goal: Option<&Goal>) {
        self.unrolled.set_goal(goal);
    }

    fn actions(&self) -> &[f32] {
        &self.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        _quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause> {
        let phase = (figures.iteration - 1) % (SYNC_EVERY + SYNC_STEPS);
        if phase == 0 || phase == SYNC_EVERY {
            self.action_steps.reset();
            self.state_steps.reset();
        }
        if phase >= SYNC_EVERY {
            return self.synchronise(state, figures);
        }
        let evaluated = if phase == 0 {
            self.unrolled.roll(state, &self.actions)
        } else {
            self.unrolled.linearise(&self.actions)
        };
        evaluated.map_err(|_| StopCause::ModelFailed)?;
        figures.planned_reward = self.unrolled.rewards().iter().sum();
        figures.dynamics_violation_max = self.slopes();
        let slopes = self.action_slopes.iter().chain(&self.state_slopes);
        if !slopes.sum::<f32>().is_finite() {
            return Err(StopCause::NonFinite);
        }
        self.climb_actions(ACTION_RATE);
        let states = &mut self.unrolled.states_mut()[self.sizes.state..];
        (self.state_steps).climb(STATE_RATE, states, &self.state_slopes);
        self.noise.fill(&mut self.drawn);
        for (value, noise) in states.iter_mut().zip(&self.drawn) {
            *value += STATE_NOISE * noise;
        }
        Ok(())
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}

impl Grasp {
    /// Does a step of the actions up the return of their rollout.
    fn synchronise(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
    ) -> Result<(), StopCause> {
        let rolled = self.unrolled.roll(state, &self.actions);
        rolled.map_err(|_| StopCause::ModelFailed)?;
        figures.planned_reward = self.unrolled.rewards().iter().sum();
        (self.unrolled).pull_back(&self.weights, &mut self.action_slopes);
        if !self.action_slopes.iter().sum::<f32>().is_finite() {
            return Err(StopCause::NonFinite);
        }
        self.climb_actions(SYNC_RATE);
        Ok(())
    }

    /// Does a step of Adam on the actions and clamps them to their limits.
    fn climb_actions(&mut self, rate: f32) {
        let limit = self.action_limit;
        (self.action_steps).climb(rate, &mut self.actions, &self.action_slopes);
        (self.actions.iter_mut()).for_each(|action| *action = action.clamp(-limit, limit));
    }

    /// Computes the slopes of -L at the states and actions that were evaluated last; returns the largest
    /// `|z_{t+1} - mu(z_t, a_t)|^2`.
    fn slopes(&mut self) -> f32 {
        let (n, na) = (self.sizes.state, self.sizes.action);
        let mut largest = 0.0f32;
        for t in 0..self.sizes.horizon {
            let mut violation = 0.0;
            for i in 0..n {
                let next = self.unrolled.states_mut()[(t + 1) * n + i];
                let defect = next - self.unrolled.means()[t * n + i];
                let reward = self.unrolled.gradient(t)[i];
                violation += defect * defect;
                self.state_slopes[t * n + i] = reward - 2.0 * DYNAMICS * defect;
                self.row[i] = reward + 2.0 * DYNAMICS * defect;
            }
            largest = largest.max(violation);
            let slopes = &mut self.action_slopes[t * na..][..na];
            self.unrolled.pull_back_action(t, &self.row, slopes);
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use latco_export::{RandomSpec, write_random_bundle};

    use super::*;

    /// A planner of a random bundle with five steps.
    fn grasp() -> Grasp {
        let folder = tempfile::tempdir().unwrap();
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter: 12,
            hidden: 16,
            horizon: 5,
            ..RandomSpec::keypoint()
        };
        write_random_bundle(folder.path(), &spec, 5).unwrap();
        let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
        let config = Config::default();
        Grasp::new(&config, &bundle, &PlanSizes::new(&config, bundle.manifest())).unwrap()
    }

    /// The last of the steps sees a larger return than the first.
    #[test]
    fn a_synchronisation_raises_the_return_of_the_rollout() {
        let mut grasp = grasp();
        let state = vec![0.3; grasp.sizes.state];
        let mut figures = IterationTrace::default();
        let returns: Vec<f32> = (0..SYNC_STEPS)
            .map(|_| {
                grasp.synchronise(&state, &mut figures).unwrap();
                figures.planned_reward
            })
            .collect();
        assert!(returns.is_sorted() && returns[0] < returns[returns.len() - 1], "{returns:?}");
    }

    /// The slopes by the actions against differences of L with the states held, and those by the states
    /// with the predictions held.
    #[test]
    fn slopes_are_those_of_the_penalty_and_the_rewards_with_stopped_states() {
        let mut grasp = grasp();
        let sizes = grasp.sizes;
        let (n, na, h) = (sizes.state, sizes.action, sizes.horizon);
        let mut noise = Noise::new(3);
        noise.fill(grasp.unrolled.states_mut());
        noise.fill(&mut grasp.actions);
        let actions = grasp.actions.clone();
        grasp.unrolled.linearise(&actions).unwrap();
        grasp.slopes();
        let by_actions = grasp.action_slopes.clone();
        let gradients: Vec<f32> = (0..h)
            .flat_map(|t| grasp.unrolled.gradient(t).to_vec())
            .collect();

        // -w |z' - mu|^2 + g' mu, with the slope g of the reward as it is at z'.
        let value = |grasp: &mut Grasp, actions: &[f32]| -> f64 {
            grasp.unrolled.linearise(actions).unwrap();
            let means = grasp.unrolled.means().to_vec();
            let next = &grasp.unrolled.states_mut()[n..];
            (means.iter().zip(next).zip(&gradients))
                .map(|((mean, z), g)| {
                    f64::from(g * mean) - f64::from(DYNAMICS) * f64::from(z - mean).powi(2)
                })
                .sum()
        };
        for index in 0..h * na {
            let mut moved = actions.clone();
            moved[index] += 1e-2;
            let above = value(&mut grasp, &moved);
            moved[index] -= 2e-2;
            let below = value(&mut grasp, &moved);
            let expected = (above - below) / 2e-2;
            let found = f64::from(by_actions[index]);
            assert!(
                (found - expected).abs() < 0.02 * expected.abs().max(1.0),
                "{index}: {found} {expected}"
            );
        }
    }
}
