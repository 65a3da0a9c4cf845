//! Gates that need the truth or a robot to move, for the tasks of the simulated robots: the
//! episodes are made anew, at seeds that no training data has.

use std::ops::ControlFlow;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_envs::{EVALUATION_SEED, PolicyKind, Robot, undisturbed};
use latco_evaluate::{CalibrationOptions, EvaluateError, Exploited, calibrate};
use latco_models::Bundle;
use latco_models::gates::{OBJECT_POSITION_ERROR, PLAN_CALIBRATION};

use super::gate::{Gate, GateError};
use super::probe::Probe;
use crate::fit::dataset::Frames;

/// Seeds from here on are used; evaluation uses those just above [`EVALUATION_SEED`].
const FIRST_SEED: u64 = EVALUATION_SEED + 500_000;
/// Number of episodes of the scripted expert.
const EXPERT_EPISODES: u64 = 60;
/// Number of episodes of the scripted mixture.
const MIXED_EPISODES: u64 = 100;
/// Episodes for the probe, and frames taken from each.
const PROBE_EPISODES: u64 = 400;
const PROBE_FRAMES: usize = 5;
/// Seeds from here on are for the calibration of surprise, and how many episodes of it are made at once.
const FIRST_SURPRISE_SEED: u64 = EVALUATION_SEED + 1_000_000;
const CHUNK_EPISODES: u64 = 512;
/// Number of images that are encoded at once.
const ENCODED: usize = 100;
/// Number of plans that are executed open loop.
const PLANS: u32 = 200;
/// Tasks of one stage, and the calibration of plans that these need: a whole plan from start to goal is short there.
const ONE_STAGE: [&str; 2] = ["reach", "push"];
const ONE_STAGE_CALIBRATION: f64 = 0.7;
/// Control periods before these plans, so that the belief rests on a few frames, as in the other gates.
const WARM_UP: u32 = 3;

/// The simulated robot of a bundle's task, none if the task is not a simulated one, nor the name of a file in `configs/robots`.
fn robot_of(bundle: &Bundle) -> Option<Box<dyn Robot>> {
    let manifest = bundle.manifest();
    if manifest.image.height != manifest.image.width {
        return None;
    }
    latco_envs::make(&manifest.task, manifest.image.width).ok()
}

/// Makes episodes of the scripted expert; none where there is no expert.
pub(super) fn expert_episodes(bundle: &Bundle) -> Result<Option<Frames>, GateError> {
    let mut robot = robot_of(bundle).filter(|robot| robot.has_expert());
    (robot.as_deref_mut())
        .map(|robot| episodes(robot, PolicyKind::Expert, FIRST_SEED, EXPERT_EPISODES))
        .transpose()
}

/// Makes episodes as training data has them.
pub(super) fn mixed_episodes(bundle: &Bundle) -> Result<Option<Frames>, GateError> {
    let first = FIRST_SEED + EXPERT_EPISODES + PROBE_EPISODES;
    (robot_of(bundle).as_deref_mut())
        .map(|robot| episodes(robot, PolicyKind::Mixture, first, MIXED_EPISODES))
        .transpose()
}

/// The `chunk`-th part of endlessly many episodes of the scripted mixture, for what needs hours of them.
pub(super) fn surprise_episodes(bundle: &Bundle, chunk: u64) -> Result<Option<Frames>, GateError> {
    let first = FIRST_SURPRISE_SEED + chunk * CHUNK_EPISODES;
    (robot_of(bundle).as_deref_mut())
        .map(|robot| episodes(robot, PolicyKind::Mixture, first, CHUNK_EPISODES))
        .transpose()
}

fn episodes(
    robot: &mut dyn Robot,
    policy: PolicyKind,
    first: u64,
    count: u64,
) -> Result<Frames, GateError> {
    let mut policy = policy.make();
    let (size, joints, actions) = (robot.image_size(), robot.joints(), robot.actions());
    let mut frames = Frames::new(size, size, 2 * joints, actions);
    for seed in first..first + count {
        let episode = undisturbed(robot, |robot| {
            robot.reset(seed);
            policy.begin(robot, seed);
            let mut episode = Recording::default();
            for _ in 0..robot.episode_steps() {
                episode.see(robot);
                let mut action = vec![0.0; actions];
                policy.act(robot, &mut action);
                robot.step(&action);
                episode.actions.extend(action);
            }
            episode
        })
        .map_err(EvaluateError::from)?;
        episode.add_to(&mut frames);
    }
    Ok(frames)
}

/// Error of the positions of the objects that a small network reads off the image features.
pub(super) fn object_positions(bundle: &Bundle) -> Result<Gate, GateError> {
    let rule = OBJECT_POSITION_ERROR;
    let Some(mut robot) = robot_of(bundle) else {
        return Ok(Gate::open(rule, "bags do not tell where objects truly are"));
    };
    let names: Vec<&str> = robot.objects().iter().map(|o| o.name).collect();
    if names.is_empty() {
        return Ok(Gate::open(rule, "the robot tells no positions of objects"));
    }
    let mut policy = PolicyKind::Waypoints.make();
    let size = robot.image_size();
    let mut image = vec![0; size * size * 3];
    let mut action = vec![0.0; robot.actions()];
    let (mut images, mut truths) = (Vec::new(), Vec::new());
    let stride = (robot.episode_steps() / PROBE_FRAMES).max(1);
    for seed in FIRST_SEED + EXPERT_EPISODES..FIRST_SEED + EXPERT_EPISODES + PROBE_EPISODES {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        for step in 0..stride * PROBE_FRAMES {
            policy.act(robot.as_ref(), &mut action);
            if step % stride == 0 {
                robot.render(&mut image);
                images.extend_from_slice(&image);
                let objects = robot.objects();
                truths.extend(objects.iter().flat_map(|o| o.place.map(|x| x as f32)));
            }
            robot.step(&action);
        }
    }
    let mut encoder = match bundle.features() {
        Ok(encoder) => encoder,
        Err(error) => return Ok(Gate::open(rule, error)),
    };
    let mut features = Vec::new();
    for images in images.chunks(ENCODED * image.len()) {
        features.extend(encoder.run(images)?);
    }
    let width = 2 * names.len();
    let rows = truths.len() / width;
    let inputs = features.len() / rows;
    // Whole episodes are tested.
    let trained = rows - rows / 5 / PROBE_FRAMES * PROBE_FRAMES;
    let probe = Probe::fit(
        &features[..trained * inputs],
        inputs,
        &truths[..trained * width],
        width,
    );
    let read = probe.read(&features[trained * inputs..]);
    let truths = &truths[trained * width..];
    let errors: Vec<f64> = (0..names.len())
        .map(|object| {
            let distance = |(read, truth): (&[f32], &[f32])| {
                let [dx, dy] =
                    [0, 1].map(|axis| read[2 * object + axis] - truth[2 * object + axis]);
                f64::from(dx.hypot(dy))
            };
            let rows = read.chunks_exact(width).zip(truths.chunks_exact(width));
            rows.map(distance).sum::<f64>() / (truths.len() / width) as f64
        })
        .collect();
    let each: Vec<String> = (names.iter().zip(&errors))
        .map(|(name, error)| format!("{name} {error:.3}"))
        .collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let over = format!("mean distance in m, the worst of: {}", each.join(", "));
    Ok(Gate::new(rule, Some(worst), over))
}

/// The planner's own plans, executed without looking: true over predicted reward.
pub(super) fn calibration(bundle: &Bundle) -> Result<Gate, GateError> {
    let mut rule = PLAN_CALIBRATION;
    if ONE_STAGE.contains(&bundle.manifest().task.as_str()) {
        rule.threshold = ONE_STAGE_CALIBRATION;
    }
    if robot_of(bundle).is_none() {
        return Ok(Gate::open(
            rule,
            "the task is not a simulated one, and plans are not tried on a robot",
        ));
    }
    let found = match calibrate(bundle, &Config::default(), &options(bundle, PLANS), |_| {
        ControlFlow::Continue(())
    }) {
        // The other gates are measured without it.
        Err(error @ EvaluateError::NotFollowed { .. }) => {
            return Ok(Gate::open(rule, error.to_string()));
        }
        found => found?,
    };
    let (promised, kept) = found.promises();
    let over = format!(
        "{} plans of {}, executed without looking: {promised} promise the reward, \
         {kept} of these get it; mean return predicted {:.2}, true {:.2}",
        found.plans.len(),
        found.planner,
        found.mean_predicted(),
        found.mean_true()
    );
    Ok(match found.ratio() {
        None => Gate::open(rule, over),
        ratio => Gate::new(rule, ratio, over),
    })
}

fn options(bundle: &Bundle, plans: u32) -> CalibrationOptions {
    CalibrationOptions {
        task: bundle.manifest().task.clone(),
        plans,
        seed: 0,
        warm_up: WARM_UP,
    }
}

/// What so many plans of a planner promise and get the longer they are optimised; none without a simulated robot.
///
/// # Errors
/// [`GateError`].
pub fn exploitation(
    bundle: &Bundle,
    kind: PlannerKind,
    plans: u32,
) -> Result<Option<Vec<Exploited>>, GateError> {
    if robot_of(bundle).is_none() {
        return Ok(None);
    }
    let mut config = Config::default();
    config.planner.kind = kind;
    let options = options(bundle, plans);
    let curve = latco_evaluate::exploitation(bundle, &config, &options, |p| {
        tracing::info!(
            "{kind}, {} iterations: {plans} plans predict {:.2} and get {:.2}; {} promise the reward, {} of these get it",
            p.iterations,
            p.predicted_return,
            p.true_return,
            p.promised,
            p.kept
        );
    })?;
    Ok(Some(curve))
}

/// One episode while it is made.
#[derive(Default)]
struct Recording {
    images: Vec<u8>,
    joints: Vec<f32>,
    actions: Vec<f32>,
    rewards: Vec<f32>,
}

impl Recording {
    fn see(&mut self, robot: &dyn Robot) {
        let mut image = vec![0; robot.image_size() * robot.image_size() * 3];
        robot.render(&mut image);
        self.images.extend(image);
        let mut joints = vec![0.0; 2 * robot.joints()];
        robot.write_joints(&mut joints);
        self.joints.extend(joints);
        self.rewards.push(robot.reward() as f32);
    }

    fn add_to(self, frames: &mut Frames) {
        frames.push(&self.images, &self.joints, &self.actions, &self.rewards);
    }
}
