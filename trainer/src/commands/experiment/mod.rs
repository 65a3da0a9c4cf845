//! `latco-train experiment`: the tables and figures of the paper, resumable and in parts.

mod common;
mod error;
mod figures;
mod online;
mod parts;
mod tables;
mod warm_start;

use std::process::ExitCode;

use clap::Subcommand;
use latco_experiments::tables::Table;

/// Arguments of `latco-train experiment`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
    /// Planners on tasks (table 1 of the paper).
    Table1(tables::Args),
    /// Planners on models of offline data, then improved online (table 2).
    Table2(online::Table2Args),
    /// LatCo without one of its parts each (table 3).
    Table3(tables::Args),
    /// Success by how far from solved an episode begins (figure 4).
    Difficulty(tables::Args),
    /// Which goal of the Lottery each planner chooses (figure 7).
    Lottery(tables::Args),
    /// Dynamics violation, reward and multipliers by iteration (figures 6 and 11).
    Curves(figures::CurvesArgs),
    /// Success by environment steps of online runs (figures 8 to 10).
    LearningCurves(online::LearningArgs),
    /// Plans along the iterations as pictures, and what became of them (figures 1 and 5).
    FilmStrip(figures::FilmArgs),
    /// Predicted and true reward by place (figure 12).
    RewardMap(figures::MapArgs),
    /// What a plan should take over from the one before it, over iteration budgets.
    WarmStart(warm_start::Args),
}

/// The experiment.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Table1(args) => tables::run(Table::Planners, args),
        Experiment::Table2(args) => online::table2(args),
        Experiment::Table3(args) => tables::run(Table::Ablations, args),
        Experiment::Difficulty(args) => tables::run(Table::Difficulty, args),
        Experiment::Lottery(args) => tables::run(Table::Lottery, args),
        Experiment::Curves(args) => figures::curves(args),
        Experiment::LearningCurves(args) => online::learning_curves(args),
        Experiment::FilmStrip(args) => figures::film_strip(args),
        Experiment::RewardMap(args) => figures::reward_map(args),
        Experiment::WarmStart(args) => warm_start::run(args),
    }
}
