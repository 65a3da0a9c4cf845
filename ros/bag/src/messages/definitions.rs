//! Text of the message definitions, in the form that rosbag2 stores beside recorded messages:
//! the fields of the type, then one section per type that it uses.

/// Joins the fields of a type with the sections of the types that it uses.
macro_rules! definition {
    ($fields:expr $(; $name:literal => $used:expr)* $(;)?) => {
        concat!(
            $fields,
            $(
                "================================================================================\n",
                "MSG: ", $name, "\n",
                $used,
            )*
        )
    };
}

macro_rules! time {
    () => {
        "# Seconds and nanoseconds since the epoch of the clock in use.\nint32 sec\nuint32 nanosec\n"
    };
}

macro_rules! duration {
    () => {
        "# Seconds (may be negative) and nanoseconds counted upwards from there.\nint32 sec\nuint32 nanosec\n"
    };
}

macro_rules! header {
    () => {
        "# Time of the measurement and the frame that it is expressed in.\nbuiltin_interfaces/Time stamp\nstring frame_id\n"
    };
}

macro_rules! multi_array_dimension {
    () => {
        "# One dimension: its name, number of elements, distance between elements.\nstring label\nuint32 size\nuint32 stride\n"
    };
}

macro_rules! multi_array_layout {
    () => {
        "# Dimensions, the outermost first, and elements to skip at the start.\nstd_msgs/MultiArrayDimension[] dim\nuint32 data_offset\n"
    };
}

macro_rules! image {
    () => {
        "# One uncompressed camera image, rows from the top.\nstd_msgs/Header header\n# Pixels.\nuint32 height\nuint32 width\n# For example rgb8.\nstring encoding\nuint8 is_bigendian\n# Bytes per row.\nuint32 step\n# height * step bytes.\nuint8[] data\n"
    };
}

macro_rules! compressed_image {
    () => {
        "# One compressed camera image.\nstd_msgs/Header header\n# For example jpeg or png.\nstring format\nuint8[] data\n"
    };
}

macro_rules! joint_state {
    () => {
        "# State of joints; an array may be empty when the quantity is unknown.\nstd_msgs/Header header\nstring[] name\n# rad or m.\nfloat64[] position\n# rad/s or m/s.\nfloat64[] velocity\n# Nm or N.\nfloat64[] effort\n"
    };
}

macro_rules! joint_trajectory_point {
    () => {
        "# Set-points of all joints at one time after the start.\nfloat64[] positions\nfloat64[] velocities\nfloat64[] accelerations\nfloat64[] effort\nbuiltin_interfaces/Duration time_from_start\n"
    };
}

macro_rules! joint_trajectory {
    () => {
        "# Set-points over time.\nstd_msgs/Header header\nstring[] joint_names\ntrajectory_msgs/JointTrajectoryPoint[] points\n"
    };
}

macro_rules! key_value {
    () => {
        "# A named value for people to read.\nstring key\nstring value\n"
    };
}

macro_rules! diagnostic_status {
    () => {
        "# State of one part.\nbyte OK=0\nbyte WARN=1\nbyte ERROR=2\nbyte STALE=3\nbyte level\nstring name\nstring message\nstring hardware_id\ndiagnostic_msgs/KeyValue[] values\n"
    };
}

macro_rules! diagnostic_array {
    () => {
        "# States of parts at one time.\nstd_msgs/Header header\ndiagnostic_msgs/DiagnosticStatus[] status\n"
    };
}

macro_rules! vector3 {
    () => {
        "# A vector in space.\nfloat64 x\nfloat64 y\nfloat64 z\n"
    };
}

macro_rules! twist {
    () => {
        "# Velocity in m/s and rad/s.\ngeometry_msgs/Vector3 linear\ngeometry_msgs/Vector3 angular\n"
    };
}

macro_rules! twist_stamped {
    () => {
        "# A velocity, its time and the frame that it is expressed in.\nstd_msgs/Header header\ngeometry_msgs/Twist twist\n"
    };
}

pub(super) use {
    compressed_image, definition, diagnostic_array, diagnostic_status, duration, header, image,
    joint_state, joint_trajectory, joint_trajectory_point, key_value, multi_array_dimension,
    multi_array_layout, time, twist, twist_stamped, vector3,
};
