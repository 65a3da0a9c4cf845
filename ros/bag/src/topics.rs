//! Names of the topics of a recording, as recorded (with the leading slash that rosbag2 writes).

/// Topic of raw camera images, `sensor_msgs/msg/Image` in `rgb8`; the stamp is the time of exposure.
pub const CAMERA_IMAGE: &str = "/camera/image_raw";
/// Topic of compressed camera images, `sensor_msgs/msg/CompressedImage`.
pub const CAMERA_IMAGE_COMPRESSED: &str = "/camera/image_raw/compressed";
/// Topic of the joint states, `sensor_msgs/msg/JointState`.
pub const JOINT_STATES: &str = "/joint_states";
/// Topic of joint velocity set-points in rad/s, in the robot's joint order, `std_msgs/msg/Float64MultiArray`.
pub const COMMANDS: &str = "/commands";
/// Topic of trajectories for a joint trajectory controller, `trajectory_msgs/msg/JointTrajectory`.
pub const JOINT_TRAJECTORY: &str = "/joint_trajectory";
/// Topic of the reward of the observation at the same time, `std_msgs/msg/Float64`.
pub const REWARD: &str = "/reward";
/// Topic of episode marks: the number of the episode that begins, published at its first image,
/// `std_msgs/msg/Int64`.
pub const EPISODE: &str = "/episode";
/// Topic that tells how far from solved the episode begins, in a unit of the task's own, with the mark of the
/// episode, `std_msgs/msg/Float64`.
pub const DIFFICULTY: &str = "/difficulty";

/// Whether a recorded topic is the one that is meant: their names are equal up to a leading slash.
///
/// ```
/// assert!(latco_bag::topics::matches("/joint_states", "joint_states"));
/// assert!(!latco_bag::topics::matches("/arm/joint_states", "joint_states"));
/// ```
pub fn matches(recorded: &str, meant: &str) -> bool {
    recorded.trim_start_matches('/') == meant.trim_start_matches('/')
}
