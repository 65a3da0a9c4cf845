//! The configuration of one robot and task: one TOML file, units in the names.
//!
//! ```
//! let text = r#"
//!     [bundle]
//!     path = "models/bundles/reach"
//!     [control]
//!     output = "commands"
//!     [planner]
//!     kind = "latco"
//! "#;
//! let config = latco_controller::Config::from_toml(text).expect("valid");
//! assert_eq!(config.control.command_rate_hz, 100.0);
//! ```
//!
//! Every setting is declared once, by [`settings!`](crate::settings!). Reading collects every mistake (unknown keys, wrong types,
//! values out of range) and reports them in one error, each with the path of its field.

mod gaussian;
mod goal;
mod gone;
mod keep_out;
mod keep_out_rules;
mod latco;
mod live;
mod planner;
mod root;
mod rules;
mod sampling;
mod sections;

use std::path::Path;

use toml::Table;

use crate::settings::{ConfigError, Settings, document};

pub use gaussian::{GaussianLatcoSection, Objective};
pub use goal::GoalSection;
pub use keep_out::{KeepOutSection, KinematicsSection, MAX_REGIONS};
pub use latco::{LatcoSection, SolverKind};
pub use live::LiveSettings;
pub use planner::{PlannerKind, PlannerSection};
pub use root::Config;
pub use sampling::CemSection;
pub use sections::{
    BundleSection, ControlSection, ImageTransport, NodeSection, OutputKind, RobotSection,
    SurpriseAction, TimeoutsSection, TopicsSection, TraceSection,
};

impl Config {
    /// Reads and checks a file, or the [`shipped`](latco_models::shipped) one of that name.
    ///
    /// # Errors
    /// [`ConfigError`], with every mistake of the file at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(latco_models::shipped(path)).map_err(|source| {
            ConfigError::Io {
                path: path.to_path_buf(),
                source,
            }
        })?;
        Self::from_toml(&text)
    }

    /// Reads and checks a text.
    ///
    /// # Errors
    /// [`ConfigError`], with every mistake of the text at once.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_table(toml::from_str(text)?)
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    /// [`ConfigError::Fields`], with every mistake of the table at once.
    pub fn from_table(table: Table) -> Result<Self, ConfigError> {
        Self::read_table(table, &Self::default(), &gone::instead)
    }

    /// Reads what an earlier run wrote down, maybe of an earlier version with other keys.
    ///
    /// # Errors
    /// [`ConfigError`], with every mistake of the text at once; values that decided what was planned and that this version
    /// cannot have are among them.
    pub fn recorded(text: &str) -> Result<Self, ConfigError> {
        Self::from_table(gone::translated(toml::from_str(text)?)?)
    }

    /// What takes the place of a key or table that earlier versions had, as it follows "is gone: "; `None` for others.
    #[must_use]
    pub fn instead_of(path: &str) -> Option<String> {
        gone::instead(path)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Fields`] with all that are out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check()
    }

    /// All settings as Markdown: what `latco config docs` prints and `docs/configuration.md` is.
    #[must_use]
    pub fn documentation() -> String {
        let settings = Self::declarations();
        let defaults = Table::try_from(Self::default()).unwrap_or_default();
        format!(
            "# Configuration\n\
             The {} settings of a controller, as they stand in its TOML file. All have a default but `bundle.path`. Those under \
             `bundle`, `robot`, `kinematics`, `keep_out`, `control`, `planner`, `timeouts` and `trace` are also ROS parameters of the node, by the \
             same names (`-p planner.budget_ms:=40.0`, `ros2 param set`); what takes effect while the node is active is marked, \
             the others do at the next `configure`. `latco config check FILE` lists every mistake of a file.\n\n\
             This file is written by `latco config docs` from the declarations in `controller/src/config/`.\n{}",
            crate::settings::count(settings),
            document(settings, &[("default", &defaults)])
        )
    }
}
