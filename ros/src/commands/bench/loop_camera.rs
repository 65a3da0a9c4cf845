//! The robot's side of `latco bench loop`: a node with a camera and joint states, which receives the
//! commands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use latco_bag::messages::{CompressedImage, Float64MultiArray, Header, Image, JointState};
use latco_bag::topics;
use latco_models::Manifest;
use ros2_client::Publisher;

use crate::commands::failure::Failure;
use crate::middleware::camera_image::{ImageSize, Transport, jpeg};
use crate::middleware::{Network, NodeBuilder, RunningNode, qos, stamp};
use crate::obedient::ObedientJoints;

/// Number of pictures that are shown in turn.
const PICTURES: u64 = 16;

/// A running node.
pub(super) struct LoopCamera {
    // Published by the thread that shows them, as a camera's driver does.
    raw: Option<Publisher<Image>>,
    compressed: Option<Publisher<CompressedImage>>,
    pictures: Vec<Image>,
    /// Files that are compressed before they are shown: what is measured begins with the image's stamp.
    files: Vec<CompressedImage>,
    joints: Publisher<JointState>,
    names: Vec<String>,
    /// Joints that do as they are told.
    body: Arc<Mutex<ObedientJoints>>,
    commands: Arc<AtomicU64>,
    _node: RunningNode,
}

impl LoopCamera {
    /// Makes a camera that shows a moving disc, for the robot that `manifest` is for.
    ///
    /// # Errors
    /// [`Failure::failed`] when the node cannot be made.
    pub(super) fn start(
        network: Network,
        size: ImageSize,
        transport: Transport,
        manifest: &Manifest,
    ) -> Result<Self, Failure> {
        let pictures: Vec<Image> = (0..PICTURES).map(|number| picture(size, number)).collect();
        let mut node = NodeBuilder::open(network, "/", "camera").map_err(Failure::failed)?;
        let relative = |topic: &'static str| topic.trim_start_matches('/');
        let raw = (transport != Transport::Compressed)
            .then(|| node.direct_publisher(relative(topics::CAMERA_IMAGE), qos::images()))
            .transpose()
            .map_err(Failure::failed)?;
        let name = relative(topics::CAMERA_IMAGE_COMPRESSED);
        let compressed = (transport != Transport::Raw)
            .then(|| node.direct_publisher(name, qos::images()))
            .transpose()
            .map_err(Failure::failed)?;
        let files = compressed
            .iter()
            .flat_map(|_| pictures.iter().cloned().map(jpeg));
        let files = files.collect();
        let joints = node
            .direct_publisher(relative(topics::JOINT_STATES), qos::sensors(10))
            .map_err(Failure::failed)?;
        let commands = Arc::new(AtomicU64::new(0));
        let body = ObedientJoints::new(vec![0.0; manifest.joints.names.len()]);
        let body = Arc::new(Mutex::new(body));
        let (heard, told) = (commands.clone(), body.clone());
        node.subscribe::<Float64MultiArray>(
            relative(topics::COMMANDS),
            qos::commands(),
            move |message| {
                if let Some(message) = message {
                    heard.fetch_add(1, Ordering::Relaxed);
                    let mut body = told.lock().unwrap_or_else(PoisonError::into_inner);
                    body.obey(&message.data);
                }
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
            body,
            commands,
            _node: RunningNode::start(node).map_err(Failure::failed)?,
        })
    }

    /// Number of commands that arrived.
    pub(super) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Publishes joint states and the picture number `number`, stamped now; returns the stamp in ns.
    ///
    /// # Errors
    /// [`Failure::failed`] when the middleware does not take a message.
    pub(super) fn show(&self, number: u64) -> Result<i64, Failure> {
        if !self.names.is_empty() {
            let joints = JointState {
                header: Header::new(stamp::now_ns(), ""),
                name: self.names.clone(),
                position: (self.body.lock())
                    .unwrap_or_else(PoisonError::into_inner)
                    .positions()
                    .to_vec(),
                velocity: vec![0.0; self.names.len()],
                effort: Vec::new(),
            };
            self.joints.publish(joints).map_err(Failure::failed)?;
        }
        let index = (number % PICTURES) as usize;
        let (mut picture, mut file) = (
            self.pictures.get(index).cloned(),
            self.files.get(index).cloned(),
        );
        let now = stamp::now_ns();
        let header = Header::new(now, "camera");
        if let (Some(publisher), Some(image)) = (&self.raw, picture.take()) {
            let image = Image {
                header: header.clone(),
                ..image
            };
            publisher.publish(image).map_err(Failure::failed)?;
        }
        if let (Some(publisher), Some(image)) = (&self.compressed, file.take()) {
            let image = CompressedImage { header, ..image };
            publisher.publish(image).map_err(Failure::failed)?;
        }
        Ok(now)
    }
}

/// Draws a disc on a ground that fades from side to side, as smooth as what a camera sees; it moves with the
/// number.
fn picture(size: ImageSize, number: u64) -> Image {
    let (width, height) = (size.width, size.height);
    let (radius, turn) = (height as f64 / 6.0, number as f64 / PICTURES as f64);
    let (sine, cosine) = (std::f64::consts::TAU * turn).sin_cos();
    let centre = (
        width as f64 * (0.5 + 0.25 * cosine),
        height as f64 * (0.5 + 0.25 * sine),
    );
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let away = (x as f64 - centre.0).hypot(y as f64 - centre.1);
            let ground = |part: usize, whole: usize| (40 + 120 * part / whole) as u8;
            let pixel = if away < radius {
                [220, 60, 40]
            } else {
                [ground(x, width), ground(y, height), 120]
            };
            data.extend_from_slice(&pixel);
        }
    }
    let pixels = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    Image::rgb8(Header::default(), pixels(width), pixels(height), data)
}
