//! What can go wrong when a robot or a policy is asked for by name, and with a robot in another process.

use std::path::PathBuf;

use crate::render::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};

/// A robot or policy that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// No task, policy or kind of reward has this name.
    #[error("unknown {what} `{found}`: choose one of {}", known.join(", "))]
    UnknownName {
        /// The kind of thing that was asked for: `task`, `policy` or `reward`.
        what: &'static str,
        /// The name that was asked for.
        found: String,
        /// All names of such things.
        known: Vec<&'static str>,
    },
    /// The picture would be too small to show the task, or is larger than any that is made.
    #[error(
        "image size {found}: expected {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE} pixels \
         (64 by default, 32 for small models)"
    )]
    ImageSize {
        /// The size that was asked for, in pixels.
        found: usize,
    },
    /// The file of a robot that others made is wrong, or does not fit the environment.
    #[error("{}: {}", .file.display(), .problems.join("\n  "))]
    RobotFile {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// What an environment needs is not there.
    #[error(
        "{task}: expected an environment that is installed, found: {found}; run `make simulators` in the checkout, or name a Python \
         that has it in environment.python of the robot's file"
    )]
    NotInstalled {
        /// Name of the task.
        task: String,
        /// What is missing.
        found: String,
    },
    /// The environment of a robot in another process failed, ended, or did not answer.
    #[error("{task}: {problem}{}", quoted(.last_words))]
    Simulator {
        /// Name of the task.
        task: String,
        /// What happened.
        problem: String,
        /// The last lines that its process wrote.
        last_words: Vec<String>,
    },
    /// There is no scripted expert for the task.
    #[error(
        "{task}: expected a task with a scripted expert, found none: add [expert] to the robot's file, or take another policy"
    )]
    NoExpert {
        /// Name of the task.
        task: String,
    },
}

/// The last lines of a process.
fn quoted(last_words: &[String]) -> String {
    if last_words.is_empty() {
        return String::new();
    }
    let lines: String = last_words.iter().map(|l| format!("\n  | {l}")).collect();
    format!("; the last that it wrote:{lines}")
}

impl EnvError {
    /// Whether the next try may do better: a process may die of anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Simulator { .. })
    }

    /// No such thing has this name.
    pub(crate) fn unknown(
        what: &'static str,
        found: &str,
        known: impl Into<Vec<&'static str>>,
    ) -> Self {
        Self::UnknownName {
            what,
            found: found.to_owned(),
            known: known.into(),
        }
    }
}
