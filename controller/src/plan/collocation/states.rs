//! The kinds of states that a plan may have.

use latco_models::Bundle;
use latco_solver::{Model, Shape};

use super::super::noise::Noise;
use super::super::rollout::Valuation;
use super::super::solution::PlanSizes;
use crate::error::SetupError;

/// A kind of states, which decides the model and how actions are valued: the solver plans the states' means,
/// and the model knows whatever else is said of them.
pub trait States: Send {
    /// The learned model of the means.
    type Model: Model<f32> + Send;
    /// The valuation by which candidates, and the sampled sequences that plans start from, are compared.
    type Valuation: Valuation;

    /// Whether the shifted plan has to be valued among the fresh ones before they are iterated.
    const VALUES_SHIFTED: bool;
    /// Whether a few sequences are valued where there is no time for all of them.
    const HAS_SMALL_ROUNDS: bool;

    /// Makes the model for the plans of `shape`.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    fn model(&self, bundle: &Bundle, shape: Shape) -> Result<Self::Model, SetupError>;

    /// Makes the valuation of `plans` plans.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn valuation(
        &self,
        bundle: &Bundle,
        sizes: &PlanSizes,
        plans: usize,
    ) -> Result<Self::Valuation, SetupError>;

    /// Makes the valuation of `sequences` sampled sequences.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    fn sequence_valuation(
        &self,
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
    ) -> Result<Self::Valuation, SetupError> {
        self.valuation(bundle, sizes, sequences)
    }

    /// Draws the noise that all iterations of a new plan share.
    fn draw(&mut self, _noise: &mut Noise) {}

    /// Hands the drawn noise to the model and the valuation.
    fn equip(&self, _model: &mut Self::Model, _valuation: &mut Self::Valuation) {}

    /// Draws the noise that the valuation of sampled sequences needs.
    fn draw_for_sequences(_valuation: &mut Self::Valuation, _noise: &mut Noise) {}

    /// Starts a plan whose means are given: one whose actions were valued last, or one from noise.
    fn start(
        &self,
        _model: &mut Self::Model,
        _valuation: &Self::Valuation,
        _plan: usize,
        _is_valued: bool,
    ) {
    }

    /// The amount by which the model found a plan to violate more than its means do.
    fn violation(_model: &Self::Model, _plan: usize) -> f32 {
        0.0
    }
}
