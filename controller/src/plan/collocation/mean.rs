//! Plans of mean states: LatCo.

use latco_models::Bundle;
use latco_solver::Shape;

use super::super::model::OnnxModel;
use super::super::rollout::ActionRollout;
use super::super::solution::PlanSizes;
use super::states::States;
use crate::error::SetupError;

/// The stochastic part of a state is its mean; candidates are compared by the return of their clipped
/// actions, rolled out through the mean of the prior.
#[derive(Clone, Copy, Debug, Default)]
pub struct Means;

impl States for Means {
    type Model = OnnxModel;
    type Valuation = ActionRollout;

    const VALUES_SHIFTED: bool = false;
    const HAS_SMALL_ROUNDS: bool = true;

    fn model(&self, bundle: &Bundle, shape: Shape) -> Result<OnnxModel, SetupError> {
        OnnxModel::new(bundle, shape)
    }

    fn valuation(
        &self,
        bundle: &Bundle,
        sizes: &PlanSizes,
        plans: usize,
    ) -> Result<ActionRollout, SetupError> {
        Ok(ActionRollout::new(bundle, sizes, plans)?)
    }
}
