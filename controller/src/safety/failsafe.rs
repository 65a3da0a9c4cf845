//! What is done about faults: of all that hold, the most severe one decides, and it decides until it is gone for good.
//!
//! Every [`StopReason`] has its [`Rule`]: what is done while it holds, how long it must be gone before that ends, and what
//! happens when it comes again and again. The table is all of it; [`Failsafe`] only remembers. It knows nothing of inputs,
//! plans or limits, and time is an argument.

use std::time::Duration;

latco_models::named! {
    /// What is done, from the mildest to the most severe. What a milder one does, a more severe one does as well.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[repr(u8)]
    pub enum Action {
        /// The newest plan is followed.
        #[default]
        Nothing => "none",
        /// Somebody is told.
        Warn => "warn",
        /// The robot moves at [`SLOW`] times the speed of the plan.
        Slow => "slow",
        /// The plan that is followed already is followed to its end; no other is taken.
        HoldPlan => "hold_plan",
        /// The robot is braked within its limits and held. It goes on by itself.
        Stop => "stop",
        /// The robot is braked within its limits and held until a person resets it.
        LatchedStop => "latched_stop",
    }
}

/// Share of the plan's speed at which a robot moves slowly.
pub const SLOW: f64 = 0.5;

impl Action {
    /// Whether the robot is braked and held.
    #[must_use]
    pub fn is_stop(self) -> bool {
        self >= Self::Stop
    }
}

latco_models::named! {
    /// A reason to stop the robot or to move it with more care, in the order of severity.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[repr(u8)]
    pub enum StopReason {
        /// No new plan came when one was expected; the one before is followed.
        PlanLate => "plan_late",
        /// The newest image is older than half of its limit.
        CameraLate => "camera_late",
        /// The joint states are older than half of their limit.
        JointsLate => "joints_late",
        /// What the camera shows is not what the model predicts.
        Surprising => "surprising",
        /// The newest plan failed the check before it is followed.
        PlanRefused => "plan_refused",
        /// The newest plan is at its end, or no longer valid.
        PlanEnded => "plan_ended",
        /// There is no plan yet: none was made since the start, the reset or the clock's jump.
        NoPlan => "no_plan",
        /// No joint states came since the start, the reset or the clock's jump.
        NoJoints => "no_joints",
        /// The camera showed what the model did not predict; it lasts until a reset, see [`super::surprise`].
        Surprised => "surprised",
        /// Images come, and the belief takes none of them.
        ImagesUnused => "images_unused",
        /// No image comes any more.
        CameraSilent => "camera_silent",
        /// No joint states come any more.
        JointsSilent => "joints_silent",
        /// The clock stands still while the machine's own runs on.
        ClockSilent => "clock_silent",
        /// The robot moves by its joint states, and the picture stays the same.
        ImageFrozen => "image_frozen",
        /// The joints are not where the commands should have brought them.
        NotFollowing => "not_following",
        /// The planner thread has not taken an image for too long, or does not come to an end with it.
        PlannerStalled => "planner_stalled",
        /// The planner gave up after repeated failures.
        PlannerFailed => "planner_failed",
        /// The controller is inactive or being stopped.
        Deactivated => "deactivated",
        /// The emergency stop is latched.
        EmergencyStop => "emergency_stop",
    }
}

/// What happens when a reason interrupts the motion more than [`FLAPS`] times within [`WINDOW`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flapping {
    /// It must be gone for [`FLAPPING_CLEAR`] from then on, as what comes and goes is not mended.
    Holds,
    /// It is latched: a person has to look.
    Latches,
    /// Nothing: it is no fault, and comes whenever something begins.
    Nothing,
}

/// Number of interruptions within [`WINDOW`] up to which a reason is not said to flap.
pub const FLAPS: usize = 5;
/// Time after a beginning, such as that of an episode, in which a stop does not count as an interruption: there is no plan yet.
const BEGINNING: Duration = Duration::from_secs(1);
/// Time within which interruptions count together.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Time for which a reason that flaps must be gone.
pub const FLAPPING_CLEAR: Duration = Duration::from_secs(10);

/// What is done about one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is done while it holds.
    pub action: Action,
    /// Time for which it must be gone before that ends.
    pub clear: Duration,
    /// What happens when it comes again and again.
    pub flapping: Flapping,
}

impl StopReason {
    /// What is done about it. Silences end by themselves, also the seventh one, after a time; what speaks of a broken sensor,
    /// robot or model is left to a person when it comes again and again.
    #[must_use]
    pub fn rule(self) -> Rule {
        use Action::{HoldPlan, LatchedStop, Slow, Stop, Warn};
        use Flapping::{Holds, Latches};
        let (action, clear_ms, flapping) = match self {
            Self::PlanLate => (Warn, 0, Holds),
            Self::CameraLate | Self::JointsLate => (Warn, 500, Holds),
            Self::Surprising => (Slow, 1000, Holds),
            Self::PlanRefused => (HoldPlan, 0, Holds),
            Self::PlanEnded => (Stop, 0, Holds),
            Self::NoPlan | Self::NoJoints | Self::Deactivated => (Stop, 0, Flapping::Nothing),
            Self::ImagesUnused | Self::CameraSilent | Self::JointsSilent | Self::ClockSilent => {
                (Stop, 1000, Holds)
            }
            Self::Surprised | Self::ImageFrozen | Self::NotFollowing => (Stop, 1000, Latches),
            Self::PlannerStalled | Self::PlannerFailed => (Stop, 1000, Latches),
            Self::EmergencyStop => (LatchedStop, 0, Latches),
        };
        Rule {
            action,
            clear: Duration::from_millis(clear_ms),
            flapping,
        }
    }
}

/// The reasons that hold at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions(u32);

impl Conditions {
    /// These and `reason`, if it `holds`.
    #[must_use]
    pub fn with(self, reason: StopReason, holds: bool) -> Self {
        Self(self.0 | u32::from(holds) << reason as u8)
    }

    /// Whether `reason` is among them.
    #[must_use]
    pub fn has(self, reason: StopReason) -> bool {
        self.0 & 1 << reason as u8 != 0
    }
}

/// What is done now, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// What is done.
    pub action: Action,
    /// The most severe of the reasons for it; none for nothing.
    pub reason: Option<StopReason>,
}

/// What is remembered of one reason.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// Whether it has held and was not gone for long enough since.
    holds: bool,
    /// When it held last.
    held_at: Duration,
    is_latched: bool,
    /// When it interrupted the motion the last times.
    interrupted: [Option<Duration>; FLAPS + 1],
}

impl Memory {
    /// How often it interrupted the motion within the window before `now`.
    fn flaps(&self, now: Duration) -> usize {
        let recent = |at: &&Option<Duration>| at.is_some_and(|at| now.saturating_sub(at) <= WINDOW);
        self.interrupted.iter().filter(recent).count()
    }
}

/// Decides at every tick what is done, and remembers what ends only after a time, or when it is told so.
#[derive(Clone, Debug, Default)]
pub struct Failsafe {
    emergency: bool,
    held: bool,
    /// Time since it was made, as the ticks tell it: no clock can jump here.
    time: Duration,
    reasons: [Memory; StopReason::ALL.len()],
    last: Decision,
    /// When it was told to forget; what stops the robot right after that belongs to the beginning.
    forgot_at: Option<Duration>,
}

impl Failsafe {
    /// Latches the emergency stop until [`Failsafe::reset`].
    pub fn latch(&mut self) {
        self.emergency = true;
    }

    /// A person releases the emergency stop and everything else that is latched, and vouches for what came again and again.
    pub fn reset(&mut self) {
        self.emergency = false;
        self.reasons = Default::default();
    }

    /// Holds the robot, or lets it go.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Forgets what held, as the inputs that it is about are forgotten; what is latched stays so, and what flaps still does.
    pub fn forget(&mut self) {
        for memory in &mut self.reasons {
            memory.holds = false;
        }
        self.forgot_at = Some(self.time);
    }

    /// Whether the emergency stop is latched.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.emergency
    }

    /// Whether the robot is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// The newest decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.last
    }

    /// Decides what is done under these conditions, `elapsed` after the last decision.
    ///
    /// # Real-time
    /// No allocation, no waiting; constant time.
    pub fn step(&mut self, elapsed: Duration, conditions: Conditions) -> Decision {
        self.time = self.time.saturating_add(elapsed);
        let conditions = conditions
            .with(StopReason::Deactivated, self.held)
            .with(StopReason::EmergencyStop, self.emergency);
        let begins = (self.forgot_at).is_some_and(|at| self.time.saturating_sub(at) <= BEGINNING);
        let interrupts = !self.last.action.is_stop() && !begins;
        let mut worst = Decision::default();
        for (reason, memory) in StopReason::ALL.into_iter().zip(&mut self.reasons) {
            let rule = reason.rule();
            let flaps = memory.flaps(self.time) > FLAPS;
            if conditions.has(reason) {
                let counts = rule.action.is_stop() && rule.flapping != Flapping::Nothing;
                if !memory.holds && interrupts && counts {
                    memory.interrupted.rotate_right(1);
                    memory.interrupted[0] = Some(self.time);
                    let flaps = memory.flaps(self.time) > FLAPS;
                    memory.is_latched |= flaps && rule.flapping == Flapping::Latches;
                }
                (memory.holds, memory.held_at) = (true, self.time);
            } else if memory.holds {
                let clear = if flaps {
                    FLAPPING_CLEAR.max(rule.clear)
                } else {
                    rule.clear
                };
                memory.holds = self.time.saturating_sub(memory.held_at) < clear;
            }
            let action = match (memory.is_latched, memory.holds) {
                (true, _) => Action::LatchedStop,
                (false, true) => rule.action,
                (false, false) => continue,
            };
            let reason = Some(reason);
            worst = worst.max(Decision { action, reason });
        }
        self.last = worst;
        worst
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(10);
    /// The reasons that come from outside.
    const OUTSIDE: usize = StopReason::ALL.len() - 2;

    fn conditions(reasons: &[StopReason]) -> Conditions {
        (reasons.iter()).fold(Conditions::default(), |all, &r| all.with(r, true))
    }

    #[derive(Clone, Debug)]
    enum Event {
        Latch,
        Reset,
        Forget,
        Hold(bool),
        Ticks(Vec<StopReason>, u32),
    }

    fn reasons() -> impl Strategy<Value = Vec<StopReason>> {
        prop::collection::vec(prop::sample::select(&StopReason::ALL[..OUTSIDE]), 0..4)
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            1 => Just(Event::Latch),
            1 => Just(Event::Reset),
            1 => Just(Event::Forget),
            2 => any::<bool>().prop_map(Event::Hold),
            12 => (reasons(), 1_u32..200).prop_map(|(r, n)| Event::Ticks(r, n)),
        ];
        prop::collection::vec(event, 0..80)
    }

    /// A machine after these events.
    fn after(events: Vec<Event>) -> Failsafe {
        let mut failsafe = Failsafe::default();
        for event in events {
            match event {
                Event::Latch => failsafe.latch(),
                Event::Reset => failsafe.reset(),
                Event::Forget => failsafe.forget(),
                Event::Hold(held) => failsafe.hold(held),
                Event::Ticks(reasons, ticks) => {
                    for _ in 0..ticks {
                        failsafe.step(TICK, conditions(&reasons));
                    }
                }
            }
        }
        failsafe
    }

    #[test]
    fn short_episodes_do_not_count_as_interruptions() {
        let mut failsafe = Failsafe::default();
        let ended = conditions(&[StopReason::PlanEnded]);
        for _ in 0..30 {
            failsafe.forget();
            failsafe.step(TICK, Conditions::default());
            assert_eq!(failsafe.step(TICK, ended).action, Action::Stop);
            for _ in 0..150 {
                let moving = failsafe.step(TICK, Conditions::default());
                assert_eq!(moving.action, Action::default());
            }
        }
        // Without a beginning they do.
        for _ in 0..=FLAPS {
            failsafe.step(TICK, ended);
            for _ in 0..150 {
                failsafe.step(TICK, Conditions::default());
            }
        }
        assert_eq!(failsafe.decision().action, Action::Stop);
    }

    proptest! {
        #[test]
        fn a_further_reason_never_makes_it_milder(
            events in events(), some in reasons(), more in reasons(),
        ) {
            let mut few = after(events);
            let mut many = few.clone();
            let all = [some.clone(), more].concat();
            let (few, many) = (few.step(TICK, conditions(&some)), many.step(TICK, conditions(&all)));
            prop_assert!(many >= few, "{few:?} {many:?}");
            for reason in some {
                prop_assert!(few.action >= reason.rule().action);
            }
            prop_assert_eq!(few.reason.is_none(), few.action == Action::Nothing);
        }

        #[test]
        fn what_is_latched_stays_so_until_it_is_reset(events in events()) {
            let (mut failsafe, mut emergency, mut latched) = (Failsafe::default(), false, false);
            for event in events {
                match event {
                    Event::Latch => { failsafe.latch(); emergency = true; }
                    Event::Reset => { failsafe.reset(); (emergency, latched) = (false, false); }
                    Event::Forget => failsafe.forget(),
                    Event::Hold(held) => failsafe.hold(held),
                    Event::Ticks(reasons, ticks) => for _ in 0..ticks {
                        let decision = failsafe.step(TICK, conditions(&reasons));
                        let is_latched = decision.action == Action::LatchedStop;
                        prop_assert!(is_latched || !(latched || emergency), "{decision:?}");
                        latched |= is_latched && !emergency;
                        prop_assert_eq!(emergency, decision.reason == Some(StopReason::EmergencyStop));
                    }
                }
            }
        }

        #[test]
        fn nothing_chatters(reason in prop::sample::select(&StopReason::ALL[..OUTSIDE]),
            on in 1_u32..150, off in 1_u32..150) {
            let mut failsafe = Failsafe::default();
            let (mut stops, mut gone, mut before) = (0, Duration::ZERO, Action::Nothing);
            // For a minute.
            for tick in 0..6000 {
                let holds = tick % (on + off) < on;
                let action = failsafe.step(TICK, Conditions::default().with(reason, holds)).action;
                gone = if holds { Duration::ZERO } else { gone + TICK };
                if before.is_stop() && !action.is_stop() {
                    prop_assert!(gone >= reason.rule().clear, "{gone:?}");
                }
                stops += usize::from(action.is_stop() && !before.is_stop());
                before = action;
            }
            let shortest = TICK * off;
            if reason.rule().flapping == Flapping::Nothing {
                // Nothing to prove.
            } else if reason.rule().action.is_stop() {
                prop_assert!(stops <= FLAPS + 1, "{stops} stops, {shortest:?} between");
            } else {
                prop_assert_eq!(stops, 0);
            }
        }
    }

    #[test]
    fn the_order_is_that_of_the_list_and_of_its_actions() {
        assert!(StopReason::ALL.is_sorted());
        assert!(StopReason::ALL.is_sorted_by_key(|reason| reason.rule().action));
        assert!(Action::ALL.is_sorted());
        for (place, reason) in StopReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        for (place, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, place);
        }
    }

    #[test]
    fn a_silence_holds_for_a_second_and_a_fault_that_flaps_is_latched() {
        use StopReason::{CameraSilent, NotFollowing};
        let mut failsafe = Failsafe::default();
        let for_ms = |failsafe: &mut Failsafe, reason, holds, ms: u32| {
            let conditions = Conditions::default().with(reason, holds);
            (0..ms / 10).fold(Decision::default(), |_, _| failsafe.step(TICK, conditions))
        };
        assert_eq!(
            for_ms(&mut failsafe, CameraSilent, true, 50).action,
            Action::Stop
        );
        assert_eq!(
            for_ms(&mut failsafe, CameraSilent, false, 990).action,
            Action::Stop
        );
        assert_eq!(
            for_ms(&mut failsafe, CameraSilent, false, 10),
            Decision::default()
        );
        for _ in 0..FLAPS {
            assert_eq!(
                for_ms(&mut failsafe, NotFollowing, true, 50).action,
                Action::Stop
            );
            assert_eq!(
                for_ms(&mut failsafe, NotFollowing, false, 1500).action,
                Action::Nothing
            );
        }
        let latched = Decision {
            action: Action::LatchedStop,
            reason: Some(NotFollowing),
        };
        assert_eq!(for_ms(&mut failsafe, NotFollowing, true, 50), latched);
        failsafe.forget();
        assert_eq!(for_ms(&mut failsafe, NotFollowing, false, 100_000), latched);
        failsafe.reset();
        assert_eq!(
            for_ms(&mut failsafe, NotFollowing, false, 10),
            Decision::default()
        );
    }

    #[test]
    fn every_reason_and_action_stands_in_the_document_on_safety() {
        let document = include_str!("../../../docs/safety.md");
        let reasons = StopReason::ALL.map(StopReason::name);
        for name in reasons.into_iter().chain(Action::ALL.map(Action::name)) {
            assert!(document.contains(&format!("`{name}`")), "{name}");
        }
    }
}
