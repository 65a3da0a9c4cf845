//! The trait of a robot with a camera, simulated or bridged.

use latco_models::ActionKind;
use rand::Rng;

use crate::error::EnvError;
use crate::link::Link;
use crate::motion::JointLimits;
use crate::reward::RewardKind;
use crate::script::Way;

/// A thing on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// Name of the object, for example `goal` or `puck`.
    pub name: &'static str,
    /// Place of its middle in m; the camera sees `[-1, 1]` in both directions.
    pub place: [f64; 2],
    /// Angle in rad by which it is turned; `None` where that is not told or does not matter.
    pub angle_rad: Option<f64>,
}

impl Object {
    /// A thing of which only the place is told.
    #[must_use]
    pub const fn at(name: &'static str, place: [f64; 2]) -> Self {
        Self {
            name,
            place,
            angle_rad: None,
        }
    }
}

/// How way-point policies go about a task; times in control periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    /// Share of way-point episodes in the mixture; in the others motion is random.
    pub waypoint_share: f64,
    /// Shortest and longest stay at a way-point.
    pub dwell_steps: [u64; 2],
    /// Number of steps after which a way-point that was not reached is given up.
    pub patience_steps: u64,
}

/// A robot with joints, a camera, and a task, moved by commands of some [kind](Robot::action_kinds). For a prismatic joint, all that is given in
/// rad is in m.
///
/// Time passes in control periods ([`step`](Robot::step), for data and evaluation) or in smaller
/// pieces ([`advance`](Robot::advance), for a simulator that runs in real time). `nj` is
/// [`joints`](Robot::joints), `na` is [`actions`](Robot::actions); unless it says otherwise, every joint has one action, its velocity.
pub trait Robot: Send {
    /// Name of the task, as given to [`make`](crate::make).
    fn task(&self) -> &str;
    /// Names of the joints, shape `[nj]`, in the order of every other slice.
    fn joint_names(&self) -> &[&str];
    /// Position and velocity limits, shape `[nj]`.
    fn limits(&self) -> &[JointLimits];
    /// Command for an action of 1, shape `[na]`, in the unit of its kind: rad/s for joint velocities, a change in rad for positions.
    fn action_scale(&self) -> &[f64];
    /// Kinds of the actions, shape `[na]`.
    fn action_kinds(&self) -> Vec<ActionKind> {
        vec![ActionKind::JointVelocity; self.joints()]
    }
    /// Time in seconds that one [`step`](Robot::step) takes.
    fn control_period_s(&self) -> f64;
    /// Number of pieces into which a simulator node should cut a control period.
    fn substeps(&self) -> usize;
    /// Length of an episode in control periods.
    fn episode_steps(&self) -> usize;
    /// Width and height of the picture in pixels.
    fn image_size(&self) -> usize;

    /// Starts an episode with the robot at rest; the seed decides start posture and goal.
    fn reset(&mut self, seed: u64);

    /// Holds a command (shape `[na]`, in the unit of its kind; velocities in rad/s) for `dt_s` seconds. Velocities beyond the
    /// limits are clipped; one that is not finite counts as 0. A `dt_s` that is not positive and finite changes nothing.
    ///
    /// # Panics
    /// If `command` has not one value per action.
    fn advance(&mut self, command: &[f64], dt_s: f64);

    /// What is sent under an action (shape `[na]`) that is taken now, in the unit of its kind and within its limits.
    fn command(&self, action: &[f32]) -> Vec<f64> {
        let actions = action.iter().zip(self.action_scale());
        actions
            .map(|(a, scale)| f64::from(a.clamp(-1.0, 1.0)) * scale)
            .collect()
    }

    /// Writes the action (shape `[na]`) that moves the robot as joint velocities would that are normalised by their limits
    /// (shape `[nj]`).
    fn action_of(&self, velocities: &[f32], action: &mut [f32]) {
        action.copy_from_slice(velocities);
    }

    /// Writes the camera picture: 8-bit RGB, row-major, top row first, shape
    /// `[image_size, image_size, 3]`.
    ///
    /// # Panics
    /// If `rgb` has not `image_size * image_size * 3` bytes.
    fn render(&self, rgb: &mut [u8]);

    /// Joint positions in rad, shape `[nj]`.
    fn positions(&self) -> &[f64];
    /// Joint velocities in rad/s, shape `[nj]`.
    fn velocities(&self) -> &[f64];
    /// Reward of the present state, of the kind that was chosen.
    fn reward(&self) -> f64;
    /// The kind of reward that is paid; sparse unless set otherwise.
    fn reward_kind(&self) -> RewardKind;
    /// Chooses the kind of reward that is paid from now on, also after resets.
    fn set_reward_kind(&mut self, kind: RewardKind);
    /// Whether the task is solved in the present state. An episode counts as solved when this
    /// holds after any of its steps.
    fn success(&self) -> bool;
    /// Length in m of the way to go and to push at the episode's start: how far from solved it began.
    fn difficulty(&self) -> f64;
    /// The things whose places decide the reward, always the same ones in the same order. This is the true
    /// state, which no planner may use: it is for judging what a model has learned.
    fn objects(&self) -> Vec<Object>;

    /// The parts of the robot that can touch something, in the order of the joints, and its tip; none where they are not
    /// known.
    fn links(&self) -> Vec<Link> {
        Vec::new()
    }

    /// Puts an object ([`objects`](Robot::objects)) at a place in m, or the arm with its `tip` there (a
    /// gantry with its `head`), at rest, to look at states that no episode begins with. Returns false where
    /// nothing of that name can be put there.
    fn put(&mut self, thing: &str, place: [f64; 2]) -> bool;

    /// How way-point policies go about the task.
    fn habits(&self) -> Habits;
    /// Whether there is a scripted expert.
    fn has_expert(&self) -> bool {
        true
    }
    /// The scripted expert's way from here. It uses the true state, which no planner may; so do the three
    /// methods below.
    fn expert(&self) -> Way;
    /// A way to go next while data is collected: to the goal, along parts of the way to it, to decoys beside
    /// it, or on detours.
    fn waypoint(&self, rng: &mut dyn Rng) -> Way;
    /// Whether a way is at its end; the way of another kind of robot never is.
    fn arrived(&self, way: &Way) -> bool;
    /// Writes the joint velocities, normalised by their limits (shape `[nj]`, within `[-1, 1]` but for rounding), that go on along
    /// a way or stay at its end; [`action_of`](Robot::action_of) makes an action of them. With the way of another kind of robot it stands still.
    ///
    /// # Panics
    /// If `action` has not one value per joint.
    fn follow(&self, way: &mut Way, action: &mut [f32]);

    /// What went wrong since the last reset, if anything: a robot in another process may fail, and then stands still until it is
    /// reset. An episode in which it did says nothing ([`undisturbed`](crate::undisturbed)).
    fn failure(&self) -> Option<EnvError> {
        None
    }

    /// Holds a normalised action (shape `[na]`) for one control period. Actions are clipped to
    /// `[-1, 1]`; one that is not finite counts as 0.
    ///
    /// # Panics
    /// If `action` has not one value per action.
    fn step(&mut self, action: &[f32]) {
        assert_eq!(action.len(), self.actions(), "one value per action");
        let set_points: Vec<f64> = (action.iter().zip(self.action_scale()))
            .map(|(&a, scale)| {
                let a = f64::from(a);
                scale
                    * if a.is_finite() {
                        a.clamp(-1.0, 1.0)
                    } else {
                        0.0
                    }
            })
            .collect();
        let pieces = self.substeps();
        let piece_s = self.control_period_s() / pieces as f64;
        for _ in 0..pieces {
            self.advance(&set_points, piece_s);
        }
    }

    /// Number of actions.
    fn actions(&self) -> usize {
        self.action_scale().len()
    }

    /// Number of joints.
    fn joints(&self) -> usize {
        self.joint_names().len()
    }

    /// Writes positions (rad), then velocities (rad/s), shape `[2 nj]`: the joints input of the models.
    ///
    /// # Panics
    /// If `out` has not two values per joint.
    fn write_joints(&self, out: &mut [f32]) {
        assert_eq!(out.len(), 2 * self.joints(), "two values per joint");
        for (o, &x) in out
            .iter_mut()
            .zip(self.positions().iter().chain(self.velocities()))
        {
            *o = x as f32;
        }
    }
}
