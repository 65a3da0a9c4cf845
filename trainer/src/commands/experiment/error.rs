//! Errors of experiments on the command line.

use latco_experiments::ExperimentError;

use crate::commands::shell::BadInput;

/// An error of an experiment, as usage where it is the user's.
pub(super) fn as_usage_error(error: ExperimentError) -> anyhow::Error {
    match error {
        error @ (ExperimentError::Evaluate(_)
        | ExperimentError::Bundle(_)
        | ExperimentError::Config(_)
        | ExperimentError::NoMap { .. }
        | ExperimentError::NothingToMerge(_)
        | ExperimentError::Another { .. }) => BadInput::new(error.to_string()),
        other => anyhow::Error::new(other),
    }
}
