//! Why the robot is stopped: of all reasons that hold, the most severe one.
//!
//! A robot that moves follows a plan; it does so only while no reason holds. Every stop is the same controlled one, braking at
//! the acceleration limit and holding, so that the order decides what is reported and what releases it: the reasons below
//! [`StopReason::Deactivated`] end by themselves when their condition ends, deactivation by activation, and the emergency stop by
//! a reset alone.

/// Why the robot is stopped, in the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StopReason {
    /// The newest plan is at its end, or no longer valid.
    PlanEnded,
    /// There is no plan yet: none was made since the start, the reset or the clock's jump.
    NoPlan,
    /// What the camera shows is not what the model predicts, for too long.
    Surprised,
    /// The newest image that the belief took is too old.
    CameraSilent,
    /// The joint states are too old, or none came yet.
    JointsSilent,
    /// The clock stands still while the machine's own runs on.
    ClockSilent,
    /// The planner gave up after repeated failures.
    PlannerFailed,
    /// The controller is inactive or being stopped.
    Deactivated,
    /// The emergency stop is latched.
    EmergencyStop,
}

impl StopReason {
    /// All of them, from the least to the most severe.
    pub const ALL: [Self; 9] = [
        Self::PlanEnded,
        Self::NoPlan,
        Self::Surprised,
        Self::CameraSilent,
        Self::JointsSilent,
        Self::ClockSilent,
        Self::PlannerFailed,
        Self::Deactivated,
        Self::EmergencyStop,
    ];

    /// The name as it stands in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlanEnded => "plan_ended",
            Self::NoPlan => "no_plan",
            Self::Surprised => "surprised",
            Self::CameraSilent => "camera_silent",
            Self::JointsSilent => "joints_silent",
            Self::ClockSilent => "clock_silent",
            Self::PlannerFailed => "planner_failed",
            Self::Deactivated => "deactivated",
            Self::EmergencyStop => "emergency_stop",
        }
    }
}

/// The reasons that hold at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions(u16);

impl Conditions {
    /// These and `reason`, if it `holds`.
    #[must_use]
    pub fn with(self, reason: StopReason, holds: bool) -> Self {
        Self(self.0 | u16::from(holds) << reason as u8)
    }

    /// The most severe of them.
    #[must_use]
    pub fn worst(self) -> Option<StopReason> {
        StopReason::ALL
            .into_iter()
            .rev()
            .find(|reason| self.0 & 1 << *reason as u8 != 0)
    }
}

/// Decides at every tick whether the robot is stopped, and remembers what ends only when it is told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failsafe {
    latched: bool,
    held: bool,
}

impl Failsafe {
    /// Latches the emergency stop until [`Failsafe::reset`].
    pub fn latch(&mut self) {
        self.latched = true;
    }

    /// Releases the emergency stop.
    pub fn reset(&mut self) {
        self.latched = false;
    }

    /// Holds the robot, or lets it go.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.latched
    }

    /// Whether the robot is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Why the robot is stopped under these conditions; none: it may move.
    #[must_use]
    pub fn decide(&self, conditions: Conditions) -> Option<StopReason> {
        conditions
            .with(StopReason::Deactivated, self.held)
            .with(StopReason::EmergencyStop, self.latched)
            .worst()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reasons() -> impl Strategy<Value = Vec<StopReason>> {
        prop::collection::vec(prop::sample::select(&StopReason::ALL[..7]), 0..6)
    }

    fn conditions(reasons: &[StopReason]) -> Conditions {
        (reasons.iter()).fold(Conditions::default(), |all, &r| all.with(r, true))
    }

    #[derive(Clone, Debug)]
    enum Event {
        Latch,
        Reset,
        Hold(bool),
        Tick(Vec<StopReason>),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            Just(Event::Latch),
            Just(Event::Reset),
            any::<bool>().prop_map(Event::Hold),
            reasons().prop_map(Event::Tick),
        ];
        prop::collection::vec(event, 0..60)
    }

    proptest! {
        #[test]
        fn a_further_reason_never_makes_the_stop_less_severe(
            some in reasons(), more in reasons(), latched: bool, held: bool,
        ) {
            let failsafe = Failsafe { latched, held };
            let few = failsafe.decide(conditions(&some));
            let many = failsafe.decide(conditions(&[some.clone(), more].concat()));
            // None is less than any reason.
            prop_assert!(many >= few, "{few:?} {many:?}");
            prop_assert!(few >= some.iter().max().copied());
            prop_assert_eq!(few.is_none(), some.is_empty() && !latched && !held);
        }

        #[test]
        fn the_emergency_stop_is_latched_until_it_is_reset(events in events()) {
            let (mut failsafe, mut latched) = (Failsafe::default(), false);
            for event in events {
                match event {
                    Event::Latch => { failsafe.latch(); latched = true; }
                    Event::Reset => { failsafe.reset(); latched = false; }
                    Event::Hold(held) => failsafe.hold(held),
                    Event::Tick(now) => {
                        let stop = failsafe.decide(conditions(&now));
                        prop_assert_eq!(stop == Some(StopReason::EmergencyStop), latched);
                        // The same conditions give the same answer: no chatter of its own.
                        prop_assert_eq!(stop, failsafe.decide(conditions(&now)));
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_is_that_of_the_list() {
        assert!(StopReason::ALL.is_sorted());
        for (place, reason) in StopReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            assert_eq!(conditions(&[reason]).worst(), Some(reason));
        }
    }
}
