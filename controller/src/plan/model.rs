//! The learned model as the solver asks for it.

use latco_models::{Bundle, Dynamics, Reward, RunError};
use latco_solver::{
    Crew, Cut, DenseJacobian, Dims, GruFactors, GruJacobian, GruWeights, Model, Predictions, Shape,
    Slab, Trajectories,
};

use super::graphs::{Linearisation, gru_sizes, run_both};
use crate::error::SetupError;

/// What a model predicts for all steps of all plans: that in which models of different states differ.
pub trait Predictor: Send {
    /// Does what [`Model::evaluate`] asks for.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, f32>,
        predictions: &mut Predictions<'_, f32>,
    ) -> Result<(), RunError>;

    /// The derivatives of the means that were predicted last, a row for each step of each plan.
    fn linearisation(&self) -> Linearisation<'_>;
}

/// [`Model`] of what a [`Predictor`] predicts, with the products with its Jacobian.
pub struct Learned<P> {
    shape: Shape,
    predictor: P,
    /// Packed weights, for gate factors.
    kernels: Option<GruJacobian<f32, Vec<f32>>>,
}

impl<P> Learned<P> {
    /// Makes the model of a predictor for the plans of `shape`; all memory for the products is allocated here.
    ///
    /// # Errors
    /// The solver's reason.
    pub(super) fn with(bundle: &Bundle, shape: Shape, predictor: P) -> Result<Self, SetupError> {
        let kernels = match (bundle.weights(), gru_sizes(bundle)) {
            (Some(weights), Some(sizes)) => {
                let (plans, parts) = (shape.plans, shape.parts);
                // As many rows of a plan are multiplied at once as couple its steps.
                let horizon = shape.most_rows();
                let weights = GruWeights {
                    input: &weights.input,
                    gru_input: &weights.gru_input,
                    gru_recurrent: &weights.gru_recurrent,
                    prior: &weights.prior,
                    prior_mean: &weights.prior_mean,
                };
                let len = GruJacobian::<f32, Vec<f32>>::len(&sizes, plans, horizon, parts);
                let arena = vec![0.0; len];
                let made = GruJacobian::new_in(sizes, &weights, plans, horizon, parts, arena)?;
                Some(made)
            }
            _ => None,
        };
        Ok(Self {
            shape,
            predictor,
            kernels,
        })
    }

    /// The predictor, to read what it keeps.
    pub(super) fn predictor(&self) -> &P {
        &self.predictor
    }

    /// The predictor, to give it what it is to start from.
    pub(super) fn predictor_mut(&mut self) -> &mut P {
        &mut self.predictor
    }
}

/// The form of the Jacobian that is multiplied.
enum Jacobian<'a> {
    Gru(&'a mut GruJacobian<f32, Vec<f32>>, GruFactors<'a, f32>),
    Dense(DenseJacobian<'a, f32>),
}

impl<P: Predictor> Learned<P> {
    fn linearised(&mut self) -> Jacobian<'_> {
        let dims = self.shape.dims;
        match self.predictor.linearisation() {
            Linearisation::Factors(rows) => Jacobian::Gru(
                (self.kernels.as_mut()).expect("a bundle gives weights with its gate factors"),
                GruFactors {
                    rows,
                    horizon: dims.horizon,
                },
            ),
            Linearisation::Dense(state, action) => Jacobian::Dense(DenseJacobian {
                dims,
                state,
                action,
            }),
        }
    }
}

impl<P: Predictor> Model<f32> for Learned<P> {
    type Error = RunError;

    fn dims(&self) -> Dims {
        self.shape.dims
    }

    fn plans(&self) -> usize {
        self.shape.plans
    }

    fn cut(&self, parts: usize) -> Cut {
        match &self.kernels {
            Some(kernels) => kernels.cut(),
            None => Cut::even(self.shape.dims.state(), parts),
        }
    }

    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, f32>,
        predictions: &mut Predictions<'_, f32>,
    ) -> Result<(), RunError> {
        self.predictor.evaluate(crew, plans, predictions)
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, f32>],
        actions: &mut [f32],
    ) {
        match self.linearised() {
            Jacobian::Gru(kernels, factors) => {
                kernels.transpose_product(crew, factors, t, slabs, actions);
            }
            Jacobian::Dense(dense) => dense.transpose_product(crew, t, slabs, actions),
        }
    }

    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[f32],
        actions: &[f32],
        out: &mut [f32],
    ) {
        match self.linearised() {
            Jacobian::Gru(kernels, factors) => {
                kernels.product(crew, factors, t, states, actions, out);
            }
            Jacobian::Dense(dense) => dense.product(t, states, actions, out),
        }
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [f32], action: &mut [f32]) {
        match self.linearised() {
            Jacobian::Gru(kernels, factors) => kernels.jacobian(factors, b, t, state, action),
            Jacobian::Dense(dense) => dense.jacobian(b, t, state, action),
        }
    }
}

/// The two graphs at the mean states of all steps of all plans, evaluated at once; they run on two threads where the crew has
/// them.
pub struct Graphs {
    dims: Dims,
    dynamics: Dynamics,
    reward: Reward,
}

/// The model of mean states: the bundle's `dynamics` and `reward` graphs.
pub type OnnxModel = Learned<Graphs>;

impl OnnxModel {
    /// Makes sessions of both graphs for plans of this shape; all memory is allocated here.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(bundle: &Bundle, shape: Shape) -> Result<Self, SetupError> {
        let steps = shape.plans * shape.dims.horizon;
        let graphs = Graphs {
            dims: shape.dims,
            dynamics: bundle.dynamics(steps)?,
            reward: bundle.reward(steps)?,
        };
        Self::with(bundle, shape, graphs)
    }
}

impl Predictor for Graphs {
    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, f32>,
        predictions: &mut Predictions<'_, f32>,
    ) -> Result<(), RunError> {
        let dims = self.dims;
        let (n, of_plan) = (dims.state(), dims.horizon * dims.state());
        let states = plans.states.chunks_exact(dims.states_len());
        for ((states, now), next) in states
            .zip(self.dynamics.state_mut().chunks_exact_mut(of_plan))
            .zip(self.reward.state_mut().chunks_exact_mut(of_plan))
        {
            now.copy_from_slice(&states[..of_plan]);
            next.copy_from_slice(&states[n..]);
        }
        self.dynamics.action_mut().copy_from_slice(plans.actions);
        run_both(crew, &mut self.dynamics, &mut self.reward)?;
        predictions.means.copy_from_slice(self.dynamics.mean());
        predictions.rewards.copy_from_slice(self.reward.reward());
        predictions
            .gradients
            .copy_from_slice(self.reward.gradient());
        Ok(())
    }

    fn linearisation(&self) -> Linearisation<'_> {
        Linearisation::of(&self.dynamics)
    }
}
