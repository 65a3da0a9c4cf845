//! `latco-train experiment learning-curves`: success and return by environment steps of online runs, for several planners
//! and seeds (figures 8 to 10 of the paper).
//!
//! Two runs of one seed differ, as collecting and training go side by side; what is merged are the runs that were made.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use latco_evaluate::wilson_interval;
use latco_experiments::cells::Experiment;
use latco_experiments::table::{Table, count, fixed, interval, text};
use latco_experiments::{ExperimentError, write_file};
use latco_pictures::{Curves, Panel};
use latco_trainer::online::{Curve, RunSettings};
use serde::{Deserialize, Serialize};

use super::cells::run_cells;
use super::training::{Training, failed, sum};
use crate::commands::online;
use crate::commands::shell::stop_flag;

/// Name of the experiment.
const NAME: &str = "learning-curves";
/// Episodes of the planner that a point of the curve is the mean of.
const WINDOW: usize = 20;
/// Newest episodes of the planner that the table tells of.
const LAST: usize = 50;
/// Points of a mean curve.
const POINTS: usize = 40;

/// Arguments of `latco-train experiment learning-curves`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    training: Training,
    /// Tasks, with a configuration online-TASK.toml each.
    #[arg(long, value_delimiter = ',', default_value = "reach")]
    tasks: Vec<String>,
    /// Seeds of each planner on each task [default: 3, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
}

/// One episode of a run, in the order in which they were finished.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    /// Control periods of this and all episodes before it.
    steps: u64,
    /// Whether the planner moved the robot, and not the policy that begins.
    planned: bool,
    /// Whether it was solved after any step.
    solved: bool,
    /// Sum of the rewards.
    episode_return: f64,
    /// Time of the run, s.
    time_s: f64,
}

/// One run that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cell {
    task: String,
    planner: String,
    seed: u64,
    episodes: Vec<Point>,
}

impl Cell {
    /// Solved episodes among the newest of the planner, and how many these are.
    fn last(&self) -> (usize, usize) {
        let planned = self.episodes.iter().rev().filter(|e| e.planned);
        let newest: Vec<&Point> = planned.take(LAST).collect();
        (newest.iter().filter(|e| e.solved).count(), newest.len())
    }

    /// Means over the newest planned episodes by environment steps: `(steps, mean)`.
    fn means(&self, value: fn(&Point) -> f64) -> Vec<(f64, f64)> {
        let planned: Vec<&Point> = self.episodes.iter().filter(|e| e.planned).collect();
        let mut means = Vec::new();
        for end in 1..=planned.len() {
            let window = &planned[end.saturating_sub(WINDOW)..end];
            // A mean of few would jump about.
            if window.len() * 2 >= WINDOW || end == planned.len() {
                let sum: f64 = window.iter().map(|e| value(e)).sum();
                means.push((
                    window[window.len() - 1].steps as f64,
                    sum / window.len() as f64,
                ));
            }
        }
        means
    }
}

/// Name of a run, also that of its folder.
fn name(task: &str, planner: &str, seed: u64) -> String {
    format!("{task}-{planner}-{seed}")
}

/// Makes the runs, and writes `learning.csv`, `.md` and `.png`.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let training = &args.training;
    let common = &training.common;
    let config = |task| training.config(&format!("online-{task}.toml"));
    let configs: Vec<_> = args.tasks.iter().map(config).collect::<Result<_, _>>()?;
    let mut runs = Vec::new();
    for (task, config) in args.tasks.iter().zip(&configs) {
        for planner in &training.planners {
            let seeds = 0..common.or(args.seeds, 1, 3);
            runs.extend(seeds.map(|seed| (task, config, *planner, seed)));
        }
    }
    let first = &configs[0].online;
    let budget = &format!(
        "{} episodes, {} of them by {} first, {} h at most, configurations {}",
        first.episodes,
        first.seed_episodes,
        first.seed_policy,
        first.hours,
        sum(&configs)?
    );
    let (folder, stop) = (training.work(NAME), stop_flag()?);
    let keys = (runs.iter()).map(|(task, _, planner, seed)| name(task, planner.name(), *seed));
    let experiment = Experiment {
        name: format!("{NAME}, {budget}"),
        keys: keys.collect(),
        key: |cell: &Cell| name(&cell.task, &cell.planner, cell.seed),
        out: common.out(NAME),
        part: training.parts.cell,
        steps: (1, "runs"),
        markdown: "learning.md".to_owned(),
        make: Box::new(move |number, _| {
            let (task, config, planner, seed) = runs[number];
            let settings = RunSettings {
                task: task.clone(),
                config: config.clone(),
                data: Vec::new(),
                exchange: None,
                seed,
            };
            let text = Some(training.planner(task, planner)?);
            let out = folder.join(name(task, planner.name(), seed));
            let ran = online::run_here(&settings, &out, text, training.collectors, &stop);
            if !ran.map_err(failed)?.ended {
                return Ok(None);
            }
            Ok(Some(Cell {
                task: task.clone(),
                planner: planner.name().to_owned(),
                seed,
                episodes: points(&out).map_err(failed)?,
            }))
        }),
        report: Box::new(|cells| report(args, budget, &common.out(NAME), cells)),
    };
    run_cells(common, &training.parts, experiment)
}

/// The episodes of a run that is at its end.
fn points(run: &Path) -> anyhow::Result<Vec<Point>> {
    let curve = Curve::open(run).with_context(|| run.display().to_string())?;
    let mut steps = 0;
    let points = curve.rows().iter().map(|row| {
        steps += row.steps as u64;
        Point {
            steps,
            planned: row.generation > 0,
            solved: row.solved,
            episode_return: row.episode_return,
            time_s: row.time_s,
        }
    });
    Ok(points.collect())
}

fn report(args: &Args, budget: &str, out: &Path, cells: &[Cell]) -> Result<(), ExperimentError> {
    let episodes = cells.iter().flat_map(|cell| {
        let numbered = cell.episodes.iter().enumerate();
        numbered.map(move |(number, episode)| (cell, number + 1, episode))
    });
    write_file(&out.join("learning.csv"), &episode_columns().csv(episodes))?;
    let text = format!(
        "# Learning online (figures 8 to 10 of the paper)\n\nRuns of `latco-train online`: {budget}. Success of the newest {LAST} \
         episodes of the planner, with the noise on its actions, and its 95 % Wilson interval; environment steps are control \
         periods, those of the policy that begins among them. The paper's runs take 500 000 steps on Meta-World (800 000 on \
         DM Control), a GPU each; its tasks, robots and models are others.\n\n{}",
        run_columns().markdown(cells)
    );
    write_file(&out.join("learning.md"), &text)?;
    let mut curves = Curves::new(format!(
        "learning curves: means of {WINDOW} episodes of the planner"
    ));
    for task in &args.tasks {
        let panel = |title: &str, value: fn(&Point) -> f64| {
            let panel = Panel::new(format!("{task}: {title}"), "environment steps");
            args.training.planners.iter().fold(panel, |panel, planner| {
                let name = planner.name();
                let of = |c: &&Cell| c.task == *task && c.planner == name;
                let seeds: Vec<&Cell> = cells.iter().filter(of).collect();
                match seeds.len() {
                    0 => panel,
                    1 => panel.points(name, &seeds[0].means(value)),
                    count => panel.points(format!("{name}, {count} seeds"), &mean(&seeds, value)),
                }
            })
        };
        curves = curves
            .panel(panel("share solved", |e| f64::from(u8::from(e.solved))))
            .panel(panel("return", |e| e.episode_return));
    }
    Ok(curves.save(&out.join("learning.png"))?)
}

fn run_columns<'a>() -> Table<'a, &'a Cell> {
    let last = |cell: &Cell, value: fn(&Point) -> f64| cell.episodes.last().map_or(0.0, value);
    Table::new()
        .column("", "task", |c: &&Cell| text(&c.task))
        .column("", "planner", |c| text(&c.planner))
        .column("", "seed", |c| text(c.seed.to_string()))
        .column("", "environment steps", move |c| {
            fixed(last(c, |e| e.steps as f64), 0)
        })
        .column("", "episodes", |c| count(c.episodes.len()))
        .column("", "success at the end (95 %), episodes", |c| {
            let (solved, planned) = c.last();
            let (low, high) = wilson_interval(solved, planned);
            let share = solved as f64 / planned.max(1) as f64;
            interval([share, low, high]).with(count(planned))
        })
        .column("", "time, min", move |c| {
            fixed(last(c, |e| e.time_s / 60.0), 0)
        })
}

fn episode_columns<'a>() -> Table<'a, (&'a Cell, usize, &'a Point)> {
    Table::new()
        .column("task", "", |(c, ..): &(&Cell, usize, &Point)| text(&c.task))
        .column("planner", "", |(c, ..)| text(&c.planner))
        .column("seed", "", |(c, ..)| text(c.seed.to_string()))
        .column("episode", "", |(_, number, _)| count(*number))
        .column("environment_steps", "", |(.., e)| text(e.steps.to_string()))
        .column("planned", "", |(.., e)| count(usize::from(e.planned)))
        .column("solved", "", |(.., e)| count(usize::from(e.solved)))
        .column("return", "", |(.., e)| fixed(e.episode_return, 2))
        .column("time_s", "", |(.., e)| fixed(e.time_s, 0))
}

/// Mean over the seeds, where all of them have a value.
fn mean(seeds: &[&Cell], value: fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let curves: Vec<Vec<(f64, f64)>> = seeds.iter().map(|cell| cell.means(value)).collect();
    let (mut first, mut last) = (0.0, f64::INFINITY);
    for curve in &curves {
        let (Some((begin, _)), Some((end, _))) = (curve.first(), curve.last()) else {
            return Vec::new();
        };
        (first, last) = (f64::max(first, *begin), f64::min(last, *end));
    }
    if first > last || !last.is_finite() {
        return Vec::new();
    }
    let at = |curve: &[(f64, f64)], x: f64| {
        let before = curve.iter().take_while(|(steps, _)| *steps <= x);
        before.last().map_or(0.0, |(_, y)| *y)
    };
    (0..=POINTS)
        .map(|k| {
            let x = first + (last - first) * k as f64 / POINTS as f64;
            let sum: f64 = curves.iter().map(|curve| at(curve, x)).sum();
            (x, sum / curves.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(seed: u64, solved: impl Fn(u64) -> bool) -> Cell {
        let episode = |k: u64| Point {
            steps: 50 * (k + 1),
            planned: k >= 10,
            solved: solved(k),
            episode_return: 1.0,
            time_s: 60.0 * k as f64,
        };
        Cell {
            task: "reach".into(),
            planner: "latco".into(),
            seed,
            episodes: (0..100).map(episode).collect(),
        }
    }

    #[test]
    fn curves_are_of_the_planner_and_means_of_what_all_seeds_have() {
        let all = cell(0, |_| true);
        let none = cell(1, |k| k < 10);
        assert_eq!((all.last(), none.last()), ((50, 50), (0, 50)));
        let solved = |e: &Point| f64::from(u8::from(e.solved));
        let curve = none.means(solved);
        assert!(curve.iter().all(|(steps, y)| *steps > 500.0 && *y == 0.0));
        let both = mean(&[&all, &none], solved);
        assert_eq!(both.len(), POINTS + 1);
        assert!(both.iter().all(|(_, y)| *y == 0.5));
        assert_eq!(both[POINTS].0, 5000.0);
    }
}
