//! The belief filter: image, joint states and the commands really sent to the posterior state.
//! Eq. 2 of Rybkin et al. 2021, means only.

use std::time::Duration;

use latco_models::{ExpectedSurprise, Manifest, RunError};

use super::history::{CommandHistory, JointHistory};
use super::model::FilterModel;
use crate::config::Config;
use crate::inputs::{
    FUTURE_STAMP_S, ImageInput, InputCounts, InputError, JointInput, JointVec, MAX_JOINTS, Source,
    check_stamp,
};
use crate::robot::Robot;
use crate::safety::measurement::MeasurementGate;
use crate::time::Time;

/// Share of a control period after the last image from which on an image steps the belief.
const DUE_FRACTION: f64 = 0.75;

/// Number of frames that may be missing in a row before the belief starts anew: predictions without an image are of use for
/// about half of a horizon, and each costs a step of the model.
const MAX_SKIPPED: u32 = 5;

/// The effect of an image on the belief.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Number of model steps since the last image: 1, or more when images were missing.
    pub steps: u32,
    /// Whether the belief began anew: after the first image, or when too many were missing.
    pub restarted: bool,
    /// How far the posterior is from the prior, as a score to compare with the bundle's calibration; `None` where the belief
    /// began anew, images were missing, which the calibration knows nothing of, or the bundle has no calibration.
    pub surprise: Option<f32>,
}

/// The belief filter, which keeps the posterior mean up to date.
pub struct BeliefFilter {
    model: Box<dyn FilterModel>,
    robot: Robot,
    width: usize,
    height: usize,
    observes_joints: bool,
    period: Duration,
    joints_limit_s: f64,
    action_limit: f32,
    mean: Vec<f32>,
    previous: Vec<f32>,
    next: Vec<f32>,
    action: Vec<f32>,
    joints: Vec<f32>,
    surprise: Option<ExpectedSurprise>,
    innovation: Vec<f32>,
    stamp: Option<Time>,
    sent: CommandHistory,
    joint_history: JointHistory,
    gate: MeasurementGate,
    counts: InputCounts,
}

impl BeliefFilter {
    /// Makes a filter that knows nothing yet.
    pub fn new(
        config: &Config,
        manifest: &Manifest,
        robot: &Robot,
        model: Box<dyn FilterModel>,
    ) -> Self {
        let n = manifest.dims.state();
        let joints = robot.names().len();
        let window_s = f64::from(MAX_SKIPPED + 4) * manifest.control_period_s;
        // One at every tick, one for every plan.
        let rate_hz = config.control.command_rate_hz + 1.0 / manifest.control_period_s;
        let commands = (window_s * rate_hz).ceil() as usize + 16;
        Self {
            model,
            robot: robot.clone(),
            width: manifest.image.width,
            height: manifest.image.height,
            observes_joints: manifest.joints.observed,
            period: crate::time::span(manifest.control_period_s),
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
            surprise: manifest.surprise.clone(),
            innovation: vec![0.0; manifest.dims.stoch],
            stamp: None,
            sent: CommandHistory::new(commands),
            // Joint states at up to 1 kHz for as long as an image may take to arrive.
            joint_history: JointHistory::new(512),
            gate: robot.gate(),
            counts: InputCounts::default(),
        }
    }

    /// The posterior mean of the newest image, `[n]`; zeros before the first.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Brings the model's weights into the processor's caches; the belief does not change.
    ///
    /// # Errors
    /// The runtime's reason.
    pub fn warm(&mut self) -> Result<(), RunError> {
        self.model.warm()
    }

    /// The positions of the joints in rad at `time`, as far as they are known.
    #[must_use]
    pub fn positions_at(&self, time: Time) -> Option<&JointVec> {
        self.joint_history.positions_at(time)
    }

    /// The stamp of the newest image that was used.
    #[must_use]
    pub fn stamp(&self) -> Option<Time> {
        self.stamp
    }

    /// Columns and rows of the images that the model takes.
    #[must_use]
    pub fn image_size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The counts of inputs that were taken and refused.
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
        self.gate.forget();
    }

    /// Notes what was sent at `time`, one an action, in the unit of its kind.
    pub fn record_sent(&mut self, time: Time, commands: &JointVec) {
        self.sent.push(time, commands);
    }

    /// Writes the normalised action at `time` of a robot that is not to move: 0, or for a target what was sent last, or where the
    /// joints are.
    pub fn rest_action(&self, time: Time, action: &mut [f32]) {
        let last = self.sent.before(time);
        self.write_taken(
            &[0.0; MAX_JOINTS],
            [last; 2],
            self.positions_at(time),
            action,
        );
    }

    /// Takes joint states into the history.
    ///
    /// # Errors
    /// [`InputError`] for samples that [`MeasurementGate::admit`] refuses; they are counted and change nothing.
    pub fn joints(&mut self, joints: &JointInput<'_>, now: Time) -> Result<(), InputError> {
        self.gate
            .admit(joints, now)
            .inspect_err(|error| self.counts.refuse(error))?;
        self.joint_history.push(joints);
        self.counts.joints += 1;
        Ok(())
    }

    /// Steps the belief with an image.
    ///
    /// Missed images are bridged by prior steps with the commands sent meanwhile, at most
    /// `MAX_SKIPPED`; after more the belief begins anew.
    ///
    /// # Errors
    /// [`InputError`]; the image is counted as refused and the belief unchanged.
    ///
    /// # Real-time
    /// No allocation unless it fails; at most `MAX_SKIPPED` prior steps, one observation, and for its surprise one
    /// prior step and its picture.
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

    /// Writes the prior mean one period after the belief, under the normalised action: the state at which a
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
        check_stamp(Source::Image, image.stamp, self.stamp, now, FUTURE_STAMP_S)?;
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
        let surprise = match &self.surprise {
            Some(expected) if !restarted && steps == 1 => {
                let picture_error = (self.model.innovation(&mut self.innovation))
                    .map_err(|error| InputError::Model(error.to_string()))?;
                let beyond_seen = expected.beyond_seen(image.pixels);
                Some(expected.score(&self.innovation, picture_error, beyond_seen))
            }
            _ => None,
        };
        std::mem::swap(&mut self.mean, &mut self.next);
        self.stamp = Some(image.stamp);
        Ok(Observed {
            steps,
            restarted,
            surprise,
        })
    }

    /// The number of model steps from the last image to `stamp`; `None` when the belief has to begin anew.
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
        Ok((steps <= f64::from(MAX_SKIPPED) + 1.0).then_some(steps as u32))
    }

    /// Does the prior steps in `previous` from `last` up to one step before `stamp`, and writes the action of
    /// the last step.
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

    /// Writes what was sent from `from` to `to` to `action`, as a normalised action.
    fn mean_action(&mut self, from: Time, to: Time) {
        let mut mean = [0.0; MAX_JOINTS];
        self.sent.mean(from, to, &mut mean[..self.action.len()]);
        let sent = [from, to].map(|time| self.sent.before(time));
        let mut action = std::mem::take(&mut self.action);
        self.write_taken(&mean, sent, self.positions_at(from), &mut action);
        self.action = action;
    }

    /// Writes the normalised action between two commands, see [`Axis::taken`](crate::Axis).
    fn write_taken(
        &self,
        mean: &[f64],
        sent: [Option<&JointVec>; 2],
        positions: Option<&JointVec>,
        action: &mut [f32],
    ) {
        for (index, (action, axis)) in action.iter_mut().zip(self.robot.axes()).enumerate() {
            let taken = axis.taken(index, mean[index], sent, positions);
            *action = (taken as f32).clamp(-self.action_limit, self.action_limit);
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Calls of a [`Recorder`]: the filter step or the prior step, with the action it was given.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum Call {
        Observe(Vec<f32>, Vec<f32>),
        Prior(Vec<f32>),
    }

    /// A model of one number: the prior adds the action, the posterior adds 100 to that.
    pub(crate) struct Recorder {
        pub(crate) calls: Arc<Mutex<Vec<Call>>>,
        pub(crate) poison: Arc<std::sync::atomic::AtomicBool>,
        /// The innovation of the last step that was asked for; each is greater by one.
        pub(crate) innovation: f32,
    }

    impl FilterModel for Recorder {
        fn observe(
            &mut self,
            _pixels: &[u8],
            joints: &[f32],
            state: &[f32],
            action: &[f32],
            mean: &mut [f32],
        ) -> Result<(), RunError> {
            let call = Call::Observe(joints.to_vec(), action.to_vec());
            self.calls.lock().unwrap().push(call);
            mean[0] = state[0] + action[0] + 100.0;
            if self.poison.load(std::sync::atomic::Ordering::SeqCst) {
                mean[0] = f32::NAN;
            }
            Ok(())
        }

        fn innovation(&mut self, innovation: &mut [f32]) -> Result<f32, RunError> {
            self.innovation += 1.0;
            innovation[0] = self.innovation;
            Ok(0.5)
        }

        fn prior(
            &mut self,
            state: &[f32],
            action: &[f32],
            mean: &mut [f32],
        ) -> Result<(), RunError> {
            self.calls
                .lock()
                .unwrap()
                .push(Call::Prior(action.to_vec()));
            mean[0] = state[0] + action[0];
            Ok(())
        }
    }

    /// A manifest of one joint, one action of 0.5 rad/s, one state, 2x2 images and 0.1 s periods.
    pub(crate) fn manifest() -> Manifest {
        let text = r#"
            format_version = 1
            task = "test"
            control_period_s = 0.1
            trainer_version = "test"
            data_hash = ""
            files = {}
            dims = { stoch = 1, deter = 0, action = 1, hidden = 1, horizon = 4 }
            image = { height = 2, width = 2, encoding = "rgb8", scale = 1.0, offset = 0.0 }
            action = { scale = [0.5], limit = 1.0 }
            reward = { kind = "regression" }
            dynamics = { kind = "dense", min_std = 0.1 }
            [joints]
            names = ["joint"]
            observed = true
            position_lower_rad = [-1.0]
            position_upper_rad = [1.0]
            velocity_limit_rad_s = [0.5]
            mean = [0.0, 0.0]
            std = [1.0, 1.0]
        "#;
        Manifest::from_toml(text).expect("a manifest")
    }

    /// The same manifest, with a calibration by which an innovation above these slows and stops.
    pub(crate) fn surprised_above([slow, stop]: [f32; 2]) -> Manifest {
        Manifest {
            surprise: Some(ExpectedSurprise {
                score: latco_models::surprise::ScoreKind::Innovation,
                slow,
                stop,
                false_slows_per_hour: 1.25,
                false_stops_per_hour: 0.125,
                episodes: 10_000,
                hours: 24.0,
                source: "test".into(),
                picture: 1.0,
                seen: None,
                weights: vec![vec![1.0]],
            }),
            ..manifest()
        }
    }

    struct Bench {
        filter: BeliefFilter,
        calls: Arc<Mutex<Vec<Call>>>,
        poison: Arc<std::sync::atomic::AtomicBool>,
    }

    impl Bench {
        fn new() -> Self {
            let (calls, poison): (Arc<Mutex<Vec<Call>>>, Arc<_>) = Default::default();
            let model = Recorder {
                calls: Arc::clone(&calls),
                poison: Arc::clone(&poison),
                innovation: 0.0,
            };
            let (config, manifest) = (Config::default(), surprised_above([3.0, 6.0]));
            let robot = Robot::new(&config, &manifest).unwrap();
            Self {
                filter: BeliefFilter::new(&config, &manifest, &robot, Box::new(model)),
                calls,
                poison,
            }
        }

        fn image(&mut self, ms: i64) -> Result<Observed, InputError> {
            self.image_of(ms, 2, &[0; 12])
        }

        fn image_of(
            &mut self,
            ms: i64,
            width: usize,
            pixels: &[u8],
        ) -> Result<Observed, InputError> {
            let image = ImageInput {
                stamp: at(ms),
                width,
                height: 2,
                pixels,
            };
            self.filter.observe(&image, at(ms + 5))
        }

        fn joints(&mut self, ms: i64, position: f64) -> Result<(), InputError> {
            let joints = JointInput {
                stamp: at(ms),
                positions: &[position],
                velocities: &[0.25],
            };
            self.filter.joints(&joints, at(ms))
        }

        fn sent(&mut self, ms: i64, velocity: f64) {
            self.filter
                .record_sent(at(ms), &std::iter::once(velocity).collect());
        }

        fn take_calls(&self) -> Vec<Call> {
            std::mem::take(&mut self.calls.lock().unwrap())
        }
    }

    pub(crate) fn at(ms: i64) -> Time {
        Time(ms * 1_000_000)
    }

    #[test]
    fn each_image_steps_once_with_the_joints_of_its_time_and_the_commands_sent() {
        let mut bench = Bench::new();
        bench.joints(990, 0.5).unwrap();
        let first = bench.image(1000).unwrap();
        assert_eq!((first.steps, first.restarted), (1, true));
        assert_eq!(
            bench.take_calls(),
            [Call::Observe(vec![0.5, 0.25], vec![0.0])]
        );
        bench.sent(1000, 0.5); // an action of 1, for half of the period
        bench.sent(1050, 0.0);
        bench.joints(1100, 0.625).unwrap();
        bench.joints(1105, 0.6875).unwrap();
        assert!(bench.joints(1106, 1e30).is_err(), "no joint is there");
        let second = bench.image(1100).unwrap();
        assert_eq!((second.steps, second.restarted), (1, false));
        assert_eq!(
            bench.take_calls(),
            [Call::Observe(vec![0.625, 0.25], vec![0.5])]
        );
        assert_eq!(bench.filter.mean(), [200.5]);
        assert_eq!(bench.filter.counts().images, 2);
    }

    #[test]
    fn a_repeated_or_older_frame_never_steps_the_filter() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        bench.image(1000).unwrap();
        let mean = bench.filter.mean().to_vec();
        bench.take_calls();
        assert_eq!(
            bench.image(1000),
            Err(InputError::RepeatedStamp(Source::Image))
        );
        assert!(matches!(
            bench.image(900),
            Err(InputError::OlderStamp { .. })
        ));
        assert!(matches!(bench.image(1030), Err(InputError::NotDue { .. })));
        assert_eq!(bench.take_calls(), []);
        assert_eq!(bench.filter.mean(), mean);
        let counts = bench.filter.counts();
        assert_eq!((counts.repeated, counts.older, counts.not_due), (1, 1, 1));
    }

    #[test]
    fn an_image_from_the_future_is_refused() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        let image = ImageInput {
            stamp: at(5000),
            width: 2,
            height: 2,
            pixels: &[0; 12],
        };
        let refused = bench.filter.observe(&image, at(1000));
        assert!(matches!(refused, Err(InputError::FutureStamp { .. })));
        assert_eq!(bench.filter.counts().future, 1);
    }

    #[test]
    fn missed_images_are_bridged_by_the_prior_with_the_commands_sent() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        bench.image(1000).unwrap();
        bench.take_calls();
        bench.sent(1000, 0.05);
        bench.sent(1100, 0.10);
        bench.sent(1200, 0.15);
        bench.joints(1300, 0.0).unwrap();
        assert_eq!(bench.image(1300).unwrap().steps, 3);
        let calls = bench.take_calls();
        let close = |call: &Call, expected: f32| match call {
            Call::Prior(action) => (action[0] - expected).abs() < 1e-6,
            Call::Observe(_, action) => (action[0] - expected).abs() < 1e-6,
        };
        assert_eq!(calls.len(), 3, "{calls:?}");
        assert!(matches!(calls[0], Call::Prior(_)) && close(&calls[0], 0.1));
        assert!(matches!(calls[1], Call::Prior(_)) && close(&calls[1], 0.2));
        assert!(matches!(calls[2], Call::Observe(..)) && close(&calls[2], 0.3));
        assert_eq!(bench.filter.counts().skipped_steps, 2);
    }

    #[test]
    fn only_images_in_an_unbroken_row_have_a_surprise() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        assert_eq!(bench.image(1000).unwrap().surprise, None, "the first");
        assert_eq!(bench.image(1100).unwrap().surprise, Some(1.0));
        assert_eq!(bench.image(1300).unwrap().surprise, None, "one is missing");
        assert_eq!(bench.image(1400).unwrap().surprise, Some(2.0));
        bench.joints(2900, 0.0).unwrap();
        assert_eq!(bench.image(2900).unwrap().surprise, None, "anew");
        bench.filter.surprise = None;
        assert_eq!(bench.image(3000).unwrap().surprise, None, "not calibrated");
    }

    #[test]
    fn after_too_many_missed_images_the_belief_begins_anew() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        bench.image(1000).unwrap();
        bench.take_calls();
        bench.sent(1000, 0.5);
        bench.joints(3000, 0.0).unwrap();
        let observed = bench.image(3000).unwrap();
        assert_eq!((observed.steps, observed.restarted), (1, true));
        assert_eq!(
            bench.take_calls(),
            [Call::Observe(vec![0.0, 0.25], vec![0.0])]
        );
        assert_eq!(bench.filter.mean(), [100.0]);
    }

    #[test]
    fn wrong_images_and_joints_change_nothing_and_are_counted() {
        let mut bench = Bench::new();
        assert_eq!(bench.image(1000), Err(InputError::NoJoints));
        assert!(matches!(
            bench.joints(990, f64::NAN),
            Err(InputError::NonFiniteJoint { joint: 0 })
        ));
        bench.joints(1000, 0.0).unwrap();
        assert!(matches!(
            bench.joints(999, 0.0),
            Err(InputError::OlderStamp { .. })
        ));
        let error = bench.image_of(1000, 3, &[0; 18]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an image of 2x2 (12 bytes), found 3x2 (18 bytes): set the camera's size or \
             use another bundle"
        );
        assert!(bench.image_of(1000, 2, &[0; 11]).is_err(), "truncated");
        assert!(matches!(
            bench.image(1600),
            Err(InputError::StaleJoints { .. })
        ));
        assert_eq!(bench.take_calls(), []);
        assert_eq!(bench.filter.mean(), [0.0]);
        let counts = bench.filter.counts();
        assert_eq!((counts.wrong_size, counts.non_finite), (2, 1));
        assert_eq!((counts.without_joints, counts.older), (2, 1));
    }

    #[test]
    fn a_belief_that_is_not_finite_is_dropped() {
        let mut bench = Bench::new();
        bench.joints(990, 0.0).unwrap();
        bench.image(1000).unwrap();
        bench
            .poison
            .store(true, std::sync::atomic::Ordering::SeqCst);
        bench.joints(1100, 0.0).unwrap();
        assert!(matches!(bench.image(1100), Err(InputError::Model(_))));
        assert_eq!(bench.filter.mean(), [100.0]);
        assert_eq!(bench.filter.stamp(), Some(at(1000)));
    }
}
