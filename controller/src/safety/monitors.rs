//! What is watched, each with its own name and limit: ages of images, belief, joint states, plan and clock, a picture that stays
//! the same while the robot moves, joints that are not where they were sent, and the planner's heartbeat.
//!
//! The monitors are told facts with their times, and give the [`Conditions`] that hold; [`super::failsafe`] says what is done.

use std::time::Duration;

use super::failsafe::{Conditions, StopReason};
use super::frozen::FrozenPicture;
use super::limits::Limits;
use super::surprise::Surprise;
use crate::inputs::JointVec;
use crate::time::Time;

/// Share of the age at which an input is silent from which it is late.
const LATE: f64 = 0.5;
/// Time in which an error of tracking is forgotten by a factor e: slow drift is no fault of the moment.
const TRACKING_MEMORY_S: f64 = 2.0;
/// Least time for which an image may wait for the planner thread.
const PLANNER_LIMIT: Duration = Duration::from_secs(1);
/// Time for which an image may wait where plans have no budget.
const PLANNER_LIMIT_WITHOUT_BUDGET: Duration = Duration::from_secs(2);
/// Longest time between two set-points of an executor that is not held up.
pub const EXECUTOR_LIMIT: Duration = Duration::from_millis(500);

/// What is known of the plan that is followed.
#[derive(Clone, Copy, Debug)]
pub struct PlanFacts {
    /// Stamp of the image that it was made from; none without a plan.
    pub stamp: Option<Time>,
    /// Whether it has an action for now.
    pub has_action: bool,
    /// Time at which the next plan is expected to be there.
    pub next_by: Time,
    /// Whether the newest plan was refused.
    pub is_refused: bool,
    /// Whether the planner gave up.
    pub is_abandoned: bool,
}

/// Everything that is watched.
#[derive(Clone, Debug)]
pub struct Monitors {
    camera_limit_s: f64,
    joints_limit_s: f64,
    planner_limit: Duration,
    has_joints: bool,
    /// Stamp of the newest image that came.
    camera: Option<Time>,
    /// Stamp of the newest image that the belief took.
    belief: Option<Time>,
    /// Stamp of the newest joint states.
    joints: Option<Time>,
    clock_silent: bool,
    surprise: Surprise,
    /// How long the planner thread has left an image waiting.
    planner_behind: Duration,
    picture: FrozenPicture,
    tracking: Tracking,
}

impl Monitors {
    /// Monitors that know of nothing yet; a robot without joint states has no silence of them. Whether joints follow is watched of the
    /// first `moved`, which actions move one by one; the others follow something else.
    #[must_use]
    pub fn new(limits: &Limits, moved: usize, has_joints: bool, budget: Option<Duration>) -> Self {
        Self {
            camera_limit_s: f64::INFINITY,
            joints_limit_s: f64::INFINITY,
            planner_limit: budget.map_or(PLANNER_LIMIT_WITHOUT_BUDGET, |budget| {
                PLANNER_LIMIT.max(budget.saturating_mul(2))
            }),
            has_joints,
            camera: None,
            belief: None,
            joints: None,
            clock_silent: false,
            surprise: Surprise::Expected,
            planner_behind: Duration::ZERO,
            picture: FrozenPicture::new(limits),
            tracking: Tracking::new(limits, moved),
        }
    }

    /// Sets the ages in s at which images and joint states are silent.
    pub fn set_limits(&mut self, camera_s: f64, joints_s: f64) {
        (self.camera_limit_s, self.joints_limit_s) = (camera_s, joints_s);
    }

    /// Notes an image that came, whether or not anything is made of it. Its content has been the same since the image of
    /// `same_since`.
    pub fn camera(&mut self, stamp: Time, same_since: Time) {
        self.camera = self.camera.max(Some(stamp));
        self.picture.look(stamp, same_since);
    }

    /// Notes the stamp of the newest image that the belief took.
    pub fn belief(&mut self, stamp: Time) {
        self.belief = self.belief.max(Some(stamp));
    }

    /// Notes joint states that were taken: their stamp, and the positions in rad.
    pub fn joints(&mut self, stamp: Time, positions: &[f64]) {
        self.joints = Some(stamp);
        self.picture.moved(positions);
        self.tracking.measured(positions);
    }

    /// Notes that velocities in rad/s were commanded for `time_s`.
    pub fn commanded(&mut self, velocities: &[f64], time_s: f64) {
        self.tracking.commanded(velocities, time_s);
    }

    /// Notes whether the clock stands still.
    pub fn clock(&mut self, is_silent: bool) {
        self.clock_silent = is_silent;
    }

    /// Notes how surprising the newest images are.
    pub fn surprise(&mut self, surprise: Surprise) {
        self.surprise = surprise;
    }

    /// Notes for how long the planner thread has left an image waiting.
    pub fn planner_behind(&mut self, time: Duration) {
        self.planner_behind = time;
    }

    /// Forgets what was measured.
    pub fn forget(&mut self) {
        (self.camera, self.belief, self.joints) = (None, None, None);
        self.picture.forget();
        self.tracking.forget();
    }

    /// Whether joint states came since the last [`Monitors::forget`].
    #[must_use]
    pub fn knows_joints(&self) -> bool {
        self.joints.is_some()
    }

    /// The reasons that hold at `now`.
    ///
    /// # Real-time
    /// No allocation, no waiting; linear in the joints.
    #[must_use]
    pub fn conditions(&self, now: Time, plan: PlanFacts) -> Conditions {
        use StopReason as Reason;
        // Whoever takes an image has seen one.
        let belief = self.belief.max(plan.stamp);
        let camera = self.camera.max(belief);
        let older = |stamp: Option<Time>, limit_s| {
            stamp.is_some_and(|stamp| now.seconds_since(stamp) > limit_s)
        };
        let joints = self.joints.filter(|_| self.has_joints);
        Conditions::default()
            .with(Reason::PlanLate, plan.stamp.is_some() && now > plan.next_by)
            .with(
                Reason::CameraLate,
                older(camera, LATE * self.camera_limit_s),
            )
            .with(
                Reason::JointsLate,
                older(joints, LATE * self.joints_limit_s),
            )
            .with(Reason::Surprising, self.surprise >= Surprise::Slow)
            .with(Reason::PlanRefused, plan.is_refused)
            .with(Reason::PlanEnded, !plan.has_action)
            .with(Reason::NoPlan, plan.stamp.is_none())
            .with(Reason::NoJoints, self.has_joints && joints.is_none())
            .with(Reason::Surprised, self.surprise >= Surprise::Stop)
            .with(Reason::ImagesUnused, older(belief, self.camera_limit_s))
            .with(Reason::CameraSilent, older(camera, self.camera_limit_s))
            .with(Reason::JointsSilent, older(joints, self.joints_limit_s))
            .with(Reason::ClockSilent, self.clock_silent)
            .with(
                Reason::ImageFrozen,
                joints.is_some() && self.picture.is_frozen(),
            )
            .with(
                Reason::NotFollowing,
                joints.is_some() && self.tracking.is_lost,
            )
            .with(
                Reason::PlannerStalled,
                self.planner_behind > self.planner_limit,
            )
            .with(Reason::PlannerFailed, plan.is_abandoned)
    }
}

/// How far the joints are from where the commands should have brought them.
#[derive(Clone, Debug)]
struct Tracking {
    /// The largest error of each joint, rad.
    limit: JointVec,
    /// Commanded less measured motion, rad, forgotten with time.
    error: JointVec,
    measured: Option<JointVec>,
    /// Whether an error was beyond its limit when the joints were measured last.
    is_lost: bool,
}

impl Tracking {
    fn new(limits: &Limits, moved: usize) -> Self {
        let joints = 0..limits.joints().min(moved);
        Self {
            limit: joints
                .clone()
                .map(|joint| limits.tracking_error(joint))
                .collect(),
            error: joints.map(|_| 0.0).collect(),
            measured: None,
            is_lost: false,
        }
    }

    fn commanded(&mut self, velocities: &[f64], time_s: f64) {
        let kept = (-time_s / TRACKING_MEMORY_S).exp();
        for (error, velocity) in self.error.iter_mut().zip(velocities) {
            *error = *error * kept + velocity * time_s;
        }
    }

    fn measured(&mut self, positions: &[f64]) {
        if let Some(before) = &self.measured {
            for (joint, error) in self.error.iter_mut().enumerate() {
                *error -= positions[joint] - before[joint];
            }
        } else {
            self.error.fill(0.0);
        }
        self.measured = Some(positions.iter().copied().collect());
        let errors = self.error.iter().zip(&self.limit);
        self.is_lost = errors
            .into_iter()
            .any(|(error, limit)| error.abs() > *limit);
    }

    fn forget(&mut self) {
        (self.measured, self.is_lost) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::limits::tests::limits;

    const TICK_S: f64 = 0.01;

    /// Joints of +-1 rad, 0.5 and 0.8 rad/s.
    fn monitors() -> Monitors {
        let mut monitors = Monitors::new(&limits(), 2, true, Some(Duration::from_millis(60)));
        monitors.set_limits(1.0, 0.5);
        monitors
    }

    fn at(seconds: f64) -> Time {
        Time::from_seconds(seconds)
    }

    /// A plan that was made from the image of `stamp` and lasts.
    fn plan(stamp: Time) -> PlanFacts {
        PlanFacts {
            stamp: Some(stamp),
            has_action: true,
            next_by: stamp + Duration::from_millis(300),
            is_refused: false,
            is_abandoned: false,
        }
    }

    fn only(reasons: &[StopReason]) -> Conditions {
        (reasons.iter()).fold(Conditions::default(), |all, &reason| all.with(reason, true))
    }

    #[test]
    fn each_age_has_its_own_name() {
        use StopReason::*;
        let mut monitors = monitors();
        let nothing = PlanFacts {
            stamp: None,
            has_action: false,
            ..plan(at(0.0))
        };
        let begin = monitors.conditions(at(10.0), nothing);
        assert_eq!(begin, only(&[PlanEnded, NoPlan, NoJoints]));
        let fresh = |monitors: &mut Monitors, camera: f64, belief: f64, joints: f64| {
            monitors.forget();
            monitors.camera(at(camera), at(camera));
            monitors.belief(at(belief));
            monitors.joints(at(joints), &[0.0; 2]);
        };
        let now = at(12.0);
        for (camera, belief, joints, stamp, expected) in [
            (12.0, 12.0, 12.0, 12.0, only(&[])),
            (12.0, 12.0, 12.0, 11.6, only(&[PlanLate])),
            (11.4, 11.4, 12.0, 11.3, only(&[PlanLate, CameraLate])),
            (12.0, 12.0, 11.7, 11.9, only(&[JointsLate])),
            // The camera sees, but nothing is made of it.
            (12.0, 10.9, 12.0, 10.9, only(&[PlanLate, ImagesUnused])),
            (
                10.9,
                10.9,
                12.0,
                10.9,
                only(&[PlanLate, CameraLate, CameraSilent, ImagesUnused]),
            ),
            (12.0, 12.0, 11.4, 12.0, only(&[JointsLate, JointsSilent])),
        ] {
            fresh(&mut monitors, camera, belief, joints);
            let found = monitors.conditions(now, plan(at(stamp)));
            assert_eq!(found, expected, "{camera} {belief} {joints} {stamp}");
        }
        fresh(&mut monitors, 12.0, 12.0, 12.0);
        monitors.planner_behind(Duration::from_millis(1001));
        monitors.clock(true);
        monitors.surprise(Surprise::Stop);
        let found = monitors.conditions(now, plan(now));
        assert_eq!(
            found,
            only(&[PlannerStalled, ClockSilent, Surprising, Surprised])
        );
    }

    #[test]
    fn a_joint_that_is_stuck_or_runs_away_is_lost_and_one_with_a_delay_is_not() {
        // Half a second of the highest speed: 0.25 rad.
        let lost = |commanded: f64, real: &dyn Fn(f64) -> f64| {
            let mut monitors = monitors();
            for tick in 0..400 {
                let now = TICK_S * f64::from(tick);
                monitors.joints(at(now), &[real(now), 0.0]);
                if monitors
                    .conditions(at(now), plan(at(now)))
                    .has(StopReason::NotFollowing)
                {
                    return Some(now);
                }
                monitors.commanded(&[commanded, 0.0], TICK_S);
            }
            None
        };
        let stuck = lost(0.5, &|_| 0.0).unwrap();
        assert!((0.5..0.7).contains(&stuck), "{stuck}");
        assert!(lost(0.0, &|t| 0.5 * t).is_some(), "it moves by itself");
        assert_eq!(lost(0.5, &|t| 0.5 * (t - 0.3).max(0.0)), None);
        assert_eq!(lost(0.5, &|t| 0.45 * t), None, "a tenth too slow");
        assert_eq!(lost(0.25, &|t| 0.25 * t), None);
    }
}
