//! The bundle's `dynamics` and `reward` graphs side by side, and their derivatives.

use latco_models::{Bundle, Dynamics, DynamicsKind, Reward, RunError};
use latco_solver::{Crew, Dims, GruSizes};

use super::solution::PlanSizes;

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
