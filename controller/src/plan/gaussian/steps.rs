//! One-step predictions for many sampled states at once.

use latco_models::{Bundle, BundleError, Dynamics, DynamicsKind, Reward, RunError};
use latco_solver::Crew;

/// A prior step and a reward head for `R` rows, written before and read after [`Steps::run`].
pub(super) trait Steps: Send {
    /// States to step from, `[R, n]`.
    fn state_mut(&mut self) -> &mut [f32];

    /// Their actions, `[R, na]`.
    fn action_mut(&mut self) -> &mut [f32];

    /// States to step from, and states to value, `[R, n]` both.
    fn states_and_valued_mut(&mut self) -> (&[f32], &mut [f32]);

    /// Computes everything below.
    ///
    /// # Errors
    /// The model's reason.
    fn run<C: Crew>(&mut self, crew: &mut C) -> Result<(), RunError>;

    /// Prior means, `[R, n]`.
    fn mean(&self) -> &[f32];

    /// Prior deviations of the stochastic part, `[R, ns]`.
    fn deviation(&self) -> &[f32];

    /// Outputs of the reward head, `[R]`.
    fn reward(&self) -> &[f32];

    /// Their derivatives, `[R, n]`.
    fn gradient(&self) -> &[f32];

    /// The linearisation of every row.
    fn linearisation(&self) -> Linearisation<'_>;
}

/// What a model says of the derivatives of its mean.
pub(super) enum Linearisation<'a> {
    /// Gate factors, `[R, factors]`.
    Factors(&'a [f32]),
    /// Jacobians `[R, n, n]` and `[R, n, na]`.
    Dense(&'a [f32], &'a [f32]),
}

/// [`Steps`] by the bundle's graphs, which run on two threads where the crew has them.
pub(super) struct OnnxSteps {
    dynamics: Dynamics,
    reward: Reward,
    /// States to step from: an input that is written cannot be read as well.
    states: Vec<f32>,
}

/// One of the two graphs, while both run.
enum Graph<'a> {
    Dynamics(&'a mut Dynamics, Result<(), RunError>),
    Reward(&'a mut Reward, Result<(), RunError>),
}

impl OnnxSteps {
    /// Sessions for `rows` rows.
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
        let mut graphs = [
            Graph::Dynamics(&mut self.dynamics, Ok(())),
            Graph::Reward(&mut self.reward, Ok(())),
        ];
        crew.each(&mut graphs, |_, graph| match graph {
            Graph::Dynamics(dynamics, result) => *result = dynamics.run(),
            Graph::Reward(reward, result) => *result = reward.run(),
        });
        graphs.into_iter().try_for_each(|graph| match graph {
            Graph::Dynamics(_, result) | Graph::Reward(_, result) => result,
        })
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
        match self.dynamics.kind() {
            DynamicsKind::GruFactors => Linearisation::Factors(self.dynamics.factors()),
            DynamicsKind::Dense => Linearisation::Dense(
                self.dynamics.jacobian_state(),
                self.dynamics.jacobian_action(),
            ),
        }
    }
}
