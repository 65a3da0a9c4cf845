//! What commands do: velocity, acceleration, jerk, and the time to rest.

use serde::Serialize;

use super::limits::Limits;
use crate::inputs::JointVec;
use crate::time::Time;

/// Measures velocity set-points as they come.
///
/// Acceleration and jerk are differences over the times between set-points.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    last: Option<(Time, JointVec, Option<JointVec>)>,
    marked: Option<Time>,
    /// Time of the last set-point that moves.
    moved: Option<Time>,
    figures: Figures,
}

/// The figures of a [`Meter`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Number of set-points.
    pub commands: u64,
    /// Number of set-points with a number that is not finite.
    pub non_finite: u64,
    /// Highest speed of each joint, rad/s.
    pub velocity_max: Vec<f64>,
    /// Highest acceleration of each joint, rad/s^2.
    pub acceleration_max: Vec<f64>,
    /// Highest jerk of each joint, rad/s^3.
    pub jerk_max: Vec<f64>,
}

impl Meter {
    /// Takes the next set-point: velocities in rad/s from `time` on.
    pub fn note(&mut self, time: Time, velocities: &JointVec) {
        let figures = &mut self.figures;
        figures.commands += 1;
        if !velocities.iter().all(|v| v.is_finite()) {
            figures.non_finite += 1;
            return;
        }
        raise(&mut figures.velocity_max, velocities.iter().copied());
        if velocities.iter().any(|&v| v != 0.0) {
            self.moved = Some(time);
        }
        let mut accelerations = None;
        if let Some((at, before, last_accelerations)) = &self.last {
            let dt = time.seconds_since(*at).max(1e-6);
            let now: JointVec = (velocities.iter().zip(before))
                .map(|(v, u)| (v - u) / dt)
                .collect();
            raise(&mut figures.acceleration_max, now.iter().copied());
            if let Some(last) = last_accelerations {
                let jerks = now.iter().zip(last).map(|(a, b)| (a - b) / dt);
                raise(&mut figures.jerk_max, jerks);
            }
            accelerations = Some(now);
        }
        self.last = Some((time, velocities.clone(), accelerations));
    }

    /// Begins another series of set-points: what comes next does not follow what came last.
    pub fn begin(&mut self) {
        self.last = None;
    }

    /// Marks the moment from which the time to rest is counted.
    pub fn mark(&mut self, time: Time) {
        self.marked = Some(time);
    }

    /// Time in s from the mark to the last set-point that moves, 0 if there was none after it; `None` while it moves still, and
    /// without a mark.
    #[must_use]
    pub fn rest_s(&self) -> Option<f64> {
        let (_, velocities, _) = self.last.as_ref()?;
        let rests = velocities.iter().all(|&v| v == 0.0);
        let marked = self.marked?;
        let moved = self.moved.map_or(0.0, |moved| moved.seconds_since(marked));
        rests.then_some(moved.max(0.0))
    }

    /// The figures so far.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What exceeds the limits, in words; empty if nothing does.
    #[must_use]
    pub fn excesses(&self, limits: &Limits) -> Vec<String> {
        let figures = &self.figures;
        let mut found = Vec::new();
        if figures.non_finite > 0 {
            found.push(format!("{} commands are not finite", figures.non_finite));
        }
        type Limit<'a> = (&'a str, &'a [f64], fn(&Limits, usize) -> f64);
        let all: [Limit<'_>; 3] = [
            ("velocity", &figures.velocity_max, Limits::max_velocity),
            (
                "acceleration",
                &figures.acceleration_max,
                Limits::max_acceleration,
            ),
            ("jerk", &figures.jerk_max, Limits::max_jerk),
        ];
        for (what, values, limit) in all {
            for (joint, &value) in values.iter().enumerate() {
                let limit = limit(limits, joint);
                // Rounding, and times in whole nanoseconds.
                if value > limit * (1.0 + 1e-6) + 1e-9 {
                    found.push(format!("{what} {value} of joint {joint} exceeds {limit}"));
                }
            }
        }
        found
    }
}

fn raise(highest: &mut Vec<f64>, values: impl Iterator<Item = f64>) {
    for (joint, value) in values.enumerate() {
        match highest.get_mut(joint) {
            Some(highest) => *highest = highest.max(value.abs()),
            None => highest.push(value.abs()),
        }
    }
}
