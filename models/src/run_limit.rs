//! The end of what would not end by itself: the making of a session, and its first run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, Session, SessionInputValue, SessionInputs};

/// How often it is looked whether something has to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a graph may take to be made into a session, and when it is run for the first time, and whether anybody still waits for it.
#[derive(Clone, Debug)]
pub struct RunLimit {
    /// The longest time of each.
    pub time: Duration,
    /// Set when the bundle is no longer wanted: what is at hand ends, and with it the loading.
    pub given_up: Arc<AtomicBool>,
}

impl Default for RunLimit {
    /// Half a minute: a graph that is fit for control is made and run for the first time in milliseconds on a processor, and in some
    /// seconds on a GPU that chooses its algorithms.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            given_up: Arc::default(),
        }
    }
}

impl RunLimit {
    /// Makes a session from the contents of a graph's file; ends that when it takes too long or is given up. There is no limit of
    /// time where engines `is_built` for hardware, which takes minutes.
    ///
    /// # Errors
    /// That it was ended, and why, or ONNX Runtime's reason.
    pub(crate) fn try_commit(
        &self,
        builder: &mut SessionBuilder,
        bytes: &[u8],
        is_built: bool,
    ) -> Result<Session, String> {
        let canceler = builder.canceler();
        let time = if is_built { Duration::MAX } else { self.time };
        let end = || drop(canceler.cancel());
        self.watched("its making", time, end, || {
            builder.commit_from_memory(bytes).map_err(|e| e.to_string())
        })
    }

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
        let end = || drop(options.terminate());
        self.watched("its first run", self.time, end, || {
            let values = SessionInputs::<0>::ValueSlice(inputs);
            let result = session.run_with_options(values, &options);
            result.map(drop).map_err(|error| error.to_string())
        })
    }

    /// Does `work`, and calls `end` from another thread when that takes longer than `time` or is given up. Where `end` has no
    /// effect, the work ends by itself or not at all, as without a limit.
    fn watched<T>(
        &self,
        what: &str,
        time: Duration,
        end: impl Fn() + Sync,
        work: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, String> {
        let began = Instant::now();
        let over = || match self.given_up.load(Ordering::SeqCst) {
            true => Some(format!(
                "{what} was ended, because the bundle is no longer wanted"
            )),
            false if began.elapsed() > time => Some(format!(
                "{what} did not end within {:.1} s, which is no graph to control with",
                time.as_secs_f64()
            )),
            false => None,
        };
        let (running, ended) = channel::<()>();
        let (over, end) = (&over, &end);
        std::thread::scope(|scope| {
            let watch = scope.spawn(move || {
                let mut reason = None;
                while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    reason = reason.or_else(over);
                    if reason.is_some() {
                        // Again and again, as it may not have begun when it was told first.
                        end();
                    }
                }
                reason
            });
            let result = work();
            drop(running);
            let stopped = watch.join().unwrap_or_default();
            result.map_err(|error| stopped.unwrap_or(error))
        })
    }
}
