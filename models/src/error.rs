//! Errors of loading and running a bundle.

use std::path::PathBuf;

use thiserror::Error;

use crate::graph::Graph;
use crate::provider::{Declined, Provider};

/// The reason why the ONNX Runtime library cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuntimeError {
    /// There is no library at any of the places that were looked at.
    #[error(
        "the ONNX Runtime library is missing: looked at {}; run `make onnxruntime`, or set ORT_DYLIB_PATH to a \
         libonnxruntime.so of version 1.22 or newer",
        .looked_at.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Missing {
        /// Paths that do not exist.
        looked_at: Vec<PathBuf>,
    },
    /// There is a file, but it cannot be used as the library.
    #[error(
        "the ONNX Runtime library {} cannot be used: {reason}; run `make onnxruntime`, or set ORT_DYLIB_PATH to a \
         libonnxruntime.so of version 1.22 or newer",
        .path.display()
    )]
    Unusable {
        /// Path of the file.
        path: PathBuf,
        /// The loader's reason.
        reason: String,
    },
}

/// The reason why a bundle cannot be used. Programs end with exit status 2 on it.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BundleError {
    /// The ONNX Runtime library cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The folder has no readable manifest, so nothing else can be checked.
    #[error("bundle {}: manifest.toml {reason}", .dir.display())]
    Manifest {
        /// Folder of the bundle.
        dir: PathBuf,
        /// Description of what is wrong.
        reason: String,
    },
    /// The bundle fails checks; all of them are listed.
    #[error("{}", refusal(.dir, .mismatches))]
    Refused {
        /// Folder of the bundle.
        dir: PathBuf,
        /// The failed checks, one sentence each.
        mismatches: Vec<String>,
    },
    /// An execution provider cannot be used on this machine.
    #[error("provider {provider} is not available: {reason}; {advice}")]
    Unavailable {
        /// The execution provider that was asked for.
        provider: Provider,
        /// File name of the library that is missing, if that is the reason.
        missing: Option<String>,
        /// ONNX Runtime's reason, in plain words.
        reason: String,
        /// Advice on what to install, and how to point to it.
        advice: String,
    },
    /// None of several providers can be used.
    #[error("bundle {}: no provider of the list can be used:{}", .dir.display(), list(.declined))]
    NoProvider {
        /// Folder of the bundle.
        dir: PathBuf,
        /// The providers with their reasons, in the order in which they were tried.
        declined: Vec<Declined>,
    },
    /// ONNX Runtime cannot make a session of a graph.
    #[error("graph {graph} on provider {provider}: {reason}")]
    Session {
        /// The graph concerned.
        graph: Graph,
        /// The execution provider that was asked for.
        provider: Provider,
        /// ONNX Runtime's reason.
        reason: String,
    },
}

fn list(declined: &[Declined]) -> String {
    declined.iter().fold(String::new(), |text, one| {
        format!("{text}\n  - {}", one.reason)
    })
}

fn refusal(dir: &std::path::Path, mismatches: &[String]) -> String {
    let mut text = format!(
        "bundle {} is refused, {} mismatch{}:",
        dir.display(),
        mismatches.len(),
        if mismatches.len() == 1 { "" } else { "es" }
    );
    for mismatch in mismatches {
        text.push_str("\n  - ");
        text.push_str(mismatch);
    }
    text
}

/// A failure of a graph while it ran.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("graph {graph} failed: {reason}")]
pub struct RunError {
    /// The graph concerned.
    pub graph: Graph,
    /// ONNX Runtime's reason.
    pub reason: String,
}
