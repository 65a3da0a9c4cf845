//! The recent past in fixed memory: commands really sent, and joint states.

use crate::inputs::{JointInput, JointVec};
use crate::time::Time;

/// A ring of time-stamped values, newest last.
#[derive(Clone, Debug)]
struct Ring<T> {
    entries: Vec<(Time, T)>,
    next: usize,
    capacity: usize,
}

impl<T> Ring<T> {
    fn new(capacity: usize) -> Self {
        Self {
            entries: Vec::with_capacity(capacity),
            next: 0,
            capacity: capacity.max(1),
        }
    }

    fn push(&mut self, time: Time, value: T) {
        if self.entries.len() < self.capacity {
            self.entries.push((time, value));
        } else {
            self.entries[self.next] = (time, value);
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// The values from the newest to the oldest.
    fn newest_first(&self) -> impl Iterator<Item = &(Time, T)> {
        let len = self.entries.len();
        (1..=len).map(move |back| &self.entries[(self.next + len - back) % len.max(1)])
    }

    fn newest(&self) -> Option<&(Time, T)> {
        self.newest_first().next()
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.next = 0;
    }
}

/// What was sent to the robot, each command held until the next.
#[derive(Clone, Debug)]
pub(crate) struct CommandHistory {
    ring: Ring<JointVec>,
}

impl CommandHistory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ring: Ring::new(capacity),
        }
    }

    /// What was sent last before `time`.
    pub(crate) fn before(&self, time: Time) -> Option<&JointVec> {
        let mut sent = self.ring.newest_first();
        sent.find(|(at, _)| *at < time).map(|(_, sent)| sent)
    }

    /// Notes what was sent; entries that are older than the last are left out.
    pub(crate) fn push(&mut self, time: Time, commands: &JointVec) {
        if self.ring.newest().is_none_or(|(last, _)| time > *last) {
            self.ring.push(time, commands.clone());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
    }

    /// Writes the mean command from `from` to `to` into `mean`; it is zero where nothing is known.
    pub(crate) fn mean(&self, from: Time, to: Time, mean: &mut [f64]) {
        mean.fill(0.0);
        let whole_s = to.seconds_since(from);
        if whole_s <= 0.0 {
            return;
        }
        let mut end = to;
        for (time, velocities) in self.ring.newest_first() {
            if *time >= end {
                continue;
            }
            let weight = end.seconds_since((*time).max(from)) / whole_s;
            for (mean, velocity) in mean.iter_mut().zip(velocities) {
                *mean += weight * velocity;
            }
            end = *time;
            if end <= from {
                break;
            }
        }
    }
}

/// Joint states as the model takes them: positions, then velocities.
#[derive(Clone, Debug)]
pub(crate) struct JointHistory {
    ring: Ring<(JointVec, JointVec)>,
}

impl JointHistory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ring: Ring::new(capacity),
        }
    }

    pub(crate) fn push(&mut self, joints: &JointInput<'_>) {
        let vec = |values: &[f64]| values.iter().copied().collect();
        self.ring.push(
            joints.stamp,
            (vec(joints.positions), vec(joints.velocities)),
        );
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
    }

    /// The positions in rad at `time`, as [`JointHistory::at`] finds them.
    pub(crate) fn positions_at(&self, time: Time) -> Option<&JointVec> {
        self.sample_at(time).map(|(_, (positions, _))| positions)
    }

    fn sample_at(&self, time: Time) -> Option<&(Time, (JointVec, JointVec))> {
        self.ring
            .newest_first()
            .find(|(stamp, _)| *stamp <= time)
            .or_else(|| self.ring.newest_first().last())
    }

    /// Writes the newest sample at or before `time` (else the oldest that is known) to `out`
    /// `[2 nj]` and returns its stamp.
    pub(crate) fn at(&self, time: Time, out: &mut [f32]) -> Option<Time> {
        let (stamp, (positions, velocities)) = self.sample_at(time)?;
        for (out, value) in out.iter_mut().zip(positions.iter().chain(velocities)) {
            *out = *value as f32;
        }
        Some(*stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_seconds(seconds)
    }

    fn one(value: f64) -> JointVec {
        std::iter::once(value).collect()
    }

    #[test]
    fn the_mean_command_weighs_by_time() {
        let mut history = CommandHistory::new(3);
        let mut mean = [9.0];
        history.mean(at(0.0), at(1.0), &mut mean);
        assert_eq!(mean, [0.0], "nothing known");
        history.push(at(0.0), &one(1.0));
        history.push(at(0.5), &one(3.0));
        history.push(at(0.4), &one(99.0)); // older than the last: left out
        history.mean(at(0.0), at(1.0), &mut mean);
        assert!((mean[0] - 2.0).abs() < 1e-9);
        history.mean(at(0.25), at(0.75), &mut mean);
        assert!((mean[0] - 2.0).abs() < 1e-9);
        history.mean(at(0.6), at(2.0), &mut mean);
        assert!((mean[0] - 3.0).abs() < 1e-9, "held until the next");
        // The ring forgets the oldest.
        history.push(at(1.0), &one(5.0));
        history.push(at(1.5), &one(7.0));
        history.mean(at(0.0), at(2.0), &mut mean);
        assert!((mean[0] - (0.5 * 3.0 + 0.5 * 5.0 + 0.5 * 7.0) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn joints_at_or_before_the_image_are_found() {
        let mut history = JointHistory::new(3);
        let mut out = [0.0; 2];
        assert_eq!(history.at(at(1.0), &mut out), None);
        for step in 1..=5 {
            let value = f64::from(step);
            history.push(&JointInput {
                stamp: at(value),
                positions: &[value],
                velocities: &[-value],
            });
        }
        assert_eq!(history.at(at(4.5), &mut out), Some(at(4.0)));
        assert_eq!(out, [4.0, -4.0]);
        assert_eq!(history.at(at(9.0), &mut out), Some(at(5.0)));
        assert_eq!(history.at(at(1.0), &mut out), Some(at(3.0)), "the oldest");
    }
}
