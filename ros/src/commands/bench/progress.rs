//! Progress of long measurements: a line every ten seconds on standard error.

use std::time::{Duration, Instant};

/// Time between lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress towards a known number of pieces.
pub(super) struct Progress {
    what: &'static str,
    total: usize,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// `total` pieces of `what` (plural) are to be done.
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        let now = Instant::now();
        Self {
            what,
            total,
            started: now,
            last_line: now,
        }
    }

    /// `done` pieces are done, `note` is next.
    pub(super) fn show(&mut self, done: usize, note: &str) {
        if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            tracing::info!(
                "{done}/{} {}, {:.0} s, now {note}",
                self.total,
                self.what,
                self.started.elapsed().as_secs_f64()
            );
        }
    }
}
