//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

/// One mistake, with the path of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// For example `planner.latco.damping`.
    pub field: String,
    /// What was expected and what was found.
    pub message: String,
}

impl FieldError {
    /// A mistake of a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("the configuration is not valid TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Everything that is wrong with the fields.
    #[error("the configuration has {} error{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, list(.0))]
    Fields(Vec<FieldError>),
}

fn list(errors: &[FieldError]) -> String {
    errors.iter().fold(String::new(), |text, error| {
        text + "\n  " + &error.to_string()
    })
}
