//! A simulated robot that a plan is made for.

use anyhow::ensure;
use latco_controller::inputs::{ImageInput, JointInput};
use latco_controller::plan::Solution;
use latco_controller::{Config, Time};
use latco_envs::{Robot, TrainedWith};
use latco_models::Bundle;

use super::situation::{Picture, Situation, filter};
use super::source::{Executed, Source};

/// A simulated robot at the start of an evaluation episode.
pub(super) struct Simulated(Box<dyn Robot>);

impl Simulated {
    /// Makes the robot of a task, with a camera as the bundle has it, at the start of an evaluation episode.
    ///
    /// # Errors
    /// When there is no such task, or the bundle was trained for another robot.
    pub(super) fn new(task: &str, bundle: &Bundle, episode: u64) -> anyhow::Result<Self> {
        let manifest = bundle.manifest();
        let mut robot = latco_envs::make(task, manifest.image.width)?;
        let trained_with = TrainedWith {
            joint_names: &manifest.joints.names,
            image: (manifest.image.width, manifest.image.height),
            control_period_s: manifest.control_period_s,
        };
        let mismatches = trained_with.mismatches(robot.as_ref());
        ensure!(
            mismatches.is_empty(),
            "the bundle does not fit the task {task}:\n  {}",
            mismatches.join("\n  ")
        );
        robot.reset(latco_envs::EVALUATION_SEED.wrapping_add(episode));
        robot.failure().map_or(Ok(Self(robot)), |e| Err(e.into()))
    }

    fn picture(&self) -> Picture {
        let side = self.0.image_size();
        let mut pixels = vec![0; side * side * 3];
        self.0.render(&mut pixels);
        Picture {
            width: side,
            height: side,
            pixels,
        }
    }
}

impl Source for Simulated {
    fn situation(&self, config: &Config, bundle: &Bundle) -> anyhow::Result<Situation> {
        let (mut filter, _) = filter(config, bundle)?;
        let (stamp, picture) = (Time(0), self.picture());
        let joints = JointInput {
            stamp,
            positions: self.0.positions(),
            velocities: self.0.velocities(),
        };
        filter.joints(&joints, stamp)?;
        let image = ImageInput {
            stamp,
            width: picture.width,
            height: picture.height,
            pixels: &picture.pixels,
        };
        filter.observe(&image, stamp)?;
        Ok(Situation {
            belief: filter.mean().to_vec(),
            picture,
            stamp,
            images: 1,
            camera: String::new(),
        })
    }

    fn execute(&mut self, solution: &Solution, action_size: usize) -> Option<Executed> {
        let mut executed = Executed::default();
        executed.pictures.push(self.picture());
        for (step, action) in solution.actions.chunks_exact(action_size).enumerate() {
            self.0.step(action);
            executed.pictures.push(self.picture());
            executed.rewards.push(self.0.reward());
            if self.0.success() && executed.solved_at.is_none() {
                executed.solved_at = Some(step + 1);
            }
        }
        Some(executed)
    }
}
