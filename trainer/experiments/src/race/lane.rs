//! One lane of a race: an episode of one planner.

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_envs::Robot;
use latco_evaluate::{ClosedLoop, ThreadClock, percentile};
use latco_models::Bundle;
use latco_pictures::Frame;
use serde::Serialize;

use crate::{ExperimentError, rows};

/// How one planner did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// Name of the planner.
    pub planner: &'static str,
    /// What a plan may spend, in words.
    pub budget: String,
    /// Whether the task was solved after any step.
    pub solved: bool,
    /// Simulated time from the start to the first step after which it was solved, s.
    pub solved_after_s: Option<f64>,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Mean predicted return of the plans whose whole horizon lies within the episode; none if no plan does.
    pub promised: Option<f64>,
    /// Mean sum of the rewards in the steps that these plans were about.
    pub got: Option<f64>,
    /// Median CPU time of a plan, ms.
    pub plan_ms_p50: f64,
    /// 99th percentile of the CPU time of a plan, ms.
    pub plan_ms_p99: f64,
    /// Median iterations of a plan.
    pub iterations_median: f64,
}

/// What was seen of one planner.
#[derive(Default)]
pub(super) struct Run {
    /// The camera's image before each step.
    pub(super) frames: Vec<Frame>,
    /// The reward after each step.
    pub(super) rewards: Vec<f64>,
    /// Whether the task was solved after each step.
    pub(super) solved: Vec<bool>,
    /// The plan that was made before each step, if one was.
    pub(super) plans: Vec<Option<Planned>>,
}

/// One plan of a lane.
pub(super) struct Planned {
    /// Imagined states `[L + 1, n]`, the first of them that of the camera's image.
    pub(super) states: Vec<f32>,
    /// Steps that were committed before the plan's own.
    pub(super) lead: usize,
    pub(super) promised: f64,
    pub(super) ms: f64,
    pub(super) iterations: f64,
}

/// Runs one episode and keeps what was seen and imagined.
pub(super) fn drive(
    closed_loop: &mut ClosedLoop,
    robot: &mut dyn Robot,
    seed: u64,
) -> Result<Run, ExperimentError> {
    let side = robot.image_size();
    robot.reset(seed);
    closed_loop.begin(seed);
    let mut run = Run::default();
    for _ in 0..robot.episode_steps() {
        if robot.failure().is_some() {
            break;
        }
        let report = closed_loop.period(robot, &ThreadClock);
        let pixels = closed_loop.pixels().to_vec();
        run.frames.push(Frame::new(side, side, pixels)?);
        let plan = closed_loop.plan();
        run.plans.push(report.tick.plan.map(|made| Planned {
            states: plan.states.clone(),
            lead: plan.lead(),
            promised: f64::from(made.predicted_return),
            ms: report.tick.plan_time.as_secs_f64() * 1e3,
            iterations: f64::from(made.iterations),
        }));
        run.rewards.push(robot.reward());
        run.solved.push(robot.success());
    }
    Ok(run)
}

impl Run {
    /// Its figures.
    pub(super) fn lane(&self, kind: PlannerKind, config: &Config, bundle: &Bundle) -> Lane {
        let manifest = bundle.manifest();
        let solved = self.solved.iter().position(|solved| *solved);
        let (mut promised, mut got) = (Vec::new(), Vec::new());
        for (step, plan) in self.plans.iter().enumerate() {
            let Some(plan) = plan else { continue };
            let begin = step + plan.lead;
            if let Some(rewards) = self.rewards.get(begin..begin + manifest.dims.horizon) {
                promised.push(plan.promised);
                got.push(rewards.iter().sum::<f64>());
            }
        }
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let plans = || self.plans.iter().flatten();
        let mut ms: Vec<f64> = plans().map(|plan| plan.ms).collect();
        let mut iterations: Vec<f64> = plans().map(|plan| plan.iterations).collect();
        Lane {
            planner: kind.name(),
            budget: rows::budget(config),
            solved: solved.is_some(),
            solved_after_s: solved.map(|step| (step + 1) as f64 * manifest.control_period_s),
            episode_return: self.rewards.iter().sum(),
            promised: mean(&promised),
            got: mean(&got),
            plan_ms_p50: percentile(&mut ms, 0.5),
            plan_ms_p99: percentile(&mut ms, 0.99),
            iterations_median: percentile(&mut iterations, 0.5),
        }
    }
}
