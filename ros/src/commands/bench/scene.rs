//! A controller in front of a camera, one control period at a time: frames of the simulated robot
//! that the bundle was trained for, or noise for a bundle that no simulated robot fits.

use latco_controller::inputs::{ImageInput, Inputs, JointInput, JointVec};
use latco_controller::{Clock, Config, Controller, Tick, Time};
#[cfg(feature = "sim")]
use latco_envs::Robot;
use latco_models::Bundle;

use super::noise::Noise;
use crate::commands::failure::Failure;

/// The scene that the camera sees, with what moves in it.
enum Scene {
    #[cfg(feature = "sim")]
    Simulated(Box<dyn Robot>),
    Noise(Noise),
}

/// Controller, scene, and the newest frame.
pub(super) struct Camera {
    controller: Controller,
    scene: Scene,
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    positions: JointVec,
    velocities: JointVec,
    now: Time,
    has_joints: bool,
}

/// Makes the simulated robot that the bundle is for, if there is one that fits.
#[cfg(feature = "sim")]
fn scene(bundle: &Bundle, seed: u64) -> Scene {
    let manifest = bundle.manifest();
    let (width, height) = (manifest.image.width, manifest.image.height);
    match latco_envs::make(&manifest.task, width) {
        Ok(robot) if robot.joints() == manifest.dims.action && width == height => {
            Scene::Simulated(robot)
        }
        _ => Scene::Noise(Noise::new(seed)),
    }
}

#[cfg(not(feature = "sim"))]
fn scene(_bundle: &Bundle, seed: u64) -> Scene {
    Scene::Noise(Noise::new(seed))
}

impl Camera {
    /// Makes a controller of the bundle in front of the simulated robot of its task, or of noise by `seed`
    /// and joints that stand still.
    ///
    /// # Errors
    /// An error when the controller cannot be made.
    pub(super) fn new(bundle: &Bundle, config: &Config, seed: u64) -> Result<Self, Failure> {
        let controller = Controller::new(config, bundle).map_err(Failure::usage)?;
        let (width, height) = controller.image_size();
        let joints = controller.robot().joints();
        let zeros: JointVec = std::iter::repeat_n(0.0, joints).collect();
        Ok(Self {
            has_joints: controller.robot().has_joint_states(),
            controller,
            scene: scene(bundle, seed),
            pixels: vec![0; width * height * 3],
            width,
            height,
            positions: zeros.clone(),
            velocities: zeros,
            now: Time::from_seconds(1.0),
        })
    }

    /// Begins a new episode.
    pub(super) fn begin(&mut self, episode: u64) {
        self.controller.reset(episode);
        #[cfg(feature = "sim")]
        if let Scene::Simulated(robot) = &mut self.scene {
            robot.reset(latco_envs::EVALUATION_SEED + episode);
        }
    }

    /// The source of the frames: `simulated` or `noise`.
    pub(super) fn frames(&self) -> &'static str {
        match self.scene {
            #[cfg(feature = "sim")]
            Scene::Simulated(_) => "simulated",
            Scene::Noise(_) => "noise",
        }
    }

    /// Takes a frame and the joint states.
    pub(super) fn capture(&mut self) {
        match &mut self.scene {
            #[cfg(feature = "sim")]
            Scene::Simulated(robot) => {
                robot.render(&mut self.pixels);
                self.positions.copy_from_slice(robot.positions());
                self.velocities.copy_from_slice(robot.velocities());
            }
            Scene::Noise(noise) => noise.bytes(&mut self.pixels),
        }
    }

    /// Steps the controller on the newest frame: belief and plan.
    pub(super) fn tick(&mut self, clock: &dyn Clock) -> Tick {
        let joints = JointInput {
            stamp: self.now,
            positions: &self.positions,
            velocities: &self.velocities,
        };
        let inputs = Inputs {
            image: Some(ImageInput {
                stamp: self.now,
                width: self.width,
                height: self.height,
                pixels: &self.pixels,
            }),
            joints: self.has_joints.then_some(joints),
        };
        self.controller.step(&inputs, self.now, clock)
    }

    /// Follows the plan's command for one control period.
    pub(super) fn advance(&mut self) {
        let period = self.controller.period();
        let plan = self.controller.plan();
        let action = plan
            .step_at(self.now + period / 2)
            .map(|step| plan.action(step));
        let mut command: JointVec = self.velocities.clone();
        for (joint, command) in command.iter_mut().enumerate() {
            let scale = self.controller.robot().action_scale(joint);
            *command = action.map_or(0.0, |action| f64::from(action[joint]) * scale);
        }
        self.controller.record_sent(self.now, &command);
        #[cfg(feature = "sim")]
        if let Scene::Simulated(robot) = &mut self.scene {
            robot.advance(&command, period.as_secs_f64());
        }
        self.now = self.now + period;
    }

    /// The controller in front of the scene.
    pub(super) fn controller(&self) -> &Controller {
        &self.controller
    }
}
