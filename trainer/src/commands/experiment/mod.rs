//! `latco-train experiment`: the tables and figures of the paper, resumable and in parts.

mod cells;
mod learning;
mod table2;
mod training;

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Subcommand;
use latco_experiments::figures::{film, optimisation, reward_map};
use latco_experiments::options::Common;
use latco_experiments::{ExperimentError, Progress, race, tables};

use cells::{Shown, as_usage_error, print, run_cells};

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
    Table2(table2::Args),
    /// LatCo without one of its parts each (table 3).
    Table3(tables::Args),
    /// Planners from the same sampled candidates, and without them.
    Candidates(tables::Args),
    /// Success by how far from solved an episode begins (figure 4).
    Difficulty(tables::Args),
    /// Which goal of the Lottery each planner chooses (figure 7).
    Lottery(tables::Args),
    /// Dynamics violation, reward and multipliers by iteration (figures 6 and 11).
    Curves(optimisation::Args),
    /// Success by environment steps of online runs (figures 8 to 10).
    LearningCurves(learning::Args),
    /// Plans along the iterations as pictures, and what became of them (figures 1 and 5).
    FilmStrip(film::Args),
    /// Predicted and true reward by place (figure 12).
    RewardMap(reward_map::Args),
    /// Planners from the same start, side by side on one page.
    Race(race::Args),
}

/// Runs the experiment to its end.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let table = |table, args: tables::Args| {
        let experiment = args.experiment(table).map_err(as_usage_error)?;
        run_cells(&args.common, &args.parts, experiment)
    };
    match args.experiment {
        Experiment::Table1(args) => table(&tables::PLANNERS, args),
        Experiment::Table2(args) => table2::run(&args),
        Experiment::Table3(args) => table(&tables::ABLATIONS, args),
        Experiment::Candidates(args) => table(&tables::CANDIDATES, args),
        Experiment::Difficulty(args) => table(&tables::DIFFICULTY, args),
        Experiment::Lottery(args) => table(&tables::LOTTERY, args),
        Experiment::Curves(args) => {
            let experiment = args.experiment().map_err(as_usage_error)?;
            run_cells(&args.common, &args.parts, experiment)
        }
        Experiment::LearningCurves(args) => learning::run(&args),
        Experiment::FilmStrip(args) => {
            in_one_run((&args.common, "film-strip", "film_strip.md"), |progress| {
                film::run(&args, progress)
            })
        }
        Experiment::RewardMap(args) => reward_map(&args),
        Experiment::Race(args) => in_one_run((&args.common, "race", "race.md"), |progress| {
            race::run(&args, progress)
        }),
    }
}

/// What hears of the progress of an experiment, and may ask for its end.
type Watcher<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// Runs what cannot be resumed: all of it is written, or nothing.
fn in_one_run<T: serde::Serialize>(
    (common, name, markdown): (&Common, &str, &str),
    made: impl FnOnce(Watcher<'_>) -> Result<Option<Vec<T>>, ExperimentError>,
) -> anyhow::Result<ExitCode> {
    let mut shown = Shown::new("plans")?;
    let made = made(&mut |now| shown.show(now)).map_err(as_usage_error)?;
    shown.finish();
    let Some(rows) = made else {
        tracing::warn!("stopped before the end; nothing was written");
        return Ok(ExitCode::FAILURE);
    };
    let out = common.out(name);
    print(common, &out, markdown, serde_json::to_value(&rows)?)?;
    Ok(ExitCode::SUCCESS)
}

fn reward_map(args: &reward_map::Args) -> anyhow::Result<ExitCode> {
    let all = reward_map::run(args).map_err(as_usage_error)?;
    let means = all.iter().map(|rewards| {
        let ((rewarded, places), (elsewhere, others)) = rewards.means();
        serde_json::json!({
            "situation": rewards.situation,
            "predicted_where_rewarded": rewarded,
            "rewarded_places": places,
            "predicted_elsewhere": elsewhere,
            "other_places": others,
        })
    });
    let out = args.common.out("reward-map");
    print(&args.common, &out, "reward_map.md", means.collect())?;
    Ok(ExitCode::SUCCESS)
}
