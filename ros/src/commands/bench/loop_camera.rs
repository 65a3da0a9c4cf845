//! The robot's side of `latco bench loop`: a node with a camera, joint states, and an ear for commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latco_bag::messages::{CompressedImage, Float64MultiArray, Header, Image, JointState};
use latco_bag::topics;
use latco_models::Manifest;

use crate::commands::Failure;
use crate::node::robot::{ImageSize, Transport};
use crate::node::robot_camera::{jpeg, widened};
use crate::node::{Network, NodeBuilder, Outbox, RunningNode, qos, stamp};

/// Pictures that are shown in turn.
const PICTURES: u64 = 16;

/// A running node.
pub(super) struct LoopCamera {
    raw: Option<Outbox<Image>>,
    compressed: Option<Outbox<CompressedImage>>,
    pictures: Vec<Image>,
    /// Compressed before they are shown: what is measured begins with the image's stamp.
    files: Vec<CompressedImage>,
    joints: Outbox<JointState>,
    names: Vec<String>,
    commands: Arc<AtomicU64>,
    _node: RunningNode,
}

impl LoopCamera {
    /// A camera that shows the simulated Reach robot, for the robot that `manifest` is for.
    ///
    /// # Errors
    /// The node cannot be made.
    pub(super) fn start(
        network: Network,
        size: ImageSize,
        transport: Transport,
        manifest: &Manifest,
    ) -> Result<Self, Failure> {
        let pictures = pictures(size)?;
        let mut node = NodeBuilder::open(network, "/", "camera").map_err(Failure::failed)?;
        let relative = |topic: &'static str| topic.trim_start_matches('/');
        let raw = (transport != Transport::Compressed)
            .then(|| node.publisher(relative(topics::CAMERA_IMAGE), qos::images(), 5))
            .transpose()
            .map_err(Failure::failed)?;
        let name = relative(topics::CAMERA_IMAGE_COMPRESSED);
        let compressed = (transport != Transport::Raw)
            .then(|| node.publisher(name, qos::images(), 5))
            .transpose()
            .map_err(Failure::failed)?;
        let files = compressed
            .iter()
            .flat_map(|_| pictures.iter().cloned().map(jpeg));
        let files = files.collect();
        let joints = node
            .publisher(relative(topics::JOINT_STATES), qos::sensors(10), 20)
            .map_err(Failure::failed)?;
        let commands = Arc::new(AtomicU64::new(0));
        let heard = commands.clone();
        node.subscribe::<Float64MultiArray>(
            relative(topics::COMMANDS),
            qos::commands(),
            move |message| {
                heard.fetch_add(u64::from(message.is_some()), Ordering::Relaxed);
            },
        )
        .map_err(Failure::failed)?;
        Ok(Self {
            raw,
            compressed,
            pictures,
            files,
            joints,
            names: manifest.joints.names.clone(),
            commands,
            _node: node.start().map_err(Failure::failed)?,
        })
    }

    /// Commands that arrived.
    pub(super) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Joint states and the picture number `number`, stamped now: its stamp, ns.
    pub(super) fn show(&self, number: u64) -> i64 {
        if !self.names.is_empty() {
            self.joints.send(JointState {
                header: Header::new(stamp::now_ns(), ""),
                name: self.names.clone(),
                position: vec![0.0; self.names.len()],
                velocity: vec![0.0; self.names.len()],
                effort: Vec::new(),
            });
        }
        let index = (number % PICTURES) as usize;
        let (mut picture, mut file) = (
            self.pictures.get(index).cloned(),
            self.files.get(index).cloned(),
        );
        let now = stamp::now_ns();
        let header = Header::new(now, "camera");
        if let (Some(outbox), Some(image)) = (&self.raw, picture.take()) {
            outbox.send(Image {
                header: header.clone(),
                ..image
            });
        }
        if let (Some(outbox), Some(image)) = (&self.compressed, file.take()) {
            outbox.send(CompressedImage { header, ..image });
        }
        now
    }
}

fn pictures(size: ImageSize) -> Result<Vec<Image>, Failure> {
    let side = size.square().max(latco_envs::MIN_IMAGE_SIZE);
    let mut robot = latco_envs::make("reach", side).map_err(Failure::usage)?;
    let pixels = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let mut square = vec![0; side * side * 3];
    let shown = |seed| {
        robot.reset(seed);
        robot.render(&mut square);
        let data = widened(&square, side, size);
        Image::rgb8(
            Header::default(),
            pixels(size.width),
            pixels(size.height),
            data,
        )
    };
    Ok((0..PICTURES).map(shown).collect())
}
