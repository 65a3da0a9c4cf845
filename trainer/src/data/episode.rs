//! Recording one episode of a simulated robot into a bag: whole ones alone, so that a robot that fails costs no other episode.

use std::sync::atomic::{AtomicBool, Ordering};

use latco_bag::BagError;
use latco_envs::{EnvError, Policy, Robot, undisturbed};
use latco_models::ActionKind;

use super::record::{EpisodeRecorder, Step};

/// The begin of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpisodeBegin {
    /// Number of the episode in the bag.
    pub number: i64,
    /// Time of its first step in ns.
    pub time_ns: i64,
    /// Seed of robot and policy.
    pub seed: u64,
}

/// The outcome of an episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// Whether the task was solved after any step.
    pub solved: bool,
    /// Sum of the rewards that were recorded.
    pub episode_return: f64,
    /// Number of steps.
    pub steps: usize,
    /// Time at which its last step ends, in ns.
    pub end_ns: i64,
}

/// The reason why an episode could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum EpisodeError {
    /// It cannot be written.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The robot fails again and again.
    #[error(transparent)]
    Robot(#[from] EnvError),
}

/// What was seen and done in an episode, step after step.
#[derive(Default)]
struct Taken {
    images: Vec<u8>,
    positions: Vec<f64>,
    velocities: Vec<f64>,
    commands: Vec<f64>,
    rewards: Vec<f64>,
    difficulty: f64,
    solved: bool,
}

/// Records one episode; `None` if it was stopped before its end, of which the bag then holds nothing. An episode in which the robot
/// fails is made again.
///
/// # Errors
/// [`EpisodeError`]; the bag then holds all episodes before.
pub fn record_episode(
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    recorder: &mut EpisodeRecorder,
    begin: &EpisodeBegin,
    stop: &AtomicBool,
) -> Result<Option<Recorded>, EpisodeError> {
    let Some(taken) = undisturbed(robot, |robot| take(robot, policy, begin.seed, stop))? else {
        return Ok(None);
    };
    let period_ns = (robot.control_period_s() * 1e9).round() as i64;
    let (joints, pixels) = (robot.joints(), 3 * robot.image_size().pow(2));
    let mut recorded = Recorded {
        solved: taken.solved,
        episode_return: taken.rewards.iter().sum(),
        steps: taken.rewards.len(),
        end_ns: begin.time_ns,
    };
    recorder.begin(begin.number, begin.time_ns)?;
    recorder.difficulty(begin.time_ns, taken.difficulty)?;
    for (index, reward) in taken.rewards.iter().enumerate() {
        let at = index * joints..(index + 1) * joints;
        let actions = robot.actions();
        recorder.step(
            recorded.end_ns,
            &Step {
                image: &taken.images[index * pixels..][..pixels],
                positions: &taken.positions[at.clone()],
                velocities: &taken.velocities[at],
                command: &taken.commands[index * actions..][..actions],
                reward: Some(*reward),
            },
        )?;
        recorded.end_ns += period_ns;
    }
    Ok(Some(recorded))
}

/// Runs one episode; `None` if it was stopped before its end. An episode in which the robot failed is shorter.
fn take(
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    seed: u64,
    stop: &AtomicBool,
) -> Option<Taken> {
    let mut image = vec![0; 3 * robot.image_size().pow(2)];
    let mut action = vec![0.0f32; robot.actions()];
    robot.reset(seed);
    policy.begin(robot, seed);
    let mut taken = Taken {
        difficulty: robot.difficulty(),
        ..Taken::default()
    };
    for _ in 0..robot.episode_steps() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        if robot.failure().is_some() {
            break;
        }
        robot.render(&mut image);
        policy.act(robot, &mut action);
        let changes = robot
            .action_kinds()
            .contains(&ActionKind::JointPositionChange);
        let scaled = action.iter().zip(robot.action_scale());
        let scaled = scaled.map(|(a, scale)| f64::from(a.clamp(-1.0, 1.0)) * scale);
        if changes {
            taken.commands.extend(scaled);
        } else {
            taken.commands.extend(robot.command(&action));
        }
        taken.images.extend_from_slice(&image);
        taken.positions.extend_from_slice(robot.positions());
        taken.velocities.extend_from_slice(robot.velocities());
        taken.rewards.push(robot.reward());
        robot.step(&action);
        taken.solved |= robot.success();
    }
    Some(taken)
}
