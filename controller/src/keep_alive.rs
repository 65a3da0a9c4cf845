//! Inferences that keep a GPU awake while nothing else is computed.
//!
//! A GPU that idles lowers its clocks, and the next plan is late. While the planner thread waits, it therefore runs one
//! graph every so often. Nothing of the controller is touched by it: the session is its own, and its result is dropped.

use std::time::Duration;

use latco_models::{Bundle, BundleError, Dynamics, RunError};

use crate::config::BundleSection;

/// Time for which a planner thread on a GPU waits before it keeps the GPU busy, unless the configuration says
/// otherwise.
const DEFAULT_MS: f64 = 20.0;

/// A session that is run to keep a GPU awake.
pub struct KeepAlive {
    session: Dynamics,
    every: Duration,
}

impl KeepAlive {
    /// Makes a session of the `dynamics` graph at the horizon, if `config` or the bundle's provider asks for
    /// it: by default on a GPU only.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(config: &BundleSection, bundle: &Bundle) -> Result<Option<Self>, BundleError> {
        let default_ms = if bundle.provider().is_gpu() {
            DEFAULT_MS
        } else {
            0.0
        };
        let every_ms = config.keep_alive_ms.unwrap_or(default_ms);
        if every_ms <= 0.0 {
            return Ok(None);
        }
        Ok(Some(Self {
            session: bundle.dynamics(bundle.manifest().dims.horizon)?,
            every: crate::time::span(every_ms * 1e-3),
        }))
    }

    /// Time without work after which the session is run.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Runs one inference.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    ///
    /// # Real-time
    /// No allocation. Takes the time of one `dynamics` graph, by which an image that arrives meanwhile waits.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.session.run()
    }
}
