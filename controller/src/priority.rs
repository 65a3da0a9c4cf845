//! Real-time priority of the threads between an image and its command.
//!
//! A process that was [`permit`]ted a priority gives it to the threads that ask for it ([`raise`]); in every other
//! process, and where the system refuses, asking changes nothing. Threads that do long work that may wait (loading, the
//! planner's helpers, the recorder of a bag) never ask.

use std::num::NonZeroU8;
use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The priority that ros2_control gives its control loop: above the usual threads, below those of the kernel's interrupts.
pub const USUAL: u8 = 50;
/// The highest real-time priority.
pub const HIGHEST: u8 = 99;

/// The priority that the threads of this process may take; 0 for none.
static PERMITTED: AtomicU8 = AtomicU8::new(0);

/// The reason why there is no real-time priority.
#[derive(Debug, Error)]
pub enum PriorityError {
    /// The priority is higher than the highest.
    #[error("expected a priority from 1 to {HIGHEST}, found {found}")]
    TooHigh {
        /// Priority that was asked for.
        found: u8,
    },
    /// The system does not permit the priority to this process.
    #[error(
        "the system does not permit SCHED_FIFO with priority {wanted} ({reason}): give the process CAP_SYS_NICE, or its user \
         an rtprio limit of {wanted} or more (/etc/security/limits.d, or LimitRTPRIO of a systemd unit)"
    )]
    Refused {
        /// Priority that was asked for.
        wanted: NonZeroU8,
        /// The system's words.
        reason: String,
    },
}

/// Lets the threads of this process that ask for it have a priority (SCHED_FIFO, 1 to [`HIGHEST`]). It is
/// tried out on a thread that ends at once, so that the caller's own priority stays as it is.
///
/// # Errors
/// [`PriorityError`]; then nothing changes.
pub fn permit(wanted: NonZeroU8) -> Result<(), PriorityError> {
    if wanted.get() > HIGHEST {
        return Err(PriorityError::TooHigh {
            found: wanted.get(),
        });
    }
    let refused = |reason: String| PriorityError::Refused { wanted, reason };
    let tried = std::thread::spawn(move || take(wanted.get()));
    match tried.join() {
        Ok(taken) => taken.map_err(refused)?,
        Err(_) => return Err(refused("the thread that tried it ended".into())),
    }
    PERMITTED.store(wanted.get(), Ordering::Relaxed);
    Ok(())
}

/// Gives the calling thread, and those that it starts from now on, the priority that was permitted to this process, if any.
pub fn raise() {
    let priority = PERMITTED.load(Ordering::Relaxed);
    if priority == 0 {
        return;
    }
    if let Err(reason) = take(priority) {
        tracing::warn!(reason, "a thread keeps the usual priority");
    }
}

/// Runs `start` on a thread with the permitted priority and waits for it: the threads that it starts have the
/// priority too, the caller has not.
pub fn starting_raised<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let started = scope.spawn(|| {
            raise();
            start()
        });
        match started.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn take(priority: u8) -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(priority)?;
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(value),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::{get_current_thread_priority, thread_schedule_policy};

    fn is_real_time() -> bool {
        let policy = thread_schedule_policy().unwrap();
        policy == ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo)
    }

    /// One test, as what is permitted is the process's.
    #[test]
    fn only_threads_that_ask_are_raised() {
        raise();
        assert!(!is_real_time(), "nothing was permitted");
        let high = permit(NonZeroU8::new(HIGHEST + 1).unwrap()).unwrap_err();
        assert!(high.to_string().contains("99"), "{high}");
        let wanted = NonZeroU8::new(7).unwrap();
        if let Err(refused) = permit(wanted) {
            // Of a user without the right: told, and nothing changes.
            assert!(refused.to_string().contains("rtprio"), "{refused}");
            raise();
            assert!(!is_real_time());
            return;
        }
        assert!(!is_real_time(), "the caller stays as it is");
        let inherited = starting_raised(|| {
            let started = std::thread::spawn(|| (is_real_time(), get_current_thread_priority()));
            started.join().unwrap()
        });
        let value = ThreadPriorityValue::try_from(7).unwrap();
        let expected = ThreadPriority::Crossplatform(value);
        assert!(inherited.0 && inherited.1.unwrap() == expected);
        assert!(!is_real_time());
        raise();
        assert!(is_real_time());
    }
}
