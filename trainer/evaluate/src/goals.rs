//! Plans to goal pictures: a picture of what the robot itself brought about, some steps after it was reset, is the goal from there.
//!
//! A scripted policy moves the robot from its start; what the camera then shows is the goal. The robot is reset to the same start, a
//! plan is made to the picture and executed without looking again, or the controller is given the picture and moves the robot. The
//! goal so can be reached in the time there is. Judged is by the true state: the places of things, or the joints.

use latco_controller::belief::{GoalEncoder, GoalError};
use latco_controller::model::{FilterModel, OnnxFilter};
use latco_controller::plan::{self, Goal, PlanRequest, PlanSizes, Planner, PriorSteps, Solution};
use latco_controller::time::MonotonicClock;
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock as _, Config, Time};
use latco_envs::{Object, PolicyKind, Robot, undisturbed};
use latco_models::Bundle;
use serde::Serialize;

use crate::{ClosedLoop, EvaluateError, check_fit};

/// How near the robot has to come to what the picture shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judge {
    /// Every thing within this distance in m and this angle in rad of where it was.
    Things(f64, f64),
    /// Every joint within this distance in rad (or m) of where it was.
    Joints(f64),
}

/// Options of the measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalOptions {
    /// Name of the simulated task, or the file of a robot that others made.
    pub task: String,
    /// Control periods from the start to the goal.
    pub steps: u32,
    /// Number of episodes that do not begin at their goal.
    pub episodes: u32,
    /// Episode k has the robot's seed [`latco_envs::EVALUATION_SEED`]` + seed + k`.
    pub seed: u64,
    /// Whether the controller looks at every image, in twice the steps, instead of one plan that is executed without looking.
    pub closed_loop: bool,
    /// Whether the planner is told where the joints are in the picture.
    pub joints_are_told: bool,
    /// What is a success.
    pub judge: Judge,
}

/// One episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GoalEpisode {
    /// Seed of the robot.
    pub seed: u64,
    /// Whether the robot ended at the goal.
    pub solved: bool,
    /// Largest distance of a thing from where it was in the picture, m, at the start and at the end; 0 without things.
    pub place_error_m: [f64; 2],
    /// Largest angle between a thing and how it lay in the picture, rad, at the start and at the end.
    pub angle_error_rad: [f64; 2],
    /// Largest distance of a joint from where it stood in the picture, rad, at the start and at the end.
    pub joint_error_rad: [f64; 2],
    /// Largest distance of a joint from where the model saw it in the picture, rad; 0 where it was told.
    pub seen_error_rad: f64,
    /// The model's distance ([`Goal::distance`]) from the belief of the start to the goal's, and from the belief of a picture of the end.
    pub distance: [f32; 2],
    /// The distance of the state that the model says the plan's actions lead to; NaN in a closed loop.
    pub planned_distance: f32,
    /// Time of the plan in s, or of the slowest one.
    pub plan_s: f64,
}

/// The results of all episodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalEvaluation {
    /// Name of the planner.
    pub planner: &'static str,
    /// Control periods from the start to the goal.
    pub steps: u32,
    /// Every episode that did not begin at its goal.
    pub episodes: Vec<GoalEpisode>,
    /// Number of those that began at their goal and were left out.
    pub solved_at_start: u32,
}

impl GoalEvaluation {
    /// Number of solved episodes.
    #[must_use]
    pub fn solved(&self) -> usize {
        self.episodes.iter().filter(|e| e.solved).count()
    }
}

/// The true state of a robot.
struct Truth {
    joints: Vec<f64>,
    things: Vec<Object>,
}

impl Truth {
    fn of(robot: &dyn Robot) -> Self {
        Self {
            joints: robot.positions().to_vec(),
            things: robot.objects(),
        }
    }

    /// Largest differences of place, angle and joint.
    fn errors(&self, goal: &Self) -> [f64; 3] {
        let things = || self.things.iter().zip(&goal.things);
        let places =
            things().map(|(a, b)| (a.place[0] - b.place[0]).hypot(a.place[1] - b.place[1]));
        let angles = things().filter_map(|(a, b)| {
            let turned = a.angle_rad? - b.angle_rad?;
            Some(turned.sin().atan2(turned.cos()).abs())
        });
        let joints = self
            .joints
            .iter()
            .zip(&goal.joints)
            .map(|(a, b)| (a - b).abs());
        [
            places.fold(0.0, f64::max),
            angles.fold(0.0, f64::max),
            joints.fold(0.0, f64::max),
        ]
    }
}

impl Judge {
    fn is_solved(self, [place, angle, joint]: [f64; 3]) -> bool {
        match self {
            Self::Things(most_m, most_rad) => place <= most_m && angle <= most_rad,
            Self::Joints(most) => joint <= most,
        }
    }
}

/// What plans and moves the robot to a goal.
enum Mover {
    /// One plan of as many steps as the goal is away.
    Plan(
        Box<dyn Planner>,
        Box<PlanTrace>,
        PlanSizes,
        Box<OnnxFilter>,
        Box<PriorSteps>,
    ),
    /// The controller, at every image.
    Loop(Box<ClosedLoop>),
}

/// Plans to goal pictures with the configured planner; `progress` sees each episode.
///
/// # Errors
/// [`EvaluateError`].
pub fn evaluate_goals(
    bundle: &Bundle,
    config: &Config,
    options: &GoalOptions,
    mut progress: impl FnMut(&GoalEpisode) -> std::ops::ControlFlow<()>,
) -> Result<GoalEvaluation, EvaluateError> {
    latco_baselines::add();
    let mut robot = latco_envs::make(&options.task, bundle.manifest().image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let mut config = config.clone();
    config.goal.image = None;
    if config.goal.weight == 0.0 {
        config.goal.weight = 1.0;
    }
    let horizon = bundle.manifest().dims.horizon;
    let steps = options.steps as usize;
    // Rewards are rolled out over the bundle's own horizon alone.
    if !options.closed_loop && (steps > horizon || (steps < horizon && config.goal.weight < 1.0)) {
        return Err(EvaluateError::GoalSteps { steps, horizon });
    }
    let mut encoder = GoalEncoder::new(bundle)?;
    let mut mover = mover(bundle, &config, options)?;
    let planner = match &mover {
        Mover::Plan(planner, ..) => planner.name(),
        Mover::Loop(closed_loop) => closed_loop.planner_name(),
    };
    let mut found = GoalEvaluation {
        planner,
        steps: options.steps,
        episodes: Vec::new(),
        solved_at_start: 0,
    };
    let mut seed = latco_envs::EVALUATION_SEED + options.seed;
    while found.episodes.len() < options.episodes as usize {
        let episode = undisturbed(robot.as_mut(), |robot| {
            episode(robot, seed, &mut encoder, &mut mover, &config, options)
        })??;
        match episode {
            Some(episode) => {
                let flow = progress(&episode);
                found.episodes.push(episode);
                if flow.is_break() {
                    break;
                }
            }
            None => found.solved_at_start += 1,
        }
        seed += 1;
    }
    Ok(found)
}

fn mover(bundle: &Bundle, config: &Config, options: &GoalOptions) -> Result<Mover, EvaluateError> {
    if options.closed_loop {
        return Ok(Mover::Loop(Box::new(ClosedLoop::new(config, bundle)?)));
    }
    let sizes = PlanSizes {
        horizon: options.steps as usize,
        lead: 0,
        ..PlanSizes::new(config, bundle.manifest())
    };
    let filter = OnnxFilter::new(bundle).map_err(latco_controller::SetupError::from)?;
    let planner = plan::make(config, bundle, &sizes)?;
    let trace = Box::new(PlanTrace::new(config));
    let prior = PriorSteps::new(bundle, &sizes).map_err(latco_controller::SetupError::from)?;
    Ok(Mover::Plan(
        planner,
        trace,
        sizes,
        Box::new(filter),
        Box::new(prior),
    ))
}

/// One episode; `None` where it begins at its goal.
fn episode(
    robot: &mut dyn Robot,
    seed: u64,
    encoder: &mut GoalEncoder,
    mover: &mut Mover,
    config: &Config,
    options: &GoalOptions,
) -> Result<Option<GoalEpisode>, EvaluateError> {
    let size = robot.image_size();
    let mut picture = vec![0; size * size * 3];
    let mut joints = vec![0.0; 2 * robot.joints()];
    let mut action = vec![0.0; robot.joints()];

    robot.reset(seed);
    let mut policy = PolicyKind::Waypoints.make();
    policy.begin(robot, seed);
    for _ in 0..options.steps {
        policy.act(robot, &mut action);
        robot.step(&action);
    }
    robot.render(&mut picture);
    robot.write_joints(&mut joints);
    let at_goal = Truth::of(robot);
    let positions = joints[..robot.joints()].to_vec();
    let goal = encoder.encode(&picture, options.joints_are_told.then_some(&*positions))?;
    let missed =
        (goal.positions.iter().zip(&positions)).map(|(seen, truth)| f64::from(seen - truth).abs());
    let seen_error = missed.fold(0.0, f64::max);
    let goal = Goal {
        belief: goal.belief,
        weight: config.goal.weight as f32,
    };

    robot.reset(seed);
    let before = Truth::of(robot).errors(&at_goal);
    if options.judge.is_solved(before) {
        return Ok(None);
    }
    robot.render(&mut picture);
    robot.write_joints(&mut joints);
    let mut found = GoalEpisode {
        seed,
        planned_distance: f32::NAN,
        seen_error_rad: seen_error,
        ..GoalEpisode::default()
    };
    let start = encoder.encode(&picture, Some(&joints[..positions.len()]))?;
    found.distance[0] = goal.distance(&start.belief);
    let clock = MonotonicClock::starting_at(Time(0));
    match mover {
        Mover::Plan(planner, trace, sizes, filter, prior) => {
            let mut belief = vec![0.0; sizes.state];
            let nothing = vec![0.0; sizes.state.max(sizes.action)];
            let (state, action) = (&nothing[..sizes.state], &nothing[..sizes.action]);
            filter.observe(&picture, &joints, state, action, &mut belief)?;
            planner.reset(config.planner.seed.wrapping_add(seed));
            let began = clock.now();
            let request = PlanRequest {
                state: &belief,
                elapsed_periods: None,
                constraints: None,
                goal: Some(&goal),
                deadline: (config.planner.budget_ms)
                    .map(|ms| began + latco_controller::time::span(ms * 1e-3)),
                replay: None,
            };
            let mut solution = Solution::new(sizes);
            planner.plan(&request, &clock, &mut solution, trace);
            found.plan_s = clock.now().seconds_since(began);
            found.planned_distance = goal.distance(&prior.end(&solution)?);
            for action in solution.actions.chunks_exact(sizes.action) {
                robot.step(action);
            }
        }
        Mover::Loop(closed_loop) => {
            closed_loop.begin(seed);
            closed_loop.set_goal(&goal.belief);
            for _ in 0..2 * options.steps {
                let report = closed_loop.period(robot, &clock);
                found.plan_s = found.plan_s.max(report.tick.plan_time.as_secs_f64());
            }
        }
    }
    let after = Truth::of(robot).errors(&at_goal);
    robot.render(&mut picture);
    robot.write_joints(&mut joints);
    let end = encoder.encode(&picture, Some(&joints[..positions.len()]))?;
    found.distance[1] = goal.distance(&end.belief);
    found.solved = options.judge.is_solved(after);
    found.place_error_m = [before[0], after[0]];
    found.angle_error_rad = [before[1], after[1]];
    found.joint_error_rad = [before[2], after[2]];
    Ok(Some(found))
}

impl From<GoalError> for EvaluateError {
    fn from(error: GoalError) -> Self {
        Self::Goal(error.to_string())
    }
}
