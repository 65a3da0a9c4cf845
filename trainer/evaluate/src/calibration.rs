//! What plans promise against what they do: single plans executed to their end without looking.

use std::ops::ControlFlow;

use latco_controller::safety::StopReason;
use latco_controller::time::MonotonicClock;
use latco_controller::{Config, Time};
use latco_envs::{Robot, undisturbed};
use latco_models::{Bundle, RewardHead};
use serde::{Deserialize, Serialize};

use crate::{ClosedLoop, EvaluateError, check_fit};

/// Least reward that a plan has to predict in one step to promise the reward.
const PROMISED: f32 = 0.5;

/// Options of the measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalibrationOptions {
    /// Name of the simulated task.
    pub task: String,
    /// Number of plans, each in an episode of its own.
    pub plans: u32,
    /// Episode k has the robot's seed [`latco_envs::EVALUATION_SEED`]` + seed + k`.
    pub seed: u64,
    /// Control periods of closed loop before the plan that is executed.
    pub warm_up: u32,
}

/// One plan, executed to its end without looking again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OpenLoopPlan {
    /// Seed of the robot.
    pub seed: u64,
    /// Sum of the rewards that are promised to be paid, each within the range of the bundle's rewards.
    pub predicted_return: f64,
    /// Sum of the true rewards after the same steps, each within the range of the bundle's rewards.
    pub true_return: f64,
    /// Whether a step is predicted to be rewarded.
    pub promised: bool,
    /// Whether a step was rewarded.
    pub rewarded: bool,
}

/// The results of all plans.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Name of the planner.
    pub planner: String,
    /// Every plan, in the order of the episodes.
    pub plans: Vec<OpenLoopPlan>,
}

impl Calibration {
    /// The mean sum of predicted rewards.
    #[must_use]
    pub fn mean_predicted(&self) -> f64 {
        self.mean(|plan| plan.predicted_return)
    }

    /// The mean sum of true rewards.
    #[must_use]
    pub fn mean_true(&self) -> f64 {
        self.mean(|plan| plan.true_return)
    }

    /// The number of plans that promise the reward, and of those that get it.
    #[must_use]
    pub fn promises(&self) -> (usize, usize) {
        let promised = self.plans.iter().filter(|plan| plan.promised);
        let kept = promised.clone().filter(|plan| plan.rewarded);
        (promised.count(), kept.count())
    }

    /// The true over the predicted reward of all plans that promise the reward: 1 for a model that knows what
    /// its plans do, 0 for one that is exploited. It is `None` if no plan promises anything.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let promised = || self.plans.iter().filter(|plan| plan.promised);
        let predicted: f64 = promised().map(|plan| plan.predicted_return).sum();
        let truth: f64 = promised().map(|plan| plan.true_return).sum();
        (predicted > 0.0).then(|| truth / predicted)
    }

    fn mean(&self, value: impl Fn(&OpenLoopPlan) -> f64) -> f64 {
        self.plans.iter().map(value).sum::<f64>() / self.plans.len().max(1) as f64
    }
}

/// Executes one plan of each episode to its end, with the timing of the node but without looking
/// again. `progress` sees each and may end it early.
///
/// # Errors
/// [`EvaluateError`]; [`EvaluateError::NotFollowed`] when the robot was stopped before a plan's end, but for joints that do
/// not go where they are told.
pub fn calibrate(
    bundle: &Bundle,
    config: &Config,
    options: &CalibrationOptions,
    mut progress: impl FnMut(&OpenLoopPlan) -> ControlFlow<()>,
) -> Result<Calibration, EvaluateError> {
    let mut robot = latco_envs::make(&options.task, bundle.manifest().image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let mut closed_loop = ClosedLoop::new(config, bundle)?;
    let clock = MonotonicClock::starting_at(Time(0));
    let reward = bundle.manifest().reward;
    let mut plans = Vec::new();
    for number in 0..u64::from(options.plans) {
        let seed = latco_envs::EVALUATION_SEED + options.seed + number;
        let plan = undisturbed(robot.as_mut(), |robot| {
            robot.reset(seed);
            closed_loop.begin(seed);
            for _ in 0..options.warm_up {
                closed_loop.period(robot, &clock);
            }
            one_plan(&mut closed_loop, robot, seed, reward, &clock)
        })??;
        let flow = progress(&plan);
        plans.push(plan);
        if flow.is_break() {
            break;
        }
    }
    Ok(Calibration {
        planner: closed_loop.planner_name().to_owned(),
        plans,
    })
}

/// Iterations of the points of an exploitation curve.
pub const EXPLOITATION_ITERATIONS: [u32; 5] = [0, 1, 10, 50, 200];

/// One point of an exploitation curve: what plans made from nothing in so many iterations promise and get. Where a planner
/// finds the errors of a model, what is promised grows with the iterations and what is got does not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exploited {
    /// Iterations of a plan, at most.
    pub iterations: u32,
    /// Mean sum of the predicted rewards.
    pub predicted_return: f64,
    /// Mean sum of the true rewards.
    pub true_return: f64,
    /// Number of plans that promise the reward.
    pub promised: usize,
    /// Number of those that get it.
    pub kept: usize,
}

/// Measures the exploitation curve of the configured planner; `progress` sees each point. The plans of the warm-up have as
/// many iterations as the plan that is executed.
///
/// # Errors
/// The errors of [`calibrate`].
pub fn exploitation(
    bundle: &Bundle,
    config: &Config,
    options: &CalibrationOptions,
    mut progress: impl FnMut(&Exploited),
) -> Result<Vec<Exploited>, EvaluateError> {
    let point = |iterations| {
        let config = with_iterations(config, iterations);
        let found = calibrate(bundle, &config, options, |_| ControlFlow::Continue(()))?;
        let (promised, kept) = found.promises();
        let point = Exploited {
            iterations,
            predicted_return: found.mean_predicted(),
            true_return: found.mean_true(),
            promised,
            kept,
        };
        progress(&point);
        Ok(point)
    };
    EXPLOITATION_ITERATIONS.into_iter().map(point).collect()
}

/// The configuration with so many iterations for every planner, whatever time they take, and every plan made from nothing.
#[must_use]
pub fn with_iterations(config: &Config, iterations: u32) -> Config {
    let mut config = config.clone();
    let planner = &mut config.planner;
    planner.budget_ms = None;
    let (latco, cem) = (&mut planner.latco, &mut planner.cem);
    (latco.iterations_cold, latco.warm_start) = (iterations, false);
    (cem.iterations, cem.warm_start) = (iterations, false);
    config
}

fn one_plan(
    closed_loop: &mut ClosedLoop,
    robot: &mut dyn Robot,
    seed: u64,
    head: RewardHead,
    clock: &MonotonicClock,
) -> Result<OpenLoopPlan, EvaluateError> {
    let before = closed_loop.executor_counts();
    closed_loop.period(robot, clock);
    let mut truth = vec![robot.reward()];
    for _ in 1..closed_loop.plan().steps() {
        closed_loop.follow(robot);
        truth.push(robot.reward());
    }
    let after = closed_loop.executor_counts();
    let (ticks, followed) = (after.ticks - before.ticks, after.followed - before.followed);
    let reason = closed_loop.decision().reason;
    // A joint that something holds back is what the plan came to, and no fault of the measurement.
    if followed < ticks && reason != Some(StopReason::NotFollowing) {
        return Err(EvaluateError::NotFollowed {
            seed,
            ticks,
            followed,
            reason: reason.map_or("no fault", StopReason::name),
        });
    }
    let plan = closed_loop.plan();
    // The committed steps before the plan's own have no predicted reward.
    let truth = &truth[plan.lead()..];
    Ok(OpenLoopPlan {
        seed,
        predicted_return: f64::from(head.promised(&plan.rewards)),
        true_return: truth
            .iter()
            .map(|r| f64::from(head.range.clamp(*r as f32)))
            .sum(),
        promised: (plan.rewards.iter()).any(|reward| head.paid(*reward) >= PROMISED),
        rewarded: truth.iter().any(|reward| *reward > 0.5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(predicted: f64, truth: f64) -> OpenLoopPlan {
        OpenLoopPlan {
            seed: 0,
            predicted_return: predicted,
            true_return: truth,
            promised: predicted >= 0.5,
            rewarded: truth >= 0.5,
        }
    }

    #[test]
    fn only_plans_that_promise_something_count() {
        let calibration = Calibration {
            planner: "latco".into(),
            plans: vec![plan(4.0, 3.0), plan(2.0, 0.0), plan(0.1, 2.0)],
        };
        assert_eq!(calibration.ratio(), Some(0.5));
        assert_eq!(calibration.promises(), (2, 1));
        assert!((calibration.mean_true() - 5.0 / 3.0).abs() < 1e-12);
        let nothing = Calibration {
            planner: "latco".into(),
            plans: vec![plan(0.1, 0.0)],
        };
        assert_eq!(nothing.ratio(), None);
    }
}
