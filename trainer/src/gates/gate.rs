//! One gate, and why gates cannot be measured.

use latco_evaluate::EvaluateError;
use latco_models::gates::Rule;
use latco_models::{BundleError, RunError};
use serde::{Deserialize, Serialize};

/// One gate: what was measured, and what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Name, with the unit if there is one.
    pub name: String,
    /// Measured value; none if it could not be measured.
    pub value: Option<f64>,
    /// Value it is compared with.
    pub threshold: f64,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// What was measured over, or why it was not.
    pub note: String,
}

impl Gate {
    /// A gate that was measured, unless the value is none or not finite.
    pub(crate) fn new(rule: Rule, value: Option<f64>, note: String) -> Self {
        Self {
            name: rule.name.to_owned(),
            value: value.filter(|v| v.is_finite()),
            threshold: rule.threshold,
            higher_is_better: rule.higher_is_better,
            note,
        }
    }

    /// A gate that was not measured, and why.
    pub(crate) fn open(rule: Rule, why: impl std::fmt::Display) -> Self {
        Self::new(rule, None, format!("not measured: {why}"))
    }

    /// Whether the value is good enough; none if it was not measured.
    pub fn passed(&self) -> Option<bool> {
        self.value.map(|value| {
            if self.higher_is_better {
                value >= self.threshold
            } else {
                value <= self.threshold
            }
        })
    }
}

/// Why gates cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A session cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A graph failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Images that were set aside cannot be read.
    #[error("images of the episodes cannot be read: {0}")]
    Images(#[from] std::io::Error),
    /// The controller cannot be run.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Surprise cannot be calibrated.
    #[error("surprise cannot be calibrated: {0}")]
    Surprise(String),
    /// Episodes of another robot.
    #[error("the episodes do not fit the bundle:\n  {}", .0.join("\n  "))]
    Data(Vec<String>),
}
