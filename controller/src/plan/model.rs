//! The bundle's `dynamics` and `reward` graphs as the solver's model.

use latco_models::{Bundle, Dynamics, Reward, RunError};
use latco_solver::{
    Crew, Cut, DenseJacobian, Dims, GruFactors, GruJacobian, GruSizes, GruWeights, Model,
    Predictions, Shape, Slab, Trajectories,
};

use crate::error::SetupError;

/// [`Model`] on ONNX graphs, evaluated for all steps of all plans at once; the two graphs run on two
/// threads where the crew has them.
pub struct OnnxModel {
    shape: Shape,
    dynamics: Dynamics,
    reward: Reward,
    kernels: Option<GruJacobian<f32, Vec<f32>>>,
}

/// One of the two graphs, while both run.
enum Graph<'a> {
    Dynamics(&'a mut Dynamics, Result<(), RunError>),
    Reward(&'a mut Reward, Result<(), RunError>),
}

impl OnnxModel {
    /// Sessions of both graphs for plans of this shape, with all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(bundle: &Bundle, shape: Shape) -> Result<Self, SetupError> {
        let steps = shape.plans * shape.dims.horizon;
        let kernels = match (bundle.weights(), Self::gru_sizes(bundle)) {
            (Some(weights), Some(sizes)) => {
                let (plans, horizon, parts) = (shape.plans, shape.dims.horizon, shape.parts);
                let len = GruJacobian::<f32, Vec<f32>>::len(&sizes, plans, horizon, parts);
                let weights = GruWeights {
                    input_kernel: &weights.input_kernel,
                    gru_input_kernel: &weights.gru_input_kernel,
                    gru_recurrent_kernel: &weights.gru_recurrent_kernel,
                    prior_kernel: &weights.prior_kernel,
                    mean_kernel: &weights.mean_kernel,
                };
                let arena = vec![0.0; len];
                let kernels = GruJacobian::new_in(sizes, &weights, plans, horizon, parts, arena)?;
                Some(kernels)
            }
            _ => None,
        };
        Ok(Self {
            shape,
            dynamics: bundle.dynamics(steps)?,
            reward: bundle.reward(steps)?,
            kernels,
        })
    }

    /// Sizes of the bundle's prior step, where its dynamics graph gives gate factors; none where it
    /// gives matrices.
    #[must_use]
    pub fn gru_sizes(bundle: &Bundle) -> Option<GruSizes> {
        let dims = &bundle.manifest().dims;
        bundle.weights().map(|_| GruSizes {
            stoch: dims.stoch,
            deter: dims.deter,
            action: dims.action,
            hidden: dims.hidden,
        })
    }

    fn dense(&self) -> DenseJacobian<'_, f32> {
        DenseJacobian {
            dims: self.shape.dims,
            state: self.dynamics.jacobian_state(),
            action: self.dynamics.jacobian_action(),
        }
    }

    fn factors(&self) -> GruFactors<'_, f32> {
        GruFactors {
            rows: self.dynamics.factors(),
            horizon: self.shape.dims.horizon,
        }
    }
}

impl Model<f32> for OnnxModel {
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
        let dims = self.shape.dims;
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

        let mut graphs = [
            Graph::Dynamics(&mut self.dynamics, Ok(())),
            Graph::Reward(&mut self.reward, Ok(())),
        ];
        crew.each(&mut graphs, |_, graph| match graph {
            Graph::Dynamics(dynamics, result) => *result = dynamics.run(),
            Graph::Reward(reward, result) => *result = reward.run(),
        });
        for graph in graphs {
            match graph {
                Graph::Dynamics(_, result) | Graph::Reward(_, result) => result?,
            }
        }
        predictions.means.copy_from_slice(self.dynamics.mean());
        predictions.rewards.copy_from_slice(self.reward.reward());
        predictions
            .gradients
            .copy_from_slice(self.reward.gradient());
        Ok(())
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, f32>],
        actions: &mut [f32],
    ) {
        match self.kernels.take() {
            Some(mut kernels) => {
                kernels.transpose_product(crew, self.factors(), t, slabs, actions);
                self.kernels = Some(kernels);
            }
            None => self.dense().transpose_product(crew, t, slabs, actions),
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
        match self.kernels.take() {
            Some(mut kernels) => {
                kernels.product(crew, self.factors(), t, states, actions, out);
                self.kernels = Some(kernels);
            }
            None => self.dense().product(t, states, actions, out),
        }
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [f32], action: &mut [f32]) {
        match self.kernels.take() {
            Some(mut kernels) => {
                kernels.jacobian(self.factors(), b, t, state, action);
                self.kernels = Some(kernels);
            }
            None => self.dense().jacobian(b, t, state, action),
        }
    }
}
