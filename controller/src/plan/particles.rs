//! Rollouts of action sequences through sampled states instead of mean ones, as PlaNet's planner values them
//! (Hafner et al. 2019, algorithm 2): each sequence meets one of the futures that the model thinks possible.

use latco_models::{Bundle, BundleError, Dynamics, Reward, Rollout, RunError};

use super::goal::{Goal, GoalSlot, GoalTerm};
use super::noise::Noise;
use super::rollout::repeat;
use super::solution::PlanSizes;

/// The rollout of a sampling planner's samples: `N` sequences at a time from one state.
pub(super) enum Futures {
    /// A rollout through the mean of the prior, and the goal that it shall lead to.
    Mean(Rollout, Option<Box<GoalTerm>>),
    /// A rollout through samples of the prior.
    Sampled(Box<Particles>),
}

impl Futures {
    /// Makes a rollout of `sequences` sequences.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        sequences: usize,
        sampled: bool,
    ) -> Result<Self, BundleError> {
        Ok(if sampled {
            Self::Sampled(Box::new(Particles::new(bundle, sizes, sequences)?))
        } else {
            Self::Mean(
                bundle.rollout(sequences)?,
                GoalTerm::new(bundle, sizes, sequences)?.map(Box::new),
            )
        })
    }

    /// Sets the goal that the sequences shall lead to.
    pub(super) fn set_goal(&mut self, goal: Option<&Goal>) {
        match self {
            Self::Mean(_, Some(term)) => term.set(goal),
            Self::Mean(_, None) => {}
            Self::Sampled(particles) => particles.goal.set(goal),
        }
    }

    /// Turns rewards `[M, H]` to expect of the first M sequences of the last run into those with the goal.
    pub(super) fn add_goal(&mut self, state: &[f32], rewards: &mut [f32]) -> Result<(), RunError> {
        match self {
            Self::Mean(rollout, Some(term)) => term.add_to(state, rollout.action_mut(), rewards)?,
            Self::Mean(_, None) => {}
            Self::Sampled(particles) => {
                let ends = particles.dynamics.state_mut().chunks_exact(state.len());
                let plans = rewards.chunks_exact_mut(particles.horizon).zip(ends);
                if let Some(goal) = particles.goal.get() {
                    plans.for_each(|(rewards, end)| goal.add_to(rewards, end));
                }
            }
        }
        Ok(())
    }

    /// Sets the known state `[n]` that all sequences start from.
    pub(super) fn start(&mut self, state: &[f32]) {
        match self {
            Self::Mean(rollout, _) => repeat(state, rollout.state_mut()),
            Self::Sampled(particles) => particles.start.copy_from_slice(state),
        }
    }

    /// The sequences to be written before [`Futures::run`], `[N, H, na]`, within the limits.
    pub(super) fn action_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Mean(rollout, _) => rollout.action_mut(),
            Self::Sampled(particles) => &mut particles.actions,
        }
    }

    /// Rolls the sequences out; draws from `noise` only where states are sampled.
    pub(super) fn run(&mut self, noise: &mut Noise) -> Result<(), RunError> {
        match self {
            Self::Mean(_, Some(goal)) if goal.replaces_rewards() => Ok(()),
            Self::Mean(rollout, _) => rollout.run(),
            Self::Sampled(particles) => particles.run(noise),
        }
    }

    /// The outputs of the reward head, `[N, H]`.
    pub(super) fn rewards(&self) -> &[f32] {
        match self {
            Self::Mean(rollout, _) => rollout.rewards(),
            Self::Sampled(particles) => &particles.rewards,
        }
    }
}

/// One sampled future for each action sequence.
pub(super) struct Particles {
    dynamics: Dynamics,
    reward: Reward,
    /// The state that all sequences start from, `[n]`.
    start: Vec<f32>,
    /// The actions of the sequences, `[N, H, na]`.
    actions: Vec<f32>,
    /// The noise of one step, `[N, ns]`.
    noise: Vec<f32>,
    /// The outputs of the reward head, `[N, H]`.
    rewards: Vec<f32>,
    horizon: usize,
    goal: GoalSlot,
}

impl Particles {
    fn new(bundle: &Bundle, sizes: &PlanSizes, sequences: usize) -> Result<Self, BundleError> {
        Ok(Self {
            dynamics: bundle.dynamics(sequences)?,
            reward: bundle.reward(sequences)?,
            start: vec![0.0; sizes.state],
            actions: vec![0.0; sequences * sizes.horizon * sizes.action],
            noise: vec![0.0; sequences * bundle.manifest().dims.stoch],
            rewards: vec![0.0; sequences * sizes.horizon],
            horizon: sizes.horizon,
            goal: GoalSlot::new(sizes),
        })
    }

    fn run(&mut self, noise: &mut Noise) -> Result<(), RunError> {
        let (h, n) = (self.horizon, self.start.len());
        let sequences = self.rewards.len() / h;
        let (na, ns) = (
            self.actions.len() / self.rewards.len(),
            self.noise.len() / sequences,
        );
        repeat(&self.start, self.dynamics.state_mut());
        for t in 0..h {
            let rows = self.dynamics.action_mut().chunks_exact_mut(na);
            for (row, actions) in rows.zip(self.actions.chunks_exact(h * na)) {
                row.copy_from_slice(&actions[t * na..][..na]);
            }
            self.dynamics.run()?;
            noise.fill(&mut self.noise);
            let states = self.reward.state_mut();
            states.copy_from_slice(self.dynamics.mean());
            let deviations = self.dynamics.std().chunks_exact(ns);
            for ((state, deviation), noise) in (states.chunks_exact_mut(n))
                .zip(deviations)
                .zip(self.noise.chunks_exact(ns))
            {
                for ((value, deviation), noise) in state.iter_mut().zip(deviation).zip(noise) {
                    *value += deviation * noise;
                }
            }
            self.dynamics.state_mut().copy_from_slice(states);
            self.reward.run()?;
            for (rewards, output) in (self.rewards.chunks_exact_mut(h)).zip(self.reward.reward()) {
                rewards[t] = *output;
            }
        }
        Ok(())
    }
}
