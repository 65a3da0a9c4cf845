//! Simulated robots with cameras, and the scripted policies that make their data.
//!
//! A robot is made by the name of its task and driven one control period at a time:
//!
//! ```
//! # fn main() -> Result<(), latco_envs::EnvError> {
//! use latco_envs::{PolicyKind, make};
//!
//! let mut robot = make("reach", 64)?;
//! let mut policy = PolicyKind::Expert.make();
//! let mut action = vec![0.0; robot.actions()];
//! let mut image = vec![0; 64 * 64 * 3];
//!
//! robot.reset(7); // the seed decides start posture and goal
//! policy.begin(robot.as_ref(), 7);
//! let mut solved = false;
//! for _ in 0..robot.episode_steps() {
//!     robot.render(&mut image); // what the camera sees now
//!     policy.act(robot.as_ref(), &mut action);
//!     robot.step(&action); // one control period
//!     solved |= robot.success();
//! }
//! assert!(solved);
//! # Ok(())
//! # }
//! ```
//!
//! | task | what is to be done | what is hard |
//! |---|---|---|
//! | [`reach`](tasks::reach) | tip to the goal | |
//! | [`push`](tasks::push) | push the puck to the goal | get behind it first |
//! | [`key`](tasks::key) | touch the button, then tip to the goal | the goal does not count before |
//! | [`stick`](tasks::stick) | grip the tool, push the puck with it | two stages, out of the arm's own reach |
//! | [`lottery`](tasks::lottery) | bring the head of a gantry to one of two goals | one of them may pay 20 or cost 40 |
//!
//! An arm is driven by joint velocities; with `-position` or `-change` behind the name of its task by positions or
//! their changes; `reach-twist` is driven by the velocity of its tip.
//!
//! A TOML file in place of the name is a robot that others made ([`bridge`]).
//!
//! Layers, from the bottom: [`arm`] and [`gantry`] (kinematics and motion of the two robots), [`contact`] (what the arm
//! pushes), [`render`] and [`scene`] (its camera and what that sees), [`tabletop`] (all that tasks
//! of the arm have in common), [`tasks`] (starts, rewards, and what an expert does), [`policy`] (who moves it), [`obstacle`] (what it must not
//! touch). Everything is
//! deterministic: the same seed and actions give the same states and the same frames, bit for bit
//! on one machine.

pub mod arm;
mod attempts;
pub mod bridge;
pub mod contact;
mod drive;
mod error;
mod fit;
pub mod gantry;
mod link;
mod motion;
mod noise;
pub mod obstacle;
pub mod plane;
pub mod policy;
pub mod render;
mod reward;
mod robot;
pub mod scene;
pub mod script;
pub mod statistics;
mod steer;
pub mod tabletop;
pub mod tasks;

pub use attempts::undisturbed;
pub use drive::Drive;
pub use error::EnvError;
pub use fit::TrainedWith;
pub use link::Link;
pub use motion::JointLimits;
pub use obstacle::Obstacle;
pub use policy::{Policy, PolicyKind};
pub use render::{DEFAULT_IMAGE_SIZE, MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
pub use reward::RewardKind;
pub use robot::{Habits, Object, Robot};
pub use script::Way;
pub use tasks::reach;

/// Names of the tasks that [`make`] knows.
pub const TASKS: &[&str] = &["reach", "push", "key", "stick", "lottery"];

/// First seed of the episodes kept for evaluation: episode `k` has seed `EVALUATION_SEED + k`.
/// Training data uses seeds below it, so that no evaluated goal was trained on.
pub const EVALUATION_SEED: u64 = 1_000_000;

/// Makes the robot for a task: one of [`TASKS`], the TOML file of a robot that others made, or the name of such a file in
/// `configs/robots` below the present folder. The former are reset with seed 0; of the latter, nothing runs before the first
/// reset.
///
/// `image_size` is the width and height of the camera picture in pixels.
///
/// # Errors
/// [`EnvError::UnknownName`] lists the known tasks; [`EnvError::ImageSize`] the allowed sizes; [`EnvError::RobotFile`] what is
/// wrong in a file.
pub fn make(task: &str, image_size: usize) -> Result<Box<dyn Robot>, EnvError> {
    if !(MIN_IMAGE_SIZE..=MAX_IMAGE_SIZE).contains(&image_size) {
        return Err(EnvError::ImageSize { found: image_size });
    }
    let (base, drive) = Drive::split(task);
    match base {
        // The scripted expert of the other tasks does not get through them by the tip alone.
        _ if drive == Drive::Twist && base != "reach" => {
            Err(EnvError::unknown("task", task, TASKS))
        }
        "reach" => Ok(Box::new(tasks::Reach::driven(image_size, drive))),
        "push" => Ok(Box::new(tasks::Push::driven(image_size, drive))),
        "key" => Ok(Box::new(tasks::Key::driven(image_size, drive))),
        "stick" => Ok(Box::new(tasks::Stick::driven(image_size, drive))),
        "lottery" if drive == Drive::Velocity => Ok(Box::new(tasks::Lottery::new(image_size))),
        _ => match bridge::file::find(task) {
            Some(file) => Ok(Box::new(bridge::Bridged::open(&file, image_size)?)),
            None => {
                let mut known = TASKS.to_vec();
                known.push("the TOML file of another robot (docs/simulators.md)");
                Err(EnvError::unknown("task", task, known))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_task_can_be_made_and_says_its_name() {
        for task in TASKS {
            let robot = make(task, DEFAULT_IMAGE_SIZE).unwrap();
            assert_eq!(robot.task(), *task);
        }
    }

    #[test]
    fn an_unknown_task_is_refused_with_the_known_ones() {
        let message = make("reech", 64).err().unwrap().to_string();
        assert!(
            message.contains("reech") && message.contains("reach"),
            "{message}"
        );
    }

    #[test]
    fn image_sizes_outside_the_range_are_refused() {
        for size in [0, 15, 2049] {
            let message = make("reach", size).err().unwrap().to_string();
            assert!(
                message.contains(&size.to_string()) && message.contains("16"),
                "{message}"
            );
        }
        assert_eq!(make("reach", 16).unwrap().image_size(), 16);
    }
}
