//! `latco plan`: one plan, from a simulated robot or a bag.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use latco_controller::config::PlannerKind;
use latco_controller::plan::{
    self, DumpHeader, PlanReport, PlanRequest, PlanSizes, Solution, write_dump,
};
use latco_controller::time::MonotonicClock;
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock, Config, Time};
use latco_models::Bundle;
use latco_pictures::Frame;

use super::failure::Failure;
use super::output::{print_json, print_line};
use super::plan_table::Table;
use super::provider::ProviderArgs;
use crate::pictures::{self, Film};
use crate::situation::{self, Situation};

/// The film strip and the curves in the output folder.
const FILM: &str = "film_strip.png";
const CURVES: &str = "plan_curves.png";

/// Make one plan: table, curves, film strip
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["task", "bag"])))]
pub(super) struct Plan {
    /// Folder of the bundle
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Plan for this simulated robot, from its first image
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(latco_envs::TASKS))]
    task: Option<String>,
    /// Evaluation episode of the simulated robot, and seed of the planner
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Plan from the images of this bag
    #[arg(long, value_name = "BAG", requires = "at")]
    bag: Option<PathBuf>,
    /// Seconds from the bag's first image to the plan
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "bag",
        allow_negative_numbers = true
    )]
    at: Option<f64>,
    /// Configuration with the planner's settings [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Planner [default: the configuration's]
    #[arg(long)]
    planner: Option<PlannerKind>,
    /// Iterations
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: Option<u32>,
    /// Time for the plan, ms [default: the iterations alone decide]
    #[arg(long)]
    budget_ms: Option<f64>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Folder of the pictures
    #[arg(long, value_name = "DIR", default_value = "plan-output")]
    out: PathBuf,
    /// Write the planning problem to this file, for latco solve (LatCo only)
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// A plan, and what it was made from.
struct Made {
    situation: Situation,
    solution: Solution,
    trace: PlanTrace,
    report: PlanReport,
    plan_ms: f64,
    executed: Option<Executed>,
}

/// What happened when the plan was executed.
#[derive(Default)]
struct Executed {
    /// Camera images, one more than steps.
    frames: Vec<Frame>,
    rewards: Vec<f64>,
    solved_at: Option<usize>,
}

impl Plan {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut config = self.config().map_err(Failure::usage)?;
        let load = self.provider.load_options();
        let bundle = Bundle::load(&self.bundle, &load).map_err(Failure::usage)?;
        // The plan begins where the image was taken.
        config.control.lead_periods = 0;
        config.validate().map_err(Failure::usage)?;

        let side = bundle.manifest().image.width;
        let mut robot = match &self.task {
            Some(task) => {
                let mut robot = latco_envs::make(task, side).map_err(Failure::usage)?;
                robot.reset(latco_envs::EVALUATION_SEED.wrapping_add(self.seed));
                Some(robot)
            }
            None => None,
        };
        let situation = match (&robot, &self.bag) {
            (Some(robot), _) => situation::of_robot(&config, &bundle, robot.as_ref()),
            (None, Some(bag)) => {
                situation::of_bag(&config, &bundle, bag, self.at.unwrap_or_default())
            }
            (None, None) => Err(anyhow::anyhow!("expected --task or --bag")),
        }
        .map_err(Failure::usage)?;

        let sizes = PlanSizes::new(&config, bundle.manifest());
        let mut planner = plan::make(&config, &bundle, &sizes).map_err(Failure::failed)?;
        let mut solution = Solution::new(&sizes);
        let mut trace = PlanTrace::with_capacity(config.trace.iterations as usize);
        let clock = MonotonicClock::starting_at(Time(0));
        let began = clock.now();
        let budget = self
            .budget_ms
            .map(|ms| began + std::time::Duration::from_secs_f64(ms * 1e-3));
        let request = PlanRequest {
            state: &situation.belief,
            elapsed_periods: None,
            deadline: budget,
            replay: None,
        };
        let report = planner.plan(&request, &clock, &mut solution, &mut trace);
        let plan_ms = clock.now().seconds_since(began) * 1e3;

        if let Some(file) = &self.dump {
            let problem = planner.problem().context("this planner keeps no problem");
            let header = DumpHeader::new(&config, &bundle);
            write_dump(file, &header, problem.map_err(Failure::usage)?).map_err(Failure::failed)?;
        }
        let executed = match &mut robot {
            Some(robot) => Some(execute(robot.as_mut(), &solution, sizes.action)?),
            None => None,
        };
        let made = Made {
            situation,
            solution,
            trace,
            report,
            plan_ms,
            executed,
        };
        self.draw(&bundle, &made).map_err(Failure::failed)?;
        let table = self.table(planner.name(), made);
        if self.json {
            print_json(&table)
        } else {
            print_line(&table.text())
        }
    }

    fn table(&self, planner: &'static str, made: Made) -> Table {
        let executed = made.executed;
        Table {
            bundle: self.bundle.clone(),
            task: self.task.clone(),
            bag: self.bag.clone(),
            planner,
            images: made.situation.images,
            plan_ms: made.plan_ms,
            report: made.report,
            predicted_rewards: made.solution.rewards,
            true_return: executed.as_ref().map(|e| e.rewards.iter().sum()),
            solved_at_step: executed.as_ref().and_then(|e| e.solved_at),
            true_rewards: executed.map(|e| e.rewards),
            output_dir: self.out.clone(),
        }
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(file) => Config::load(file)?,
            None => Config::default(),
        };
        config.bundle.path = self.bundle.to_string_lossy().into_owned();
        if let Some(kind) = self.planner {
            config.planner.kind = kind;
        }
        config.planner.seed = self.seed;
        config.planner.budget_ms = self.budget_ms;
        let latco = &mut config.planner.latco;
        if let Some(iterations) = self.iterations {
            (latco.iterations_cold, latco.iterations_warm) = (iterations, iterations);
            let gaussian = &mut config.planner.gaussian_latco;
            (gaussian.iterations_cold, gaussian.iterations_warm) = (iterations, iterations);
            config.planner.cem.iterations = iterations;
            config.planner.mppi.iterations = iterations;
            config.planner.shooting_gd.iterations_cold = iterations;
            config.planner.shooting_gn.iterations_cold = iterations;
            config.planner.ilqr.iterations_cold = iterations;
        }
        // All of them are drawn.
        let lines = latco
            .iterations_cold
            .saturating_mul(latco.starts)
            .clamp(1, 100_000);
        config.trace.iterations = config.trace.iterations.max(lines);
        Ok(config)
    }

    fn draw(&self, bundle: &Bundle, made: &Made) -> anyhow::Result<()> {
        let (report, solution) = (&made.report, &made.solution);
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("output folder {}", self.out.display()))?;
        let title = format!(
            "one plan: {} iterations in {:.0} ms, predicted return {:.2}",
            report.iterations, made.plan_ms, report.predicted_return
        );
        let curves = self.out.join(CURVES);
        if made.trace.iterations().is_empty() {
            remove(&curves)?;
        } else {
            pictures::curves(&curves, &title, made.trace.iterations(), report.best_plan)?;
        }
        let steps = pictures::columns(solution.rewards.len());
        let period_s = bundle.manifest().control_period_s;
        let executed = match (&made.executed, &self.bag) {
            (Some(executed), _) => (steps.iter())
                .map(|&step| executed.frames[step].clone())
                .collect(),
            (None, Some(bag)) => {
                let period_ns = period_s * 1e9;
                let due: Vec<i64> = (steps.iter())
                    .map(|&step| made.situation.stamp.0 + (step as f64 * period_ns) as i64)
                    .collect();
                let frames =
                    pictures::recorded_frames(bundle, bag, &due, (period_ns / 2.0) as i64)?;
                frames.into_iter().map_while(|frame| frame).collect()
            }
            (None, None) => Vec::new(),
        };
        Film {
            title: &title,
            camera: vec![made.situation.frame.clone()],
            imagined: pictures::imagine(bundle, &solution.states, &steps)?,
            executed,
            steps: &steps,
            period_s,
        }
        .save(&self.out.join(FILM))
    }
}

/// Moves the simulated robot by the plan's actions, open loop.
fn execute(
    robot: &mut dyn latco_envs::Robot,
    solution: &Solution,
    action_size: usize,
) -> Result<Executed, Failure> {
    let side = robot.image_size();
    let mut executed = Executed::default();
    let look = |robot: &dyn latco_envs::Robot| {
        let mut pixels = vec![0; side * side * 3];
        robot.render(&mut pixels);
        Frame::new(side, side, pixels).map_err(Failure::failed)
    };
    executed.frames.push(look(robot)?);
    for (step, action) in solution.actions.chunks_exact(action_size).enumerate() {
        robot.step(action);
        executed.frames.push(look(robot)?);
        executed.rewards.push(robot.reward());
        if robot.success() && executed.solved_at.is_none() {
            executed.solved_at = Some(step + 1);
        }
    }
    Ok(executed)
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}
