//! Following commands as a robot's controllers do: joint_trajectory_controller's trajectories with velocity
//! feed-forward and position correction, or forward_command_controller's velocity set-points with a time-out.
//!
//! Silence stops the robot: a trajectory ends at rest, and set-points that are not renewed count as zero.

use latco_bag::messages::JointTrajectory;
use latco_models::ActionKind;
use thiserror::Error;

/// Gain of the position correction in 1/s: how fast an error is worked off on top of the feed-forward
/// velocity.
const POSITION_GAIN_PER_S: f64 = 1.5;
/// Age in ns from which velocity set-points count as zero.
pub const COMMAND_TIMEOUT_NS: i64 = 200_000_000;

/// The reason why a command was refused. The robot keeps following what it had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The joints are not those of the robot: missing, doubled or unknown, or in a wrong number.
    #[error(
        "expected exactly the joints {expected:?}, found {found:?}; check the joint names of the controller"
    )]
    Joints {
        /// Joints of the robot.
        expected: Vec<String>,
        /// Joints in the message.
        found: Vec<String>,
    },
    /// The number of values is wrong.
    #[error("expected {expected} values, found {found}")]
    Length {
        /// Expected number, one per joint.
        expected: usize,
        /// Number in the message.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("a value is not finite")]
    NotFinite,
    /// The times of the points do not rise.
    #[error("point {0} is not later than the one before it")]
    Times(usize),
    /// The trajectory is from before the last reset.
    #[error("made before the last reset")]
    Stale,
}

#[derive(Clone, Debug)]
struct Point {
    at_ns: i64,
    positions: Vec<f64>,
    velocities: Vec<f64>,
}

#[derive(Clone, Debug)]
enum Goal {
    Rest,
    Trajectory(Vec<Point>),
    Values { values: Vec<f64>, received_ns: i64 },
}

/// A follower, which turns the newest command into velocity set-points by time.
#[derive(Clone, Debug)]
pub struct Follower {
    joints: Vec<String>,
    /// Number of values in a command.
    actions: usize,
    /// Whether commands are positions, which hold until the next.
    by_position: bool,
    goal: Goal,
    ignore_before_ns: i64,
}

impl Follower {
    /// Makes a follower for a robot with these joints, in its order, and commands of these kinds.
    pub fn new(joints: Vec<String>, kinds: &[ActionKind]) -> Self {
        Self {
            joints,
            actions: kinds.len(),
            by_position: kinds.iter().any(|kind| kind.sends_position()),
            goal: Goal::Rest,
            ignore_before_ns: i64::MIN,
        }
    }

    /// Forgets the present command, and refuses commands that were made before `now_ns`.
    pub fn reset(&mut self, now_ns: i64) {
        self.goal = Goal::Rest;
        self.ignore_before_ns = now_ns;
    }

    /// Takes a trajectory; it replaces the present command. `robot` is the position now, rad, where a trajectory whose
    /// first point lies in the future starts from.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn accept_trajectory(
        &mut self,
        message: &JointTrajectory,
        robot: &[f64],
        now_ns: i64,
    ) -> Result<(), Refused> {
        let order: Option<Vec<usize>> = self
            .joints
            .iter()
            .map(|joint| message.joint_names.iter().position(|n| n == joint))
            .collect();
        let order = match order {
            Some(order) if message.joint_names.len() == self.joints.len() => order,
            _ => {
                return Err(Refused::Joints {
                    expected: self.joints.clone(),
                    found: message.joint_names.clone(),
                });
            }
        };
        let stamp = message.header.stamp.to_nanos();
        if stamp != 0 && stamp < self.ignore_before_ns {
            return Err(Refused::Stale);
        }
        let start = if stamp == 0 { now_ns } else { stamp };
        let n = self.joints.len();
        let mut points: Vec<Point> = Vec::with_capacity(message.points.len() + 1);
        for (index, point) in message.points.iter().enumerate() {
            for (values, optional) in [(&point.positions, false), (&point.velocities, true)] {
                if values.len() != n && !(optional && values.is_empty()) {
                    return Err(Refused::Length {
                        expected: n,
                        found: values.len(),
                    });
                }
                if values.iter().any(|v| !v.is_finite()) {
                    return Err(Refused::NotFinite);
                }
            }
            let at_ns = start.saturating_add(point.time_from_start.to_nanos());
            if points.last().is_some_and(|last| at_ns <= last.at_ns) {
                return Err(Refused::Times(index));
            }
            points.push(Point {
                at_ns,
                positions: order.iter().map(|&i| point.positions[i]).collect(),
                velocities: order
                    .iter()
                    .map(|&i| point.velocities.get(i).copied().unwrap_or(0.0))
                    .collect(),
            });
        }
        let Some(first) = points.first() else {
            self.goal = Goal::Rest;
            return Ok(());
        };
        if first.at_ns > now_ns {
            // What is left of the command in work leads up to the new one.
            let here = self
                .desired(now_ns)
                .unwrap_or_else(|| (robot.to_vec(), vec![0.0; n]));
            points.insert(
                0,
                Point {
                    at_ns: now_ns,
                    positions: here.0,
                    velocities: here.1,
                },
            );
        }
        self.goal = Goal::Trajectory(points);
        Ok(())
    }

    /// Takes set-points in the robot's order and the units of its commands; they replace the present command.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn accept_values(&mut self, values: &[f64], now_ns: i64) -> Result<(), Refused> {
        if values.len() != self.actions {
            return Err(Refused::Length {
                expected: self.actions,
                found: values.len(),
            });
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Refused::NotFinite);
        }
        if now_ns < self.ignore_before_ns {
            return Err(Refused::Stale);
        }
        self.goal = Goal::Values {
            values: values.to_vec(),
            received_ns: now_ns,
        };
        Ok(())
    }

    /// Desired positions and velocities of the trajectory that is being followed.
    fn desired(&self, now_ns: i64) -> Option<(Vec<f64>, Vec<f64>)> {
        let Goal::Trajectory(points) = &self.goal else {
            return None;
        };
        let last = points.last()?;
        if now_ns >= last.at_ns {
            return Some((last.positions.clone(), vec![0.0; self.joints.len()]));
        }
        let next = points.iter().position(|p| p.at_ns > now_ns)?;
        let Some(before) = next.checked_sub(1) else {
            return Some((points[0].positions.clone(), vec![0.0; self.joints.len()]));
        };
        let (a, b) = (&points[before], &points[next]);
        let span = (b.at_ns - a.at_ns) as f64 * 1e-9;
        let s = (now_ns - a.at_ns) as f64 * 1e-9 / span;
        let desired = (0..self.joints.len()).map(|j| {
            // Cubic Hermite: positions and velocities of both ends.
            let (p0, p1) = (a.positions[j], b.positions[j]);
            let (m0, m1) = (a.velocities[j] * span, b.velocities[j] * span);
            let (s2, s3) = (s * s, s * s * s);
            let position = (2.0 * s3 - 3.0 * s2 + 1.0) * p0
                + (s3 - 2.0 * s2 + s) * m0
                + (-2.0 * s3 + 3.0 * s2) * p1
                + (s3 - s2) * m1;
            let rate = (6.0 * s2 - 6.0 * s) * p0
                + (3.0 * s2 - 4.0 * s + 1.0) * m0
                + (-6.0 * s2 + 6.0 * s) * p1
                + (3.0 * s2 - 2.0 * s) * m1;
            (position, rate / span)
        });
        Some(desired.unzip())
    }

    /// Writes the command for now into `out`, which holds the command of rest; `robot` is the position now in rad.
    pub fn set_points(&self, now_ns: i64, robot: &[f64], out: &mut [f64]) {
        match &self.goal {
            Goal::Rest => {}
            Goal::Values {
                values,
                received_ns,
            } => {
                if self.by_position || now_ns - received_ns <= COMMAND_TIMEOUT_NS {
                    out.copy_from_slice(values);
                }
            }
            Goal::Trajectory(_) => {
                let Some((positions, velocities)) = self.desired(now_ns) else {
                    return;
                };
                if self.by_position {
                    out.copy_from_slice(&positions);
                    return;
                }
                for j in 0..out.len() {
                    out[j] = velocities[j] + POSITION_GAIN_PER_S * (positions[j] - robot[j]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::messages::{Duration, Header, JointTrajectoryPoint};

    fn follower() -> Follower {
        Follower::new(names(), &[ActionKind::JointVelocity; 2])
    }

    fn names() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    fn trajectory(stamp_ns: i64, points: &[(i64, [f64; 2], [f64; 2])]) -> JointTrajectory {
        JointTrajectory {
            header: Header::new(stamp_ns, ""),
            joint_names: names(),
            points: points
                .iter()
                .map(|(ms, p, v)| JointTrajectoryPoint {
                    positions: p.to_vec(),
                    velocities: v.to_vec(),
                    time_from_start: Duration::from_nanos(ms * 1_000_000),
                    ..Default::default()
                })
                .collect(),
        }
    }

    #[test]
    fn a_robot_that_follows_exactly_arrives_and_rests() {
        let mut follower = follower();
        let start = 1_000_000_000;
        let message = trajectory(
            start,
            &[(0, [0.0, 0.0], [0.0, 0.0]), (500, [0.2, -0.1], [0.0, 0.0])],
        );
        follower
            .accept_trajectory(&message, &[0.0, 0.0], start)
            .unwrap();
        let (mut robot, mut out) = ([0.0, 0.0], [0.0, 0.0]);
        let mut fastest: f64 = 0.0;
        for step in 0..200 {
            out = [0.0; 2];
            follower.set_points(start + step * 5_000_000, &robot, &mut out);
            for j in 0..2 {
                robot[j] += out[j] * 0.005;
                fastest = fastest.max(out[j].abs());
            }
        }
        assert!(
            (robot[0] - 0.2).abs() < 2e-3 && (robot[1] + 0.1).abs() < 2e-3,
            "{robot:?}"
        );
        assert!(out.iter().all(|v| v.abs() < 5e-3), "at rest: {out:?}");
        assert!(
            fastest < 0.2 / 0.5 * 1.6,
            "no faster than the cubic: {fastest}"
        );
    }

    #[test]
    fn joints_are_mapped_by_name() {
        let mut follower = follower();
        let mut message = trajectory(0, &[(100, [1.0, 2.0], [0.0, 0.0])]);
        message.joint_names.reverse();
        follower
            .accept_trajectory(&message, &[0.0, 0.0], 0)
            .unwrap();
        assert_eq!(follower.desired(i64::MAX).unwrap().0, [2.0, 1.0]);
    }

    #[test]
    fn bad_trajectories_are_refused_and_the_old_one_stays() {
        let mut follower = follower();
        follower
            .accept_trajectory(
                &trajectory(0, &[(100, [0.5, 0.5], [0.0; 2])]),
                &[0.0, 0.0],
                0,
            )
            .unwrap();
        let mut doubled = trajectory(0, &[]);
        doubled.joint_names = vec!["a".into(), "a".into()];
        assert!(matches!(
            follower.accept_trajectory(&doubled, &[0.0; 2], 0),
            Err(Refused::Joints { .. })
        ));
        let nan = trajectory(0, &[(100, [f64::NAN, 0.0], [0.0; 2])]);
        assert_eq!(
            follower.accept_trajectory(&nan, &[0.0; 2], 0),
            Err(Refused::NotFinite)
        );
        let backwards = trajectory(0, &[(100, [0.0; 2], [0.0; 2]), (100, [0.0; 2], [0.0; 2])]);
        assert_eq!(
            follower.accept_trajectory(&backwards, &[0.0; 2], 0),
            Err(Refused::Times(1))
        );
        let mut short = trajectory(0, &[(100, [0.0; 2], [0.0; 2])]);
        short.points[0].positions.pop();
        assert_eq!(
            follower.accept_trajectory(&short, &[0.0; 2], 0),
            Err(Refused::Length {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(follower.desired(i64::MAX).unwrap().0, [0.5, 0.5]);
    }

    #[test]
    fn velocity_set_points_time_out() {
        let mut follower = follower();
        follower.accept_values(&[0.1, 0.2], 1_000).unwrap();
        let mut out = [9.0; 2];
        follower.set_points(COMMAND_TIMEOUT_NS, &[0.0; 2], &mut out);
        assert_eq!(out, [0.1, 0.2]);
        out = [0.0; 2];
        follower.set_points(COMMAND_TIMEOUT_NS + 2_000, &[0.0; 2], &mut out);
        assert_eq!(out, [0.0; 2]);
        assert_eq!(
            follower.accept_values(&[0.1], 0),
            Err(Refused::Length {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(
            follower.accept_values(&[f64::INFINITY, 0.0], 0),
            Err(Refused::NotFinite)
        );
    }

    #[test]
    fn after_a_reset_commands_from_before_it_are_refused() {
        let mut follower = follower();
        follower.reset(5_000);
        assert_eq!(
            follower.accept_trajectory(&trajectory(4_000, &[]), &[0.0; 2], 6_000),
            Err(Refused::Stale)
        );
        follower
            .accept_trajectory(&trajectory(5_001, &[]), &[0.0; 2], 6_000)
            .unwrap();
    }
}
