//! What surprise and the monitor of frozen images see while a simulated robot is driven, undisturbed and with faults of the image.
//!
//! A fault strikes what the filter is shown, not the robot or who drives it: so one drive tries all faults, each on a belief of its
//! own that branches off the undisturbed one.

use std::ops::ControlFlow;

use chacha20::ChaCha8Rng;
use latco_controller::model::{FilterModel, OnnxFilter};
use latco_controller::robot::Robot as Limited;
use latco_controller::safety::frozen::{FrozenPicture, Unchanged};
use latco_controller::{Config, Time};
use latco_envs::{Policy, Robot};
use latco_models::{Bundle, ExpectedSurprise};
use rand::{RngExt, SeedableRng};

use crate::image_fault::ImageFault;
use crate::{EvaluateError, check_fit};

/// Seeds of these episodes begin here, so that no calibration has them.
const FIRST_SEED: u64 = latco_envs::EVALUATION_SEED + 3_000_000;
/// Time in s within which a fault is to be seen.
pub const CAUGHT_WITHIN_S: f64 = 1.0;
/// Share of an episode before the first step at which a fault may begin.
const UNDISTURBED_SHARE: f64 = 0.2;

/// The options of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurpriseOptions {
    /// Time to drive, h.
    pub hours: f64,
    /// Number of episodes with faults among these.
    pub faulty: usize,
    /// Number of the first episode.
    pub seed: u64,
}

/// Largest scores of a stretch of driving, and whether the picture was frozen in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Largest {
    /// Largest score by the bundle's calibration.
    pub calibrated: f32,
    /// Length of the innovation itself, as a score that knows nothing of the model.
    pub plain: f32,
    /// Whether the monitor of frozen images would have stopped the robot.
    pub is_frozen: bool,
}

impl Largest {
    fn take(&mut self, other: Self) {
        self.calibrated = self.calibrated.max(other.calibrated);
        self.plain = self.plain.max(other.plain);
        self.is_frozen |= other.is_frozen;
    }
}

/// The results of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurpriseTrial {
    /// Time that was driven, h.
    pub hours: f64,
    /// Largest scores of each undisturbed episode.
    pub episodes: Vec<Largest>,
    /// Largest scores within [`CAUGHT_WITHIN_S`] of each fault, in the order of [`ImageFault::ALL`], and of each episode.
    pub faults: Vec<Vec<Largest>>,
}

/// Drives the robot of the bundle's task by `policy`. `progress` sees the time that was driven, in h, and may end the trial.
///
/// # Errors
/// [`EvaluateError`]; [`EvaluateError::NotCalibrated`] for a bundle without calibration.
pub fn try_surprise(
    bundle: &Bundle,
    policy: &mut dyn Policy,
    options: &SurpriseOptions,
    mut progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Result<SurpriseTrial, EvaluateError> {
    let manifest = bundle.manifest();
    let expected = (manifest.surprise.as_ref()).ok_or(EvaluateError::NotCalibrated)?;
    let mut robot = latco_envs::make(&manifest.task, manifest.image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let limits =
        Limited::new(&Config::default(), manifest).map_err(latco_controller::SetupError::from)?;
    let picture = Picture {
        monitor: FrozenPicture::new(limits.limits()),
        unchanged: Unchanged::default(),
    };
    let mut filter = Filter {
        model: OnnxFilter::new(bundle).map_err(latco_controller::SetupError::from)?,
        expected,
        joints: vec![
            0.0;
            if manifest.joints.observed {
                2 * robot.joints()
            } else {
                0
            }
        ],
        innovation: vec![0.0; manifest.dims.stoch],
        state: manifest.dims.state(),
    };
    let mut trial = SurpriseTrial {
        faults: vec![Vec::new(); ImageFault::ALL.len()],
        ..SurpriseTrial::default()
    };
    for number in 0.. {
        let seed = FIRST_SEED + options.seed + number as u64;
        let faulty = number < options.faulty;
        let driven = drive(
            &mut filter,
            picture.clone(),
            robot.as_mut(),
            policy,
            seed,
            faulty,
        )?;
        if let Some(error) = robot.failure() {
            return Err(error.into());
        }
        trial.episodes.push(driven.0);
        for (all, fault) in trial.faults.iter_mut().zip(driven.1) {
            all.push(fault);
        }
        trial.hours += robot.episode_steps() as f64 * robot.control_period_s() / 3600.0;
        if progress(trial.hours).is_break() || trial.hours >= options.hours {
            break;
        }
    }
    Ok(trial)
}

/// The monitor of frozen images, on what one filter is shown.
#[derive(Clone)]
struct Picture {
    monitor: FrozenPicture,
    unchanged: Unchanged,
}

impl Picture {
    /// Notes an image and the positions of its time; gives whether the picture is frozen.
    fn look(&mut self, stamp: Time, pixels: &[u8], positions: &[f64]) -> bool {
        let since = self.unchanged.since(stamp, pixels);
        self.monitor.look(stamp, since);
        self.monitor.moved(positions);
        self.monitor.is_frozen()
    }
}

/// The filter step, on beliefs that are given to it.
struct Filter<'a> {
    model: OnnxFilter,
    expected: &'a ExpectedSurprise,
    joints: Vec<f32>,
    innovation: Vec<f32>,
    /// Size of a belief, n.
    state: usize,
}

impl Filter<'_> {
    fn look(
        &mut self,
        pixels: &[u8],
        belief: &mut Vec<f32>,
        action: &[f32],
    ) -> Result<Largest, EvaluateError> {
        let mut next = vec![0.0; belief.len()];
        (self.model).observe(pixels, &self.joints, belief, action, &mut next)?;
        let picture_error = self.model.innovation(&mut self.innovation)?;
        *belief = next;
        let squares = self.innovation.iter().map(|v| v * v);
        Ok(Largest {
            calibrated: (self.expected).score(
                &self.innovation,
                picture_error,
                self.expected.beyond_seen(pixels),
            ),
            plain: squares.sum::<f32>().sqrt(),
            is_frozen: false,
        })
    }
}

/// Drives one episode: the largest scores without faults, and of each fault if there are any.
fn drive(
    filter: &mut Filter<'_>,
    mut picture: Picture,
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    seed: u64,
    faulty: bool,
) -> Result<(Largest, Vec<Largest>), EvaluateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (side, steps) = (robot.image_size(), robot.episode_steps());
    let lasts = (CAUGHT_WITHIN_S / robot.control_period_s()).round() as usize;
    let earliest = 1 + (steps as f64 * UNDISTURBED_SHARE) as usize;
    let begin = rng.random_range(earliest..(steps - lasts).max(earliest + 1));
    let mut pixels = vec![0; side * side * 3];
    let mut before = pixels.clone();
    let mut belief = vec![0.0; filter.state];
    let mut action = vec![0.0; robot.actions()];
    let mut undisturbed = Largest::default();
    let mut branches: Vec<(ImageFault, Vec<f32>, Picture, Largest)> = Vec::new();
    robot.reset(seed);
    policy.begin(robot, seed);
    for step in 0..steps {
        robot.render(&mut pixels);
        let stamp = Time::from_seconds(step as f64 * robot.control_period_s());
        if !filter.joints.is_empty() {
            robot.write_joints(&mut filter.joints);
        }
        if faulty && step == begin {
            let branch = |fault| (fault, belief.clone(), picture.clone(), Largest::default());
            branches.extend(ImageFault::ALL.map(branch));
        }
        if (begin..begin + lasts).contains(&step) {
            for (fault, belief, picture, largest) in &mut branches {
                let mut spoilt = pixels.clone();
                fault.spoil(&mut spoilt, &before, side, &mut rng);
                largest.take(filter.look(&spoilt, belief, &action)?);
                largest.is_frozen |= picture.look(stamp, &spoilt, robot.positions());
            }
        } else {
            before.copy_from_slice(&pixels);
        }
        let scores = filter.look(&pixels, &mut belief, &action)?;
        if step > 0 {
            undisturbed.take(scores);
        }
        undisturbed.is_frozen |= picture.look(stamp, &pixels, robot.positions());
        policy.act(robot, &mut action);
        robot.step(&action);
    }
    let faults = branches.into_iter().map(|(_, _, _, largest)| largest);
    Ok((undisturbed, faults.collect()))
}
