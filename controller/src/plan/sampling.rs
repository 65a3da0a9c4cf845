//! CEM and MPPI: a Gaussian over action sequences, refitted to the best of its samples (Rybkin et al.
//! 2021, appendix D).

use latco_models::{Bundle, RewardHead, RunError};

use super::budget::IterationTimer;
use super::contract::{PlanRequest, Planner};
use super::decisions::Decisions;
use super::noise::Noise;
use super::particles::Futures;
use super::report::{PlanReport, StartKind, StopCause};
use super::rollout::{ActionRollout, PriorSteps, clip};
use super::solution::{PlanSizes, Solution};
use crate::config::{Config, PlannerKind};
use crate::error::SetupError;
use crate::time::Clock;
use crate::trace::{IterationTrace, PlanTrace};

/// Samples that are rolled out at once: few enough that an iteration of many can be given up in time and that a short
/// budget has room for some, as many as make the most of the processor (with 32 a sample takes 5 % longer than with 128,
/// with 8 half as long again).
const PART: usize = 32;

/// How the elites count in the refit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    /// All alike (CEM).
    Equal,
    /// By the softmax of gamma times their returns (MPPI).
    Softmax(f32),
}

/// What both planners need to know.
#[derive(Clone, Debug)]
struct Settings {
    iterations: u32,
    samples: usize,
    elites: usize,
    weights: Weights,
    initial_std: f32,
    min_std: f32,
    warm_start: bool,
    sampled_states: bool,
}

/// The planner of `kind = "cem"` and `kind = "mppi"`.
///
/// Each iteration samples action sequences from a diagonal Gaussian, clips them to the limits,
/// rolls them out through the prior and refits the Gaussian to the best. Executed is the better of
/// the last mean and the best sample by clipped return; where states are sampled, the last mean as in PlaNet,
/// as the best sample is one that was lucky.
pub struct SamplingPlanner {
    name: &'static str,
    settings: Settings,
    sizes: PlanSizes,
    action_limit: f32,
    /// Rolls out a part of the samples at a time.
    part: Futures,
    rollout: ActionRollout,
    prior: PriorSteps,
    noise: Noise,
    /// What the clock decided in the last plan.
    decisions: Decisions,
    part_timer: IterationTimer,
    /// Of what follows the last iteration.
    end_timer: IterationTimer,
    /// The samples, `[samples, H, na]`.
    actions: Vec<f32>,
    /// Rewards to expect of each, `[samples, H]`.
    rewards: Vec<f32>,
    /// `[H, na]`
    mean: Vec<f32>,
    /// `[H, na]`
    std: Vec<f32>,
    reward: RewardHead,
    /// Return of each sample.
    returns: Vec<f32>,
    /// Sample numbers, the best first.
    order: Vec<u32>,
    /// Weight of each elite, of sum 1.
    weights: Vec<f32>,
    has_previous: bool,
}

impl SamplingPlanner {
    /// CEM.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn cem(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let cem = &config.planner.cem;
        let settings = Settings {
            iterations: cem.iterations,
            samples: cem.samples as usize,
            elites: cem.elites as usize,
            weights: Weights::Equal,
            initial_std: cem.initial_std as f32,
            min_std: cem.min_std as f32,
            warm_start: cem.warm_start,
            sampled_states: cem.sampled_states,
        };
        Self::new(PlannerKind::Cem, settings, config, bundle, sizes)
    }

    /// MPPI.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn mppi(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let mppi = &config.planner.mppi;
        let settings = Settings {
            iterations: mppi.iterations,
            samples: mppi.samples as usize,
            elites: mppi.elites as usize,
            weights: Weights::Softmax(mppi.gamma as f32),
            initial_std: mppi.initial_std as f32,
            min_std: mppi.min_std as f32,
            warm_start: mppi.warm_start,
            sampled_states: mppi.sampled_states,
        };
        Self::new(PlannerKind::Mppi, settings, config, bundle, sizes)
    }

    /// Sessions for plans of these sizes, all memory allocated.
    fn new(
        kind: PlannerKind,
        settings: Settings,
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<Self, SetupError> {
        let len = sizes.horizon * sizes.action;
        Ok(Self {
            name: kind.name(),
            action_limit: bundle.manifest().action.limit,
            part: Futures::new(
                bundle,
                sizes,
                settings.samples.min(PART),
                settings.sampled_states,
            )?,
            rollout: ActionRollout::new(bundle, sizes, 1)?,
            prior: PriorSteps::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            decisions: Decisions::default(),
            part_timer: IterationTimer::default(),
            end_timer: IterationTimer::default(),
            actions: vec![0.0; settings.samples * len],
            rewards: vec![0.0; settings.samples * sizes.horizon],
            mean: vec![0.0; len],
            std: vec![0.0; len],
            reward: bundle.manifest().reward,
            returns: vec![0.0; settings.samples],
            order: vec![0; settings.samples],
            weights: vec![0.0; settings.elites],
            has_previous: false,
            sizes: *sizes,
            settings,
        })
    }

    /// Shifts by the nearest whole number of periods: the mean is only where the search begins.
    fn start(&mut self, elapsed: Option<f64>) -> bool {
        self.std.fill(self.settings.initial_std);
        let na = self.sizes.action;
        let periods = elapsed.map(|elapsed| elapsed.round().max(0.0) as usize);
        let warm = periods.filter(|&elapsed| {
            self.settings.warm_start && self.has_previous && elapsed < self.sizes.horizon
        });
        match warm {
            Some(elapsed) => {
                self.mean.copy_within(elapsed * na.., 0);
                let kept = self.mean.len() - elapsed * na;
                self.mean[kept..].fill(0.0);
            }
            None => self.mean.fill(0.0),
        }
        warm.is_some()
    }

    /// Draws all samples and rolls them out, part by part. Gives the number of parts that there was time
    /// for, or `wanted` of a plan that is made again.
    fn sample(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        wanted: Option<u32>,
    ) -> Result<u32, RunError> {
        let mut done = 0;
        let (len, horizon) = (self.mean.len(), self.sizes.horizon);
        let (limit, head) = (self.action_limit, self.reward);
        self.part.start(request.state);
        let parts = (self.actions.chunks_mut(PART * len))
            .zip(self.rewards.chunks_mut(PART * horizon))
            .zip(self.returns.chunks_mut(PART));
        for ((actions, rewards), returns) in parts {
            let reserve_s = self.end_timer.estimate_s();
            let is_over = match request.replay {
                Some(_) => wanted == Some(done),
                None => (self.part_timer).would_overrun_before(request.deadline, clock, reserve_s),
            };
            if is_over {
                break;
            }
            self.part_timer.begin_when_asked(clock);
            self.noise.fill(actions);
            for sequence in actions.chunks_exact_mut(len) {
                for ((action, mean), std) in sequence.iter_mut().zip(&self.mean).zip(&self.std) {
                    *action = (mean + std * *action).clamp(-limit, limit);
                }
            }
            // The last part may be smaller: the rows behind it hold samples of the one before.
            self.part.action_mut()[..actions.len()].copy_from_slice(actions);
            self.part.run(&mut self.noise)?;
            let outputs = &self.part.rewards()[..rewards.len()];
            for (reward, output) in rewards.iter_mut().zip(outputs) {
                *reward = head.expected(*output);
            }
            for (value, rewards) in returns.iter_mut().zip(rewards.chunks_exact(horizon)) {
                *value = rewards.iter().sum();
            }
            self.part_timer.end(clock);
            done += 1;
        }
        Ok(done)
    }

    /// Takes the best of the ranked samples for the answer if it is better than the one there; never a sampled future, which
    /// was lucky.
    fn consider(
        &self,
        iteration: u32,
        best: &mut f32,
        solution: &mut Solution,
        report: &mut PlanReport,
    ) {
        if self.settings.sampled_states {
            return;
        }
        let sample = self.order[0] as usize;
        let value = self.returns[sample];
        if value.is_finite() && value > *best {
            *best = value;
            let (len, horizon) = (self.mean.len(), self.sizes.horizon);
            (solution.rewards).copy_from_slice(&self.rewards[sample * horizon..][..horizon]);
            (solution.actions).copy_from_slice(&self.actions[sample * len..][..len]);
            report.best_iteration = iteration;
            report.best_start = StartKind::Sampled;
        }
    }

    /// How many of the samples that were drawn are elites: the same share as of a whole iteration.
    fn elites(&self, drawn: usize) -> usize {
        let Settings {
            samples, elites, ..
        } = self.settings;
        (elites * drawn).div_ceil(samples).clamp(1, elites)
    }

    /// Orders the samples that were drawn, the best first; says whether any return is finite.
    fn rank(&mut self, drawn: usize) -> bool {
        let elites = self.elites(drawn);
        let returns = &self.returns;
        let order = &mut self.order[..drawn];
        for (number, place) in order.iter_mut().enumerate() {
            *place = number as u32;
        }
        // By return, then by number, so that the order does not depend on the sort.
        let value = |number: u32| {
            let value = returns[number as usize];
            if value.is_finite() {
                value
            } else {
                f32::NEG_INFINITY
            }
        };
        let better = |a: &u32, b: &u32| value(*b).total_cmp(&value(*a)).then(a.cmp(b));
        if elites < order.len() {
            order.select_nth_unstable_by(elites - 1, better);
        }
        order[..elites].sort_unstable_by(better);
        value(order[0]).is_finite()
    }

    /// The weights of so many elites.
    fn weigh(&mut self, elites: usize) {
        let elites = &self.order[..elites];
        let weights = &mut self.weights[..elites.len()];
        match self.settings.weights {
            Weights::Equal => weights.fill(1.0 / elites.len() as f32),
            Weights::Softmax(gamma) => {
                let best = self.returns[elites[0] as usize];
                let mut sum = 0.0;
                for (weight, &number) in weights.iter_mut().zip(elites) {
                    let value = self.returns[number as usize];
                    // The exponential of what is not finite would spoil the sum.
                    *weight = if value.is_finite() {
                        (gamma * (value - best)).exp()
                    } else {
                        0.0
                    };
                    sum += *weight;
                }
                // The best has the weight 1.
                for weight in weights {
                    *weight /= sum;
                }
            }
        }
    }

    /// Mean and deviation of the elites among the ranked samples that were drawn; returns their mean return.
    fn refit(&mut self, drawn: usize) -> f32 {
        let elites = self.elites(drawn);
        self.weigh(elites);
        let elites = self.order[..elites].iter().zip(&self.weights);
        let len = self.mean.len();
        let mean_return = (elites.clone())
            .map(|(&number, weight)| weight * self.returns[number as usize])
            .sum();
        let actions = &self.actions;
        self.mean.fill(0.0);
        self.std.fill(0.0);
        for (&number, weight) in elites.clone() {
            let sequence = &actions[number as usize * len..][..len];
            for (mean, action) in self.mean.iter_mut().zip(sequence) {
                *mean += weight * action;
            }
        }
        for (&number, weight) in elites {
            let sequence = &actions[number as usize * len..][..len];
            for ((std, action), mean) in self.std.iter_mut().zip(sequence).zip(&self.mean) {
                *std += weight * (action - mean) * (action - mean);
            }
        }
        for std in &mut self.std {
            *std = std.sqrt().max(self.settings.min_std);
        }
        mean_return
    }
}

impl Planner for SamplingPlanner {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        let began = clock.now();
        let n = self.sizes.state;
        let warm = self.start(request.elapsed_periods);
        let mut report = PlanReport {
            warm,
            plans: 1,
            ..PlanReport::default()
        };
        let mut best = f32::NEG_INFINITY;
        let all_parts = self.settings.samples.div_ceil(PART) as u32;
        // Parts of an iteration that was cut, and the last iteration that the Gaussian was refitted to.
        let (mut drawn_last, mut last) = (0, 0);
        solution.actions.fill(0.0);
        solution.rewards.fill(0.0);
        solution.predicted_return = 0.0;
        while report.iterations < self.settings.iterations {
            let wanted = (request.replay)
                .filter(|decisions| decisions.out_of_time_after == Some(report.iterations))
                .map(|decisions| decisions.sampling_rounds);
            let Ok(parts) = self.sample(request, clock, wanted) else {
                report.stop = StopCause::ModelFailed;
                break;
            };
            if parts < all_parts {
                report.stop = StopCause::TimeBudget;
                drawn_last = parts;
                // What was drawn of them counts. Among few sampled futures the elites are too lucky, unless there is nothing
                // else to go by.
                let counts = !self.settings.sampled_states || report.iterations == 0;
                let drawn = parts as usize * PART;
                if counts && drawn > 0 && self.rank(drawn) {
                    last = report.iterations + 1;
                    self.consider(last, &mut best, solution, &mut report);
                    self.refit(drawn);
                }
                break;
            }
            if !self.rank(self.settings.samples) {
                report.stop = StopCause::NonFinite;
                break;
            }
            report.iterations += 1;
            last = report.iterations;
            let value = self.returns[self.order[0] as usize];
            self.consider(last, &mut best, solution, &mut report);
            let mean_return = self.refit(self.settings.samples);
            trace.push(IterationTrace {
                iteration: report.iterations,
                elapsed_ms: (clock.now().seconds_since(began) * 1e3) as f32,
                planned_reward: mean_return,
                rollout_return: value,
                ..IterationTrace::default()
            });
        }
        self.end_timer.begin(clock);
        if report.iterations > 0 || drawn_last > 0 {
            clip(&self.mean, self.action_limit, self.rollout.actions_mut());
            match self.rollout.run(request.state) {
                Ok(()) if self.rollout.returns()[0] >= best => {
                    best = self.rollout.returns()[0];
                    report.best_iteration = last;
                    (solution.actions).copy_from_slice(self.rollout.actions_mut());
                    (solution.rewards).copy_from_slice(self.rollout.rewards(0));
                }
                Ok(()) => {}
                Err(_) => report.stop = StopCause::ModelFailed,
            }
        }
        if best.is_finite() {
            solution.predicted_return = best;
        }
        solution.states[..n].copy_from_slice(request.state);
        let filled = self.prior.fill(0, &mut solution.states, &solution.actions);
        if filled.is_err() {
            report.stop = StopCause::ModelFailed;
        }
        self.end_timer.end(clock);
        report.predicted_return = solution.predicted_return;
        self.has_previous = report.stop.was_successful();
        self.decisions = Decisions {
            sampling_rounds: drawn_last,
            out_of_time_after: (report.stop == StopCause::TimeBudget).then_some(report.iterations),
        };
        report
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
        self.has_previous = false;
    }

    fn drop_warm_start(&mut self) {
        self.has_previous = false;
    }

    fn decisions(&self) -> Option<Decisions> {
        Some(self.decisions)
    }

    fn name(&self) -> &'static str {
        self.name
    }
}
