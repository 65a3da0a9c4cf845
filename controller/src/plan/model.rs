//! The bundle's `dynamics` and `reward` graphs as the solver's model.

use latco_models::{Bundle, Dynamics, Reward, RunError};
use latco_solver::{Crew, Cut, Dims, Model, Predictions, Shape, Slab, Trajectories};

use super::graphs::{Linearisation, Products, run_both};
use crate::error::SetupError;

/// [`Model`] on ONNX graphs, evaluated for all steps of all plans at once; the two graphs run on two
/// threads where the crew has them.
pub struct OnnxModel {
    shape: Shape,
    dynamics: Dynamics,
    reward: Reward,
    products: Products,
}

impl OnnxModel {
    /// Makes sessions of both graphs for plans of this shape; all memory is allocated here.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub fn new(bundle: &Bundle, shape: Shape) -> Result<Self, SetupError> {
        let steps = shape.plans * shape.dims.horizon;
        Ok(Self {
            shape,
            dynamics: bundle.dynamics(steps)?,
            reward: bundle.reward(steps)?,
            products: Products::new(bundle, shape)?,
        })
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
        self.products.cut(parts)
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
        run_both(crew, &mut self.dynamics, &mut self.reward)?;
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
        let rows = Linearisation::of(&self.dynamics);
        (self.products).transpose_product(rows, crew, t, slabs, actions);
    }

    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[f32],
        actions: &[f32],
        out: &mut [f32],
    ) {
        let rows = Linearisation::of(&self.dynamics);
        (self.products).product(rows, crew, t, (states, actions), out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [f32], action: &mut [f32]) {
        let rows = Linearisation::of(&self.dynamics);
        self.products.jacobian(rows, (b, t), state, action);
    }
}
