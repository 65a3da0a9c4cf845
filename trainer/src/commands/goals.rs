//! `latco-train goals`: plans to goal pictures on the simulated robot, in process.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::config::PlannerKind;
use latco_evaluate::{
    GoalEpisode, GoalEvaluation, GoalOptions, Judge, evaluate_goals, wilson_interval,
};
use latco_experiments::table::{Table, count, fixed, interval, text};
use latco_trainer::progress::Progress;

use super::bundles::load;
use super::shell::{OrBadInput, configuration, go_on, print, print_json, stop_flag};

/// Arguments of `latco-train goals`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the model bundle.
    #[arg(long)]
    bundle: PathBuf,
    /// Simulated task, or the TOML file of a robot that others made (docs/simulators.md).
    #[arg(long)]
    task: String,
    /// Planners, separated by commas; by default that of the configuration.
    #[arg(long, value_delimiter = ',')]
    planner: Vec<PlannerKind>,
    /// Control periods from the start to the goal, separated by commas: a table's row each.
    #[arg(long, value_delimiter = ',', default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: Vec<u32>,
    /// Robot configuration with the planner's parameters; by default the built-in ones.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Iterations of a plan; by default the configuration's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: Option<u32>,
    /// Episodes of each planner and number of steps; those that begin at their goal are left out.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    /// Number of the first evaluation episode, and seed of the planner.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Look at every image and plan again, in twice the steps, instead of one plan that is executed without looking.
    #[arg(long)]
    closed_loop: bool,
    /// Tell the planner where the joints are in the picture.
    #[arg(long)]
    joints_told: bool,
    /// A success has every thing within this distance, m, of where the picture shows it.
    #[arg(long, default_value_t = 0.04)]
    within_m: f64,
    /// And turned by no more than this, degrees.
    #[arg(long, default_value_t = 20.0)]
    within_deg: f64,
    /// A success has every joint within this distance, rad or m, of where it was, wherever things are.
    #[arg(long, conflicts_with_all = ["within_m", "within_deg"])]
    joints_within: Option<f64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Plans to goal pictures.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let bundle = load(&args.bundle)?;
    let mut config = configuration(args.config.as_deref())?;
    config.planner.seed = args.seed;
    if let Some(iterations) = args.iterations {
        let latco = &mut config.planner.latco;
        (latco.iterations_cold, latco.iterations_warm) = (iterations, iterations);
        config.planner.cem.iterations = iterations;
    }
    let planners = match &args.planner[..] {
        [] => vec![config.planner.kind],
        planners => planners.to_vec(),
    };
    let judge = match args.joints_within {
        Some(most) => Judge::Joints(most),
        None => Judge::Things(args.within_m, args.within_deg.to_radians()),
    };
    let stop = stop_flag()?;
    let cells = planners.len() * args.steps.len();
    let mut progress = Progress::new("episodes", cells as u64 * u64::from(args.episodes));
    let mut found = Vec::new();
    for &steps in &args.steps {
        for &kind in &planners {
            config.planner.kind = kind;
            let options = GoalOptions {
                task: args.task.clone(),
                steps,
                episodes: args.episodes,
                seed: args.seed,
                closed_loop: args.closed_loop,
                joints_are_told: args.joints_told,
                judge,
            };
            let cell = evaluate_goals(&bundle, &config, &options, |_| {
                progress.advance(1, &format!("{kind}, {steps} steps"));
                go_on(&stop)
            })
            .or_bad_input()?;
            found.push(cell);
        }
    }
    progress.finish();
    if args.json {
        print_json(&serde_json::json!({
            "bundle": args.bundle,
            "task": args.task,
            "closed_loop": args.closed_loop,
            "joints_told": args.joints_told,
            "seed": args.seed,
            "cells": found,
        }));
    } else {
        print(&table().markdown(&found));
    }
    Ok(ExitCode::SUCCESS)
}

fn mean(cell: &GoalEvaluation, value: impl Fn(&GoalEpisode) -> f64) -> f64 {
    let sum: f64 = cell.episodes.iter().map(value).sum();
    sum / cell.episodes.len().max(1) as f64
}

fn table<'a>() -> Table<'a, &'a GoalEvaluation> {
    let degrees = |rad: f64| rad.to_degrees();
    Table::new()
        .column("", "steps", |c: &&'a GoalEvaluation| {
            count(c.steps as usize)
        })
        .column("", "planner", |c| text(c.planner))
        .column("", "episodes", |c| count(c.episodes.len()))
        .column("", "at the goal from the start", |c| {
            count(c.solved_at_start as usize)
        })
        .column("", "solved (95 %)", |c| {
            let (solved, all) = (c.solved(), c.episodes.len());
            let (low, high) = wilson_interval(solved, all);
            interval([solved as f64 / all.max(1) as f64, low, high])
        })
        .column("", "things off, m (before)", |c| {
            let [before, after] = [0, 1].map(|at| fixed(mean(c, |e| e.place_error_m[at]), 3));
            after.with(before)
        })
        .column("", "turned, degrees (before)", move |c| {
            let turned = |at: usize| fixed(degrees(mean(c, |e| e.angle_error_rad[at])), 1);
            turned(1).with(turned(0))
        })
        .column("", "joints off, rad (before)", |c| {
            let [before, after] = [0, 1].map(|at| fixed(mean(c, |e| e.joint_error_rad[at]), 3));
            after.with(before)
        })
        .column("", "joints seen wrong, rad", |c| {
            fixed(mean(c, |e| e.seen_error_rad), 3)
        })
        .column("", "model's distance (before)", |c| {
            let [before, after] = [0, 1].map(|at| fixed(mean(c, |e| e.distance[at].into()), 3));
            after.with(before)
        })
        .column("", "planned", |c| {
            fixed(mean(c, |e| e.planned_distance.into()), 3)
        })
        .column("", "s a plan", |c| fixed(mean(c, |e| e.plan_s), 3))
}
