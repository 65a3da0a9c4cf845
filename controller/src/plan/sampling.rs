//! CEM and MPPI: a Gaussian over action sequences, refitted to the best of its samples (Rybkin et al.
//! 2021, appendix D).

use latco_models::{Bundle, RewardHead, RunError};

use super::contract::PlanRequest;
use super::deadline::{Quantum, Rounds};
use super::elites::{SequenceGaussian, finite, rank};
use super::goal::Goal;
use super::incumbent::Candidate;
use super::noise::{Noise, correlate_sequences};
use super::optimiser::{Optimiser, Outcome, Schedule, Step};
use super::particles::Futures;
use super::report::{StartKind, StopCause};
use super::rollout::{ActionRollout, Valuation};
use super::solution::PlanSizes;
use super::warm_start::Shift;
use crate::config::{CemSection, Config};
use crate::error::SetupError;
use crate::trace::IterationTrace;

/// Number of samples that are rolled out at once: few enough that an iteration of many can be given up in
/// time and that a short budget has room for some, and as many as make the most of the processor (with 32 a
/// sample takes 5 % longer than with 128, with 8 half as long again).
const PART: usize = 32;

/// The weights of the elites in the refit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    /// All elites count alike (CEM).
    Equal,
    /// Elites count by the softmax of gamma times their returns (MPPI).
    Softmax(f32),
}

/// Deviation of the Gaussian at the start, in units of the normalised action: the paper's, with which a third of the samples is at
/// the limits.
const INITIAL_STD: f32 = 1.0;

/// A Gaussian over action sequences that is refitted to the best of its samples.
///
/// Each iteration samples action sequences from a diagonal Gaussian, clips them to the limits,
/// rolls them out through the prior and refits the Gaussian to the best. Executed is the better of
/// the last mean and the best sample by clipped return; where states are sampled, the last mean as in PlaNet,
/// as the best sample is one that was lucky. A quantum is a part of the samples.
pub struct Sampling {
    settings: CemSection,
    kind: Weights,
    sizes: PlanSizes,
    action_limit: f32,
    /// The rollout of one part of the samples.
    part: Futures,
    rollout: ActionRollout,
    noise: Noise,
    /// The samples, `[samples, H, na]`.
    actions: Vec<f32>,
    /// Rewards to expect of each sample, `[samples, H]`.
    rewards: Vec<f32>,
    gaussian: SequenceGaussian,
    reward: RewardHead,
    /// Return of each sample, less the penalty for the constraints that it violates, `[samples]`.
    returns: Vec<f32>,
    /// Sample numbers, the best first.
    order: Vec<u32>,
    /// Weight of each elite; they sum up to 1.
    weights: Vec<f32>,
    /// Whether the best of the ranked samples is a candidate.
    has_best: bool,
    /// Whether the mean is a candidate.
    has_mean: bool,
    outcome: Outcome,
}

impl Sampling {
    /// Makes CEM, in which all elites count alike.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn cem(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        Self::new(Weights::Equal, config, bundle, sizes)
    }

    /// Makes MPPI, in which elites count by the softmax of their returns.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn mppi(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let weights = Weights::Softmax(config.planner.cem.gamma as f32);
        Self::new(weights, config, bundle, sizes)
    }

    /// Makes sessions for plans of these sizes; all memory is allocated here.
    fn new(
        kind: Weights,
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<Self, SetupError> {
        let len = sizes.horizon * sizes.action;
        let settings = config.planner.cem.clone();
        let (samples, elites) = (settings.samples as usize, settings.elites as usize);
        Ok(Self {
            action_limit: bundle.manifest().action.limit,
            part: Futures::new(bundle, sizes, samples.min(PART), settings.sampled_states)?,
            rollout: ActionRollout::new(bundle, sizes, 1)?,
            noise: Noise::new(config.planner.seed),
            actions: vec![0.0; samples * len],
            rewards: vec![0.0; samples * sizes.horizon],
            gaussian: SequenceGaussian::new(len),
            reward: bundle.manifest().reward,
            returns: vec![0.0; samples],
            order: vec![0; samples],
            weights: vec![0.0; elites],
            has_best: false,
            has_mean: false,
            outcome: Outcome::Failed(StopCause::ModelFailed),
            sizes: *sizes,
            settings,
            kind,
        })
    }

    /// Number of samples of an iteration.
    fn samples(&self) -> usize {
        self.settings.samples as usize
    }

    /// Draws a part of the samples and rolls it out.
    fn draw(&mut self, request: &PlanRequest<'_>, part: usize) -> Result<(), RunError> {
        let (len, horizon) = (self.gaussian.mean.len(), self.sizes.horizon);
        let (limit, head) = (self.action_limit, self.reward);
        let samples = part * PART..self.samples().min((part + 1) * PART);
        let actions = &mut self.actions[samples.start * len..samples.end * len];
        self.noise.fill(actions);
        if self.settings.correlated_noise {
            correlate_sequences(actions, len, self.sizes.action, samples.start);
        }
        for sequence in actions.chunks_exact_mut(len) {
            self.gaussian.sample(sequence, limit);
        }
        // The last part may be smaller: the rows behind it hold samples of the one before.
        self.part.action_mut()[..actions.len()].copy_from_slice(actions);
        self.part.run(&mut self.noise)?;
        let rewards = &mut self.rewards[samples.start * horizon..samples.end * horizon];
        for (reward, output) in rewards.iter_mut().zip(self.part.rewards()) {
            *reward = head.expected(*output);
        }
        self.part.add_goal(request.state, rewards)?;
        let first = samples.start;
        let returns = &mut self.returns[samples];
        for (value, rewards) in returns.iter_mut().zip(rewards.chunks_exact(horizon)) {
            *value = rewards.iter().sum();
        }
        if let Some(constraints) = request.constraints {
            let sequences = self.actions[first * len..].chunks_exact(len);
            for (value, sequence) in returns.iter_mut().zip(sequences) {
                *value -= constraints.penalty(sequence);
            }
        }
        Ok(())
    }

    /// Number of elites among the samples that were drawn: the same share as of a whole iteration.
    fn elites(&self, drawn: usize) -> usize {
        let (samples, elites) = (self.samples(), self.weights.len());
        (elites * drawn).div_ceil(samples).clamp(1, elites)
    }

    /// Orders the samples that were drawn, the best first; returns whether any return is finite.
    fn rank(&mut self, drawn: usize) -> bool {
        rank(&self.returns, self.elites(drawn), &mut self.order[..drawn]);
        self.returns[self.order[0] as usize].is_finite()
    }

    /// Computes the weights of so many elites.
    fn weigh(&mut self, elites: usize) {
        let elites = &self.order[..elites];
        let weights = &mut self.weights[..elites.len()];
        match self.kind {
            Weights::Equal => weights.fill(1.0 / elites.len() as f32),
            Weights::Softmax(gamma) => {
                let best = self.returns[elites[0] as usize];
                let mut sum = 0.0;
                for (weight, &number) in weights.iter_mut().zip(elites) {
                    // The exponential of the lowest number is 0, and the best has the weight 1.
                    let value = finite(self.returns[number as usize]);
                    *weight = (gamma * (value - best)).exp();
                    sum += *weight;
                }
                for weight in weights {
                    *weight /= sum;
                }
            }
        }
    }

    /// Refits mean and deviation to the elites among the ranked samples that were drawn; returns their mean
    /// return.
    fn refit(&mut self, drawn: usize) -> f32 {
        let elites = self.elites(drawn);
        self.weigh(elites);
        let elites = self.order[..elites].iter().zip(&self.weights);
        let mean_return = (elites.clone())
            .map(|(&number, weight)| weight * self.returns[number as usize])
            .sum();
        let (actions, len) = (&self.actions, self.gaussian.mean.len());
        let sequence = |number: u32| &actions[number as usize * len..][..len];
        let elites = elites.map(|(&number, &weight)| (sequence(number), weight));
        self.gaussian.refit(elites, self.settings.min_std as f32);
        mean_return
    }
}

impl Optimiser for Sampling {
    fn schedule(&self) -> Schedule {
        Schedule {
            warm_start: self.settings.warm_start,
            iterations_cold: self.settings.iterations,
            iterations_warm: self.settings.iterations,
            value_every: 1,
            fresh_starts_below_return: None,
        }
    }

    fn parts(&self) -> u32 {
        self.samples().div_ceil(PART) as u32
    }

    /// Shifts by the nearest whole number of periods: the mean is only where the search begins.
    fn shift(&self, elapsed: f64, horizon: usize) -> Option<Shift> {
        Shift::new(elapsed.round(), horizon)
    }

    fn begin(&mut self, goal: Option<&Goal>) {
        self.part.set_goal(goal);
        self.rollout.set_goal(goal);
        self.gaussian.deviation.fill(INITIAL_STD);
        (self.has_best, self.has_mean) = (false, false);
    }

    /// Starts from the shifted mean, followed by actions of 0.
    fn start_warm(
        &mut self,
        _request: &PlanRequest<'_>,
        shift: Shift,
        _rounds: &mut Rounds<'_>,
    ) -> Result<StartKind, RunError> {
        let gone = shift.whole() * self.sizes.action;
        self.gaussian.mean.copy_within(gone.., 0);
        let kept = self.gaussian.mean.len() - gone;
        self.gaussian.mean[kept..].fill(0.0);
        Ok(StartKind::Shifted)
    }

    fn start_fresh(
        &mut self,
        _request: &PlanRequest<'_>,
        _rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError> {
        self.gaussian.mean.fill(0.0);
        starts.push(StartKind::Sampled);
        Ok(false)
    }

    fn improve(&mut self, request: &PlanRequest<'_>, quantum: &mut Quantum<'_>) -> Step {
        if quantum.part() == 0 {
            self.has_best = false;
            self.part.start(request.state);
        }
        if self.draw(request, quantum.part() as usize).is_err() {
            self.outcome = Outcome::Failed(StopCause::ModelFailed);
            return Step::Iteration;
        }
        if quantum.part() + 1 < self.parts() {
            return Step::Part;
        }
        let samples = self.samples();
        self.outcome = if self.rank(samples) {
            (self.has_best, self.has_mean) = (true, true);
            Outcome::Improved(IterationTrace {
                planned_reward: self.refit(samples),
                ..IterationTrace::default()
            })
        } else {
            Outcome::Failed(StopCause::NonFinite)
        };
        Step::Iteration
    }

    fn outcome(&self, _plan: usize) -> Outcome {
        self.outcome
    }

    /// Refits to what was drawn. Among few sampled futures the elites are too lucky, unless there is nothing
    /// else to go by.
    fn interrupt(&mut self, parts: u32) -> bool {
        let drawn = parts as usize * PART;
        let counts = !(self.settings.sampled_states && self.has_mean);
        self.has_mean = true;
        self.has_best = counts && self.rank(drawn);
        if self.has_best {
            self.refit(drawn);
        }
        self.has_best
    }

    /// Does nothing: the samples are valued as they are drawn.
    fn value(&mut self, _state: &[f32]) -> Result<(), RunError> {
        Ok(())
    }

    /// The best of the ranked samples; never a sampled future, which was lucky.
    fn candidate(&mut self, _plan: usize) -> Candidate<'_> {
        let sample = self.order[0] as usize;
        let (h, len) = (self.sizes.horizon, self.gaussian.mean.len());
        let rewards = &self.rewards[sample * h..][..h];
        let predicted_return = rewards.iter().sum();
        Candidate {
            worth: predicted_return,
            predicted_return,
            actions: &self.actions[sample * len..][..len],
            rewards,
            states: None,
            start: Some(StartKind::Sampled),
            competes: self.has_best && !self.settings.sampled_states,
        }
    }

    /// The mean as a last candidate.
    fn last_candidate(&mut self, state: &[f32]) -> Result<Option<Candidate<'_>>, RunError> {
        if !self.has_mean {
            return Ok(None);
        }
        self.rollout
            .value(&self.gaussian.mean, self.action_limit, state)?;
        let candidate = self.rollout.candidate(0);
        let is_finite = candidate.worth.is_finite();
        Ok(Some(Candidate {
            predicted_return: if is_finite { candidate.worth } else { 0.0 },
            ..candidate
        }))
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}
