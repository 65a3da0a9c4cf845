//! One-step predictions for many sampled states at once.

use latco_models::{Bundle, BundleError, Dynamics, Reward, RunError};
use latco_solver::Crew;

use super::super::super::graphs::{Linearisation, run_both};

/// A prior step and a reward head for `R` rows, written before and read after [`Steps::run`].
pub trait Steps: Send {
    /// The states to step from, `[R, n]`.
    fn state_mut(&mut self) -> &mut [f32];

    /// The actions of these states, `[R, na]`.
    fn action_mut(&mut self) -> &mut [f32];

    /// The states to step from, and the states to value, `[R, n]` both.
    fn states_and_valued_mut(&mut self) -> (&[f32], &mut [f32]);

    /// Computes all outputs below.
    ///
    /// # Errors
    /// The model's reason.
    fn run<C: Crew>(&mut self, crew: &mut C) -> Result<(), RunError>;

    /// The prior means, `[R, n]`.
    fn mean(&self) -> &[f32];

    /// The prior deviations of the stochastic part, `[R, ns]`.
    fn deviation(&self) -> &[f32];

    /// The outputs of the reward head, `[R]`.
    fn reward(&self) -> &[f32];

    /// The derivatives of the reward head's outputs, `[R, n]`.
    fn gradient(&self) -> &[f32];

    /// The linearisation of every row.
    fn linearisation(&self) -> Linearisation<'_>;
}

/// [`Steps`] by the bundle's graphs, which run on two threads where the crew has them.
pub struct OnnxSteps {
    dynamics: Dynamics,
    reward: Reward,
    /// States to step from; they are kept because an input that is written cannot be read as well.
    states: Vec<f32>,
}

impl OnnxSteps {
    /// Makes sessions for `rows` rows.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(bundle: &Bundle, rows: usize) -> Result<Self, BundleError> {
        Ok(Self {
            dynamics: bundle.dynamics(rows)?,
            reward: bundle.reward(rows)?,
            states: vec![0.0; rows * bundle.manifest().dims.state()],
        })
    }
}

impl Steps for OnnxSteps {
    fn state_mut(&mut self) -> &mut [f32] {
        &mut self.states
    }

    fn action_mut(&mut self) -> &mut [f32] {
        self.dynamics.action_mut()
    }

    fn states_and_valued_mut(&mut self) -> (&[f32], &mut [f32]) {
        (&self.states, self.reward.state_mut())
    }

    fn run<C: Crew>(&mut self, crew: &mut C) -> Result<(), RunError> {
        self.dynamics.state_mut().copy_from_slice(&self.states);
        run_both(crew, &mut self.dynamics, &mut self.reward)
    }

    fn mean(&self) -> &[f32] {
        self.dynamics.mean()
    }

    fn deviation(&self) -> &[f32] {
        self.dynamics.std()
    }

    fn reward(&self) -> &[f32] {
        self.reward.reward()
    }

    fn gradient(&self) -> &[f32] {
        self.reward.gradient()
    }

    fn linearisation(&self) -> Linearisation<'_> {
        Linearisation::of(&self.dynamics)
    }
}
