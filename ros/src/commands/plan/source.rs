//! The source of a plan's situation: a bag, or a simulated robot.

use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::plan::Solution;
use latco_models::Bundle;

use super::situation::{self, Picture, Situation};

/// The execution of a plan.
#[derive(Default)]
pub(super) struct Executed {
    /// Images of the simulated robot, one more than steps; there are none of a bag.
    pub(super) pictures: Vec<Picture>,
    /// Rewards of the simulated robot after each step.
    pub(super) rewards: Vec<f64>,
    /// The first step, from 1, after which the task was solved.
    pub(super) solved_at: Option<usize>,
}

/// A source of situations.
pub(super) trait Source {
    /// The situation that is planned from.
    ///
    /// # Errors
    /// An error when no belief can be made.
    fn situation(&self, config: &Config, bundle: &Bundle) -> anyhow::Result<Situation>;

    /// Moves the robot by the plan's actions, open loop; `None` where nothing can move.
    fn execute(&mut self, solution: &Solution, action_size: usize) -> Option<Executed>;
}

/// The images of a bag.
pub(super) struct Bag {
    /// Folder or file of the bag.
    pub(super) path: PathBuf,
    /// Seconds from the first image to the plan.
    pub(super) at_s: f64,
}

impl Source for Bag {
    fn situation(&self, config: &Config, bundle: &Bundle) -> anyhow::Result<Situation> {
        situation::of_bag(config, bundle, &self.path, self.at_s)
    }

    fn execute(&mut self, _solution: &Solution, _action_size: usize) -> Option<Executed> {
        None
    }
}
