//! Starts of plans that are made from nothing: noise, and the best of sampled action sequences.
//!
//! Where a task has a sharp event (a touch that switches something), the gradient away from it
//! vanishes and no refinement finds it; a sampled sequence may run into it. So several plans are
//! started differently, refined together, and the best by clipped rollout return is kept.

use latco_models::{Bundle, RunError};
use serde::{Deserialize, Serialize};

use super::PlanSizes;
use super::batch::IterateMut;
use super::noise::Noise;
use super::rollout::{ActionRollout, PriorSteps};
use crate::config::LatcoSection;
use crate::controller::SetupError;

/// What a plan was started from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// Nothing promised more than no motion at all.
    #[default]
    StandingStill,
    /// The previous plan, shifted by the elapsed time.
    Shifted,
    /// States and actions from a unit Gaussian.
    Gaussian,
    /// One of the best sampled action sequences, and the states it leads to.
    Sampled,
}

impl StartKind {
    /// The name as it stands in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StandingStill => "standing_still",
            Self::Shifted => "shifted",
            Self::Gaussian => "gaussian",
            Self::Sampled => "sampled",
        }
    }
}

/// Correlations from step to step of the sampled sequences, taken in turn: white noise hardly
/// moves an arm, a nearly constant action moves it far.
const CORRELATIONS: [f32; 4] = [0.0, 0.6, 0.9, 0.98];

/// Draws action sequences and ranks them by their clipped rollout return.
pub(super) struct Sampler {
    rollout: ActionRollout,
    limit: f32,
    action_size: usize,
    sequence_len: usize,
    /// Sequence numbers, the best first.
    order: Vec<u32>,
}

impl Sampler {
    /// A sampler of `settings.samples` sequences, all memory allocated.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        settings: &LatcoSection,
    ) -> Result<Self, SetupError> {
        let samples = settings.samples as usize;
        Ok(Self {
            rollout: ActionRollout::new(bundle, sizes, samples)?,
            limit: bundle.manifest().action.limit,
            action_size: sizes.action,
            sequence_len: sizes.horizon * sizes.action,
            order: vec![0; samples],
        })
    }

    /// Draws new sequences and rolls them out from `state`.
    pub(super) fn draw(&mut self, state: &[f32], noise: &mut Noise) -> Result<(), RunError> {
        let (na, limit) = (self.action_size, self.limit);
        let actions = self.rollout.actions_mut();
        noise.fill(actions);
        for (number, sequence) in actions.chunks_exact_mut(self.sequence_len).enumerate() {
            let correlation = CORRELATIONS[number % CORRELATIONS.len()];
            // A first-order autoregression of deviation 1 (in units of the limit).
            let fresh = (1.0 - correlation * correlation).sqrt();
            for index in na..sequence.len() {
                sequence[index] = correlation * sequence[index - na] + fresh * sequence[index];
            }
            for action in sequence {
                *action = (limit * *action).clamp(-limit, limit);
            }
        }
        self.rollout.run(state)?;
        for (number, place) in self.order.iter_mut().enumerate() {
            *place = number as u32;
        }
        let returns = self.rollout.returns();
        // By return, then by number, so that the order does not depend on the sort.
        let value = |number: u32| returns[number as usize];
        self.order
            .sort_unstable_by(|a, b| value(*b).total_cmp(&value(*a)).then(a.cmp(b)));
        Ok(())
    }

    /// Starts a plan from the sequence of rank `rank` (0: the best) and the states it leads to.
    pub(super) fn start(
        &mut self,
        rank: usize,
        state: &[f32],
        prior: &mut PriorSteps,
        plan: &mut IterateMut<'_>,
    ) -> Result<(), RunError> {
        let number = self.order[rank % self.order.len()] as usize;
        let sequence = &self.rollout.actions_mut()[number * self.sequence_len..];
        (plan.actions).copy_from_slice(&sequence[..self.sequence_len]);
        plan.states[..state.len()].copy_from_slice(state);
        prior.fill(0, plan.states, plan.actions)
    }
}

/// Starts a plan from a unit Gaussian.
pub(super) fn start_gaussian(state: &[f32], noise: &mut Noise, plan: &mut IterateMut<'_>) {
    noise.fill(plan.states);
    noise.fill(plan.actions);
    plan.states[..state.len()].copy_from_slice(state);
}
