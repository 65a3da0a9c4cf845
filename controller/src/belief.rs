//! The belief filter: image, joint states and the commands really sent to the posterior state.
//! Eq. 2 of Rybkin et al. 2021, means only.

use std::time::Duration;

use latco_models::Manifest;

use crate::config::Config;
use crate::history::{CommandHistory, JointHistory};
use crate::inputs::{
    ImageInput, InputCounts, InputError, JointInput, JointVec, MAX_JOINTS, Source, check_stamp,
};
use crate::model::FilterModel;
use crate::robot::Robot;
use crate::time::Time;

/// An image this much of a control period after the last one (or later) steps the belief.
const DUE_FRACTION: f64 = 0.75;

/// What an image did to the belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Model steps since the last image: 1, or more when images were missing.
    pub steps: u32,
    /// The belief began anew: the first image, or too many missing.
    pub restarted: bool,
}

/// Keeps the posterior mean up to date.
pub struct BeliefFilter {
    model: Box<dyn FilterModel>,
    robot: Robot,
    width: usize,
    height: usize,
    observes_joints: bool,
    period: Duration,
    max_skipped: u32,
    future_s: f64,
    joints_limit_s: f64,
    action_limit: f32,
    mean: Vec<f32>,
    previous: Vec<f32>,
    next: Vec<f32>,
    action: Vec<f32>,
    joints: Vec<f32>,
    stamp: Option<Time>,
    sent: CommandHistory,
    joint_history: JointHistory,
    counts: InputCounts,
}

impl BeliefFilter {
    /// A filter that knows nothing yet.
    pub fn new(
        config: &Config,
        manifest: &Manifest,
        robot: &Robot,
        model: Box<dyn FilterModel>,
    ) -> Self {
        let n = manifest.dims.state();
        let joints = robot.names().len();
        let window_s = f64::from(config.control.max_skipped_frames + 4) * manifest.control_period_s;
        let commands = (window_s * config.control.command_rate_hz).ceil() as usize + 16;
        Self {
            model,
            robot: robot.clone(),
            width: manifest.image.width,
            height: manifest.image.height,
            observes_joints: manifest.joints.observed,
            period: Duration::from_secs_f64(manifest.control_period_s),
            max_skipped: config.control.max_skipped_frames,
            future_s: config.timeouts.future_stamp_ms * 1e-3,
            joints_limit_s: config.timeouts.joints_ms * 1e-3,
            action_limit: manifest.action.limit,
            mean: vec![0.0; n],
            previous: vec![0.0; n],
            next: vec![0.0; n],
            action: vec![0.0; manifest.dims.action],
            joints: vec![
                0.0;
                if manifest.joints.observed {
                    2 * joints
                } else {
                    0
                }
            ],
            stamp: None,
            sent: CommandHistory::new(commands),
            // Joint states at up to 1 kHz for as long as an image may take to arrive.
            joint_history: JointHistory::new(512),
            counts: InputCounts::default(),
        }
    }

    /// Posterior mean of the newest image, `[n]`; zeros before the first.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Stamp of the newest image used.
    #[must_use]
    pub fn stamp(&self) -> Option<Time> {
        self.stamp
    }

    /// Columns and rows of the images that the model takes.
    #[must_use]
    pub fn image_size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// What was taken and refused.
    #[must_use]
    pub fn counts(&self) -> &InputCounts {
        &self.counts
    }

    /// Forgets everything but the counts, as at the start of an episode.
    pub fn reset(&mut self) {
        self.mean.fill(0.0);
        self.stamp = None;
        self.sent.clear();
        self.joint_history.clear();
    }

    /// Notes joint velocities in rad/s that were sent at `time`.
    pub fn record_sent(&mut self, time: Time, velocities: &JointVec) {
        self.sent.push(time, velocities);
    }

    /// Takes joint states.
    ///
    /// # Errors
    /// [`InputError`]; the sample is counted as refused and changes nothing.
    pub fn joints(&mut self, joints: &JointInput<'_>, now: Time) -> Result<(), InputError> {
        let last = self.joint_history.newest_stamp();
        let checked = check_stamp(Source::Joints, joints.stamp, last, now, self.future_s)
            .and_then(|()| joints.check(self.robot.names().len()));
        match checked {
            Ok(()) => {
                self.joint_history.push(joints);
                self.counts.joints += 1;
                Ok(())
            }
            Err(error) => {
                self.counts.refuse(&error);
                Err(error)
            }
        }
    }

    /// Steps the belief with an image.
    ///
    /// Missed images are bridged by prior steps with the commands sent meanwhile, at most
    /// `max_skipped_frames`; after more the belief begins anew.
    ///
    /// # Errors
    /// [`InputError`]; the image is counted as refused and the belief unchanged.
    ///
    /// # Real-time
    /// No allocation unless it fails; at most `max_skipped_frames` prior steps and one observation.
    pub fn observe(&mut self, image: &ImageInput<'_>, now: Time) -> Result<Observed, InputError> {
        let result = self.try_observe(image, now);
        match &result {
            Ok(observed) => {
                self.counts.images += 1;
                self.counts.skipped_steps += u64::from(observed.steps.saturating_sub(1));
                self.counts.restarts += u64::from(observed.restarted);
            }
            Err(error) => self.counts.refuse(error),
        }
        result
    }

    /// Prior mean one period after the belief, under the normalised action: the state at which a
    /// plan starts that has one period of lead.
    ///
    /// # Errors
    /// [`InputError::Model`] when the model fails or its answer is not finite.
    pub fn predict(&mut self, action: &[f32], state: &mut [f32]) -> Result<(), InputError> {
        self.model
            .prior(&self.mean, action, state)
            .map_err(|error| InputError::Model(error.to_string()))?;
        check_finite(state)
    }

    fn try_observe(&mut self, image: &ImageInput<'_>, now: Time) -> Result<Observed, InputError> {
        check_stamp(Source::Image, image.stamp, self.stamp, now, self.future_s)?;
        let bytes = self.width * self.height * 3;
        if (image.width, image.height, image.pixels.len()) != (self.width, self.height, bytes) {
            return Err(InputError::ImageSize {
                expected_width: self.width,
                expected_height: self.height,
                expected_bytes: bytes,
                width: image.width,
                height: image.height,
                bytes: image.pixels.len(),
            });
        }
        let steps = self.steps_since_last(image.stamp)?;
        if self.observes_joints {
            let stamp = self.joint_history.at(image.stamp, &mut self.joints);
            let stamp = stamp.ok_or(InputError::NoJoints)?;
            let age_s = image.stamp.seconds_since(stamp);
            if age_s > self.joints_limit_s {
                return Err(InputError::StaleJoints { age_s });
            }
        }
        let restarted = steps.is_none();
        let steps = steps.unwrap_or(1);
        if restarted {
            self.previous.fill(0.0);
            self.action.fill(0.0);
        } else {
            self.previous.copy_from_slice(&self.mean);
            let last = self.stamp.expect("steps are counted from a stamp");
            self.bridge(last, image.stamp, steps)?;
        }
        self.model
            .observe(
                image.pixels,
                &self.joints,
                &self.previous,
                &self.action,
                &mut self.next,
            )
            .map_err(|error| InputError::Model(error.to_string()))?;
        check_finite(&self.next)?;
        std::mem::swap(&mut self.mean, &mut self.next);
        self.stamp = Some(image.stamp);
        Ok(Observed { steps, restarted })
    }

    /// Model steps from the last image to `stamp`; none when the belief has to begin anew.
    fn steps_since_last(&self, stamp: Time) -> Result<Option<u32>, InputError> {
        let Some(last) = self.stamp else {
            return Ok(None);
        };
        let periods = stamp.seconds_since(last) / self.period.as_secs_f64();
        if periods < DUE_FRACTION {
            return Err(InputError::NotDue {
                early_s: (DUE_FRACTION - periods) * self.period.as_secs_f64(),
            });
        }
        let steps = periods.round().max(1.0);
        Ok((steps <= f64::from(self.max_skipped) + 1.0).then_some(steps as u32))
    }

    /// Prior steps in `previous` from `last` up to one step before `stamp`, and the action of the
    /// last step.
    fn bridge(&mut self, last: Time, stamp: Time, steps: u32) -> Result<(), InputError> {
        let step = stamp.saturating_since(last) / steps;
        for index in 0..steps {
            let from = last + step * index;
            self.mean_action(from, from + step);
            if index + 1 < steps {
                self.model
                    .prior(&self.previous, &self.action, &mut self.next)
                    .map_err(|error| InputError::Model(error.to_string()))?;
                check_finite(&self.next)?;
                std::mem::swap(&mut self.previous, &mut self.next);
            }
        }
        Ok(())
    }

    /// The mean command sent from `from` to `to` as a normalised action, in `action`.
    fn mean_action(&mut self, from: Time, to: Time) {
        let mut velocities = [0.0; MAX_JOINTS];
        let velocities = &mut velocities[..self.action.len()];
        self.sent.mean(from, to, velocities);
        for (joint, (action, velocity)) in self.action.iter_mut().zip(velocities).enumerate() {
            let scale = self.robot.action_scale(joint);
            let normalised = if scale == 0.0 { 0.0 } else { *velocity / scale };
            *action = (normalised as f32).clamp(-self.action_limit, self.action_limit);
        }
    }
}

fn check_finite(state: &[f32]) -> Result<(), InputError> {
    if state.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(InputError::Model("a number is not finite".to_owned()))
    }
}
