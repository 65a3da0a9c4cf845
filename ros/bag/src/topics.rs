//! Names of the topics of a recording, as recorded (with the leading slash that rosbag2 writes).

/// `sensor_msgs/msg/Image`, `rgb8`; the stamp is the time of exposure.
pub const CAMERA_IMAGE: &str = "/camera/image_raw";
/// `sensor_msgs/msg/CompressedImage`.
pub const CAMERA_IMAGE_COMPRESSED: &str = "/camera/image_raw/compressed";
/// `sensor_msgs/msg/JointState`.
pub const JOINT_STATES: &str = "/joint_states";
/// `std_msgs/msg/Float64MultiArray`: joint velocity set-points, rad/s, in the robot's joint order.
pub const COMMANDS: &str = "/commands";
/// `trajectory_msgs/msg/JointTrajectory`.
pub const JOINT_TRAJECTORY: &str = "/joint_trajectory";
/// `std_msgs/msg/Float64`: reward of the observation at the same time.
pub const REWARD: &str = "/reward";
/// `std_msgs/msg/Int64`: number of the episode that begins, published at its first image.
pub const EPISODE: &str = "/episode";
/// `std_msgs/msg/Float64`: how far from solved the episode begins, with the mark of the episode; its
/// unit is the task's.
pub const DIFFICULTY: &str = "/difficulty";

/// Whether a recorded topic is the one meant: equal up to a leading slash.
///
/// ```
/// assert!(latco_bag::topics::matches("/joint_states", "joint_states"));
/// assert!(!latco_bag::topics::matches("/arm/joint_states", "joint_states"));
/// ```
pub fn matches(recorded: &str, meant: &str) -> bool {
    recorded.trim_start_matches('/') == meant.trim_start_matches('/')
}
