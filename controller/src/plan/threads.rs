//! The solver's [`Crew`] on threads of this process.
//!
//! The helper threads look for work without sleeping as long as there was some within the last
//! millisecond: a stage of an iteration takes some microseconds, a system call to wake a thread as
//! long. Then they sleep until the next plan. A helper that comes late finds its part done: the
//! calling thread takes every part that nobody has taken.

#![allow(unsafe_code)] // borrowed work is handed to threads that outlive the borrow

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use latco_solver::{Crew, MAX_PARTS};

/// Time for which a helper looks for work before it sleeps.
const AWAKE: Duration = Duration::from_millis(1);
/// Number of looks between two readings of the clock.
const LOOKS: u32 = 256;

/// Length of a state up to which one thread is as fast as two: the hand-overs cost as much as the second
/// thread saves (docs/decisions/0004).
const LARGEST_FOR_ONE: usize = 128;

/// The number of planning threads for a setting and states of `state` elements: 0 means two, or one
/// on a machine with one core or for small states.
#[must_use]
pub fn threads(setting: u32, state: usize) -> usize {
    match setting {
        0 if state <= LARGEST_FOR_ONE => 1,
        0 => std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(2),
        count => count as usize,
    }
}

/// A crew of threads that do the parts of the solver's stages; the calling thread is one of them.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    epoch: u32,
}

#[derive(Debug)]
struct Shared {
    /// The work to be done; see [`Ticket`].
    ticket: AtomicU64,
    /// Number of parts of the current work that are done.
    done: AtomicUsize,
    /// The current work; valid while a taken part of the current ticket is not done.
    job: UnsafeCell<Job>,
    panicked: AtomicBool,
    stop: AtomicBool,
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is written by the calling thread only while no part is taken (the ticket has none
// left and all taken ones are done), and read by a thread only after it has taken a part.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is only followed while the borrow it came from lasts.
unsafe impl Send for Shared {}

/// Work on a slice of parts, its types erased.
#[derive(Clone, Copy, Debug)]
struct Job {
    data: *const (),
    run: unsafe fn(*const (), usize),
}

/// The parts of some work: how many there are, the next to be taken, and a count of works that keeps a late
/// helper from taking a part of the next one by mistake.
#[derive(Clone, Copy)]
struct Ticket(u64);

impl Ticket {
    fn new(epoch: u32, parts: usize) -> Self {
        // the first part is taken by the calling thread
        Self((u64::from(epoch) << 32) | ((parts as u64) << 16) | 1)
    }

    fn next(self) -> Option<usize> {
        let (parts, next) = ((self.0 >> 16) & 0xffff, self.0 & 0xffff);
        (next < parts).then_some(next as usize)
    }
}

impl Shared {
    /// Takes the next part.
    fn take(&self) -> Option<usize> {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        loop {
            let part = Ticket(ticket).next()?;
            match self.ticket.compare_exchange_weak(
                ticket,
                ticket + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(part),
                Err(other) => ticket = other,
            }
        }
    }

    /// Does a part that this thread has taken.
    fn work(&self, part: usize) {
        // SAFETY: the part is taken and not done, so the job stays and its borrows last.
        let done = catch_unwind(AssertUnwindSafe(|| unsafe {
            let job = *self.job.get();
            (job.run)(job.data, part);
        }));
        if done.is_err() {
            self.panicked.store(true, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
    }

    fn help(&self, own: usize) {
        let mut awake_since = Instant::now();
        let mut looks = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(part) = self.take() {
                self.work(part);
                (awake_since, looks) = (Instant::now(), 0);
                continue;
            }
            std::hint::spin_loop();
            looks += 1;
            if looks < LOOKS {
                continue;
            }
            looks = 0;
            if awake_since.elapsed() > AWAKE {
                self.asleep[own].store(true, Ordering::SeqCst);
                // work that came before the line above was seen
                if Ticket(self.ticket.load(Ordering::SeqCst)).next().is_none()
                    && !self.stop.load(Ordering::SeqCst)
                {
                    std::thread::park();
                }
                self.asleep[own].store(false, Ordering::SeqCst);
                awake_since = Instant::now();
            }
        }
    }
}

impl Threads {
    /// Makes a crew of `count` threads in all (1 to [`MAX_PARTS`], others are taken for the nearest): the
    /// calling one and `count - 1` helpers.
    ///
    /// # Errors
    /// The system's reason why a thread could not be started.
    pub fn new(count: usize) -> std::io::Result<Self> {
        let helpers = count.clamp(1, MAX_PARTS) - 1;
        unsafe fn nothing(_: *const (), _: usize) {}
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            done: AtomicUsize::new(0),
            job: UnsafeCell::new(Job {
                data: std::ptr::null(),
                run: nothing,
            }),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: (0..helpers).map(|_| AtomicBool::new(false)).collect(),
        });
        let mut threads = Self {
            shared,
            helpers: Vec::with_capacity(helpers),
            epoch: 0,
        };
        for own in 0..helpers {
            let shared = Arc::clone(&threads.shared);
            let helper = std::thread::Builder::new()
                .name(format!("latco-plan-{}", own + 2))
                .spawn(move || shared.help(own))?;
            threads.helpers.push(helper);
        }
        Ok(threads)
    }

    fn wake(&self) {
        for (asleep, helper) in self.shared.asleep.iter().zip(&self.helpers) {
            if asleep.load(Ordering::SeqCst) {
                Thread::unpark(helper.thread());
            }
        }
    }
}

/// Waits for the parts that other threads have taken, also when the calling thread panics.
struct Wait<'a> {
    shared: &'a Shared,
    parts: usize,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        while self.shared.done.load(Ordering::Acquire) < self.parts {
            match self.shared.take() {
                Some(part) => self.shared.work(part),
                None => std::hint::spin_loop(),
            }
        }
    }
}

impl Crew for Threads {
    fn size(&self) -> usize {
        self.helpers.len() + 1
    }

    fn each<T: Send, F: Fn(usize, &mut T) + Sync>(&mut self, parts: &mut [T], work: F) {
        if self.helpers.is_empty() || parts.len() <= 1 {
            parts
                .iter_mut()
                .enumerate()
                .for_each(|(i, part)| work(i, part));
            return;
        }

        struct Parts<T, F> {
            first: *mut T,
            work: *const F,
        }
        /// # Safety
        /// `data` is a `Parts<T, F>` whose slice has more than `i` elements, and nobody else has
        /// element `i`.
        unsafe fn run<T, F: Fn(usize, &mut T)>(data: *const (), i: usize) {
            unsafe {
                let parts = &*data.cast::<Parts<T, F>>();
                (*parts.work)(i, &mut *parts.first.add(i));
            }
        }

        let erased = Parts {
            first: parts.as_mut_ptr(),
            work: &raw const work,
        };
        let shared = &*self.shared;
        // SAFETY: the last work is done, and no part of it can be taken any more.
        unsafe {
            *shared.job.get() = Job {
                data: (&raw const erased).cast(),
                run: run::<T, F>,
            };
        }
        shared.done.store(0, Ordering::Relaxed);
        self.epoch = self.epoch.wrapping_add(1);
        let ticket = Ticket::new(self.epoch, parts.len());
        shared.ticket.store(ticket.0, Ordering::SeqCst);
        self.wake();

        let wait = Wait {
            shared,
            parts: parts.len(),
        };
        shared.work(0);
        drop(wait);
        assert!(
            !shared.panicked.swap(false, Ordering::Relaxed),
            "a part of the solver's work panicked"
        );
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // its panics were reported where they happened
            let _ = helper.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_states_take_one_thread_unless_told_otherwise() {
        assert_eq!(threads(0, 80), 1);
        assert!((1..=2).contains(&threads(0, 230)));
        assert_eq!((threads(2, 80), threads(1, 230)), (2, 1));
    }

    #[test]
    fn every_part_is_done_once_by_any_number_of_threads() {
        for count in [1, 2, 3, 8] {
            let mut threads = Threads::new(count).unwrap();
            assert_eq!(threads.size(), count);
            for round in 0..2000_usize {
                let mut parts = vec![0; 1 + round % MAX_PARTS];
                threads.each(&mut parts, |i, part| *part += i + round);
                assert!(parts.iter().enumerate().all(|(i, &part)| part == i + round));
            }
            // after a sleep
            std::thread::park_timeout(4 * AWAKE);
            let mut parts = [0; 2];
            threads.each(&mut parts, |i, part| *part = i + 1);
            assert_eq!(parts, [1, 2]);
        }
    }

    #[test]
    fn parts_run_at_the_same_time() {
        let mut threads = Threads::new(2).unwrap();
        let meeting = std::sync::Barrier::new(2);
        threads.each(&mut [(), ()], |_, ()| {
            meeting.wait();
        });
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller_and_the_threads_live_on() {
        let mut threads = Threads::new(2).unwrap();
        for bad in 0..2 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                threads.each(&mut [0; 2], |i, _| assert_ne!(i, bad, "on purpose"));
            }));
            assert!(result.is_err());
            let mut parts = [0; 2];
            threads.each(&mut parts, |i, part| *part = i + 1);
            assert_eq!(parts, [1, 2]);
        }
    }
}
