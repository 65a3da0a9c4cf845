//! The arm on its table with any task: all that the tasks have in common.

use std::fmt::Debug;

use latco_models::ActionKind;
use rand::Rng;

use crate::arm::{Arm, JOINT_NAMES, JOINTS, LIMITS, MAX_VELOCITY_RAD_S, Posture, Shape};
use crate::contact::Puck;
use crate::drive::Drive;
use crate::link::Link;
use crate::motion::{self, JointLimits};
use crate::noise::{Stream, generator};
use crate::plane::Place;
use crate::render::Canvas;
use crate::reward::RewardKind;
use crate::robot::{Habits, Object, Robot};
use crate::scene;
use crate::script::{Stage, Stages, View, Way};
use crate::steer::fastest;

/// Name of the arm's tip in [`Robot::put`].
pub const TIP: &str = "tip";

/// Division of time into control periods and simulation steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Control period in seconds.
    pub control_period_s: f64,
    /// Number of simulation steps in a control period.
    pub substeps: usize,
    /// Length of an episode in control periods.
    pub episode_steps: usize,
}

/// Timing of the tasks with more than one stage: 5 Hz, 8 s.
pub const SLOW: Timing = Timing {
    control_period_s: 0.2,
    substeps: 10,
    episode_steps: 40,
};

/// A task: things on the table, and what they are worth. The arm is handed in.
pub trait Task: Clone + Debug + Send + 'static {
    /// Name of the task.
    const NAME: &'static str;
    /// Shape of the arm.
    const SHAPE: Shape;
    /// Division of time.
    const TIMING: Timing;
    /// The way in which data is collected.
    const HABITS: Habits;
    /// Number of steps within which the scripted expert has to solve a start, and leave it solved, for it to
    /// be taken; other starts are drawn again. With `None` every start that is drawn is taken.
    const EXPERT_STEPS: Option<usize>;

    /// Draws a start; `None` where what was drawn does not fit together.
    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)>;

    /// Tells the task that the arm moved from `before` to `now` within `dt_s` seconds.
    fn moved(&mut self, before: &Arm, now: &Arm, dt_s: f64) {
        let _ = (before, now, dt_s);
    }

    /// The shape of the arm with the tool that it holds.
    fn hand(&self) -> Shape {
        Self::SHAPE
    }

    /// The puck, if the task has one.
    fn puck(&self) -> Option<Puck> {
        None
    }

    /// Draws what lies below the arm.
    fn draw(&self, arm: &Arm, canvas: &mut Canvas<'_>);

    /// Whether the task is solved in this state.
    fn solved(&self, arm: &Arm) -> bool;
    /// Length in m of the way that is left to go and to push.
    fn way_left(&self, arm: &Arm) -> f64;
    /// The objects whose places a model has to know.
    fn objects(&self) -> Vec<Object>;
    /// Puts an object at a place; returns false where no movable object has that name.
    fn put(&mut self, thing: &str, place: Place) -> bool {
        let _ = (thing, place);
        false
    }

    /// The best way to solve the task.
    fn expert(&self, arm: &Arm) -> Vec<Stage>;
    /// A way to go while data is collected.
    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage>;
}

/// A planar arm on a table, with a camera above and a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Tabletop<T> {
    pub(crate) arm: Arm,
    pub(crate) task: T,
    difficulty: f64,
    reward: RewardKind,
    image_size: usize,
    drive: Drive,
    /// Name of the task with what says how the arm is driven.
    name: String,
    scale: Vec<f64>,
    /// Positions that were sent last, of an arm that is driven by positions.
    sent: Posture,
}

/// Draws starts until one fits together.
fn draw_start<T: Task>(rng: &mut dyn Rng) -> (Arm, T) {
    loop {
        if let Some(start) = T::start(rng) {
            return start;
        }
    }
}

impl<T: Task> Tabletop<T> {
    /// Makes the robot with a camera of `image_size x image_size` pixels, reset with seed 0 and driven by joint velocities.
    pub fn new(image_size: usize) -> Self {
        Self::driven(image_size, Drive::Velocity)
    }

    /// Makes the robot as [`Tabletop::new`], driven in some way.
    pub fn driven(image_size: usize, drive: Drive) -> Self {
        let (arm, task) = draw_start(&mut generator(0, Stream::Episode));
        let mut tabletop = Self {
            arm,
            task,
            difficulty: 0.0,
            reward: RewardKind::Sparse,
            image_size,
            drive,
            name: format!("{}{}", T::NAME, drive.suffix()),
            scale: drive.scale(T::TIMING.control_period_s),
            sent: arm.positions,
        };
        tabletop.reset(0);
        tabletop
    }

    /// The arm of the robot.
    pub fn arm(&self) -> &Arm {
        &self.arm
    }

    /// Place of the end of the arm, or of the tool that it holds, in m.
    pub fn end(&self) -> Place {
        self.task.hand().tip(&self.arm.positions)
    }

    fn view(&self) -> View<'_> {
        View {
            arm: &self.arm,
            hand: self.task.hand(),
            puck: self.task.puck(),
            by_tip: self.drive == Drive::Twist,
        }
    }

    /// Whether the scripted expert solves the task from here within so many steps, for good.
    fn expert_solves(&self, steps: usize) -> bool {
        let mut robot = self.clone();
        // Starts are the same however the arm is driven.
        (robot.drive, robot.scale) = (Drive::Velocity, MAX_VELOCITY_RAD_S.to_vec());
        let mut way = robot.expert();
        let mut action = [0.0; JOINTS];
        let mut solved = false;
        for step in 1..=T::TIMING.episode_steps {
            robot.follow(&mut way, &mut action);
            robot.step(&action);
            solved |= robot.success();
            if step == steps && !solved {
                return false;
            }
        }
        robot.success()
    }
}

impl<T: Task> Robot for Tabletop<T> {
    fn task(&self) -> &str {
        &self.name
    }

    fn joint_names(&self) -> &[&str] {
        &JOINT_NAMES
    }

    fn limits(&self) -> &[JointLimits] {
        &LIMITS
    }

    fn action_scale(&self) -> &[f64] {
        &self.scale
    }

    fn action_kinds(&self) -> Vec<ActionKind> {
        self.drive.kinds()
    }

    fn control_period_s(&self) -> f64 {
        T::TIMING.control_period_s
    }

    fn substeps(&self) -> usize {
        T::TIMING.substeps
    }

    fn episode_steps(&self) -> usize {
        T::TIMING.episode_steps
    }

    fn image_size(&self) -> usize {
        self.image_size
    }

    fn reset(&mut self, seed: u64) {
        let rng = &mut generator(seed, Stream::Episode);
        loop {
            (self.arm, self.task) = draw_start(rng);
            if T::EXPERT_STEPS.is_none_or(|steps| self.expert_solves(steps)) {
                break;
            }
        }
        self.difficulty = self.task.way_left(&self.arm);
        self.sent = self.arm.positions;
    }

    fn advance(&mut self, command: &[f64], dt_s: f64) {
        let (drive, hand) = (self.drive, self.task.hand());
        for piece_s in motion::pieces(dt_s) {
            let before = self.arm;
            let velocities = drive.velocities(&before, &hand, command, &self.sent, dt_s);
            self.arm.advance(&velocities, piece_s);
            self.task.moved(&before, &self.arm, piece_s);
        }
        if drive.sends_positions() && dt_s > 0.0 {
            for (sent, command) in self.sent.iter_mut().zip(command) {
                *sent = if command.is_finite() { *command } else { *sent };
            }
        }
    }

    fn command(&self, action: &[f32]) -> Vec<f64> {
        let positions = self.drive.sends_positions();
        let scaled = action.iter().zip(&self.scale).enumerate();
        let scaled = scaled.map(|(j, (a, scale))| {
            let command = f64::from(a.clamp(-1.0, 1.0)) * scale;
            if positions {
                (self.sent[j] + command).clamp(LIMITS[j].lower_rad, LIMITS[j].upper_rad)
            } else {
                command
            }
        });
        scaled.collect()
    }

    fn action_of(&self, velocities: &[f32], action: &mut [f32]) {
        (self.drive).action(&self.arm, &self.task.hand(), velocities, action);
    }

    fn step(&mut self, action: &[f32]) {
        assert_eq!(action.len(), self.actions(), "one value per action");
        let finite: Vec<f32> = action
            .iter()
            .map(|a| if a.is_finite() { *a } else { 0.0 })
            .collect();
        let (pieces, command, before) = (self.substeps(), self.command(&finite), self.sent);
        let piece_s = self.control_period_s() / pieces as f64;
        for piece in 1..=pieces {
            if self.drive.sends_positions() {
                // What is sent goes there evenly, as from the executor.
                let share = piece as f64 / pieces as f64;
                let on_way: Posture =
                    std::array::from_fn(|j| before[j] + share * (command[j] - before[j]));
                self.advance(&on_way, piece_s);
            } else {
                self.advance(&command, piece_s);
            }
        }
    }

    fn render(&self, rgb: &mut [u8]) {
        let mut canvas = Canvas::new(rgb, self.image_size, scene::BACKGROUND);
        self.task.draw(&self.arm, &mut canvas);
        scene::draw_arm(&mut canvas, &self.arm);
    }

    fn positions(&self) -> &[f64] {
        &self.arm.positions
    }

    fn velocities(&self) -> &[f64] {
        &self.arm.velocities
    }

    fn reward(&self) -> f64 {
        match self.reward {
            RewardKind::Sparse => f64::from(u8::from(self.success())),
            RewardKind::Dense => -self.task.way_left(&self.arm),
        }
    }

    fn reward_kind(&self) -> RewardKind {
        self.reward
    }

    fn set_reward_kind(&mut self, kind: RewardKind) {
        self.reward = kind;
    }

    fn success(&self) -> bool {
        self.task.solved(&self.arm)
    }

    fn difficulty(&self) -> f64 {
        self.difficulty
    }

    fn objects(&self) -> Vec<Object> {
        self.task.objects()
    }

    fn links(&self) -> Vec<Link> {
        scene::links(&self.arm)
    }

    fn put(&mut self, thing: &str, place: [f64; 2]) -> bool {
        if thing != TIP {
            return self.task.put(thing, place);
        }
        let Some((posture, _)) = fastest(&self.arm.positions, &T::SHAPE, place) else {
            return false;
        };
        self.arm = Arm::at_rest(T::SHAPE, posture);
        self.sent = self.arm.positions;
        // It touches what it stands on, and pushes nothing.
        self.task.moved(&self.arm, &self.arm, 0.0);
        true
    }

    fn habits(&self) -> Habits {
        T::HABITS
    }

    fn expert(&self) -> Way {
        Way::Arm(Stages::new(self.task.expert(&self.arm)))
    }

    fn waypoint(&self, rng: &mut dyn Rng) -> Way {
        Way::Arm(Stages::new(self.task.waypoint(&self.arm, rng)))
    }

    fn arrived(&self, way: &Way) -> bool {
        matches!(way, Way::Arm(stages) if stages.arrived(&self.view()))
    }

    fn follow(&self, way: &mut Way, action: &mut [f32]) {
        match way {
            Way::Arm(stages) => stages.follow(&self.view(), action),
            _ => action.fill(0.0),
        }
    }
}
