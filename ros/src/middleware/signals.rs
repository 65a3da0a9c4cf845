//! Signals, taken by one thread and by nobody else.
//!
//! The threads of rustdds end for good when a system call of theirs returns `EINTR`, and nothing says so.
//! [`Stop::install`] therefore blocks the signals in the calling thread *before* the DDS context exists;
//! every thread made later inherits the mask, and one thread waits for them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use nix::sys::signal::{SigSet, Signal};

/// The request to stop a process: set by SIGINT, SIGTERM or SIGHUP, or by the program itself. Clones share
/// it.
#[derive(Clone, Debug)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    closed: Receiver<()>,
    closer: Arc<Mutex<Option<Sender<()>>>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Makes a stop that only the program requests; no signal is taken.
    pub fn new() -> Self {
        let (sender, closed) = bounded(0);
        Self {
            requested: Arc::new(AtomicBool::new(false)),
            closed,
            closer: Arc::new(Mutex::new(Some(sender))),
        }
    }

    /// Blocks SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGALRM in this thread and all that it makes, and starts
    /// the thread that takes them. Call it first in `main`, before any other thread exists.
    ///
    /// A second SIGINT or SIGTERM ends the process at once with status 130.
    pub fn install() -> io::Result<Self> {
        let stop = Self::new();
        let mut signals = SigSet::empty();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGALRM,
        ] {
            signals.add(signal);
        }
        signals.thread_block()?;
        let taken = stop.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                loop {
                    match signals.wait() {
                        Ok(Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP) => {
                            if taken.is_requested() {
                                std::process::exit(130);
                            }
                            taken.request();
                        }
                        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                        Err(_) => return,
                    }
                }
            })?;
        Ok(stop)
    }

    /// Requests the stop and wakes everyone who waits.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        // Nobody panics while holding the lock; even then the sender is there to be dropped.
        let mut closer = self
            .closer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(closer.take());
    }

    /// Requests the stop when standard input comes to its end: a child process then ends with its parent,
    /// however that ends.
    pub fn when_stdin_closes(&self) -> io::Result<()> {
        let stop = self.clone();
        let watch = move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            stop.request();
        };
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(watch)
            .map(|_| ())
    }

    /// Whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// The flag behind [`Stop::is_requested`], for what cannot wait on a channel.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.requested.clone()
    }

    /// A channel that never carries anything and is disconnected once a stop is asked for; for `select!`.
    pub fn channel(&self) -> &Receiver<()> {
        &self.closed
    }

    /// Waits until `deadline` or until a stop is asked for; returns true in the latter case.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        // The channel is never sent on: both ends of the wait are errors, told apart by the flag.
        let _ = self.closed.recv_deadline(deadline);
        self.is_requested()
    }

    /// Waits for `time` or until a stop is asked for; returns true in the latter case.
    pub fn wait(&self, time: Duration) -> bool {
        self.wait_until(Instant::now() + time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_wakes_every_waiting_thread() {
        let stop = Stop::new();
        assert!(!stop.wait(Duration::from_millis(5)));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let stop = stop.clone();
                std::thread::spawn(move || stop.wait(Duration::from_secs(30)))
            })
            .collect();
        stop.request();
        for thread in waiting {
            assert!(thread.join().unwrap());
        }
        assert!(
            stop.wait(Duration::from_secs(30)),
            "a later wait returns at once"
        );
    }
}
