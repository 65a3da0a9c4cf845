//! How fast regions move, from where they were seen to be.

use super::region::{Middles, Place, length, scaled, subtract};
use crate::time::Time;

/// Time in s over which velocities are taken: noise of 1 cm in a region's place is then 2 to 4 cm/s.
const WINDOW_S: f64 = 0.5;
/// Largest number of moments that are kept of it.
const MOMENTS: usize = 8;
/// Speed in m/s above which a region has been put somewhere else, and has not moved there.
const FASTEST: f64 = 1.0;

/// Where regions were at the last moments.
#[derive(Clone, Debug, Default)]
pub struct Motion {
    seen: heapless::Deque<(Time, Middles), MOMENTS>,
}

impl Motion {
    /// Notes where the regions are at a time.
    ///
    /// # Real-time
    /// No allocation.
    pub fn note(&mut self, time: Time, middles: &Middles) {
        if (self.seen.back()).is_some_and(|(last, _)| time < *last) {
            // the clock jumped
            self.seen.clear();
        }
        while (self.seen.front()).is_some_and(|(first, _)| time.seconds_since(*first) > WINDOW_S) {
            self.seen.pop_front();
        }
        let spacing = WINDOW_S / MOMENTS as f64;
        let is_due = (self.seen.back()).is_none_or(|(last, _)| time.seconds_since(*last) > spacing);
        if is_due {
            // there is room: no more moments than these have that spacing
            let _ = self.seen.push_back((time, middles.clone()));
        }
    }

    /// The velocity in m/s of the region of a number that is at a place at a time; 0 where nothing is known of it.
    #[must_use]
    pub fn velocity(&self, time: Time, number: usize, place: Place) -> Place {
        let known = self.seen.front().and_then(|(first, middles)| {
            let age_s = time.seconds_since(*first);
            let moved = subtract(place, *middles.get(number)?);
            (age_s > 0.0).then(|| scaled(moved, 1.0 / age_s))
        });
        known
            .filter(|velocity| length(*velocity) <= FASTEST)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Time {
        Time(ms * 1_000_000)
    }

    #[test]
    fn velocities_are_those_of_the_last_half_second_and_a_jump_is_none() {
        let mut motion = Motion::default();
        let place = |ms: i64| [0.3, 0.2e-3 * ms as f64, 0.0];
        for ms in (0..2000).step_by(10) {
            let middles: Middles = [place(ms)].into_iter().collect();
            motion.note(at(ms), &middles);
            let [x, y, _] = motion.velocity(at(ms), 0, place(ms));
            assert!(x == 0.0 && (ms == 0 || (y - 0.2).abs() < 1e-9), "{ms}: {y}");
        }
        assert_eq!(motion.velocity(at(1990), 0, [3.0, 0.0, 0.0]), [0.0; 3]);
        assert_eq!(motion.velocity(at(1990), 0, [f64::NAN; 3]), [0.0; 3]);
        assert_eq!(motion.velocity(at(1990), 1, place(0)), [0.0; 3]);
        // Standing still for as long as that.
        for ms in (2000..2600).step_by(50) {
            motion.note(at(ms), &[place(1990)].into_iter().collect());
        }
        assert_eq!(motion.velocity(at(2600), 0, place(1990)), [0.0; 3]);
        // A clock that runs back begins anew.
        motion.note(at(10), &[place(0)].into_iter().collect());
        assert_eq!(motion.velocity(at(10), 0, place(1000)), [0.0; 3]);
    }
}
