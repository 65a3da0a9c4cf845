//! The planner as a policy that collects data.

use chacha20::ChaCha8Rng;
use latco_controller::inputs::{ImageInput, Inputs, JointVec};
use latco_controller::time::FrozenClock;
use latco_controller::{Config, Controller, SetupError, Time};
use latco_envs::{Policy, Robot};
use latco_models::Bundle;
use rand::{RngExt, SeedableRng};

use crate::joints_of;

/// A policy that moves a robot by plans on a learned model, with the timing of the node: the action of a
/// period was planned on the image before it.
///
/// Unlike the scripted policies it sees only the picture and the joints.
pub struct PlannerPolicy {
    controller: Controller,
    pixels: Vec<u8>,
    now: Time,
    /// Standard deviation of the noise that is added to the actions.
    noise: f64,
    rng: ChaCha8Rng,
}

impl PlannerPolicy {
    /// Makes a policy on this bundle.
    ///
    /// # Errors
    /// [`SetupError`] when the controller cannot be made.
    pub fn new(config: &Config, bundle: &Bundle) -> Result<Self, SetupError> {
        let side = bundle.manifest().image.width;
        latco_baselines::add();
        Ok(Self {
            controller: Controller::new(config, bundle)?,
            pixels: vec![0; side * side * 3],
            now: Time(0),
            noise: 0.0,
            rng: ChaCha8Rng::seed_from_u64(0),
        })
    }

    /// Adds normal noise of this standard deviation to every action, which then stays within its limits, so
    /// that actions are tried that the planner would not choose.
    #[must_use]
    pub fn with_noise(mut self, std: f64) -> Self {
        self.noise = std;
        self
    }
}

impl std::fmt::Debug for PlannerPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlannerPolicy")
            .field("planner", &self.controller.planner_name())
            .finish_non_exhaustive()
    }
}

impl Policy for PlannerPolicy {
    fn begin(&mut self, _robot: &dyn Robot, seed: u64) {
        self.controller.reset(seed);
        self.now = Time(0);
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    fn act(&mut self, robot: &dyn Robot, action: &mut [f32]) {
        robot.render(&mut self.pixels);
        let (width, height) = self.controller.image_size();
        let inputs = Inputs {
            image: Some(ImageInput {
                stamp: self.now,
                width,
                height,
                pixels: &self.pixels,
            }),
            joints: Some(joints_of(robot, self.now)),
        };
        self.controller
            .step(&inputs, self.now, &FrozenClock(self.now));
        let plan = self.controller.plan();
        match plan.step_at(self.now) {
            Some(step) => action.copy_from_slice(plan.action(step)),
            None => action.fill(0.0),
        }
        if self.noise > 0.0 {
            for a in action.iter_mut() {
                let noisy = f64::from(*a) + self.noise * normal(&mut self.rng);
                *a = noisy.clamp(-1.0, 1.0) as f32;
            }
        }
        let sent: JointVec = robot.command(action).into_iter().collect();
        self.controller.record_sent(self.now, &sent);
        self.now = self.now + self.controller.period();
    }

    fn describe(&self) -> String {
        let name = self.controller.planner_name();
        match self.noise {
            0.0 => format!("planner {name}"),
            noise => format!("planner {name} noise {noise}"),
        }
    }
}

/// Draws a standard normal number.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (rng.random::<f64>() * std::f64::consts::TAU).cos()
}
