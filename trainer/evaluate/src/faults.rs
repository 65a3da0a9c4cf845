//! Episodes with a fault each, drawn by seed, beside the same episodes without.

use std::ops::ControlFlow;

use chacha20::ChaCha8Rng;
use latco_controller::safety::Limits;
use latco_controller::safety::peaks::Peaks;
use latco_controller::{Clock, Config, Time};
use latco_envs::Robot;
use latco_faults::{Fault, Faults, Target};
use latco_models::Bundle;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::faulty_loop::FaultyLoop;
use crate::{EvaluateError, Options, check_fit, wilson_interval};

/// Share of a limit by which a command may exceed it: rounding.
const ROUNDING: f64 = 1e-6;

/// One episode with a fault, and without.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultyEpisode {
    /// Seed of the robot, of the fault's beginning and of its random numbers.
    pub seed: u64,
    /// Name of the fault.
    pub fault: &'static str,
    /// Time at which it begins, s.
    pub from_s: f64,
    /// How often it struck.
    pub struck: u64,
    /// Whether the task was solved after any control period with the fault.
    pub success: bool,
    /// Whether it was solved without.
    pub success_without: bool,
    /// Time from the fault's beginning to the first set-point at rest with a reason to stop, s; `None` if the robot was not
    /// stopped.
    pub rest_s: Option<f64>,
    /// What a stop was for, in the order in which it happened.
    pub stops: Vec<&'static str>,
    /// Highest shares of the limits of velocity, acceleration and jerk among the commands.
    pub shares: [f64; 3],
    /// Number of commands with a number that is not finite.
    pub non_finite: u64,
}

/// What the episodes of one fault came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultClass {
    /// Name of the fault.
    pub fault: String,
    /// Amount of the fault, in the unit of its kind.
    pub amount: f64,
    /// Probability of the fault.
    pub probability: f64,
    /// How long it lasts, s; `None`: to the end.
    pub for_s: Option<f64>,
    /// Number of episodes.
    pub episodes: usize,
    /// Share of episodes that were solved with the fault.
    pub success: f64,
    /// Share of the same episodes that are solved without.
    pub success_without: f64,
    /// Number of episodes in which the robot was stopped after the fault had begun.
    pub stopped: usize,
    /// Longest time from the fault's beginning to rest among them, s.
    pub rest_s_max: Option<f64>,
    /// What it was stopped for, and in how many episodes.
    pub stops: std::collections::BTreeMap<&'static str, usize>,
    /// Highest share of a joint's velocity limit.
    pub max_velocity_share: f64,
    /// Highest share of a joint's acceleration limit.
    pub max_acceleration_share: f64,
    /// Highest share of a joint's jerk limit; 0 without one.
    pub max_jerk_share: f64,
}

/// The results of all episodes. The field names are those of `latco-train eval --inject FILE --json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultEvaluation {
    /// Name of the task.
    pub task: String,
    /// Name of the planner.
    pub planner: String,
    /// Number of episodes.
    pub episodes: usize,
    /// Share of episodes solved with a fault.
    pub success: f64,
    /// Lower end of the 95 % Wilson interval of `success`.
    pub success_low: f64,
    /// Upper end of the 95 % Wilson interval of `success`.
    pub success_high: f64,
    /// Share of the same episodes solved without.
    pub success_without: f64,
    /// Number of episodes with a command outside the limits of velocity, acceleration or jerk.
    pub outside_limits: usize,
    /// Number of commands with a number that is not finite.
    pub non_finite: u64,
    /// The faults, in the order of the file.
    pub classes: Vec<FaultClass>,
    /// Number of the first evaluation episode.
    pub seed: u64,
}

/// Runs the episodes, each with one of the faults, drawn by its seed, from a moment in its first half that is drawn as well, and
/// each again without. `progress` sees each and may end the evaluation early.
///
/// # Errors
/// [`EvaluateError`]; also without faults, and for faults of a clock, which simulated time does not have.
pub fn evaluate_faults(
    bundle: &Bundle,
    config: &Config,
    options: &Options,
    faults: &Faults,
    clock: &dyn Clock,
    mut progress: impl FnMut(&FaultyEpisode) -> ControlFlow<()>,
) -> Result<FaultEvaluation, EvaluateError> {
    let here = [
        Target::Camera,
        Target::Joints,
        Target::Model,
        Target::Planner,
        Target::Commands,
    ];
    faults.only(&here, "simulated time has one clock, which is always right")?;
    if faults.0.is_empty() {
        return Err(EvaluateError::NoFaults);
    }
    let mut robot = latco_envs::make(&options.task, bundle.manifest().image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let mut faulty = FaultyLoop::new(config, bundle, &Faults::default())?;
    let limits = faulty.controller().robot().limits().clone();
    let length_s = robot.control_period_s() * robot.episode_steps() as f64;
    let mut classes: Vec<FaultClass> = faults.0.iter().map(FaultClass::new).collect();
    let mut evaluation = FaultEvaluation {
        task: options.task.clone(),
        planner: faulty.controller().planner_name().to_owned(),
        seed: options.seed,
        ..FaultEvaluation::default()
    };
    let mut solved = [0; 2];
    for number in 0..u64::from(options.episodes) {
        let seed = latco_envs::EVALUATION_SEED + options.seed + number;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let class = random.random_range(0..faults.0.len());
        let mut fault = faults.0[class].clone();
        fault.from_s = random.random_range(0.0..0.5 * length_s);
        fault.seed = seed;
        faulty.arm(&Faults(Vec::new()));
        let without = run(&mut faulty, robot.as_mut(), seed, None, &limits, clock);
        if let Some(error) = robot.failure() {
            return Err(error.into());
        }
        faulty.arm(&Faults(vec![fault.clone()]));
        let mut episode = run(
            &mut faulty,
            robot.as_mut(),
            seed,
            Some(&fault),
            &limits,
            clock,
        );
        if let Some(error) = robot.failure() {
            return Err(error.into());
        }
        episode.success_without = without.success;
        let is_outside = |e: &FaultyEpisode| e.shares.iter().any(|&s| s > 1.0 + ROUNDING);
        evaluation.outside_limits += usize::from(is_outside(&episode) || is_outside(&without));
        evaluation.non_finite += episode.non_finite + without.non_finite;
        solved[0] += usize::from(episode.success);
        solved[1] += usize::from(without.success);
        evaluation.episodes += 1;
        classes[class].add(&episode);
        if progress(&episode).is_break() {
            break;
        }
    }
    let share = |solved: usize| solved as f64 / evaluation.episodes.max(1) as f64;
    (evaluation.success, evaluation.success_without) = (share(solved[0]), share(solved[1]));
    (evaluation.success_low, evaluation.success_high) =
        wilson_interval(solved[0], evaluation.episodes);
    for class in &mut classes {
        class.success /= class.episodes.max(1) as f64;
        class.success_without /= class.episodes.max(1) as f64;
    }
    evaluation.classes = classes;
    Ok(evaluation)
}

fn run(
    faulty: &mut FaultyLoop,
    robot: &mut dyn Robot,
    seed: u64,
    fault: Option<&Fault>,
    limits: &Limits,
    clock: &dyn Clock,
) -> FaultyEpisode {
    robot.reset(seed);
    faulty.begin(seed);
    let from_s = fault.map_or(f64::INFINITY, |fault| fault.from_s);
    let mut peaks = Peaks::new(robot.actions());
    let mut episode = FaultyEpisode {
        seed,
        fault: fault.map_or("none", |fault| fault.kind.name),
        from_s,
        ..FaultyEpisode::default()
    };
    for _ in 0..robot.episode_steps() {
        for _ in 0..faulty.ticks_per_period() {
            let point = faulty.tick(robot, clock).point;
            peaks.note(point.time, &point.velocities);
            episode.non_finite += u64::from(!point.velocities.iter().all(|v| v.is_finite()));
            let after_s = point
                .time
                .seconds_since(Time::from_seconds(from_s.min(1e6)));
            if after_s < 0.0 {
                continue;
            }
            if let latco_controller::execute::Mode::Stop(reason) = point.mode {
                if episode.stops.last() != Some(&reason.name()) {
                    episode.stops.push(reason.name());
                }
                if point.velocities.iter().all(|&v| v == 0.0) {
                    episode.rest_s.get_or_insert(after_s);
                }
            }
        }
        episode.success |= robot.success();
    }
    episode.struck = faulty.struck().iter().map(|(_, count)| count).sum();
    episode.shares = peaks.shares(limits);
    episode
}

impl FaultClass {
    fn new(fault: &Fault) -> Self {
        Self {
            fault: fault.kind.name.to_owned(),
            amount: fault.amount,
            probability: fault.probability,
            for_s: fault.for_s,
            ..Self::default()
        }
    }

    fn add(&mut self, episode: &FaultyEpisode) {
        self.episodes += 1;
        self.success += f64::from(u8::from(episode.success));
        self.success_without += f64::from(u8::from(episode.success_without));
        if let Some(rest_s) = episode.rest_s {
            self.stopped += 1;
            self.rest_s_max = Some(self.rest_s_max.map_or(rest_s, |most| most.max(rest_s)));
        }
        let mut reasons = episode.stops.clone();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            *self.stops.entry(reason).or_default() += 1;
        }
        let [velocity, acceleration, jerk] = episode.shares;
        self.max_velocity_share = self.max_velocity_share.max(velocity);
        self.max_acceleration_share = self.max_acceleration_share.max(acceleration);
        self.max_jerk_share = self.max_jerk_share.max(jerk);
    }
}
