//! The tables of the configuration but the planner's.

use latco_models::{
    ActionKind, LoadOptions, Provider, Providers, PublicKey, TrustedKeys, check_kinds,
};
use toml::Value;

use crate::settings::{DAY_MS, Kind, SettingType};

impl SettingType for Providers {
    const KIND: Kind = Kind::Texts;

    fn check(value: &Value) -> Result<(), String> {
        let names = value.as_array().into_iter().flatten();
        let providers: Result<Vec<Provider>, String> =
            names.filter_map(Value::as_str).map(str::parse).collect();
        Self::new(providers?).map(drop)
    }
}

impl SettingType for Vec<ActionKind> {
    const KIND: Kind = Kind::Texts;

    fn check(value: &Value) -> Result<(), String> {
        let names = value.as_array().into_iter().flatten();
        let kinds: Result<Vec<ActionKind>, String> =
            names.filter_map(Value::as_str).map(str::parse).collect();
        check_kinds(&kinds?)
    }
}

impl SettingType for TrustedKeys {
    const KIND: Kind = Kind::Texts;

    fn check(value: &Value) -> Result<(), String> {
        let keys = value.as_array().into_iter().flatten();
        let mut keys = keys.filter_map(Value::as_str).map(str::parse::<PublicKey>);
        keys.try_for_each(|key| key.map(drop))
    }
}

crate::settings! {
    /// `[bundle]`
    pub struct BundleSection {
        /// Folder of the model bundle, relative to the working directory. Required.
        path: String, filled;
        /// Public keys of whom bundles are taken from, as `latco model keygen` prints them; a bundle that none of them signed is
        /// refused. Without any a bundle need not be signed.
        trusted_keys: TrustedKeys, no_parameter;
        /// Where the graphs are computed: `cpu`, `cuda`, `tensorrt`, in order of preference. The first that works is used.
        /// `cpu` behind another one stands in only if it is measured to be fast enough.
        providers: Providers;
        /// Folder under which TensorRT's engines are kept; without a value `latco/tensorrt` in the user's cache folder.
        engine_cache: Option<String>;
        /// Time without an image after which the planner thread runs an inference to keep a GPU awake; 0 switches it off;
        /// without a value it is 20 on a GPU, off on the CPU.
        keep_alive_ms: Option<f64>, within(0.0, 60_000.0);
    }
}

impl BundleSection {
    /// How to load the bundle.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            providers: self.providers.clone(),
            engine_cache: self.engine_cache.as_ref().map(Into::into),
            trusted_keys: self.trusted_keys.clone(),
            ..LoadOptions::default()
        }
    }
}

crate::settings! {
    /// `[robot]`: an empty list means "as the bundle says" (names, velocity) or "unlimited".
    pub struct RobotSection {
        /// The joints that are moved, in the bundle's order; checked against the bundle.
        joint_names: Vec<String>;
        /// What the actions command, one an action; checked against the bundle. They are `joint_velocity` alone, or
        /// `joint_position` and `joint_position_change`, or components of a twist (`twist_linear_x` to `twist_angular_z`).
        action_kinds: Vec<ActionKind>;
        /// Lowest position of each joint; the bundle's holds where it is higher: of a robot of one's own it is that of the data.
        min_position_rad: Vec<f64>, or_infinite;
        /// Highest position of each joint; the bundle's holds where it is lower.
        max_position_rad: Vec<f64>, or_infinite;
        /// Highest speed of each joint; by default the bundle's action scaling.
        max_velocity_rad_s: Vec<f64>, above(0.0);
        /// Highest acceleration of each joint; also how hard a stop brakes.
        max_acceleration_rad_s2: Vec<f64>, above(0.0);
        /// Highest jerk of each joint; by default such that the highest acceleration is built up in 50 ms.
        max_jerk_rad_s3: Vec<f64>, above(0.0);
        /// How far each joint may be from where the commands should have brought it; by default half a second at its highest
        /// speed.
        max_tracking_error_rad: Vec<f64>, above(0.0);
        /// Highest speed and acceleration of the end effector where actions are components of a twist: linear in m/s and m/s²,
        /// then angular in rad/s and rad/s²; by default the speeds that the bundle's actions have.
        max_twist: Vec<f64>, above(0.0);
        /// Frame in which a twist is meant, for its header.
        twist_frame: String = "base_link".into(), word;
        /// Factor on the highest speed of every joint: to move slowly while something is tried.
        velocity_scale: f64 = 1.0, within(0.01, 1.0), live;
    }
}

crate::choices! {
    /// What the executor publishes.
    pub enum OutputKind {
        /// What the actions are at the command rate: joint velocities or positions, for a forward_command_controller of that
        /// interface, or a twist for a servo.
        Commands = "commands",
        /// Chunks that end at rest, for joint_trajectory_controller.
        JointTrajectory = "joint_trajectory",
    }
}

crate::choices! {
    /// What is done when the camera shows what the model did not predict.
    pub enum SurpriseAction {
        /// The robot is slowed, then stopped until a reset, where the bundle's calibration promises at most one false stop in 8
        /// hours; it is only reported otherwise.
        Stop = "stop",
        /// It is only reported.
        Warn = "warn",
    }
}

crate::settings! {
    /// `[control]`
    pub struct ControlSection {
        /// Rate of the executor's set-points.
        command_rate_hz: f64 = 100.0, within(1.0, 2000.0);
        /// What is published.
        output: OutputKind;
        /// Control periods from the image's stamp to the first action planned on it. With 1 the planner has one period to
        /// think while the previous plan is followed.
        lead_periods: u32 = 1, within(0.0, 1.0);
        /// A new plan is made every so many control periods.
        replan_every_periods: u32 = 1, at_least(1.0);
        /// What is done when the camera shows what the model did not predict.
        surprise: SurpriseAction;
    }
}

crate::settings! {
    /// `[timeouts]`
    pub struct TimeoutsSection {
        /// Age of the newest image at which the robot is stopped.
        camera_ms: f64 = 1000.0, above(0.0), at_most(DAY_MS), live;
        /// Age of the newest joint states at which the robot is stopped.
        joints_ms: f64 = 500.0, above(0.0), at_most(DAY_MS), live;
    }
}

crate::settings! {
    /// `[trace]`
    pub struct TraceSection {
        /// Whether the journal is published on `~/journal`: all inputs and decisions, from which `latco replay` repeats the
        /// run.
        journal: bool = true;
    }
}

crate::choices! {
    /// Which of a camera's topics is listened to.
    pub enum ImageTransport {
        /// Both; where images come on both, those of the topic that came first.
        Auto = "auto",
        /// `topics.image` alone.
        Raw = "raw",
        /// `topics.image` with `/compressed` behind it alone.
        Compressed = "compressed",
    }
}

crate::settings! {
    /// `[topics]`
    pub struct TopicsSection {
        /// `sensor_msgs/Image`, in; `sensor_msgs/CompressedImage` with `/compressed` behind the name.
        image: String = "camera/image_raw".into(), word;
        /// Which of the two is listened to.
        image_transport: ImageTransport;
        /// `sensor_msgs/JointState`, in.
        joint_states: String = "joint_states".into(), word;
        /// `std_msgs/Float64MultiArray` of joint velocities in rad/s or positions in rad, or `geometry_msgs/TwistStamped` where
        /// actions are components of a twist, out.
        commands: String = "commands".into(), word;
        /// `trajectory_msgs/JointTrajectory`, out.
        joint_trajectory: String = "joint_trajectory".into(), word;
    }
}

crate::settings! {
    /// `[node]`
    pub struct NodeSection {
        /// Name of the node.
        name: String = "latco".into(), word;
        /// Namespace of the node.
        namespace: String = "/".into();
        /// DDS domain; without a value that of `ROS_DOMAIN_ID`, else 0.
        domain_id: Option<u16>, at_most(232.0);
        /// Whether only the loopback interface is used.
        loopback_only: bool;
    }
}
