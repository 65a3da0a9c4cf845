//! Closed-loop evaluation: the controller core against a simulated robot, in one process and in
//! simulated time.
//!
//! The timing is that of the node: the image of time t gives a plan whose first own action
//! applies one period later, the executor turns plans into set-points at the command rate, and the
//! belief is fed with what was really sent. Simulated time stands still while the planner thinks,
//! so that without a time budget in the configuration the result depends on the seed alone.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use latco_controller::Config;
//! use latco_evaluate::{Options, evaluate};
//!
//! let bundle = latco_models::Bundle::load("models/bundles/reach", &Default::default())?;
//! let options = Options { task: "reach".into(), episodes: 100, seed: 0, expert: true, keep_out: None };
//! let result = evaluate(&bundle, &Config::default(), &options, |_| ControlFlow::Continue(()))?;
//! println!("{:.2} of {} episodes", result.success, result.episodes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calibration;
mod closed_loop;
mod faults;
mod faulty_loop;
mod goals;
mod image_fault;
mod keep_out;
mod policy;
mod promises;
mod surprise;
mod thread_clock;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use latco_controller::time::MonotonicClock;
use latco_controller::{Clock, Config, SetupError, Time};
use latco_envs::{EnvError, PolicyKind, Robot, TrainedWith, undisturbed};
use latco_faults::FaultsError;
use latco_models::{Bundle, RunError};
use serde::Serialize;

pub use calibration::{
    Calibration, CalibrationOptions, EXPLOITATION_ITERATIONS, Exploited, OpenLoopPlan, calibrate,
    exploitation, with_iterations,
};
pub use closed_loop::{ClosedLoop, PeriodReport, joints_of};
pub use faults::{FaultClass, FaultEvaluation, FaultyEpisode, evaluate_faults};
pub use faulty_loop::{FaultyLoop, FaultyTick};
pub use goals::{GoalEpisode, GoalEvaluation, GoalOptions, Judge, evaluate_goals};
pub use image_fault::ImageFault;
pub use keep_out::{KeepOut, KeepOutSummary, Obstacles, Touches};
pub use latco_envs::statistics::{percentile, wilson_interval};
pub use policy::PlannerPolicy;
pub use promises::Promises;
pub use surprise::{CAUGHT_WITHIN_S, Largest, SurpriseOptions, SurpriseTrial, try_surprise};
pub use thread_clock::ThreadClock;

/// Options of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Name of the simulated task, or the file of a robot that others made.
    pub task: String,
    /// Number of episodes.
    pub episodes: u32,
    /// Episode k has the robot's seed [`latco_envs::EVALUATION_SEED`]` + seed + k`.
    pub seed: u64,
    /// Whether the scripted expert is run on the same episodes.
    pub expert: bool,
    /// What obstacles there are, if any.
    pub keep_out: Option<KeepOut>,
}

/// The reason why nothing could be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// There is no such simulated robot.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The controller cannot be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A graph failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The bundle says nothing about surprise.
    #[error(
        "the bundle's surprise is not calibrated: run latco-train surprise --calibrate on it first"
    )]
    NotCalibrated,
    /// The faults cannot be injected here.
    #[error(transparent)]
    Faults(#[from] FaultsError),
    /// A goal picture has no belief.
    #[error("{0}")]
    Goal(String),
    /// A plan of so many steps cannot be made.
    #[error(
        "expected a goal at most {horizon} steps away, the horizon of the bundle, or exactly so many where rewards count (goal.weight \
         below 1), found {steps}; train with a longer horizon, or look at every image (--closed-loop)"
    )]
    GoalSteps {
        /// Steps from the start to the goal.
        steps: usize,
        /// Steps that the bundle looks ahead.
        horizon: usize,
    },
    /// There are no faults to inject.
    #[error("expected at least one [[fault]] to inject, found none")]
    NoFaults,
    /// It is not known where the robot of the task is.
    #[error(
        "expected a task of an arm to put obstacles in its way (reach, push, key, stick), found {0}"
    )]
    NoLinks(String),
    /// A plan was not followed to its end, so that what the robot did says nothing about it.
    #[error(
        "expected every one of the {ticks} set-points of the plan in the episode of seed {seed} to follow it, found \
         {followed}: the executor stopped the robot ({reason}); lengthen timeouts.joints_ms, or take a planner whose plans are finite"
    )]
    NotFollowed {
        /// Seed of the episode.
        seed: u64,
        /// Number of set-points from the plan's start to its end.
        ticks: u64,
        /// Number of those set-points that follow it.
        followed: u64,
        /// The fault that held at the last set-point.
        reason: &'static str,
    },
    /// The bundle is for another robot.
    #[error("the bundle does not fit the task {task}:{}", .mismatches.iter().fold(String::new(), |t, m| t + "\n  " + m))]
    Mismatch {
        /// Name of the task.
        task: String,
        /// Descriptions of every mismatch.
        mismatches: Vec<String>,
    },
}

/// The result of one episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Episode {
    /// Seed of the robot.
    pub seed: u64,
    /// How far from solved the episode began, in the task's unit.
    pub difficulty: f64,
    /// Whether the task was solved after any step.
    pub success: bool,
    /// Whether the task was solved after the last step.
    pub success_at_end: bool,
    /// Sum of the rewards after each step.
    pub episode_return: f64,
    /// Clipped rollout return that the first plan promised.
    pub predicted_return: f64,
    /// Whether the scripted expert solves the episode; `None` if it was not run.
    pub expert_success: Option<bool>,
    /// Measured time of each plan, ms.
    #[serde(skip)]
    pub plan_ms: Vec<f64>,
    /// Iterations of each plan.
    #[serde(skip)]
    pub iterations: Vec<u32>,
    /// The step before which each plan was made, from 0.
    #[serde(skip)]
    pub plan_steps: Vec<usize>,
    /// What each plan promised: its clipped rollout return.
    #[serde(skip)]
    pub promised: Vec<f64>,
    /// Largest squared dynamics violation of each plan's last iterate.
    #[serde(skip)]
    pub violations: Vec<f64>,
    /// The reward after each step.
    #[serde(skip)]
    pub rewards: Vec<f64>,
    /// How often plans ended for each cause.
    pub stop_causes: BTreeMap<&'static str, u64>,
    /// What became of the obstacle; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touches: Option<Touches>,
}

impl Episode {
    /// Takes what the robot came to after a step.
    fn note(&mut self, robot: &dyn Robot) {
        self.rewards.push(robot.reward());
        self.episode_return += robot.reward();
        self.success |= robot.success();
        self.success_at_end = robot.success();
    }
}

/// The results of all episodes. The field names are those of `latco-train eval --json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Name of the task.
    pub task: String,
    /// Name of the planner.
    pub planner: String,
    /// Number of episodes that were run.
    pub episodes: usize,
    /// Share of episodes solved after any step.
    pub success: f64,
    /// Lower end of the 95 % Wilson interval of `success`.
    pub success_low: f64,
    /// Upper end of the 95 % Wilson interval of `success`.
    pub success_high: f64,
    /// Share of episodes solved after the last step.
    pub success_at_end: f64,
    /// Share of the same episodes that the scripted expert solves; `None` if it was not run.
    pub expert_success: Option<f64>,
    /// Mean sum of rewards of an episode.
    pub mean_return: f64,
    /// Mean clipped rollout return that the first plans promised.
    pub mean_predicted_return: f64,
    /// Median time of a plan in ms.
    pub plan_ms_p50: f64,
    /// 99th percentile of the time of a plan in ms.
    pub plan_ms_p99: f64,
    /// Number of plans that were made.
    pub plans: usize,
    /// Median number of iterations of a plan.
    pub iterations_median: f64,
    /// How often plans ended for each cause.
    pub stop_causes: BTreeMap<&'static str, u64>,
    /// Number of the first evaluation episode.
    pub seed: u64,
    /// Seeds of the episodes that were not solved.
    pub failed_seeds: Vec<u64>,
    /// Touches of obstacles; `None` where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_out: Option<KeepOutSummary>,
}

/// Runs the episodes; `progress` sees each and may end the evaluation early. The result then holds
/// the episodes that are done.
///
/// # Errors
/// [`EvaluateError`].
pub fn evaluate(
    bundle: &Bundle,
    config: &Config,
    options: &Options,
    progress: impl FnMut(&Episode) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let clock = MonotonicClock::starting_at(Time(0));
    evaluate_by(bundle, config, options, &clock, progress)
}

/// Evaluates like [`evaluate`], with time budgets and measured times by another clock, for example
/// [`ThreadClock`].
///
/// # Errors
/// [`EvaluateError`].
pub fn evaluate_by(
    bundle: &Bundle,
    config: &Config,
    options: &Options,
    clock: &dyn Clock,
    progress: impl FnMut(&Episode) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let image = &bundle.manifest().image;
    let mut robot = latco_envs::make(&options.task, image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let config = match options.keep_out {
        Some(_) if robot.links().is_empty() => {
            return Err(EvaluateError::NoLinks(options.task.clone()));
        }
        Some(keep_out) => keep_out.configure(config, robot.as_ref()),
        None => config.clone(),
    };
    let mut closed_loop = ClosedLoop::new(&config, bundle)?;
    closed_loop.learn_times(clock);
    let episodes = episodes(options, progress, |seed| {
        let mut episode = undisturbed(robot.as_mut(), |robot| {
            run_episode(&mut closed_loop, robot, seed, clock, options.keep_out)
        })?;
        if options.expert && robot.has_expert() {
            let expert = undisturbed(robot.as_mut(), |robot| {
                drive(PolicyKind::Expert, robot, seed).success
            })?;
            episode.expert_success = Some(expert);
        }
        Ok(episode)
    })?;
    Ok(summarise(
        options,
        robot.task(),
        closed_loop.planner_name(),
        &episodes,
    ))
}

/// Runs the episodes with a scripted policy in place of a planner. No picture is drawn.
///
/// # Errors
/// [`EvaluateError::Env`]; also where there is no expert for the task.
pub fn evaluate_policy(
    policy: PolicyKind,
    options: &Options,
    progress: impl FnMut(&Episode) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let mut robot = latco_envs::make(&options.task, latco_envs::DEFAULT_IMAGE_SIZE)?;
    if policy == PolicyKind::Expert {
        check_expert(robot.as_ref())?;
    }
    let episodes = episodes(options, progress, |seed| {
        undisturbed(robot.as_mut(), |robot| drive(policy, robot, seed))
    })?;
    let options = Options {
        expert: false,
        ..options.clone()
    };
    Ok(summarise(&options, robot.task(), policy.name(), &episodes))
}

/// Runs the episodes of these options by their seeds, until `progress` ends them.
fn episodes(
    options: &Options,
    mut progress: impl FnMut(&Episode) -> ControlFlow<()>,
    mut run: impl FnMut(u64) -> Result<Episode, EnvError>,
) -> Result<Vec<Episode>, EnvError> {
    let mut episodes = Vec::new();
    for number in 0..u64::from(options.episodes) {
        let seed = latco_envs::EVALUATION_SEED + options.seed + number;
        let episode = run(seed)?;
        let flow = progress(&episode);
        episodes.push(episode);
        if flow.is_break() {
            break;
        }
    }
    Ok(episodes)
}

/// Checks that there is an expert for the task of the robot.
///
/// # Errors
/// [`EnvError::NoExpert`].
pub fn check_expert(robot: &dyn Robot) -> Result<(), EnvError> {
    if robot.has_expert() {
        return Ok(());
    }
    Err(EnvError::NoExpert {
        task: robot.task().to_owned(),
    })
}

/// Checks that a bundle was trained for this robot: joints, image size, control period.
///
/// # Errors
/// [`EvaluateError::Mismatch`] with every difference.
pub fn check_fit(bundle: &Bundle, robot: &dyn Robot) -> Result<(), EvaluateError> {
    let manifest = bundle.manifest();
    let trained_with = TrainedWith {
        joint_names: &manifest.joints.names,
        image: (manifest.image.width, manifest.image.height),
        control_period_s: manifest.control_period_s,
    };
    let mismatches = trained_with.mismatches(robot);
    if mismatches.is_empty() {
        Ok(())
    } else {
        Err(EvaluateError::Mismatch {
            task: robot.task().to_owned(),
            mismatches,
        })
    }
}

fn run_episode(
    closed_loop: &mut ClosedLoop,
    robot: &mut dyn Robot,
    seed: u64,
    clock: &dyn Clock,
    keep_out: Option<KeepOut>,
) -> Episode {
    let obstacle = keep_out.and_then(|keep_out| keep_out.obstacle(robot, seed));
    robot.reset(seed);
    closed_loop.begin(seed);
    let mut episode = Episode {
        seed,
        difficulty: robot.difficulty(),
        touches: obstacle.map(|(_, is_moving)| Touches {
            is_moving,
            deepest_m: f64::NEG_INFINITY,
            ..Touches::default()
        }),
        ..Episode::default()
    };
    for step in 0..robot.episode_steps() {
        if robot.failure().is_some() {
            break;
        }
        if let Some((obstacle, _)) = &obstacle {
            let time_s = robot.control_period_s() * step as f64;
            closed_loop.move_regions(&keep_out::middles(obstacle, time_s));
        }
        let report = closed_loop.period_seen(robot, clock, &mut |robot, time| {
            if let (Some((obstacle, _)), Some(touches)) = (&obstacle, &mut episode.touches) {
                let depth = obstacle.depth(&robot.links(), time.seconds_since(Time(0)));
                touches.set_points += 1;
                touches.touched += u64::from(depth > 0.0);
                touches.deepest_m = touches.deepest_m.max(depth);
            }
        });
        if let Some(plan) = report.tick.plan {
            episode
                .plan_ms
                .push(report.tick.plan_time.as_secs_f64() * 1e3);
            episode.iterations.push(plan.iterations);
            episode.plan_steps.push(step);
            episode.promised.push(f64::from(plan.predicted_return));
            episode.violations.push(f64::from(plan.dynamics_violation));
            *episode.stop_causes.entry(plan.stop.name()).or_default() += 1;
            if step == 0 {
                episode.predicted_return = f64::from(plan.predicted_return);
            }
        }
        episode.note(robot);
    }
    if let Some(touches) = &mut episode.touches {
        touches.held_back = closed_loop.executor_counts().held_back;
    }
    episode
}

/// Runs one episode with a scripted policy.
fn drive(policy: PolicyKind, robot: &mut dyn Robot, seed: u64) -> Episode {
    let mut policy = policy.make();
    let mut action = vec![0.0; robot.actions()];
    robot.reset(seed);
    policy.begin(robot, seed);
    let mut episode = Episode {
        seed,
        difficulty: robot.difficulty(),
        ..Episode::default()
    };
    for _ in 0..robot.episode_steps() {
        policy.act(robot, &mut action);
        robot.step(&action);
        episode.note(robot);
        if robot.failure().is_some() {
            break;
        }
    }
    episode
}

/// Sums up the episodes of a planner.
#[must_use]
pub fn summarise(options: &Options, task: &str, planner: &str, episodes: &[Episode]) -> Evaluation {
    let count = episodes.len();
    let share = |solved: usize| solved as f64 / count.max(1) as f64;
    let mean =
        |value: fn(&Episode) -> f64| episodes.iter().map(value).sum::<f64>() / count.max(1) as f64;
    let successes = episodes.iter().filter(|e| e.success).count();
    let (success_low, success_high) = wilson_interval(successes, count);
    let mut plan_ms: Vec<f64> = episodes.iter().flat_map(|e| e.plan_ms.clone()).collect();
    let mut iterations: Vec<f64> = (episodes.iter())
        .flat_map(|e| e.iterations.iter().map(|&i| f64::from(i)))
        .collect();
    let mut stop_causes = BTreeMap::new();
    for (cause, times) in episodes.iter().flat_map(|e| &e.stop_causes) {
        *stop_causes.entry(*cause).or_default() += times;
    }
    Evaluation {
        task: task.to_owned(),
        planner: planner.to_owned(),
        episodes: count,
        success: share(successes),
        success_low,
        success_high,
        success_at_end: share(episodes.iter().filter(|e| e.success_at_end).count()),
        expert_success: (episodes.iter().any(|e| e.expert_success.is_some())).then(|| {
            share(
                episodes
                    .iter()
                    .filter(|e| e.expert_success == Some(true))
                    .count(),
            )
        }),
        mean_return: mean(|e| e.episode_return),
        mean_predicted_return: mean(|e| e.predicted_return),
        plan_ms_p50: percentile(&mut plan_ms, 0.5),
        plan_ms_p99: percentile(&mut plan_ms, 0.99),
        plans: plan_ms.len(),
        iterations_median: percentile(&mut iterations, 0.5),
        stop_causes,
        seed: options.seed,
        keep_out: (options.keep_out)
            .map(|keep_out| keep_out.summarise(episodes.iter().filter_map(|e| e.touches.as_ref()))),
        failed_seeds: (episodes.iter().filter(|e| !e.success))
            .map(|e| e.seed)
            .collect(),
    }
}
