//! The CPU time of a thread as a clock.

use latco_controller::{Clock, Time};
use nix::time::ClockId;

/// The CPU time that the calling thread has used (`CLOCK_THREAD_CPUTIME_ID`). Other programs on the machine
/// do not make it run faster, so that budgets by it are fair on a machine with other work. It counts all of a
/// planner's work only where one thread does it: `planner.threads = 1` on the CPU provider. All readings that
/// are compared must be of one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadClock;

impl Clock for ThreadClock {
    fn now(&self) -> Time {
        let time = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
        let time = time.expect("the system counts the CPU time of every thread");
        Time(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn it_counts_work_and_not_waiting() {
        let begin = ThreadClock.now();
        std::thread::park_timeout(Duration::from_millis(60));
        let waited = ThreadClock.now().seconds_since(begin);
        assert!(waited < 0.04, "{waited}");
        // Work until it is seen: however busy the machine is, it comes.
        let (begin, wall) = (ThreadClock.now(), Instant::now());
        while ThreadClock.now().seconds_since(begin) < 0.02 {
            assert!(
                wall.elapsed() < Duration::from_secs(60),
                "time stands still"
            );
        }
        assert!(wall.elapsed() >= Duration::from_millis(19));
    }
}
