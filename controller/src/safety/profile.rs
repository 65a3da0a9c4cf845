//! The motion of one joint under limits of position, velocity, acceleration and jerk.
//!
//! A set-point is a velocity that is held until the next one. The acceleration of a set-point is its change of velocity by
//! the time since the set-point before, and its jerk the change of acceleration by the same time. Each set-point is the one
//! nearest to what is wanted from which the joint can still come to rest, whenever the next set-points come: a velocity `v`
//! with acceleration `a` toward a limit of velocity is within it if `v + a^2 / (2 j)` is, as that is where it gets to while
//! the acceleration is taken back at the jerk `j`; a position is within its limit if the way that the fastest stop from `v`
//! and `a` takes is.

/// Velocities that differ by no more than this are the same, rad/s.
const SAME_VELOCITY: f64 = 1e-9;
/// Halvings of the range of accelerations in the search for the one that just keeps a position limit.
const HALVINGS: u32 = 32;

/// Limits of the motion of one joint; infinite where there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointBounds {
    /// Lowest position, rad.
    pub lower: f64,
    /// Highest position, rad.
    pub upper: f64,
    /// Highest speed, rad/s.
    pub speed: f64,
    /// Highest acceleration, rad/s^2.
    pub acceleration: f64,
    /// Highest jerk, rad/s^3.
    pub jerk: f64,
}

/// The commanded motion of one joint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointMotion {
    /// Velocity, rad/s.
    pub velocity: f64,
    /// Acceleration by which that velocity was reached, rad/s^2.
    pub acceleration: f64,
}

/// The times of a step from one set-point to the next, s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepTimes {
    /// Time since the set-point before.
    pub elapsed_s: f64,
    /// Time for which the velocity before still moves the joint until a further set-point can change anything.
    pub before_s: f64,
    /// Time for which the new velocity does so.
    pub after_s: f64,
}

impl StepTimes {
    /// A velocity that is sent now and held for `ahead_s`, `elapsed_s` after the one before.
    #[must_use]
    pub fn held(elapsed_s: f64, ahead_s: f64) -> Self {
        Self {
            elapsed_s,
            before_s: 0.0,
            after_s: ahead_s,
        }
    }

    /// A velocity that is reached in a straight line within `tick_s`, and another half of that time ahead, as the last ticks
    /// of a stop take a little longer than the fastest stop.
    #[must_use]
    pub fn interpolated(tick_s: f64) -> Self {
        Self {
            elapsed_s: tick_s,
            before_s: 0.5 * tick_s,
            after_s: tick_s,
        }
    }
}

/// Which limits changed a set-point, one bit a joint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitHits {
    /// Position, with the distance to brake.
    pub position: u16,
    /// Velocity.
    pub velocity: u16,
    /// Acceleration.
    pub acceleration: u16,
    /// Jerk.
    pub jerk: u16,
}

impl LimitHits {
    /// Whether any limit was hit.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

impl JointBounds {
    /// The motion nearest to the `wanted` velocity in rad/s that the limits allow after `now`. `position` is where the joint is,
    /// rad, if that is known. A wanted velocity that is not finite means rest. The limits that changed it get the `bit` in
    /// `hits`.
    ///
    /// # Real-time
    /// No allocation, no waiting; constant time.
    #[must_use]
    pub fn next(
        &self,
        now: JointMotion,
        wanted: f64,
        position: Option<f64>,
        times: StepTimes,
        (bit, hits): (u16, &mut LimitHits),
    ) -> JointMotion {
        let wanted = if wanted.is_finite() { wanted } else { 0.0 };
        let target = wanted.clamp(-self.speed, self.speed);
        // The scaled action 1 may exceed the limit by rounding; that is no hit.
        if (target - wanted).abs() > 1e-6 * self.speed {
            hits.velocity |= bit;
        }
        let free = self.toward(now, target, times.elapsed_s);
        let acceleration = match position {
            Some(position) => self.within_positions(free, now, position, times),
            None => free,
        };
        let velocity = now.velocity + acceleration * times.elapsed_s;
        let is_reached = (target - velocity).abs() <= SAME_VELOCITY;
        if acceleration != free {
            hits.position |= bit;
        } else if acceleration.abs() >= self.acceleration && !is_reached {
            hits.acceleration |= bit;
        } else if !is_reached {
            hits.jerk |= bit;
        }
        JointMotion {
            velocity: if is_reached { target } else { velocity },
            acceleration,
        }
    }

    /// The acceleration nearest to the `free` one from which the joint comes to rest within its positions.
    fn within_positions(
        &self,
        free: f64,
        now: JointMotion,
        position: f64,
        times: StepTimes,
    ) -> f64 {
        let stop = self.toward(now, 0.0, times.elapsed_s);
        let mut acceleration = free;
        for (side, room) in [(1.0, self.upper - position), (-1.0, position - self.lower)] {
            let fits = |acceleration: f64| self.fits(side, room, now, acceleration, times);
            // What brakes as hard as the stop does cannot be bettered.
            if side * acceleration <= side * stop || fits(acceleration) {
                continue;
            }
            let (mut kept, mut beyond) = (stop, acceleration);
            for _ in 0..HALVINGS {
                let middle = 0.5 * (kept + beyond);
                *if fits(middle) { &mut kept } else { &mut beyond } = middle;
            }
            acceleration = kept;
        }
        acceleration
    }

    /// The acceleration with which the velocity gets to `target` in time `elapsed_s`, or nearer to it, without going beyond:
    /// it solves `v + a elapsed + a^2 / (2 j) = target`.
    fn toward(&self, now: JointMotion, target: f64, elapsed_s: f64) -> f64 {
        let gap = target - now.velocity;
        let root = (elapsed_s * elapsed_s + 2.0 * gap.abs() / self.jerk).sqrt();
        let wanted = 2.0 * gap / (elapsed_s + root);
        let change = self.jerk * elapsed_s;
        wanted
            .clamp(-self.acceleration, self.acceleration)
            .clamp(now.acceleration - change, now.acceleration + change)
    }

    /// Whether a joint that goes on with this acceleration can come to rest in the `room` in rad on one side, or goes no
    /// further to that side at all.
    fn fits(
        &self,
        side: f64,
        room: f64,
        now: JointMotion,
        acceleration: f64,
        times: StepTimes,
    ) -> bool {
        let velocity = now.velocity + acceleration * times.elapsed_s;
        let moved = times.before_s * now.velocity + times.after_s * velocity;
        let stop = self.stop_distance(JointMotion {
            velocity: side * velocity,
            acceleration: side * acceleration,
        });
        side * moved + stop <= room.max(0.0)
    }

    /// How far the fastest stop from this motion gets toward higher positions, rad; 0 where it only gets to lower ones.
    #[must_use]
    pub fn stop_distance(&self, from: JointMotion) -> f64 {
        let JointMotion {
            velocity,
            acceleration,
        } = from;
        // The acceleration is taken back in this time; where it brakes already, the stop began so long ago. Either way, the
        // stop has a highest velocity, at which nothing accelerates.
        let time = acceleration / self.jerk;
        let change = 0.5 * acceleration * time;
        if acceleration < 0.0 && velocity < change {
            if velocity <= 0.0 {
                return 0.0;
            }
            // It brakes too hard to end at rest, and turns round.
            let root = (acceleration * acceleration - 2.0 * self.jerk * velocity).sqrt();
            let turns = (-acceleration - root) / self.jerk;
            return turns * (velocity + turns * (0.5 * acceleration + self.jerk * turns / 6.0));
        }
        let highest = velocity + change;
        if highest <= 0.0 {
            return 0.0;
        }
        let level = 0.5 * highest * self.level_stop_time(highest);
        (level + time * (highest - acceleration * time / 6.0)).max(0.0)
    }

    /// How long the fastest stop from this motion takes, s. Set-points take up to ten of their periods longer.
    #[must_use]
    pub fn stop_time(&self, from: JointMotion) -> f64 {
        let side = if from.velocity < 0.0 { -1.0 } else { 1.0 };
        let (velocity, acceleration) = (side * from.velocity, side * from.acceleration);
        let time = acceleration / self.jerk;
        let change = 0.5 * acceleration * time;
        if acceleration < 0.0 && velocity < change {
            self.level_stop_time(change - velocity) - time
        } else {
            self.level_stop_time(velocity + change) + time
        }
    }

    /// The longest that a stop can take from any motion within the limits, s, with the ten periods of `tick_s` that
    /// set-points take longer.
    #[must_use]
    pub fn longest_stop(&self, tick_s: f64) -> f64 {
        let most = (self.acceleration).min((2.0 * self.jerk * self.speed).sqrt());
        let back = if most.is_finite() {
            most / self.jerk
        } else {
            0.0
        };
        (back + self.level_stop_time(self.speed)).max(0.0) + 10.0 * tick_s
    }

    /// How long the fastest stop takes from a velocity that does not change, rad/s: the acceleration is built up and taken back
    /// at the highest jerk, and held at its limit in between if it gets there. The way is half of velocity times time.
    fn level_stop_time(&self, velocity: f64) -> f64 {
        let build_up = self.acceleration / self.jerk;
        if velocity >= self.acceleration * build_up {
            velocity / self.acceleration + build_up
        } else {
            2.0 * (velocity / self.jerk).sqrt()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK_S: f64 = 0.01;

    /// Any limits that a robot may have, from an hour's creep to a jump in one tick.
    fn bounds() -> impl Strategy<Value = JointBounds> {
        let scale = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(f64::exp);
        let or_none = |one: BoxedStrategy<f64>| prop_oneof![5 => one, 1 => Just(f64::INFINITY)];
        (
            scale(0.01, 10.0),
            or_none(scale(0.05, 300.0).boxed()),
            or_none(scale(0.005, 2.0).boxed()),
            scale(0.05, 3.0),
        )
            .prop_map(|(speed, acceleration, ramp_s, half)| JointBounds {
                lower: -half,
                upper: half,
                speed,
                acceleration,
                jerk: if ramp_s.is_finite() {
                    acceleration.min(300.0) / ramp_s
                } else {
                    f64::INFINITY
                },
            })
    }

    /// What is wanted and for how many ticks, and how much of a tick passes.
    fn orders() -> impl Strategy<Value = Vec<(f64, u32, f64)>> {
        let wanted = prop_oneof![-12.0..12.0, Just(0.0), Just(f64::NAN), Just(f64::INFINITY)];
        let share = prop_oneof![2 => Just(1.0), 1 => 0.05..1.0];
        prop::collection::vec((wanted, 1_u32..40, share), 1..30)
    }

    struct Joint {
        bounds: JointBounds,
        position: f64,
        motion: JointMotion,
        /// Of the trajectory kind: straight lines between velocities.
        interpolated: bool,
    }

    impl Joint {
        /// One set-point, and what the limits say of it.
        fn step(&mut self, wanted: f64, elapsed_s: f64) -> Result<(), TestCaseError> {
            let (bounds, before) = (self.bounds, self.motion);
            let times = if self.interpolated {
                StepTimes::interpolated(TICK_S)
            } else {
                StepTimes::held(elapsed_s, TICK_S)
            };
            let mut hits = LimitHits::default();
            let position = Some(self.position);
            let after = bounds.next(before, wanted, position, times, (1, &mut hits));
            let (v, a) = (after.velocity, after.acceleration);
            prop_assert!(v.abs() <= bounds.speed * (1.0 + 1e-9) + 1e-12, "{after:?}");
            prop_assert!(a.abs() <= bounds.acceleration * (1.0 + 1e-9), "{after:?}");
            let changed = (a - before.acceleration).abs();
            let most = bounds.jerk * times.elapsed_s;
            prop_assert!(
                changed <= most * (1.0 + 1e-9) + 1e-9,
                "{before:?} {after:?}"
            );
            let real = (v - before.velocity) / times.elapsed_s;
            prop_assert!(
                (real - a).abs() * times.elapsed_s <= 2e-9,
                "{before:?} {after:?}"
            );
            self.motion = after;
            self.position += if self.interpolated {
                0.5 * (before.velocity + v) * TICK_S
            } else {
                v * elapsed_s
            };
            let outside = (self.position - bounds.upper).max(bounds.lower - self.position);
            prop_assert!(outside <= 1e-9, "{outside} outside, {before:?} {after:?}");
            Ok(())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

        #[test]
        fn no_limit_is_ever_exceeded_and_every_stop_ends_in_the_stated_time(
            bounds in bounds(), orders in orders(), start in -1.0..1.0_f64, interpolated: bool,
        ) {
            let position = start * bounds.upper;
            let mut joint = Joint { bounds, position, motion: JointMotion::default(), interpolated };
            for (wanted, ticks, share) in orders {
                for _ in 0..ticks {
                    joint.step(wanted, share * TICK_S)?;
                }
            }
            let from = joint.motion;
            let stated_s = bounds.stop_time(from) + 10.0 * TICK_S;
            prop_assert!(stated_s <= bounds.longest_stop(TICK_S) + 1e-9);
            let ticks = (stated_s / TICK_S).ceil() as usize;
            prop_assume!(ticks < 100_000);
            for _ in 0..ticks {
                joint.step(0.0, TICK_S)?;
            }
            prop_assert_eq!(joint.motion.velocity, 0.0, "from {:?}", from);
            joint.step(0.0, TICK_S)?;
            prop_assert!(joint.motion.acceleration.abs() < 1e-3 && joint.motion.velocity == 0.0);
        }

        #[test]
        fn stop_distance_and_time_are_those_of_a_fine_simulation(
            bounds in bounds(), v in -1.0..1.0_f64, a in -1.0..1.0_f64,
        ) {
            let acceleration = a * bounds.acceleration.min(300.0);
            let from = JointMotion { velocity: v * bounds.speed, acceleration };
            let free = JointBounds { lower: f64::NEG_INFINITY, upper: f64::INFINITY, speed: 1e9, ..bounds };
            let time_s = bounds.stop_time(from);
            prop_assume!(time_s > 1e-6);
            let fine_s = time_s / 2000.0;
            let (mut motion, mut moved, mut most, mut ticks) = (from, 0.0_f64, 0.0_f64, 0_u32);
            // It may pass through 0 exactly and turn round.
            let at_rest = |m: JointMotion| m.velocity == 0.0 && m.acceleration.abs() <= 2.0 * bounds.jerk * fine_s;
            while !at_rest(motion) && ticks < 4000 {
                let times = StepTimes::held(fine_s, fine_s);
                let before = motion.velocity;
                let hits = &mut LimitHits::default();
                motion = free.next(motion, 0.0, None, times, (1, hits));
                moved += 0.5 * (before + motion.velocity) * fine_s;
                most = most.max(moved);
                ticks += 1;
            }
            let scale = from.velocity.abs() * time_s + acceleration.abs() * time_s * time_s;
            prop_assert!((most - bounds.stop_distance(from)).abs() <= 0.01 * scale + 1e-9,
                "{most} {}", bounds.stop_distance(from));
            prop_assert!((f64::from(ticks) - 2000.0).abs() <= 40.0, "{ticks} of 2000");
        }
    }

    #[test]
    fn a_joint_that_is_outside_may_only_come_back() {
        let bounds = JointBounds {
            lower: -1.0,
            upper: 1.0,
            speed: 0.5,
            acceleration: 5.0,
            jerk: 100.0,
        };
        let mut hits = LimitHits::default();
        let times = StepTimes::held(TICK_S, TICK_S);
        let mut go = |wanted, motion, position| {
            bounds.next(motion, wanted, Some(position), times, (1, &mut hits))
        };
        let rest = JointMotion::default();
        assert_eq!(go(0.5, rest, 1.1), rest);
        let (mut position, mut motion) = (1.1, rest);
        for _ in 0..100 {
            motion = go(-0.5, motion, position);
            position += motion.velocity * TICK_S;
        }
        assert!((motion.velocity + 0.5).abs() < 1e-12 && position < 0.7);
    }
}
