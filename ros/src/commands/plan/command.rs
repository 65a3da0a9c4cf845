//! `latco plan`: one plan, from a simulated robot or a bag.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use latco_controller::config::PlannerKind;
use latco_controller::plan::{
    self, DumpHeader, PlanRequest, PlanSizes, PriorSteps, Solution, write_dump,
};
use latco_controller::time::MonotonicClock;
use latco_controller::trace::{IterationTrace, PlanTrace};
use latco_controller::{Clock, Config, Time};
use latco_models::Bundle;

#[cfg(feature = "sim")]
use super::film;
#[cfg(feature = "sim")]
use super::simulated::Simulated;
use super::source::{Bag, Source};
use super::table::{GoalRow, Table};
use crate::commands::failure::Failure;
use crate::commands::output::{print_json, print_line};
use crate::commands::provider::ProviderArgs;
#[cfg(not(feature = "sim"))]
use crate::commands::without_sim::needs_sim;
use crate::goal::GoalPictures;

/// Make one plan: table, curves, film strip
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["task", "bag"])))]
pub(crate) struct Plan {
    /// Folder of the bundle
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Plan for this simulated robot, or that of a TOML file (docs/simulators.md), from its first image
    #[arg(long)]
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
    /// Picture (PNG, JPEG) of what the plan shall end in
    #[arg(long, value_name = "FILE")]
    goal_image: Option<PathBuf>,
    /// Positions of the joints in the goal picture, rad [default: where the model sees them]
    #[arg(
        long,
        value_name = "RAD,..",
        requires = "goal_image",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    goal_joints: Option<Vec<f32>>,
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

impl Plan {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut config = self.config().map_err(Failure::usage)?;
        let load = self.provider.load_options();
        let bundle = Bundle::load(&self.bundle, &load).map_err(Failure::usage)?;
        // The plan begins where the image was taken.
        config.control.lead_periods = 0;
        config.validate().map_err(Failure::usage)?;

        let mut source = self.source(&bundle)?;
        let situation = source.situation(&config, &bundle).map_err(Failure::usage)?;

        let sizes = PlanSizes::new(&config, bundle.manifest());
        let goal = match &config.goal.image {
            Some(file) => {
                let mut pictures = GoalPictures::new(&bundle).map_err(Failure::usage)?;
                let positions = self.goal_joints.as_deref();
                let goal = pictures.belief_of_file(file.as_ref(), positions);
                Some(goal.map_err(Failure::usage)?)
            }
            None => None,
        };
        let of_plan = goal.as_ref().map(|goal| plan::Goal {
            belief: goal.belief[..sizes.goal].to_vec(),
            weight: config.goal.weight as f32,
        });
        let mut planner = plan::make(&config, &bundle, &sizes).map_err(Failure::failed)?;
        let mut solution = Solution::new(&sizes);
        let mut trace = PlanTrace::new(&config);
        let clock = MonotonicClock::starting_at(Time(0));
        let began = clock.now();
        let budget = self
            .budget_ms
            .map(|ms| began + latco_controller::time::span(ms * 1e-3));
        let request = PlanRequest {
            state: &situation.belief,
            elapsed_periods: None,
            constraints: None,
            goal: of_plan.as_ref(),
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
        let executed = source.execute(&solution, sizes.action);
        #[cfg(feature = "sim")]
        film::draw(
            &self.out,
            &bundle,
            &film::Drawn {
                situation: &situation,
                solution: &solution,
                iterations: trace.iterations(),
                report: &report,
                plan_ms,
                executed: executed.as_ref(),
                bag: self.bag.as_deref(),
            },
        )
        .map_err(Failure::failed)?;
        let goal_row = match (&of_plan, goal) {
            (Some(of_plan), Some(goal)) => {
                let mut prior = PriorSteps::new(&bundle, &sizes).map_err(Failure::failed)?;
                let end = prior.end(&solution).map_err(Failure::failed)?;
                Some(GoalRow {
                    distance: of_plan.distance(&situation.belief),
                    distance_at_end: of_plan.distance(&end),
                    joints: goal.positions,
                    picture_error: goal.picture_error,
                })
            }
            _ => None,
        };
        let candidates = planner.candidates();
        // Only plans of states have multipliers of the dynamics.
        let of_executed = |line: &&IterationTrace| {
            line.start == report.best_plan && line.dynamics_multiplier_max > 0.0
        };
        let last = trace.iterations().iter().rfind(of_executed);
        let table = Table {
            bundle: self.bundle,
            task: self.task,
            bag: self.bag,
            planner: planner.name(),
            images: situation.images,
            plan_ms,
            executed_candidate: report.executed_candidate(),
            violation_max: last.map(|line| line.dynamics_violation_max),
            violation_mean: last.map(|line| line.dynamics_violation_mean),
            iterates_best_return: candidates.iterates,
            sampled_best_return: candidates.sampled,
            report,
            goal: goal_row,
            predicted_rewards: solution.rewards,
            true_return: executed.as_ref().map(|e| e.rewards.iter().sum()),
            solved_at_step: executed.as_ref().and_then(|e| e.solved_at),
            true_rewards: executed.map(|e| e.rewards),
            output_dir: cfg!(feature = "sim").then_some(self.out),
        };
        if self.json {
            print_json(&table)
        } else {
            print_line(&table.text())
        }
    }

    fn source(&self, bundle: &Bundle) -> Result<Box<dyn Source>, Failure> {
        match (&self.task, &self.bag) {
            (None, Some(path)) => Ok(Box::new(Bag {
                path: path.clone(),
                at_s: self.at.unwrap_or_default(),
            })),
            (Some(task), _) => simulated(task, self.seed, bundle),
            (None, None) => Err(Failure::usage(anyhow::anyhow!("expected --task or --bag"))),
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
        if let Some(file) = &self.goal_image {
            config.goal.image = Some(file.to_string_lossy().into_owned());
            if config.goal.weight == 0.0 {
                config.goal.weight = 1.0;
            }
        }
        config.planner.seed = self.seed;
        config.planner.budget_ms = self.budget_ms;
        if let Some(iterations) = self.iterations {
            let latco = &mut config.planner.latco;
            (latco.iterations_cold, latco.iterations_warm) = (iterations, iterations);
            config.planner.cem.iterations = iterations;
        }
        Ok(config)
    }
}

#[cfg(feature = "sim")]
fn simulated(task: &str, episode: u64, bundle: &Bundle) -> Result<Box<dyn Source>, Failure> {
    let robot = Simulated::new(task, bundle, episode).map_err(Failure::usage)?;
    Ok(Box::new(robot))
}

#[cfg(not(feature = "sim"))]
fn simulated(_task: &str, _episode: u64, _bundle: &Bundle) -> Result<Box<dyn Source>, Failure> {
    Err(needs_sim("latco plan --task"))
}
