//! The bundle's `dynamics` and `reward` graphs side by side, and products with their derivatives.

use latco_models::{Bundle, Dynamics, DynamicsKind, Reward, RunError};
use latco_solver::{
    Crew, Cut, DenseJacobian, Dims, GruFactors, GruJacobian, GruSizes, GruWeights, Shape, Slab,
};

use super::solution::PlanSizes;
use crate::error::SetupError;

/// The sizes of a bundle's model for plans of these sizes, as the solver names them.
#[must_use]
pub fn dims(bundle: &Bundle, sizes: &PlanSizes) -> Dims {
    let model = &bundle.manifest().dims;
    Dims {
        stoch: model.stoch,
        deter: model.deter,
        action: sizes.action,
        horizon: sizes.horizon,
    }
}

/// One of the two graphs, while both run.
enum Graph<'a> {
    Dynamics(&'a mut Dynamics, Result<(), RunError>),
    Reward(&'a mut Reward, Result<(), RunError>),
}

/// Runs both graphs, on two threads where the crew has them.
pub(super) fn run_both<C: Crew>(
    crew: &mut C,
    dynamics: &mut Dynamics,
    reward: &mut Reward,
) -> Result<(), RunError> {
    let mut graphs = [
        Graph::Dynamics(dynamics, Ok(())),
        Graph::Reward(reward, Ok(())),
    ];
    crew.each(&mut graphs, |_, graph| match graph {
        Graph::Dynamics(dynamics, result) => *result = dynamics.run(),
        Graph::Reward(reward, result) => *result = reward.run(),
    });
    graphs.into_iter().try_for_each(|graph| match graph {
        Graph::Dynamics(_, result) | Graph::Reward(_, result) => result,
    })
}

/// The derivatives of a model's mean.
#[derive(Clone, Copy)]
pub enum Linearisation<'a> {
    /// Gate factors, `[R, factors]`.
    Factors(&'a [f32]),
    /// Jacobians `[R, n, n]` and `[R, n, na]`.
    Dense(&'a [f32], &'a [f32]),
}

impl<'a> Linearisation<'a> {
    /// The linearisation that the graph gave for its rows in its last run.
    pub(super) fn of(dynamics: &'a Dynamics) -> Self {
        match dynamics.kind() {
            DynamicsKind::GruFactors => Self::Factors(dynamics.factors()),
            DynamicsKind::Dense => {
                Self::Dense(dynamics.jacobian_state(), dynamics.jacobian_action())
            }
        }
    }
}

/// Products with a [`Linearisation`] of one row for each step of each plan.
pub(super) struct Products {
    dims: Dims,
    /// Packed weights, for gate factors.
    kernels: Option<GruJacobian<f32, Vec<f32>>>,
}

impl Products {
    /// Makes the products for the plans of `shape`; all memory is allocated here.
    ///
    /// # Errors
    /// The solver's reason.
    pub(super) fn new(bundle: &Bundle, shape: Shape) -> Result<Self, SetupError> {
        let kernels = match (bundle.weights(), gru_sizes(bundle)) {
            (Some(weights), Some(sizes)) => {
                let (plans, horizon, parts) = (shape.plans, shape.dims.horizon, shape.parts);
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
            dims: shape.dims,
            kernels,
        })
    }

    /// Does what [`latco_solver::Model::cut`] asks for.
    pub(super) fn cut(&self, parts: usize) -> Cut {
        match &self.kernels {
            Some(kernels) => kernels.cut(),
            None => Cut::even(self.dims.state(), parts),
        }
    }

    /// Does what [`latco_solver::Model::transpose_product`] asks for.
    pub(super) fn transpose_product<C: Crew>(
        &mut self,
        linearisation: Linearisation<'_>,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, f32>],
        actions: &mut [f32],
    ) {
        match self.with(linearisation) {
            Jacobian::Gru(kernels, factors) => {
                kernels.transpose_product(crew, factors, t, slabs, actions);
            }
            Jacobian::Dense(dense) => dense.transpose_product(crew, t, slabs, actions),
        }
    }

    /// Does what [`latco_solver::Model::product`] asks for.
    pub(super) fn product<C: Crew>(
        &mut self,
        linearisation: Linearisation<'_>,
        crew: &mut C,
        t: usize,
        (states, actions): (&[f32], &[f32]),
        out: &mut [f32],
    ) {
        match self.with(linearisation) {
            Jacobian::Gru(kernels, factors) => {
                kernels.product(crew, factors, t, states, actions, out);
            }
            Jacobian::Dense(dense) => dense.product(t, states, actions, out),
        }
    }

    /// Does what [`latco_solver::Model::jacobian`] asks for.
    pub(super) fn jacobian(
        &mut self,
        linearisation: Linearisation<'_>,
        (b, t): (usize, usize),
        state: &mut [f32],
        action: &mut [f32],
    ) {
        match self.with(linearisation) {
            Jacobian::Gru(kernels, factors) => kernels.jacobian(factors, b, t, state, action),
            Jacobian::Dense(dense) => dense.jacobian(b, t, state, action),
        }
    }

    fn with<'a>(&'a mut self, linearisation: Linearisation<'a>) -> Jacobian<'a> {
        match linearisation {
            Linearisation::Factors(rows) => Jacobian::Gru(
                (self.kernels.as_mut()).expect("a bundle gives weights with its gate factors"),
                GruFactors {
                    rows,
                    horizon: self.dims.horizon,
                },
            ),
            Linearisation::Dense(state, action) => Jacobian::Dense(DenseJacobian {
                dims: self.dims,
                state,
                action,
            }),
        }
    }
}

/// The form of the Jacobian that is multiplied.
enum Jacobian<'a> {
    Gru(&'a mut GruJacobian<f32, Vec<f32>>, GruFactors<'a, f32>),
    Dense(DenseJacobian<'a, f32>),
}

/// The sizes of the bundle's prior step, where its dynamics graph gives gate factors; `None` where it gives
/// matrices.
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
