//! The bundle's `dynamics` and `reward` graphs as the solver's model.

use latco_models::{Bundle, Dynamics, Reward, RunError};
use latco_solver::{DenseJacobian, Dims, GruJacobian, GruSizes, GruWeights, Model};

use super::PlanSizes;
use crate::controller::SetupError;

/// [`Model`] on ONNX graphs, evaluated for all steps of a plan at once.
pub struct OnnxModel {
    dims: Dims,
    dynamics: Dynamics,
    reward: Reward,
    jacobian: Jacobian,
}

/// Products with the Jacobian, by what the dynamics graph gives.
enum Jacobian {
    /// Gate factors `[H, row]` of the last evaluation, and the constant kernels.
    Gru {
        kernels: GruJacobian<f32, Vec<f32>>,
        factors: Vec<f32>,
        row: usize,
    },
    /// Matrices in the graph's outputs.
    Dense,
}

impl OnnxModel {
    /// Sessions and kernels for one plan of these sizes.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let model = &bundle.manifest().dims;
        let jacobian = match bundle.weights() {
            Some(weights) => {
                let gru = GruSizes {
                    stoch: model.stoch,
                    deter: model.deter,
                    action: model.action,
                    hidden: model.hidden,
                };
                let arena = vec![0.0; GruJacobian::<f32, Vec<f32>>::len(&gru, sizes.horizon)];
                let weights = GruWeights {
                    input_kernel: &weights.input_kernel,
                    gru_input_kernel: &weights.gru_input_kernel,
                    gru_recurrent_kernel: &weights.gru_recurrent_kernel,
                    prior_kernel: &weights.prior_kernel,
                    mean_kernel: &weights.mean_kernel,
                };
                Jacobian::Gru {
                    kernels: GruJacobian::new_in(gru, &weights, sizes.horizon, arena)?,
                    factors: vec![0.0; sizes.horizon * gru.factors()],
                    row: gru.factors(),
                }
            }
            None => Jacobian::Dense,
        };
        Ok(Self {
            dims: Dims {
                stoch: model.stoch,
                deter: model.deter,
                action: model.action,
                horizon: sizes.horizon,
            },
            dynamics: bundle.dynamics(sizes.horizon)?,
            reward: bundle.reward(sizes.horizon)?,
            jacobian,
        })
    }

    fn dense(dims: Dims, dynamics: &Dynamics, step: usize) -> DenseJacobian<'_, f32> {
        DenseJacobian::at(
            dims,
            dynamics.jacobian_state(),
            dynamics.jacobian_action(),
            step,
        )
    }
}

impl Model<f32> for OnnxModel {
    type Error = RunError;

    fn dims(&self) -> Dims {
        self.dims
    }

    fn linearise(
        &mut self,
        states: &[f32],
        actions: &[f32],
        means: &mut [f32],
    ) -> Result<(), RunError> {
        self.dynamics.state_mut().copy_from_slice(states);
        self.dynamics.action_mut().copy_from_slice(actions);
        self.dynamics.run()?;
        means.copy_from_slice(self.dynamics.mean());
        if let Jacobian::Gru { factors, .. } = &mut self.jacobian {
            factors.copy_from_slice(self.dynamics.factors());
        }
        Ok(())
    }

    fn reward(
        &mut self,
        states: &[f32],
        rewards: &mut [f32],
        gradients: &mut [f32],
    ) -> Result<(), RunError> {
        self.reward.state_mut().copy_from_slice(states);
        self.reward.run()?;
        rewards.copy_from_slice(self.reward.reward());
        gradients.copy_from_slice(self.reward.gradient());
        Ok(())
    }

    fn transpose_product(
        &mut self,
        t: usize,
        rows: &[f32],
        states: &mut [f32],
        actions: &mut [f32],
    ) {
        match &mut self.jacobian {
            Jacobian::Gru {
                kernels,
                factors,
                row,
            } => kernels.transpose_product(&factors[t * *row..][..*row], rows, states, actions),
            Jacobian::Dense => {
                Self::dense(self.dims, &self.dynamics, t).transpose_product(rows, states, actions);
            }
        }
    }

    fn product(&mut self, t: usize, dz: &[f32], da: &[f32], out: &mut [f32]) {
        match &mut self.jacobian {
            Jacobian::Gru {
                kernels,
                factors,
                row,
            } => kernels.product(&factors[t * *row..][..*row], dz, da, out),
            Jacobian::Dense => Self::dense(self.dims, &self.dynamics, t).product(dz, da, out),
        }
    }

    fn jacobian(&mut self, t: usize, state: &mut [f32], action: &mut [f32]) {
        match &mut self.jacobian {
            Jacobian::Gru {
                kernels,
                factors,
                row,
            } => kernels.jacobian(&factors[t * *row..][..*row], state, action),
            Jacobian::Dense => Self::dense(self.dims, &self.dynamics, t).jacobian(state, action),
        }
    }
}
