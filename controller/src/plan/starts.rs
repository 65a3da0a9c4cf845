//! Starts of plans that are made from nothing: noise, and the best of sampled action sequences.
//!
//! Where a task has a sharp event (a touch that switches something), the gradient away from it
//! vanishes and no refinement finds it; a sampled sequence may run into it. So several plans are
//! started differently, refined together, and the best by clipped rollout return is kept.
//!
//! The sampled sequences can be drawn in rounds: each round draws around the best of those before
//! it, which are kept, as the cross-entropy method does.
//!
//! Where there is no time for a round of all sequences, one of a quarter of them is done.
//!
//! A plan that starts from the previous one has the first of these rounds as well: the best sequence takes the place of the
//! shifted plan where it is worth more. Errors of the belief that the newest image corrects are far from where iterations look.

use latco_models::RunError;

use super::batch::IterateMut;
use super::contract::PlanRequest;
use super::deadline::{RoundSize, Rounds};
use super::elites::{SequenceGaussian, rank};
use super::noise::{Noise, correlate_sequences};
use super::report::StartKind;
use super::rollout::{PriorSteps, Valuation};
use super::solution::PlanSizes;

/// Deviation of the sequences drawn around the shifted plan, in units of the limit.
const AROUND_PREVIOUS: f32 = 0.5;

/// Least deviation of the later rounds, in units of the limit.
const LEAST_DEVIATION: f32 = 0.1;

/// Number of the best sequences that a round keeps and the next draws around: a tenth of the default number of samples, the
/// share of CEM in the paper's DM Control runs.
const ELITES: usize = 12;

/// Settings of the sampling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    /// Number of sequences that a round values.
    pub(super) samples: u32,
    /// Largest number of rounds of a plan.
    pub(super) rounds: u32,
}

/// Number of sequences of a small round, for which there is time where there is none for a full one; `None` where a full one
/// is hardly larger.
pub(super) fn small_round(samples: u32) -> Option<usize> {
    let small = (samples as usize / 4).max(2 * ELITES);
    (2 * small <= samples as usize).then_some(small)
}

/// The valuations of rounds of both sizes.
struct Valuations<V> {
    full: V,
    /// That of a small round; `None` without such rounds.
    small: Option<V>,
    /// The size of the last round.
    size: RoundSize,
}

impl<V> Valuations<V> {
    /// All of them, that of full rounds first.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut V> {
        std::iter::once(&mut self.full).chain(&mut self.small)
    }

    /// That of the last round.
    fn last_mut(&mut self) -> &mut V {
        match (&mut self.small, self.size) {
            (Some(small), RoundSize::Small) => small,
            _ => &mut self.full,
        }
    }
}

/// A sampler, which draws action sequences and ranks them by what they are worth.
pub(super) struct Sampler<V> {
    valuations: Valuations<V>,
    rounds: u32,
    limit: f32,
    action_size: usize,
    sequence_len: usize,
    /// Sequence numbers of the last round, the best first.
    order: Vec<u32>,
    /// Return of each sequence of the last round, less the penalty for the constraints that it violates.
    worths: Vec<f32>,
    /// The best sequences, while the others are drawn again, `[elites, H, na]`.
    elites: Vec<f32>,
    /// The Gaussian of the elites.
    gaussian: SequenceGaussian,
}

impl<V: Valuation> Sampler<V> {
    /// Makes a sampler; all memory is allocated here. `full` and `small` are valuations of as many sequences as rounds have,
    /// `limit` that of the actions.
    pub(super) fn new(
        full: V,
        small: Option<V>,
        sizes: &PlanSizes,
        limit: f32,
        sampling: Sampling,
    ) -> Self {
        let samples = sampling.samples as usize;
        let sequence_len = sizes.horizon * sizes.action;
        let elites = ELITES.min(samples);
        Self {
            valuations: Valuations {
                full,
                small,
                size: RoundSize::Full,
            },
            rounds: sampling.rounds,
            limit,
            action_size: sizes.action,
            sequence_len,
            order: vec![0; samples],
            worths: vec![0.0; samples],
            elites: vec![0.0; elites * sequence_len],
            gaussian: SequenceGaussian::new(sequence_len),
        }
    }

    /// The valuations of the sequences of rounds of all sizes, that of full ones first.
    pub(super) fn valuations_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.valuations.all_mut()
    }

    /// Samples and ranks sequences in as many rounds as there is time for, some of them around the
    /// actions `previous` `[H, na]`, if there are any.
    pub(super) fn sample(
        &mut self,
        request: &PlanRequest<'_>,
        previous: Option<&[f32]>,
        noise: &mut Noise,
        rounds: &mut Rounds<'_>,
    ) -> Result<(), RunError> {
        while rounds.done() < self.rounds {
            let is_first = rounds.done() == 0;
            let is_done = rounds.one_more_of(self.valuations.small.is_some(), |size| {
                if is_first {
                    self.draw(size, request, previous, noise)
                } else {
                    self.draw_around_best(size, request, noise)
                }
            })?;
            if !is_done {
                break;
            }
        }
        Ok(())
    }

    /// Does the first round around the actions `previous` `[H, na]` of the shifted plan, if there is time for it; returns
    /// whether a sequence is worth more than they are.
    pub(super) fn beats(
        &mut self,
        request: &PlanRequest<'_>,
        previous: &[f32],
        noise: &mut Noise,
        rounds: &mut Rounds<'_>,
    ) -> Result<bool, RunError> {
        let is_done = rounds.one_more_of(self.valuations.small.is_some(), |size| {
            self.draw(size, request, Some(previous), noise)
        })?;
        Ok(is_done && self.order[0] != 0)
    }

    /// Does the first round: draws new sequences and values them, every other one around the
    /// actions `previous` `[H, na]`, if there are any.
    fn draw(
        &mut self,
        size: RoundSize,
        request: &PlanRequest<'_>,
        previous: Option<&[f32]>,
        noise: &mut Noise,
    ) -> Result<(), RunError> {
        let (len, limit) = (self.sequence_len, self.limit);
        self.valuations.size = size;
        self.draw_noise(0, noise);
        let sequences = self
            .valuations
            .last_mut()
            .actions_mut()
            .chunks_exact_mut(len);
        for (number, sequence) in sequences.enumerate() {
            match previous {
                Some(previous) if number % 2 == 0 => {
                    // the first is the shifted plan itself
                    let deviation = if number == 0 { 0.0 } else { AROUND_PREVIOUS };
                    for (action, &centre) in sequence.iter_mut().zip(previous) {
                        *action = centre + deviation * limit * *action;
                    }
                }
                _ => sequence.iter_mut().for_each(|action| *action *= limit),
            }
        }
        self.rank(request)
    }

    /// Does a later round: keeps the best of the last round and draws the others around them.
    fn draw_around_best(
        &mut self,
        size: RoundSize,
        request: &PlanRequest<'_>,
        noise: &mut Noise,
    ) -> Result<(), RunError> {
        let len = self.sequence_len;
        self.keep_elites();
        self.valuations.size = size;
        self.draw_noise(self.elites.len() / len, noise);
        let actions = self.valuations.last_mut().actions_mut();
        let (kept, drawn) = actions.split_at_mut(self.elites.len());
        kept.copy_from_slice(&self.elites);
        for sequence in drawn.chunks_exact_mut(len) {
            self.gaussian.sample(sequence, self.limit);
        }
        self.rank(request)
    }

    /// Draws noise of deviation 1, differently correlated in time, for the sequences from number `first` on.
    fn draw_noise(&mut self, first: usize, noise: &mut Noise) {
        let (len, na) = (self.sequence_len, self.action_size);
        let actions = &mut self.valuations.last_mut().actions_mut()[first * len..];
        noise.fill(actions);
        correlate_sequences(actions, len, na, first);
    }

    /// Takes the best sequences, their mean and their deviation.
    fn keep_elites(&mut self) {
        let len = self.sequence_len;
        let actions = self.valuations.last_mut().actions_mut();
        for (elite, &number) in self.elites.chunks_exact_mut(len).zip(&self.order) {
            elite.copy_from_slice(&actions[number as usize * len..][..len]);
        }
        let elites = self.elites.chunks_exact(len);
        let share = len as f32 / self.elites.len() as f32;
        let least = LEAST_DEVIATION * self.limit;
        self.gaussian
            .refit(elites.map(|elite| (elite, share)), least);
    }

    /// Clips the sequences to the limits, values and ranks them.
    fn rank(&mut self, request: &PlanRequest<'_>) -> Result<(), RunError> {
        let limit = self.limit;
        let valuation = self.valuations.last_mut();
        for action in valuation.actions_mut() {
            *action = if action.is_finite() {
                action.clamp(-limit, limit)
            } else {
                0.0
            };
        }
        valuation.run(request.state)?;
        self.worths.clear();
        self.worths.extend_from_slice(valuation.returns());
        if let Some(constraints) = request.constraints {
            let sequences = valuation.actions_mut().chunks_exact(self.sequence_len);
            for (worth, sequence) in self.worths.iter_mut().zip(sequences) {
                *worth -= constraints.penalty(sequence);
            }
        }
        // as many as the last round had, for which there is room
        self.order.resize(self.worths.len(), 0);
        rank(&self.worths, self.worths.len(), &mut self.order);
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
        let sequence = &self.valuations.last_mut().actions_mut()[number * self.sequence_len..];
        (plan.actions).copy_from_slice(&sequence[..self.sequence_len]);
        plan.states[..state.len()].copy_from_slice(state);
        prior.fill(0, plan.states, plan.actions)
    }
}

/// Starts a plan from the sampled sequence of a rank, or from a unit Gaussian where there is none.
pub(super) fn start_fresh<V: Valuation>(
    sampled: Option<(usize, &mut Sampler<V>)>,
    state: &[f32],
    prior: &mut PriorSteps,
    noise: &mut Noise,
    plan: &mut IterateMut<'_>,
) -> Result<StartKind, RunError> {
    match sampled {
        Some((rank, sampler)) => {
            sampler.start(rank, state, prior, plan)?;
            Ok(StartKind::Sampled)
        }
        None => {
            start_gaussian(state, noise, plan);
            Ok(StartKind::Gaussian)
        }
    }
}

/// Starts a plan from a unit Gaussian.
fn start_gaussian(state: &[f32], noise: &mut Noise, plan: &mut IterateMut<'_>) {
    noise.fill(plan.states);
    noise.fill(plan.actions);
    plan.states[..state.len()].copy_from_slice(state);
}
