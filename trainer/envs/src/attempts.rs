//! Episodes of a robot that may fail in the middle.

use crate::error::EnvError;
use crate::robot::Robot;

/// Tries in a row of one episode.
const ATTEMPTS: u32 = 3;

/// Runs one episode, which begins with the reset of the robot, until the robot did not fail in it: a robot whose process died is
/// started again by the reset, and the failure is logged. What came of an episode that failed is dropped.
///
/// # Errors
/// [`Robot::failure`] of the third try, or of one after which another would do no better.
pub fn undisturbed<T>(
    robot: &mut dyn Robot,
    mut episode: impl FnMut(&mut dyn Robot) -> T,
) -> Result<T, EnvError> {
    let mut tries = 1;
    loop {
        let outcome = episode(robot);
        match robot.failure() {
            None => return Ok(outcome),
            Some(error) if tries == ATTEMPTS || !error.may_pass() => return Err(error),
            Some(error) => {
                tracing::warn!("{error}\nits process is started again, and the episode with it")
            }
        }
        tries += 1;
    }
}
