//! The end of a first run that would not end by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ort::session::{RunOptions, Session, SessionInputValue, SessionInputs};

/// How often it is looked whether a run has to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a graph may take when it is run for the first time, and whether anybody still waits for it.
#[derive(Clone, Debug)]
pub struct RunLimit {
    /// The longest time of one run.
    pub time: Duration,
    /// Set when the bundle is no longer wanted: the run at hand ends, and with it the loading.
    pub given_up: Arc<AtomicBool>,
}

impl Default for RunLimit {
    /// Half a minute: a first run of a graph that is fit for control takes milliseconds on a processor, and some seconds on a
    /// GPU that chooses its algorithms.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            given_up: Arc::default(),
        }
    }
}

impl RunLimit {
    /// Runs a session for the first time and drops what it gives; ends it when it takes too long or is given up.
    ///
    /// # Errors
    /// That it was ended, and why, or ONNX Runtime's reason.
    pub(crate) fn try_run(
        &self,
        session: &mut Session,
        inputs: &[SessionInputValue<'_>],
    ) -> Result<(), String> {
        let options = RunOptions::new().map_err(|e| e.to_string())?;
        let began = Instant::now();
        let over = || match self.given_up.load(Ordering::SeqCst) {
            true => Some("ended, because the bundle is no longer wanted".to_owned()),
            false if began.elapsed() > self.time => Some(format!(
                "did not end within {:.1} s, which is no graph to control with",
                self.time.as_secs_f64()
            )),
            false => None,
        };
        let (running, ended) = channel::<()>();
        let (over, options) = (&over, &options);
        std::thread::scope(|scope| {
            let watch = scope.spawn(move || {
                while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Some(reason) = over() {
                        // Where that fails, the run ends by itself or not at all, as without a limit.
                        let _ = options.terminate();
                        return Some(reason);
                    }
                }
                None
            });
            let values = SessionInputs::<0>::ValueSlice(inputs);
            let result = session.run_with_options(values, options).map(drop);
            drop(running);
            let stopped = watch.join().unwrap_or_default();
            result.map_err(|error| stopped.unwrap_or_else(|| error.to_string()))
        })
    }
}
