//! `trajectory_msgs`, `diagnostic_msgs` and the twist of `geometry_msgs`.

use serde::{Deserialize, Serialize};

use super::standard::{Duration, Header};

/// `geometry_msgs/msg/Vector3`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Vector3 {
    /// Along or about x.
    pub x: f64,
    /// Along or about y.
    pub y: f64,
    /// Along or about z.
    pub z: f64,
}

/// `geometry_msgs/msg/Twist`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Twist {
    /// Velocity in m/s.
    pub linear: Vector3,
    /// Angular velocity in rad/s.
    pub angular: Vector3,
}

impl From<[f64; 6]> for Twist {
    fn from([x, y, z, rx, ry, rz]: [f64; 6]) -> Self {
        Self {
            linear: Vector3 { x, y, z },
            angular: Vector3 {
                x: rx,
                y: ry,
                z: rz,
            },
        }
    }
}

impl From<Twist> for [f64; 6] {
    fn from(Twist { linear, angular }: Twist) -> Self {
        [
            linear.x, linear.y, linear.z, angular.x, angular.y, angular.z,
        ]
    }
}

/// `geometry_msgs/msg/TwistStamped`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TwistStamped {
    /// Time of the command and the frame that it is expressed in.
    pub header: Header,
    /// The velocity.
    pub twist: Twist,
}

/// `trajectory_msgs/msg/JointTrajectoryPoint`; arrays in the order of the joint names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JointTrajectoryPoint {
    /// Positions in rad or m.
    pub positions: Vec<f64>,
    /// Velocities in rad/s or m/s.
    pub velocities: Vec<f64>,
    /// Accelerations in rad/s^2 or m/s^2.
    pub accelerations: Vec<f64>,
    /// Efforts in Nm or N.
    pub effort: Vec<f64>,
    /// Time after the start of the trajectory.
    pub time_from_start: Duration,
}

/// `trajectory_msgs/msg/JointTrajectory`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JointTrajectory {
    /// Start of the trajectory; zero means at once.
    pub header: Header,
    /// Joint names.
    pub joint_names: Vec<String>,
    /// Points with rising times.
    pub points: Vec<JointTrajectoryPoint>,
}

/// The beginning of `control_msgs/msg/JointTrajectoryControllerState`, which all distributions have in common: what a
/// controller that follows a trajectory aims at, and where the robot is. It is only read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FollowerState {
    /// Time of the state.
    pub header: Header,
    /// Joint names.
    pub joint_names: Vec<String>,
    /// What the controller aims at (`desired`, later `reference`).
    pub reference: JointTrajectoryPoint,
    /// Where the robot is (`actual`, later `feedback`).
    pub feedback: JointTrajectoryPoint,
}

/// `diagnostic_msgs/msg/KeyValue`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// Name.
    pub key: String,
    /// Value as text.
    pub value: String,
}

/// `diagnostic_msgs/msg/DiagnosticStatus`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticStatus {
    /// One of [`Self::OK`], [`Self::WARN`], [`Self::ERROR`], [`Self::STALE`].
    pub level: u8,
    /// Name of the part.
    pub name: String,
    /// One line for people.
    pub message: String,
    /// Name of the device.
    pub hardware_id: String,
    /// Figures of the part, as text.
    pub values: Vec<KeyValue>,
}

impl DiagnosticStatus {
    /// The level of a part that works as it should.
    pub const OK: u8 = 0;
    /// The level of a part that works but needs attention.
    pub const WARN: u8 = 1;
    /// The level of a part that does not work.
    pub const ERROR: u8 = 2;
    /// The level of a part that was not heard of for too long.
    pub const STALE: u8 = 3;
}

/// `diagnostic_msgs/msg/DiagnosticArray`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticArray {
    /// Time of the report.
    pub header: Header,
    /// One status per part.
    pub status: Vec<DiagnosticStatus>,
}
