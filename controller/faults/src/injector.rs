//! The injector: which faults strike now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chacha20::ChaCha8Rng;
use latco_controller::time::span;
use rand::{Rng, SeedableRng};

use crate::faults::{Fault, Faults};
use crate::kind::{Effect, Target};

/// Carries faults out, by the machine's own time or by a simulated one.
///
/// Time runs from [`Injector::begin`]; before, nothing is wrong. Each fault is logged when it strikes for the first time, and
/// [`Injector::report`] says how often each struck, so that nobody forgets that it runs. The same faults strike the same calls
/// in simulated time, whatever else strikes.
#[derive(Debug)]
pub struct Injector {
    machine: Option<Instant>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    armed: Vec<Armed>,
    /// Time in simulation, s.
    simulated_s: f64,
    begun_s: Option<f64>,
    /// Time that was waited in simulation.
    waited: Duration,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    random: ChaCha8Rng,
    count: u64,
}

/// A fault that strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strike {
    /// What it does.
    pub effect: Effect,
    /// How much of it, in the unit of its kind.
    pub amount: f64,
    /// A random number of the fault's own.
    pub random: u64,
}

impl Injector {
    /// Makes an injector by the machine's own time. What takes longer waits.
    #[must_use]
    pub fn real(faults: &Faults) -> Arc<Self> {
        Self::new(faults, Some(Instant::now()))
    }

    /// Makes an injector by the time of [`Injector::set_time`]. What takes longer is told by [`Injector::take_waited`].
    #[must_use]
    pub fn simulated(faults: &Faults) -> Arc<Self> {
        Self::new(faults, None)
    }

    fn new(faults: &Faults, machine: Option<Instant>) -> Arc<Self> {
        let injector = Self {
            machine,
            state: Mutex::new(State {
                armed: Vec::new(),
                simulated_s: 0.0,
                begun_s: None,
                waited: Duration::ZERO,
            }),
        };
        injector.arm(faults);
        Arc::new(injector)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes other faults, which wait for [`Injector::begin`].
    pub fn arm(&self, faults: &Faults) {
        let armed = faults.0.iter().map(|fault| Armed {
            random: ChaCha8Rng::seed_from_u64(fault.seed),
            fault: fault.clone(),
            count: 0,
        });
        let mut state = self.state();
        state.armed = armed.collect();
        state.begun_s = None;
        state.waited = Duration::ZERO;
    }

    /// Begins to count the time of the faults, if it has not begun.
    pub fn begin(&self) {
        let now_s = self.now_s();
        self.state().begun_s.get_or_insert(now_s);
    }

    /// Sets the simulated time, s.
    pub fn set_time(&self, now_s: f64) {
        self.state().simulated_s = now_s;
    }

    /// The time by which samples are delayed, s.
    #[must_use]
    pub fn now_s(&self) -> f64 {
        match self.machine {
            Some(began) => began.elapsed().as_secs_f64(),
            None => self.state().simulated_s,
        }
    }

    /// The faults that strike this sample or call.
    #[must_use]
    pub fn strike(&self, target: Target) -> Vec<Strike> {
        let now_s = self.now_s();
        let mut state = self.state();
        let Some(begun_s) = state.begun_s else {
            return Vec::new();
        };
        let at_s = now_s - begun_s;
        let mut strikes = Vec::new();
        for armed in &mut state.armed {
            let fault = &armed.fault;
            let lasts = fault.for_s.is_none_or(|for_s| at_s < fault.from_s + for_s);
            if fault.kind.target != target || at_s < fault.from_s || !lasts {
                continue;
            }
            // Both are drawn for every call, so that what strikes later does not depend on the probability.
            let (draw, random) = (armed.random.next_u64(), armed.random.next_u64());
            if draw as f64 / u64::MAX as f64 >= fault.probability && fault.probability < 1.0 {
                continue;
            }
            armed.count += 1;
            if armed.count == 1 {
                tracing::warn!(
                    amount = fault.amount,
                    probability = fault.probability,
                    "a fault is injected: {}",
                    fault.kind.name
                );
            }
            strikes.push(Strike {
                effect: fault.kind.effect,
                amount: fault.amount,
                random,
            });
        }
        strikes
    }

    /// The name of each fault with how often it struck.
    #[must_use]
    pub fn report(&self) -> Vec<(&'static str, u64)> {
        let state = self.state();
        let armed = state.armed.iter();
        armed.map(|a| (a.fault.kind.name, a.count)).collect()
    }

    /// Lets so many ms pass.
    #[allow(clippy::disallowed_methods)] // blocking the thread is the fault
    pub(crate) fn wait(&self, ms: f64) {
        let time = span(ms * 1e-3);
        if self.machine.is_some() {
            std::thread::sleep(time);
        } else {
            self.state().waited += time;
        }
    }

    /// Takes the time that passed by slow calls in simulation since the last look.
    #[must_use]
    pub fn take_waited(&self) -> Duration {
        std::mem::take(&mut self.state().waited)
    }
}

/// Ends a thread as a mistake in a program does.
#[allow(clippy::panic)] // the panic is the fault
pub(crate) fn panic_here(what: &str) -> ! {
    panic!("injected fault: {what}")
}
