//! A controller in front of a camera, one control period at a time: frames of the simulated robot
//! that the bundle was trained for, or noise for a bundle that no simulated robot fits.

use latco_controller::inputs::{ImageInput, Inputs, JointInput, JointVec};
use latco_controller::{Clock, Config, Controller, Tick, Time};
use latco_envs::Robot;
use latco_models::Bundle;

use super::noise::Noise;
use crate::commands::failure::Failure;

/// What the camera sees and what moves.
enum Scene {
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

impl Camera {
    /// # Errors
    /// The bundle's task is not simulated, its robot is another one, or the controller cannot be
    /// made.
    pub(super) fn simulated(bundle: &Bundle, config: &Config) -> Result<Self, Failure> {
        let manifest = bundle.manifest();
        let robot =
            latco_envs::make(&manifest.task, manifest.image.width).map_err(Failure::usage)?;
        if robot.joints() != manifest.dims.action || manifest.image.width != manifest.image.height {
            return Err(Failure::usage(anyhow::anyhow!(
                "the simulated {} has {} joints and a square camera, the bundle {} actions and \
                 {}x{} pixels",
                manifest.task,
                robot.joints(),
                manifest.dims.action,
                manifest.image.width,
                manifest.image.height
            )));
        }
        Self::new(bundle, config, Scene::Simulated(robot))
    }

    /// Frames of noise, joints that stand still.
    ///
    /// # Errors
    /// The controller cannot be made.
    pub(super) fn noise(bundle: &Bundle, config: &Config, seed: u64) -> Result<Self, Failure> {
        Self::new(bundle, config, Scene::Noise(Noise::new(seed)))
    }

    fn new(bundle: &Bundle, config: &Config, scene: Scene) -> Result<Self, Failure> {
        let controller = Controller::new(config, bundle).map_err(Failure::usage)?;
        let (width, height) = controller.image_size();
        let joints = controller.robot().joints();
        let zeros: JointVec = std::iter::repeat_n(0.0, joints).collect();
        Ok(Self {
            has_joints: controller.robot().has_joint_states(),
            controller,
            scene,
            pixels: vec![0; width * height * 3],
            width,
            height,
            positions: zeros.clone(),
            velocities: zeros,
            now: Time::from_seconds(1.0),
        })
    }

    /// A new episode.
    pub(super) fn begin(&mut self, episode: u64) {
        self.controller.reset(episode);
        if let Scene::Simulated(robot) = &mut self.scene {
            robot.reset(latco_envs::EVALUATION_SEED + episode);
        }
    }

    /// Whether the frames come from a simulated robot.
    pub(super) fn is_simulated(&self) -> bool {
        matches!(self.scene, Scene::Simulated(_))
    }

    /// Takes a frame and the joint states.
    pub(super) fn look(&mut self) {
        match &mut self.scene {
            Scene::Simulated(robot) => {
                robot.render(&mut self.pixels);
                self.positions.copy_from_slice(robot.positions());
                self.velocities.copy_from_slice(robot.velocities());
            }
            Scene::Noise(noise) => noise.bytes(&mut self.pixels),
        }
    }

    /// The controller's step on the newest frame: belief and plan.
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

    /// The plan's command is followed for one control period.
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
        if let Scene::Simulated(robot) = &mut self.scene {
            robot.advance(&command, period.as_secs_f64());
        }
        self.now = self.now + period;
    }

    /// The controller.
    pub(super) fn controller(&self) -> &Controller {
        &self.controller
    }
}
