//! Plans whose states are Gaussians.

use latco_models::Bundle;
use latco_solver::Shape;

use super::super::super::noise::Noise;
use super::super::super::solution::PlanSizes;
use super::super::states::States;
use super::model::{GaussianModel, Samples};
use super::moments;
use super::rollout::MomentRollout;
use crate::config::GaussianLatcoSection;
use crate::error::SetupError;

/// A mean and a deviation of every element of every state.
pub struct Gaussians {
    settings: GaussianLatcoSection,
    state_size: usize,
    /// The samples that all states are made of, `[H, K, n]`: the same in all iterations of a plan, so that
    /// these have one aim, and the same for all its starts.
    noise: Vec<f32>,
}

impl Gaussians {
    /// Makes Gaussian states by these settings, for plans of these sizes.
    pub(in super::super) fn new(settings: &GaussianLatcoSection, sizes: &PlanSizes) -> Self {
        Self {
            settings: settings.clone(),
            state_size: sizes.state,
            noise: vec![0.0; sizes.horizon * settings.samples as usize * sizes.state],
        }
    }
}

impl States for Gaussians {
    type Model = GaussianModel;
    type Valuation = MomentRollout;

    /// The deviations of a shifted plan's states are those of the valuation.
    const VALUES_SHIFTED: bool = true;
    const HAS_SMALL_ROUNDS: bool = false;

    fn model(&self, bundle: &Bundle, shape: Shape) -> Result<Self::Model, SetupError> {
        let samples = self.settings.samples as usize;
        Samples::model(bundle, shape, samples, self.settings.objective)
    }

    fn valuation(
        &self,
        bundle: &Bundle,
        sizes: &PlanSizes,
        plans: usize,
    ) -> Result<MomentRollout, SetupError> {
        let samples = self.settings.samples as usize;
        let settings = &self.settings;
        Ok(MomentRollout::new(bundle, sizes, plans, samples, settings)?)
    }

    fn sequence_valuation(
        &self,
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
    ) -> Result<MomentRollout, SetupError> {
        let samples = self.settings.sequence_samples as usize;
        let settings = &self.settings;
        Ok(MomentRollout::new(
            bundle, sizes, sequences, samples, settings,
        )?)
    }

    fn draw(&mut self, noise: &mut Noise) {
        let samples = self.settings.samples as usize;
        moments::draw(noise, samples, self.state_size, &mut self.noise);
    }

    fn equip(&self, model: &mut Self::Model, valuation: &mut MomentRollout) {
        model
            .predictor_mut()
            .noise_mut()
            .copy_from_slice(&self.noise);
        valuation.noise_mut().copy_from_slice(&self.noise);
    }

    fn draw_for_sequences(valuation: &mut MomentRollout, noise: &mut Noise) {
        valuation.draw(noise);
    }

    /// Starts a plan with the deviations that its valued actions lead to, or with those of the noise that it is.
    fn start(
        &self,
        model: &mut Self::Model,
        valuation: &MomentRollout,
        plan: usize,
        is_valued: bool,
    ) {
        let deviations = model.predictor_mut().deviations_mut(plan);
        if is_valued {
            deviations.copy_from_slice(valuation.deviations(plan));
        } else {
            deviations.fill(1.0);
            deviations[..self.state_size].fill(0.0);
        }
    }

    fn violation(model: &Self::Model, plan: usize) -> f32 {
        model.predictor().violation(plan)
    }
}
