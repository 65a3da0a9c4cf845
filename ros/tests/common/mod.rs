//! Processes of `latco`, a bundle with random weights, and a fake robot, for tests over real DDS on loopback.
//!
//! Each test has a ROS domain of its own, and they take turns: with two cores and real time, one loop at a time.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used
)] // shared by several test programs, each using a part

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latco_bag::image::{Compression, compress};
use latco_bag::messages::{
    CompressedImage, DiagnosticStatus, Float64MultiArray, Header, Image, JointState,
};
use latco_export::{RandomSpec, write_random_bundle};
use latco_ros::managed::lifecycle::messages::{
    ChangeStateReply, ChangeStateRequest, GetStateReply, TransitionMessage,
};
use latco_ros::middleware::{
    EmptyRequest, Network, NodeBuilder, Outbox, RunningNode, TriggerReply, TriggerRequest, qos,
    stamp,
};
use latco_ros::obedient::ObedientJoints;
use latco_testkit::latco::command;
pub use latco_testkit::program::Ended;
use latco_testkit::program::Program;
pub use latco_testkit::time::{eventually, my_turn, wait};
use ros2_client::{Message, Name, QosProfile, ServiceMapping, ServiceTypeName};

/// A controller that activates itself, on this domain.
pub fn start_controller(config: &Path, domain: u16, more: &[&str]) -> Latco {
    let config = config.to_str().unwrap();
    let domain = domain.to_string();
    let base = ["run", "--auto", "--config", config, "--domain", &domain];
    Latco::start(&[&base[..], &["--localhost", "--json"], more].concat())
}

/// A `latco` process; killed when dropped.
pub struct Latco(Program);

impl Latco {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    pub fn start_with(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(Path::new(env!("CARGO_BIN_EXE_latco")), arguments);
        change(&mut command);
        Self(Program::start(&mut command))
    }

    pub fn start_command(command: &mut Command) -> Self {
        Self(Program::start(command))
    }

    pub fn run(arguments: &[&str], limit: Duration) -> Ended {
        Self::start(arguments).end(limit)
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn suspend_and_continue(&self) {
        self.signal("STOP");
        wait(Duration::from_millis(200));
        self.signal("CONT");
    }

    /// Waits for its end.
    pub fn end(self, limit: Duration) -> Ended {
        self.0.end(limit)
    }
}

impl Deref for Latco {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for Latco {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}

/// Installs this program under a prefix, in a folder of its own if there is one, by `ros/install.sh`.
pub fn install(prefix: &str, destination: Option<&Path>) -> std::process::Output {
    let mut command = Command::new("sh");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh"))
        .args([prefix, env!("CARGO_BIN_EXE_latco")])
        .arg(std::env::var_os("ORT_DYLIB_PATH").expect("the path of ONNX Runtime"));
    if let Some(destination) = destination {
        command.env("DESTDIR", destination);
    }
    command.output().expect("install.sh runs")
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
    /// Pictures of goals.
    pub goals: Outbox<CompressedImage>,
    /// Whether the camera publishes jpegs of 640x480 instead of raw images of the model's size.
    pub compresses: bool,
    pub joints: Outbox<JointState>,
    /// Joints that do as they are told by `commands`.
    body: Arc<Mutex<ObedientJoints>>,
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
        let goals = node
            .publisher("latco/goal_image/compressed", qos::commands(), 5)
            .expect("a publisher");
        let commands = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let body = Arc::new(Mutex::new(ObedientJoints::new(vec![0.1, 0.2, -0.1])));
        let (heard, moved) = (commands.clone(), body.clone());
        node.subscribe::<Float64MultiArray>("commands", qos::commands(), move |m| {
            if let Some(command) = m.map(|m| m.data) {
                moved.lock().unwrap().obey(&command);
                heard.lock().unwrap().push(command);
            }
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
            goals,
            compresses: false,
            joints,
            body,
            commands,
            statuses,
            node: RunningNode::start(node).expect("threads"),
        }
    }

    pub fn good_image(&self) -> Image {
        let size = u32::try_from(IMAGE).expect("small");
        let now_ns = stamp::now_ns();
        // No two pictures of a robot that moves are the same.
        let shift = (now_ns / 10_000_000) as usize;
        let data = (0..IMAGE * IMAGE * 3)
            .map(|i| ((i + shift) % 251) as u8)
            .collect();
        Image::rgb8(Header::new(now_ns, "camera"), size, size, data)
    }

    pub fn good_jpeg(&self) -> CompressedImage {
        let now_ns = stamp::now_ns();
        let shift = (now_ns / 10_000_000) as usize * 7919;
        let data = (0..640 * 480 * 3)
            .map(|i| ((i + shift) / 7919) as u8)
            .collect();
        let image = Image::rgb8(Header::new(now_ns, "camera"), 640, 480, data);
        compress(image, Compression::Jpeg { quality: 90 }).expect("a good image")
    }

    pub fn good_joints(&self) -> JointState {
        JointState {
            header: Header::new(stamp::now_ns(), ""),
            name: JOINTS.map(String::from).to_vec(),
            position: self.body.lock().unwrap().positions().to_vec(),
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
