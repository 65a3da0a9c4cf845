//! Learning curves of online runs (figures 8 to 10 of the paper): success and return by environment
//! steps, for several planners and seeds.
//!
//! The runs themselves are made by whoever calls: they need the trainer, which this crate does
//! without. Two runs of one seed differ, as collecting and training go side by side; what is merged
//! are the runs that were made.

use std::path::PathBuf;

use latco_controller::config::PlannerKind;
use latco_evaluate::wilson_interval;
use latco_pictures::{Curves, Panel};
use serde::{Deserialize, Serialize};

use crate::cells::Experiment;
use crate::table::{Table, count, fixed, interval, text};
use crate::{ExperimentError, write_file};

/// Episodes of the planner that a point of the curve is the mean of.
const WINDOW: usize = 20;
/// Newest episodes of the planner that the table tells of.
const LAST: usize = 50;
/// Points of a mean curve.
const POINTS: usize = 40;

/// What is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tasks.
    pub tasks: Vec<String>,
    /// Planners that collect.
    pub planners: Vec<PlannerKind>,
    /// Seeds of each: 0, 1, ...
    pub seeds: u64,
    /// What the runs have in common, in words; results of others cannot be merged.
    pub budget: String,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only a part of the cells.
    pub part: Option<(usize, usize)>,
}

/// One online run that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Task.
    pub task: String,
    /// Planner that collects.
    pub planner: PlannerKind,
    /// Seed of the run.
    pub seed: u64,
}

/// One episode of a run, in the order in which they were finished.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Control periods of this and all episodes before it.
    pub steps: u64,
    /// Whether the planner moved the robot, and not the policy that begins.
    pub planned: bool,
    /// Solved after any step.
    pub solved: bool,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Time of the run, s.
    pub time_s: f64,
}

/// One run that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Task.
    pub task: String,
    /// Planner.
    pub planner: String,
    /// Seed.
    pub seed: u64,
    /// Its episodes.
    pub episodes: Vec<Point>,
}

impl Run {
    /// The name: also that of its folder.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.task, self.planner.name(), self.seed)
    }
}

/// Gives the episodes of a run, none if it was stopped.
pub type MakeRun<'a> = dyn FnMut(&Run) -> Result<Option<Vec<Point>>, ExperimentError> + 'a;

impl Cell {
    /// Solved episodes among the newest of the planner, and how many these are.
    #[must_use]
    pub fn last(&self) -> (usize, usize) {
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

impl Options {
    /// The runs, in their order.
    fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for task in &self.tasks {
            for planner in &self.planners {
                runs.extend((0..self.seeds).map(|seed| Run {
                    task: task.clone(),
                    planner: *planner,
                    seed,
                }));
            }
        }
        runs
    }

    /// The experiment; it writes `learning.csv`, `.md` and `.png`.
    pub fn experiment<'a>(&'a self, run: &'a mut MakeRun<'a>) -> Experiment<'a, Cell> {
        let runs = self.runs();
        Experiment {
            name: format!("learning-curves, {}", self.budget),
            keys: runs.iter().map(Run::name).collect(),
            key: |cell| format!("{}-{}-{}", cell.task, cell.planner, cell.seed),
            out: self.out.clone(),
            part: self.part,
            steps: (1, "runs"),
            markdown: "learning.md".to_owned(),
            make: Box::new(move |number, _| {
                let wanted = &runs[number];
                Ok(run(wanted)?.map(|episodes| Cell {
                    task: wanted.task.clone(),
                    planner: wanted.planner.name().to_owned(),
                    seed: wanted.seed,
                    episodes,
                }))
            }),
            report: Box::new(|cells| self.report(cells)),
        }
    }

    fn report(&self, cells: &[Cell]) -> Result<(), ExperimentError> {
        let episodes = cells.iter().flat_map(|cell| {
            let numbered = cell.episodes.iter().enumerate();
            numbered.map(move |(number, episode)| (cell, number + 1, episode))
        });
        write_file(
            &self.out.join("learning.csv"),
            &episode_columns().csv(episodes),
        )?;
        let text = self.introduction() + &run_columns().markdown(cells);
        write_file(&self.out.join("learning.md"), &text)?;
        let mut curves = Curves::new(format!(
            "learning curves: means of {WINDOW} episodes of the planner"
        ));
        for task in &self.tasks {
            let panel = |title: &str, value: fn(&Point) -> f64| {
                let panel = Panel::new(format!("{task}: {title}"), "environment steps");
                self.planners.iter().fold(panel, |panel, planner| {
                    let name = planner.name();
                    let of = |c: &&Cell| c.task == *task && c.planner == name;
                    let seeds: Vec<&Cell> = cells.iter().filter(of).collect();
                    match seeds.len() {
                        0 => panel,
                        1 => panel.points(name, &seeds[0].means(value)),
                        count => {
                            panel.points(format!("{name}, {count} seeds"), &mean(&seeds, value))
                        }
                    }
                })
            };
            curves = curves
                .panel(panel("share solved", |e| f64::from(u8::from(e.solved))))
                .panel(panel("return", |e| e.episode_return));
        }
        curves.save(&self.out.join("learning.png"))?;
        Ok(())
    }

    fn introduction(&self) -> String {
        format!(
            "# Learning online (figures 8 to 10 of the paper)\n\nRuns of `latco-train online`: {}. Success of the newest {LAST} \
             episodes of the planner, with the noise on its actions, and its 95 % Wilson interval; environment steps are control \
             periods, those of the policy that begins among them. The paper's runs take 500 000 steps on Meta-World (800 000 on \
             DM Control), a GPU each; its tasks, robots and models are others.\n\n",
            self.budget
        )
    }
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

    #[test]
    fn the_report_is_written_of_any_runs() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            tasks: vec!["reach".into()],
            planners: vec![PlannerKind::Latco, PlannerKind::Cem],
            seeds: 2,
            budget: "of a test".into(),
            out: folder.path().to_path_buf(),
            part: None,
        };
        let mut made = Vec::new();
        let mut make = |run: &Run| {
            made.push(run.name());
            Ok((made.len() < 4).then(|| cell(run.seed, |k| k % 3 == 0).episodes))
        };
        let mut experiment = options.experiment(&mut make);
        let cells = (experiment.run(&mut |_| std::ops::ControlFlow::Continue(()))).unwrap();
        drop(experiment);
        assert_eq!(cells.len(), 3, "the fourth was stopped");
        assert_eq!(made[3], "reach-cem-1");
        for name in ["learning.csv", "learning.md", "learning.png"] {
            assert!(folder.path().join(name).exists(), "{name}");
        }
    }
}
