//! Recording one episode of a simulated robot into a bag.

use std::sync::atomic::{AtomicBool, Ordering};

use latco_bag::BagError;
use latco_envs::{Policy, Robot};

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

/// Records one episode; `None` if it was stopped before its end, and the bag then holds a part of it.
///
/// # Errors
/// The errors of [`EpisodeRecorder`].
pub fn record_episode(
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    recorder: &mut EpisodeRecorder,
    begin: &EpisodeBegin,
    stop: &AtomicBool,
) -> Result<Option<Recorded>, BagError> {
    let size = robot.image_size();
    let period_ns = (robot.control_period_s() * 1e9).round() as i64;
    let mut image = vec![0; size * size * 3];
    let mut action = vec![0.0f32; robot.joints()];
    let mut command = vec![0.0; robot.joints()];
    robot.reset(begin.seed);
    policy.begin(robot, begin.seed);
    let mut recorded = Recorded {
        solved: false,
        episode_return: 0.0,
        steps: robot.episode_steps(),
        end_ns: begin.time_ns,
    };
    for step in 0..recorded.steps {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if step == 0 {
            recorder.begin(begin.number, begin.time_ns)?;
            recorder.difficulty(begin.time_ns, robot.difficulty())?;
        }
        robot.render(&mut image);
        policy.act(robot, &mut action);
        for ((command, action), scale) in command.iter_mut().zip(&action).zip(robot.action_scale())
        {
            *command = f64::from(action.clamp(-1.0, 1.0)) * scale;
        }
        let reward = robot.reward();
        recorder.step(
            recorded.end_ns,
            &Step {
                image: &image,
                positions: robot.positions(),
                velocities: robot.velocities(),
                command: &command,
                reward: Some(reward),
            },
        )?;
        robot.step(&action);
        recorded.episode_return += reward;
        recorded.solved |= robot.success();
        recorded.end_ns += period_ns;
    }
    Ok(Some(recorded))
}
