//! A controller in front of a camera, one control period at a time: frames of the simulated robot
//! that the bundle was trained for, or noise for a bundle that no simulated robot fits.

use std::time::Duration;

use latco_controller::inputs::{ImageInput, Inputs, JointInput, JointVec};
use latco_controller::plan::Plan;
use latco_controller::safety::peaks::Peaks;
use latco_controller::{Clock, Config, Controller, Executor, Tick, Time, latest};
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

/// Controller and executor, scene, and the newest frame.
pub(super) struct Camera {
    config: Config,
    controller: Controller,
    plans: latest::Writer<Plan>,
    executor: Executor,
    tick_period: Duration,
    ticks: u32,
    peaks: Peaks,
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
        Ok(robot) if robot.actions() == manifest.dims.action && width == height => {
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
    /// and joints that do as they are told.
    ///
    /// # Errors
    /// An error when the controller cannot be made.
    pub(super) fn new(bundle: &Bundle, config: &Config, seed: u64) -> Result<Self, Failure> {
        let controller = Controller::new(config, bundle).map_err(Failure::usage)?;
        let (width, height) = controller.image_size();
        let joints = controller.robot().joint_limits().joints();
        let zeros: JointVec = std::iter::repeat_n(0.0, joints).collect();
        let period = controller.period();
        // A whole number of command ticks in a period, at the rate nearest to the configured one.
        let ticks = (period.as_secs_f64() * config.control.command_rate_hz).round();
        let ticks = ticks.max(1.0) as u32;
        let (plans, reader) = latest::channel(|| controller.empty_plan());
        Ok(Self {
            config: config.clone(),
            plans,
            executor: Executor::new(config, controller.robot(), reader),
            tick_period: period / ticks,
            ticks,
            peaks: Peaks::new(controller.robot().actions()),
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
        let (plans, reader) = latest::channel(|| self.controller.empty_plan());
        self.plans = plans;
        self.executor = Executor::new(&self.config, self.controller.robot(), reader);
        self.peaks.begin();
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

    /// Follows the newest plan for one control period, as an executor does: at the command rate, within the limits.
    pub(super) fn advance(&mut self) {
        if self.executor.plan().number != self.controller.plan().number {
            self.plans.value_mut().copy_from(self.controller.plan());
            self.plans.publish();
        }
        self.executor.set_surprise(self.controller.surprise());
        let dt_s = self.tick_period.as_secs_f64();
        for number in 0..self.ticks {
            let time = self.now + self.tick_period * number;
            let joints = JointInput {
                stamp: time,
                positions: &self.positions,
                velocities: &self.velocities,
            };
            if self.has_joints {
                // What is refused is counted there, and the robot stops.
                let _ = self.executor.joints(&joints, time);
            }
            let point = self.executor.tick(time);
            self.controller.record_sent(time, &point.commands);
            self.peaks.note(time, &point.velocities);
            match &mut self.scene {
                #[cfg(feature = "sim")]
                Scene::Simulated(robot) => {
                    robot.advance(&point.commands, dt_s);
                    self.positions.copy_from_slice(robot.positions());
                    self.velocities.copy_from_slice(robot.velocities());
                }
                Scene::Noise(_) => {
                    let joints = self.positions.iter_mut().zip(&mut self.velocities);
                    for ((position, own), velocity) in joints.zip(&point.velocities) {
                        *position += velocity * dt_s;
                        *own = *velocity;
                    }
                }
            }
        }
        self.now = self.now + self.controller.period();
    }

    /// What all commands so far did.
    pub(super) fn peaks(&self) -> &Peaks {
        &self.peaks
    }

    /// The controller in front of the scene.
    pub(super) fn controller(&self) -> &Controller {
        &self.controller
    }
}
