//! Processes of `latco`, a bundle with random weights, and a fake robot, for tests over real DDS on loopback.
//!
//! Each test has a ROS domain of its own, and they take turns: with two cores and real time, one loop at a time.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)] // shared by several test programs, each using a part

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use latco_bag::image::{Compression, compress};
use latco_bag::messages::{
    CompressedImage, DiagnosticStatus, Float64MultiArray, Header, Image, JointState,
};
use latco_export::{RandomSpec, write_random_bundle};
use latco_ros::node::interfaces::lifecycle::{
    ChangeStateReply, ChangeStateRequest, GetStateReply, TransitionMessage,
};
use latco_ros::node::{
    EmptyRequest, Network, NodeBuilder, Outbox, RunningNode, Stop, TriggerReply, TriggerRequest,
    qos, stamp,
};
use ros2_client::{Message, Name, QosProfile, ServiceMapping, ServiceTypeName};

/// One loop in real time at a time.
pub fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn wait(time: Duration) {
    Stop::new().wait(time);
}

/// Looks every 20 ms, for at most `limit`.
pub fn eventually(limit: Duration, mut look: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if look() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        wait(Duration::from_millis(20));
    }
}

/// A `latco` process; killed when dropped.
pub struct Latco {
    child: std::process::Child,
    output: Option<[std::thread::JoinHandle<String>; 2]>,
    arguments: String,
}

pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e} in {:?}; stderr:\n{}", self.stdout, self.stderr))
    }

    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Latco {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    pub fn start_with(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latco"));
        // The library is named relative to the workspace where it is not named absolutely.
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in [
            "ROS_DOMAIN_ID",
            "ROS_LOCALHOST_ONLY",
            "ROS_AUTOMATIC_DISCOVERY_RANGE",
            "RMW_IMPLEMENTATION",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        change(&mut command);
        let mut child = command.spawn().expect("the program is built");
        let stdout = reader(child.stdout.take().expect("piped"));
        let stderr = reader(child.stderr.take().expect("piped"));
        Self {
            child,
            output: Some([stdout, stderr]),
            arguments: arguments.join(" "),
        }
    }

    pub fn run(arguments: &[&str], limit: Duration) -> Ended {
        Self::start(arguments).end(limit)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn terminate(&self) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(id),
            nix::sys::signal::Signal::SIGTERM,
        )
        .expect("it runs");
    }

    /// SIGSTOP, a moment, SIGCONT.
    pub fn suspend_and_continue(&self) {
        use nix::sys::signal::{Signal, kill};
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(id, Signal::SIGSTOP).expect("it runs");
        wait(Duration::from_millis(200));
        kill(id, Signal::SIGCONT).expect("it is stopped");
    }

    /// Its status and what it logged.
    pub fn kill(&mut self) -> (Option<ExitStatus>, String) {
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        let [_, stderr] = self
            .output
            .take()
            .expect("taken once")
            .map(|t| t.join().expect("a reader"));
        (status, stderr)
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub fn end(mut self, limit: Duration) -> Ended {
        let mut status = None;
        let ended = eventually(limit, || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        if !ended {
            let _ = self.child.kill();
        }
        let [stdout, stderr] = self
            .output
            .take()
            .expect("taken once")
            .map(|t| t.join().expect("a reader"));
        assert!(
            ended,
            "latco {} did not end within {limit:?}; stderr:\n{stderr}",
            self.arguments
        );
        Ended {
            status: status.expect("it ended"),
            stdout,
            stderr,
        }
    }
}

impl Drop for Latco {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = from.read_to_string(&mut text);
        text
    })
}

pub const IMAGE: usize = 32;
pub const JOINTS: [&str; 3] = ["joint_1", "joint_2", "joint_3"];

/// A small model with random weights, and a configuration for it.
pub fn configuration(folder: &Path, more: &str) -> PathBuf {
    let bundle = folder.join("bundle");
    let spec = RandomSpec {
        stoch: 4,
        deter: 8,
        hidden: 12,
        horizon: 6,
        image: IMAGE,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(&bundle, &spec, 3).expect("a bundle");
    let file = folder.join("controller.toml");
    let text = format!("[bundle]\npath = {:?}\n{more}", bundle.to_string_lossy());
    std::fs::write(&file, text).expect("a file");
    file
}

pub fn network(domain: u16) -> Network {
    Network {
        domain,
        localhost: true,
    }
}

/// A camera, joint states and an ear for commands and status, in this process.
pub struct FakeRobot {
    pub image: Outbox<Image>,
    pub compressed: Outbox<CompressedImage>,
    /// Whether the camera publishes jpegs of 640x480 instead of raw images of the model's size.
    pub compresses: bool,
    pub joints: Outbox<JointState>,
    pub commands: Arc<Mutex<Vec<Vec<f64>>>>,
    pub statuses: Arc<Mutex<Vec<DiagnosticStatus>>>,
    pub node: RunningNode,
}

impl FakeRobot {
    pub fn new(domain: u16) -> Self {
        let mut node = NodeBuilder::open(network(domain), "/", "fake_robot").expect("a node");
        let image = node
            .publisher("camera/image_raw", qos::images(), 5)
            .expect("a publisher");
        let compressed = node
            .publisher("camera/image_raw/compressed", qos::images(), 5)
            .expect("a publisher");
        let joints = node
            .publisher("joint_states", qos::sensors(10), 20)
            .expect("a publisher");
        let commands = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let heard = commands.clone();
        node.subscribe::<Float64MultiArray>("commands", qos::commands(), move |m| {
            heard.lock().unwrap().extend(m.map(|m| m.data));
        })
        .expect("a subscription");
        let heard = statuses.clone();
        node.subscribe::<DiagnosticStatus>("latco/status", qos::commands(), move |m| {
            heard.lock().unwrap().extend(m);
        })
        .expect("a subscription");
        Self {
            image,
            compressed,
            compresses: false,
            joints,
            commands,
            statuses,
            node: node.start().expect("threads"),
        }
    }

    pub fn good_image(&self) -> Image {
        let size = u32::try_from(IMAGE).expect("small");
        let data = (0..IMAGE * IMAGE * 3).map(|i| (i % 251) as u8).collect();
        Image::rgb8(Header::new(stamp::now_ns(), "camera"), size, size, data)
    }

    pub fn good_jpeg(&self) -> CompressedImage {
        let data = (0..640 * 480 * 3).map(|i| (i / 7919) as u8).collect();
        let image = Image::rgb8(Header::new(stamp::now_ns(), "camera"), 640, 480, data);
        compress(image, Compression::Jpeg { quality: 90 }).expect("a good image")
    }

    pub fn good_joints(&self) -> JointState {
        JointState {
            header: Header::new(stamp::now_ns(), ""),
            name: JOINTS.map(String::from).to_vec(),
            position: vec![0.1, 0.2, -0.1],
            velocity: vec![0.0; 3],
            effort: Vec::new(),
        }
    }

    /// An image with its joint states, as every control period of 0.1 s has.
    pub fn period(&self) {
        for _ in 0..5 {
            self.joints.send(self.good_joints());
            wait(Duration::from_millis(20));
        }
        if self.compresses {
            self.compressed.send(self.good_jpeg());
        } else {
            self.image.send(self.good_image());
        }
    }

    /// Periods until the controller moves the robot.
    pub fn until_moved(&self, controller: &mut Latco) {
        let limit = Duration::from_secs(90);
        let deadline = Instant::now() + limit;
        while !self.moved() {
            if !controller.is_running() || Instant::now() >= deadline {
                let (status, stderr) = controller.kill();
                panic!(
                    "no command other than zero within {limit:?}; {status:?}; {:?}\n{stderr}",
                    self.last_status()
                );
            }
            self.period();
        }
    }

    pub fn moved(&self) -> bool {
        self.commands
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .any(|v| v.abs() > 1e-3)
    }

    pub fn last_command(&self) -> Option<Vec<f64>> {
        self.commands.lock().unwrap().last().cloned()
    }

    pub fn last_status(&self) -> Option<DiagnosticStatus> {
        self.statuses.lock().unwrap().last().cloned()
    }

    /// A figure of the newest status.
    pub fn figure(&self, key: &str) -> Option<String> {
        let status = self.last_status()?;
        status
            .values
            .iter()
            .find(|v| v.key == key)
            .map(|v| v.value.clone())
    }
}

/// Someone who calls services.
pub struct Operator {
    node: ros2_client::Node,
    context: ros2_client::Context,
}

impl Operator {
    pub fn new(domain: u16) -> Self {
        let context = network(domain).open().expect("a context");
        let name = ros2_client::NodeName::new("/", "operator").expect("a name");
        let node = context
            .new_node(name, ros2_client::NodeOptions::new())
            .expect("a node");
        Self { node, context }
    }

    /// Calls a Trigger service; asks again until the service is found.
    pub fn call(&mut self, service: &str) -> TriggerReply {
        let ty = ("std_srvs", "Trigger");
        self.call_as(
            ServiceMapping::Enhanced,
            service,
            ty,
            TriggerRequest::default(),
        )
        .unwrap_or_else(|| {
            panic!(
                "no reply from {service} in domain {}",
                self.context.domain_id()
            )
        })
    }

    /// Calls a service that may be called several times with the same effect; asks again until the service is found.
    pub fn ask<Q: Message + Clone + 'static, R: Message + 'static>(
        &mut self,
        service: &str,
        package: &str,
        ty: &str,
        request: &Q,
    ) -> R {
        let mapping = ServiceMapping::Enhanced;
        self.call_as(mapping, service, (package, ty), request.clone())
            .unwrap_or_else(|| panic!("no reply from {service}"))
    }

    /// Calls a service of any type in this mapping; asks again until the service is found. None when it never answers.
    pub fn call_as<Q: Message + Clone + 'static, A: Message + 'static>(
        &mut self,
        mapping: ServiceMapping,
        service: &str,
        ty: (&str, &str),
        request: Q,
    ) -> Option<A> {
        let qos = QosProfile::subscription_default()
            .reliability_reliable(ros2_client::qos::WhenFull::Fail);
        let client = self
            .node
            .create_client::<Q, A>(
                mapping,
                &Name::parse(service).expect("a name"),
                &ServiceTypeName::new(ty.0, ty.1),
                qos.clone(),
                qos,
            )
            .expect("a client");
        let tries = if mapping == ServiceMapping::Enhanced {
            30
        } else {
            5
        };
        // All clients of a service hear all replies, also those to whoever asked before: only replies to these count.
        let mut asked = Vec::new();
        for _ in 0..tries {
            asked.push(client.send_request(request.clone()).expect("a request"));
            let mut reply = None;
            eventually(Duration::from_secs(1), || {
                reply = client
                    .receive_response()
                    .ok()
                    .flatten()
                    .filter(|(id, _)| asked.contains(id))
                    .map(|(_, reply)| reply);
                reply.is_some()
            });
            if reply.is_some() {
                return reply;
            }
        }
        None
    }

    /// Asks for a transition by its label, once; a transition may take its time.
    pub fn change(&mut self, node: &str, label: &str) -> bool {
        // The first answer to this cheap question says that the services are found.
        self.state(node);
        let request = ChangeStateRequest {
            transition: TransitionMessage {
                id: 0,
                label: label.into(),
            },
        };
        let service = format!("{node}/change_state");
        let ty = ("lifecycle_msgs", "ChangeState");
        let qos = QosProfile::subscription_default()
            .reliability_reliable(ros2_client::qos::WhenFull::Fail);
        let client = self
            .node
            .create_client::<ChangeStateRequest, ChangeStateReply>(
                ServiceMapping::Enhanced,
                &Name::parse(&service).expect("a name"),
                &ServiceTypeName::new(ty.0, ty.1),
                qos.clone(),
                qos,
            )
            .expect("a client");
        // Its ends have to be discovered first.
        wait(Duration::from_millis(700));
        let asked = client.send_request(request).expect("a request");
        let mut reply = None;
        eventually(Duration::from_secs(60), || {
            reply = client
                .receive_response()
                .ok()
                .flatten()
                .filter(|(id, _)| *id == asked);
            reply.is_some()
        });
        reply.expect("an answer").1.success
    }

    /// The label of the state that a node is in.
    pub fn state(&mut self, node: &str) -> String {
        let service = format!("{node}/get_state");
        let ty = ("lifecycle_msgs", "GetState");
        self.call_as::<_, GetStateReply>(
            ServiceMapping::Enhanced,
            &service,
            ty,
            EmptyRequest::default(),
        )
        .expect("an answer")
        .current_state
        .label
    }
}
