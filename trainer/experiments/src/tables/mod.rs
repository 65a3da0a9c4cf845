//! Tables and figures of the paper that compare planners on tasks: which cells they have.

pub mod grid;
mod kind;
pub mod report;

use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_controller::config::PlannerKind;

use crate::cells::Experiment;
use crate::options::{Common, Parts, positive};
use crate::rows::Row;
use crate::{ExperimentError, paper, rows};
use grid::{Cell, Wanted};
pub use kind::{Setting, Table};

/// Planners on tasks (table 1 of the paper).
pub const PLANNERS: Table = Table {
    name: "table1",
    title: "Planners on tasks (table 1 of the paper)",
    tasks: &["reach", "key", "push", "stick"],
    equal_ms: 30.0,
    rows: planners,
    suite: "Meta-World",
    found: |cell| paper::success(name_of(&cell.task), &cell.row),
    closing: report::objectives,
    plot: |title, cells, file| report::successes(title, cells).save(file),
};

/// Ablations of LatCo (table 3 of the paper).
pub const ABLATIONS: Table = Table {
    name: "table3",
    title: "LatCo without its parts (table 3 of the paper)",
    tasks: &["key", "push"],
    rows: |of| rows::ablations(&of(PlannerKind::Latco)),
    found: |cell| paper::ablation(&cell.row),
    closing: report::left_out,
    ..PLANNERS
};

/// Planners from the same sampled candidates, and without them.
pub const CANDIDATES: Table = Table {
    name: "candidates",
    title: "Planners with and without the sampled starts of LatCo",
    rows: rows::candidates,
    ..PLANNERS
};

/// Success by the distance from the goal (figure 4 of the paper).
pub const DIFFICULTY: Table = Table {
    name: "difficulty",
    title: "Success by difficulty (figure 4 of the paper)",
    tasks: &["reach", "key"],
    plot: |title, cells, file| report::by_difficulty(title, cells).save(file),
    ..PLANNERS
};

/// Which goal of the Lottery is chosen (figure 7 of the paper). Expectations over samples take their time.
pub const LOTTERY: Table = Table {
    name: "lottery",
    title: "Choices in the Lottery (figure 7 of the paper)",
    tasks: &["lottery"],
    equal_ms: 100.0,
    rows: |of| {
        let mut all = planners(of);
        all.iter_mut()
            .for_each(|row| rows::for_the_lottery(&mut row.config));
        all
    },
    suite: "Meta-World, of CEM and MPPI the iterations on DM Control",
    found: |cell| paper::lottery(&cell.row),
    plot: |title, cells, file| report::chosen(title, cells).save(file),
    ..PLANNERS
};

fn planners(of: &dyn Fn(PlannerKind) -> Config) -> Vec<Row> {
    rows::planners()
        .map(|kind| Row {
            row: kind.name(),
            config: of(kind),
            bundle: "",
        })
        .collect()
}

/// Arguments of `latco-train experiment` for tables of planners on tasks.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take.
    #[command(flatten)]
    pub common: Common,
    /// What is run of it.
    #[command(flatten)]
    pub parts: Parts,
    /// Tasks, and TOML files of robots that others made (docs/simulators.md), whose bundle and configuration have the file's
    /// name [default: those of the table].
    #[arg(long, value_delimiter = ',')]
    pub tasks: Vec<String>,
    /// Rows of the table [default: all].
    #[arg(long, value_delimiter = ',')]
    pub rows: Vec<String>,
    /// What is held equal: equal_time, paper [default: both, quick equal_time].
    #[arg(long, value_delimiter = ',')]
    pub settings: Vec<Setting>,
    /// Folder with a bundle named after each task.
    #[arg(long, default_value = "models/bundles")]
    pub bundles: PathBuf,
    /// Folder with a robot configuration named after each task, for LatCo's settings and the robot's limits.
    #[arg(long, default_value = "configs")]
    pub configs: PathBuf,
    /// CPU time of a plan at equal time, ms [default: 30, lottery 100].
    #[arg(long, value_parser = positive)]
    pub equal_ms: Option<f64>,
    /// Episodes of each cell [default: 100, quick 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: Option<u32>,
}

/// The name of a task that may be the TOML file of a robot.
fn name_of(task: &str) -> &str {
    let file = Path::new(task);
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.filter(|_| file.extension().is_some_and(|e| e == "toml"))
        .unwrap_or(task)
}

impl Args {
    fn equal_ms(&self, table: &Table) -> f64 {
        self.equal_ms.unwrap_or(table.equal_ms)
    }

    /// The cells of a table.
    ///
    /// # Errors
    /// A configuration or the manifest of a bundle cannot be read, or there is no row of a name.
    pub fn cells(&self, table: &Table) -> Result<Vec<Wanted>, ExperimentError> {
        let usual = || table.tasks.iter().map(|t| (*t).to_owned()).collect();
        let given = Some(self.tasks.clone()).filter(|tasks| !tasks.is_empty());
        let settings = Some(self.settings.clone()).filter(|settings| !settings.is_empty());
        let settings = (self.common).or(settings, vec![Setting::EqualTime], Setting::ALL.to_vec());
        let mut cells = Vec::new();
        for task in given.unwrap_or_else(usual) {
            let name = name_of(&task);
            let config = Config::load(&self.configs.join(format!("{name}.toml")))?;
            for setting in &settings {
                let of = |kind| match setting {
                    Setting::EqualTime => rows::at_equal_time(&config, kind, self.equal_ms(table)),
                    Setting::Paper => rows::at_the_papers(&config, kind),
                };
                let rows = (table.rows)(&of);
                let is_known = |wanted: &&String| rows.iter().any(|row| row.row == *wanted);
                if let Some(unknown) = self.rows.iter().find(|wanted| !is_known(wanted)) {
                    let known: Vec<&str> = rows.iter().map(|row| row.row).collect();
                    return Err(ExperimentError::NoRow {
                        row: unknown.clone(),
                        known: known.join(", "),
                    });
                }
                let is_wanted =
                    |row: &Row| self.rows.is_empty() || self.rows.iter().any(|r| r == row.row);
                for row in rows.into_iter().filter(is_wanted) {
                    let folder = self.bundles.join(format!("{name}{}", row.bundle));
                    // The one that has to be trained for a row may not be there.
                    if row.bundle.is_empty() || folder.exists() {
                        let place = (row.row, setting.name());
                        cells.push(Wanted::new(&task, folder, place, row.config)?);
                    }
                }
            }
        }
        Ok(cells)
    }

    /// The experiment that makes a table, with its CSV file, Markdown file and plot.
    ///
    /// # Errors
    /// A configuration or the manifest of a bundle cannot be read.
    pub fn experiment(
        &self,
        table: &'static Table,
    ) -> Result<Experiment<'static, Cell>, ExperimentError> {
        let common = &self.common;
        let (equal_ms, seed) = (self.equal_ms(table), common.seed);
        let episodes = common.or(self.episodes, 20, 100);
        let out = common.out(table.name);
        let folder = out.clone();
        let report =
            move |cells: &[Cell]| report::write(table, (equal_ms, episodes, seed), cells, &folder);
        Ok(grid::experiment(
            &format!("{}, {equal_ms} ms at equal time", table.name),
            self.cells(table)?,
            (episodes, seed),
            (out, self.parts.cell),
            (format!("{}.md", table.name), Box::new(report)),
        ))
    }
}
