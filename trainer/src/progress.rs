//! Progress of long work: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between lines where the output is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress towards a known number of steps, on standard error.
pub struct Progress {
    what: &'static str,
    total: u64,
    /// Steps that were done before, and all that are done.
    first: u64,
    done: u64,
    start: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts with `total` steps of `what` (plural noun) to do.
    pub fn new(what: &'static str, total: u64) -> Self {
        Self::from(what, 0, total)
    }

    /// Goes on where `first` of `total` steps are done.
    pub fn from(what: &'static str, first: u64, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let style = "{bar:40} {pos}/{len} {prefix}, {elapsed} done, {eta} to go  {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_prefix(what);
            bar.set_position(first);
            bar.reset_eta();
            bar
        });
        Self {
            what,
            total,
            first,
            done: first,
            start: Instant::now(),
            last_line: Instant::now(),
            bar,
        }
    }

    /// `steps` more are done; `note` says how it stands.
    pub fn advance(&mut self, steps: u64, note: &str) {
        self.done += steps;
        if let Some(bar) = &self.bar {
            bar.set_message(note.to_owned());
            bar.set_position(self.done);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let elapsed = self.start.elapsed().as_secs_f64();
            let each = elapsed / (self.done - self.first).max(1) as f64;
            let left = each * self.total.saturating_sub(self.done) as f64;
            tracing::info!(
                "{}/{} {}, {elapsed:.0} s done, {left:.0} s to go  {note}",
                self.done,
                self.total,
                self.what
            );
        }
    }

    /// Removes the bar.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
