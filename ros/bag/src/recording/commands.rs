//! What a robot was told to do, as joint velocities that are held until the next.

use std::collections::VecDeque;

use crate::messages::{FollowerState, JointTrajectory, JointTrajectoryPoint};

/// Joint velocities from a time on, ns, each `[joints]`.
pub(super) type SetPoint = (i64, Vec<f64>);

/// Set-points on their way to whoever reads the recording; what a newer command replaces is left out.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// In the order of time.
    due: VecDeque<SetPoint>,
    /// Positions aimed at by the state or the joint state before, with their time.
    before: Option<(i64, Vec<f64>)>,
    /// Time of the last set-point that was given away.
    given_ns: Option<i64>,
}

impl Commands {
    /// Takes set-points that hold from now on.
    pub(super) fn set(&mut self, time_ns: i64, velocities: Vec<f64>) {
        self.due.retain(|(at, _)| *at < time_ns);
        self.due.push_back((time_ns, velocities));
    }

    /// Takes a trajectory that begins at `start_ns` and replaces the one before from there on. Where its points have
    /// positions, the velocity between two of them is their difference, from `present` (positions of the joints by then) to
    /// the first; else it is the mean of theirs. At its end the robot rests.
    ///
    /// # Errors
    /// What is wrong with the trajectory.
    pub(super) fn follow(
        &mut self,
        joints: &[String],
        trajectory: &JointTrajectory,
        start_ns: i64,
        present: Option<&[f32]>,
    ) -> Result<(), String> {
        let places = places(joints, &trajectory.joint_names)?;
        self.due.retain(|(at, _)| *at < start_ns);
        let mut before = Point {
            seconds: 0.0,
            positions: present.map(|all| all.iter().map(|p| f64::from(*p)).collect()),
            velocities: None,
        };
        for point in &trajectory.points {
            let next = Point::of(point, &places, &before);
            if next.seconds > before.seconds {
                let velocities = next.velocity_from(&before);
                let velocities =
                    velocities.ok_or("a point has neither positions nor velocities")?;
                check(&velocities)?;
                self.due
                    .push_back((start_ns + ns(before.seconds), velocities));
            }
            before = next;
        }
        let end_ns = start_ns + ns(before.seconds);
        self.due.push_back((end_ns, vec![0.0; joints.len()]));
        Ok(())
    }

    /// Takes the state of a controller that follows a trajectory: the velocity that it aims at.
    ///
    /// # Errors
    /// What is wrong with the state.
    pub(super) fn aim(
        &mut self,
        joints: &[String],
        state: &FollowerState,
        time_ns: i64,
    ) -> Result<(), String> {
        let places = places(joints, &state.joint_names)?;
        let aimed = &state.reference;
        if let Some(velocities) = pick(&aimed.velocities, &places) {
            check(&velocities)?;
            self.set(time_ns, velocities);
            return Ok(());
        }
        let positions = pick(&aimed.positions, &places);
        let positions =
            positions.ok_or("expected positions or velocities aimed at, found neither")?;
        self.moved_to(time_ns, positions);
        Ok(())
    }

    /// Takes positions: the velocity to them from the last ones, which held from the time of the last ones on.
    pub(super) fn moved_to(&mut self, time_ns: i64, positions: Vec<f64>) {
        if let Some((then_ns, then)) = &self.before {
            if time_ns <= *then_ns {
                return;
            }
            let seconds = (time_ns - then_ns) as f64 * 1e-9;
            let velocities = (positions.iter().zip(then)).map(|(now, then)| (now - then) / seconds);
            let set_point = (*then_ns, velocities.collect());
            self.due.push_back(set_point);
        }
        self.before = Some((time_ns, positions));
    }

    /// Forgets positions: what moves the robot to the next ones is no command.
    pub(super) fn begin(&mut self) {
        self.before = None;
    }

    /// The next set-point that holds from `time_ns` at the latest. Their times never go back.
    pub(super) fn due(&mut self, time_ns: i64) -> Option<SetPoint> {
        let (at, velocities) = self.due.pop_front_if(|(at, _)| *at <= time_ns)?;
        let at = at.max(self.given_ns.unwrap_or(at));
        self.given_ns = Some(at);
        Some((at, velocities))
    }
}

/// A point of a trajectory in the order of the joints.
struct Point {
    seconds: f64,
    positions: Option<Vec<f64>>,
    velocities: Option<Vec<f64>>,
}

impl Point {
    /// Joints that the trajectory does not name stay where they were.
    fn of(point: &JointTrajectoryPoint, places: &[Option<usize>], before: &Self) -> Self {
        let seconds = point.time_from_start.to_nanos() as f64 * 1e-9;
        let still = |joint: usize| before.positions.as_ref().map(|all| all[joint]);
        let positions = (places.iter().enumerate()).map(|(joint, place)| match place {
            Some(at) => point.positions.get(*at).copied(),
            None => Some(still(joint).unwrap_or(0.0)),
        });
        Self {
            seconds,
            positions: positions.collect(),
            velocities: pick(&point.velocities, places),
        }
    }

    fn velocity_from(&self, before: &Self) -> Option<Vec<f64>> {
        let seconds = self.seconds - before.seconds;
        let mean = |a: &Vec<f64>, b: &Vec<f64>, by: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| by(*a, *b)).collect()
        };
        match (&self.positions, &before.positions) {
            (Some(now), Some(then)) => Some(mean(now, then, &|now, then| (now - then) / seconds)),
            _ => match (&self.velocities, &before.velocities) {
                (Some(now), Some(then)) => Some(mean(now, then, &|now, then| 0.5 * (now + then))),
                (now, _) => now.clone(),
            },
        }
    }
}

/// The place of each joint in a message; a message that has none of them is of another robot.
fn places(joints: &[String], names: &[String]) -> Result<Vec<Option<usize>>, String> {
    let places: Vec<Option<usize>> = (joints.iter())
        .map(|joint| names.iter().position(|name| name == joint))
        .collect();
    match places.iter().any(Option::is_some) {
        true => Ok(places),
        false => Err(format!("expected joints of {joints:?}, found {names:?}")),
    }
}

/// The values in the order of the joints, zero for those that are not named; `None` where there are none.
fn pick(values: &[f64], places: &[Option<usize>]) -> Option<Vec<f64>> {
    (places.iter())
        .map(|place| place.map_or(Some(0.0), |at| values.get(at).copied()))
        .collect()
}

fn check(velocities: &[f64]) -> Result<(), String> {
    match velocities.iter().all(|value| (*value as f32).is_finite()) {
        true => Ok(()),
        false => Err(format!("{velocities:?} is not finite")),
    }
}

fn ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Duration;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn trajectory(points: &[(i64, &[f64], &[f64])]) -> JointTrajectory {
        let points = points
            .iter()
            .map(|(ms, positions, velocities)| JointTrajectoryPoint {
                positions: positions.to_vec(),
                velocities: velocities.to_vec(),
                time_from_start: Duration::from_nanos(ms * 1_000_000),
                ..JointTrajectoryPoint::default()
            });
        JointTrajectory {
            joint_names: names(&["b", "a"]),
            points: points.collect(),
            ..JointTrajectory::default()
        }
    }

    fn all(commands: &mut Commands) -> Vec<(i64, Vec<f64>)> {
        std::iter::from_fn(|| commands.due(i64::MAX)).collect()
    }

    #[test]
    fn trajectories_of_positions_become_their_differences_and_replace_one_another() {
        let joints = names(&["a", "b"]);
        let mut commands = Commands::default();
        let first = trajectory(&[(500, &[1.0, 2.0], &[]), (1000, &[1.0, 3.0], &[])]);
        commands
            .follow(&joints, &first, 0, Some(&[1.0, 0.0]))
            .unwrap();
        let second = trajectory(&[(0, &[0.0, 0.0], &[]), (500, &[0.5, 1.0], &[])]);
        commands
            .follow(&joints, &second, 500_000_000, None)
            .unwrap();
        let expected = vec![
            (0, vec![2.0, 2.0]),
            (500_000_000, vec![2.0, 1.0]),
            (1_000_000_000, vec![0.0, 0.0]),
        ];
        assert_eq!(all(&mut commands), expected);
    }

    #[test]
    fn trajectories_of_velocities_and_of_some_joints_are_understood() {
        let mut commands = Commands::default();
        let moving = trajectory(&[(100, &[], &[1.0, 2.0]), (200, &[], &[3.0, 4.0])]);
        commands
            .follow(&names(&["a", "x"]), &moving, 0, None)
            .unwrap();
        let expected = vec![
            (0, vec![2.0, 0.0]),
            (100_000_000, vec![3.0, 0.0]),
            (200_000_000, vec![0.0, 0.0]),
        ];
        assert_eq!(all(&mut commands), expected);
        for bad in [
            commands.follow(&names(&["z"]), &moving, 0, None),
            commands.follow(&names(&["a"]), &trajectory(&[(9, &[], &[])]), 0, None),
        ] {
            assert!(bad.is_err());
        }
    }

    #[test]
    fn positions_become_velocities_that_held_until_them() {
        let mut commands = Commands::default();
        for (ms, position) in [(0, 1.0), (100, 1.5), (100, 9.0), (200, 1.5)] {
            commands.moved_to(ms * 1_000_000, vec![position]);
        }
        assert_eq!(
            all(&mut commands),
            [(0, vec![5.0]), (100_000_000, vec![0.0])]
        );
    }
}
