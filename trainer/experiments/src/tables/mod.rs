//! Tables and figures of the paper that compare planners on tasks: which cells they have.

pub mod grid;
pub(crate) mod report;

use std::path::PathBuf;
use std::str::FromStr;

use latco_controller::Config;
use latco_controller::config::PlannerKind;

use crate::rows::Row;
use crate::{ExperimentError, rows};
use grid::{Grid, Wanted};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Planners on tasks (table 1 of the paper).
    Planners,
    /// Ablations of LatCo (table 3).
    Ablations,
    /// Success by the distance from the goal (figure 4).
    Difficulty,
    /// Which goal of the Lottery is chosen (figure 7).
    Lottery,
}

/// What is held equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The same CPU time for a plan, and a new one at every step.
    EqualTime,
    /// The iterations, samples and replanning of the paper.
    Paper,
}

impl Setting {
    /// Both.
    pub const ALL: [Self; 2] = [Self::EqualTime, Self::Paper];

    /// The name as it stands in commands and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EqualTime => "equal_time",
            Self::Paper => "paper",
        }
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|s| s.name() == name);
        found.ok_or_else(|| format!("expected equal_time or paper, found {name}"))
    }
}

/// What a table is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which.
    pub table: Table,
    /// Settings under which the planners are compared.
    pub settings: Vec<Setting>,
    /// Tasks; those of the table if empty.
    pub tasks: Vec<String>,
    /// Folder with a bundle for each task.
    pub bundles: PathBuf,
    /// Folder with a robot configuration for each task, for LatCo's settings and the robot's limits.
    pub configs: PathBuf,
    /// CPU time of a plan at equal time, ms.
    pub equal_ms: f64,
    /// Episodes of each cell.
    pub episodes: u32,
    /// First evaluation episode.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
    /// Only a part of the cells.
    pub part: Option<(usize, usize)>,
}

impl Table {
    /// The name as it stands in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planners => "table1",
            Self::Ablations => "table3",
            Self::Difficulty => "difficulty",
            Self::Lottery => "lottery",
        }
    }

    /// CPU time of a plan at equal time if none is given, ms. Expectations over samples take their time.
    #[must_use]
    pub fn equal_ms(self) -> f64 {
        match self {
            Self::Lottery => 100.0,
            Self::Planners | Self::Ablations | Self::Difficulty => 30.0,
        }
    }

    /// The tasks if none are named.
    #[must_use]
    pub fn tasks(self) -> &'static [&'static str] {
        match self {
            Self::Planners => &["reach", "key", "push", "stick"],
            Self::Ablations => &["key", "push"],
            Self::Difficulty => &["reach", "key"],
            Self::Lottery => &["lottery"],
        }
    }
}

impl Options {
    /// The cells.
    ///
    /// # Errors
    /// A configuration or the manifest of a bundle cannot be read.
    pub fn grid(&self) -> Result<Grid, ExperimentError> {
        let tasks: Vec<String> = if self.tasks.is_empty() {
            self.table.tasks().iter().map(|t| (*t).to_owned()).collect()
        } else {
            self.tasks.clone()
        };
        let mut cells = Vec::new();
        for task in tasks {
            let config = Config::load(&self.configs.join(format!("{task}.toml")))?;
            for setting in &self.settings {
                for Row {
                    row,
                    config,
                    bundle,
                } in self.rows(&config, *setting)
                {
                    let folder = self.bundles.join(format!("{task}{bundle}"));
                    // The one that has to be trained for a row may not be there.
                    if bundle.is_empty() || folder.exists() {
                        cells.push(Wanted::new(&task, folder, (row, setting.name()), config)?);
                    }
                }
            }
        }
        Ok(Grid {
            experiment: format!("{}, {} ms at equal time", self.table.name(), self.equal_ms),
            cells,
            episodes: self.episodes,
            seed: self.seed,
            out: self.out.clone(),
            part: self.part,
        })
    }

    fn rows(&self, config: &Config, setting: Setting) -> Vec<Row> {
        let of = |kind| match setting {
            Setting::EqualTime => rows::at_equal_time(config, kind, self.equal_ms),
            Setting::Paper => rows::at_the_papers(config, kind),
        };
        match self.table {
            Table::Ablations => rows::ablations(&of(PlannerKind::Latco)),
            _ => (rows::PLANNERS.iter())
                .map(|kind| {
                    let mut config = of(*kind);
                    if self.table == Table::Lottery {
                        rows::for_the_lottery(&mut config);
                    }
                    Row {
                        row: kind.name(),
                        config,
                        bundle: "",
                    }
                })
                .collect(),
        }
    }
}
