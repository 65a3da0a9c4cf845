//! The clock of a player: the moment of the bag that is being played, at a rate, with pauses.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::select;
use crossbeam::channel::{Receiver, Sender, bounded};

use crate::middleware::{Stop, stamp};

/// The slowest and the fastest rate.
pub const RATES: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// State of the clock.
#[derive(Clone, Copy, Debug)]
struct Pace {
    rate: f64,
    paused: bool,
    /// The moment of the machine's clock at which the rest holds.
    anchor: Instant,
    anchor_ns: i64,
    /// Moment of the bag at the anchor, in ns.
    position_ns: i64,
    /// Number of messages to be played although it is paused.
    steps: u64,
}

impl Pace {
    /// The moment of the bag in ns.
    fn position_ns(&self, now: Instant) -> i64 {
        match self.paused {
            true => self.position_ns,
            false => {
                let passed = now.saturating_duration_since(self.anchor).as_nanos() as f64;
                self.position_ns.saturating_add((passed * self.rate) as i64)
            }
        }
    }

    /// Time in seconds from the anchor to a moment of the bag.
    fn until(&self, bag_ns: i64) -> f64 {
        (i128::from(bag_ns) - i128::from(self.position_ns)) as f64 / self.rate
    }

    fn due(&self, bag_ns: i64) -> Instant {
        // A century is far enough for the clock of every machine.
        let ns = self.until(bag_ns).clamp(0.0, 3.2e18);
        self.anchor + Duration::from_nanos(ns as u64)
    }

    fn anchor(&mut self, now: Instant, now_ns: i64) {
        self.position_ns = self.position_ns(now);
        self.anchor = now;
        self.anchor_ns = now_ns;
    }
}

/// A handle on a player: pause, resume, another rate. Shared by services, keys and the player itself.
#[derive(Debug)]
pub struct Control {
    pace: Mutex<Pace>,
    change: (Sender<()>, Receiver<()>),
}

impl Control {
    /// Makes a handle that plays at `rate`; a paused player waits before its first message.
    pub fn new(rate: f64, paused: bool) -> Self {
        Self {
            pace: Mutex::new(Pace {
                rate,
                paused,
                anchor: Instant::now(),
                anchor_ns: stamp::now_ns(),
                position_ns: 0,
                steps: 0,
            }),
            change: bounded(1),
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Pace)) {
        let mut pace = self.pace();
        pace.anchor(Instant::now(), stamp::now_ns());
        change(&mut pace);
        drop(pace);
        // Full means that the player will look anyway.
        let _ = self.change.0.try_send(());
    }

    /// Sets the moment of the bag, at the start of a round.
    pub fn begin(&self, position_ns: i64) {
        self.change(|pace| pace.position_ns = position_ns);
    }

    /// Pauses the player.
    pub fn pause(&self) {
        self.change(|pace| pace.paused = true);
    }

    /// Lets the player go on.
    pub fn resume(&self) {
        self.change(|pace| {
            pace.paused = false;
            pace.steps = 0;
        });
    }

    /// Changes between pause and playing; returns whether it is paused afterwards.
    pub fn toggle(&self) -> bool {
        match self.is_paused() {
            true => self.resume(),
            false => self.pause(),
        }
        self.is_paused()
    }

    /// Whether the player is paused.
    pub fn is_paused(&self) -> bool {
        self.pace().paused
    }

    /// Lets one message pass; returns false when the player is not paused.
    pub fn play_next(&self) -> bool {
        let paused = self.is_paused();
        if paused {
            self.change(|pace| pace.steps += 1);
        }
        paused
    }

    /// The rate: how many times as fast as recorded.
    pub fn rate(&self) -> f64 {
        self.pace().rate
    }

    /// Changes the rate; returns false outside [`RATES`].
    pub fn set_rate(&self, rate: f64) -> bool {
        let possible = RATES.contains(&rate);
        if possible {
            self.change(|pace| pace.rate = rate);
        }
        possible
    }

    /// Waits for a moment of the bag. Returns how late it is, or `None` when a stop was asked for.
    pub(super) fn wait_for(&self, bag_ns: i64, stop: &Stop) -> Option<Duration> {
        loop {
            if stop.is_requested() {
                return None;
            }
            let due = {
                let mut pace = self.pace();
                if pace.paused && pace.steps > 0 {
                    pace.steps -= 1;
                    pace.position_ns = pace.position_ns.max(bag_ns);
                    return Some(Duration::ZERO);
                }
                (!pace.paused).then(|| pace.due(bag_ns))
            };
            match due {
                Some(due) if due <= Instant::now() => return Some(due.elapsed()),
                Some(due) => select! {
                    recv(self.change.1) -> _ => {}
                    recv(stop.channel()) -> _ => {}
                    recv(crossbeam::channel::at(due)) -> _ => {}
                },
                None => select! {
                    recv(self.change.1) -> _ => {}
                    recv(stop.channel()) -> _ => {}
                },
            }
        }
    }

    /// The time of day in ns that a moment of the bag has in this playing.
    pub(super) fn stamp_ns(&self, bag_ns: i64) -> i64 {
        let pace = self.pace();
        pace.anchor_ns.saturating_add(pace.until(bag_ns) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn pace(rate: f64) -> Pace {
        Pace {
            rate,
            paused: false,
            anchor: Instant::now(),
            anchor_ns: 100 * SECOND,
            position_ns: 7 * SECOND,
            steps: 0,
        }
    }

    #[test]
    fn the_rate_is_that_of_the_bag() {
        let pace = pace(2.0);
        let due = pace.due(17 * SECOND);
        assert_eq!(due - pace.anchor, Duration::from_secs(5));
        assert_eq!(pace.position_ns(due), 17 * SECOND);
        assert_eq!(pace.due(0), pace.anchor, "what is past is due at once");
    }

    #[test]
    fn a_pause_and_another_rate_go_on_from_where_they_are() {
        let mut pace = pace(1.0);
        let later = pace.anchor + Duration::from_secs(3);
        pace.anchor(later, 103 * SECOND);
        pace.paused = true;
        assert_eq!(
            pace.position_ns(later + Duration::from_secs(60)),
            10 * SECOND
        );
        let resumed = later + Duration::from_secs(60);
        pace.anchor(resumed, 163 * SECOND);
        pace.paused = false;
        pace.rate = 0.5;
        assert_eq!(pace.due(11 * SECOND) - resumed, Duration::from_secs(2));
        assert_eq!(
            pace.position_ns(resumed + Duration::from_secs(2)),
            11 * SECOND
        );
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // it must still wait after a while
    fn a_paused_player_waits_steps_and_stops() {
        let control = std::sync::Arc::new(Control::new(1.0, true));
        control.begin(0);
        let stop = Stop::new();
        assert!(control.play_next());
        assert_eq!(control.wait_for(50 * SECOND, &stop), Some(Duration::ZERO));
        let other = (control.clone(), stop.clone());
        let waiting = std::thread::spawn(move || other.0.wait_for(50 * SECOND, &other.1).is_some());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished(), "it is paused");
        assert!(!control.toggle());
        assert!(
            waiting.join().unwrap(),
            "the step went to 50 s, so that is due"
        );
        assert!(!control.play_next(), "only a paused player steps");
        let other = (control.clone(), stop.clone());
        let waiting = std::thread::spawn(move || other.0.wait_for(500 * SECOND, &other.1));
        stop.request();
        assert_eq!(waiting.join().unwrap(), None);
    }

    #[test]
    fn impossible_rates_are_refused() {
        let control = Control::new(1.0, false);
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(!control.set_rate(rate), "{rate}");
        }
        assert!(control.set_rate(3.0));
        assert_eq!(control.rate(), 3.0);
    }
}
