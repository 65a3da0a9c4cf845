//! The messages that peers exchange, and a bag of them.

use std::path::Path;

use latco_bag::BagWriter;
use latco_bag::image::{Compression, compress};
use latco_bag::messages::{
    CompressedImage, Duration, Header, Image, JointState, JointTrajectory, JointTrajectoryPoint,
};

use crate::heard::Heard;

/// Messages of one topic.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub topic: &'static str,
    pub content: Content,
    pub hz: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Columns and rows, rgb8.
    Image(u32, u32),
    /// A jpeg of 640 x 480.
    Jpeg,
    Joints,
    Trajectory,
}

/// A robot with a small camera: images of 64 x 64 at 30 Hz, joint states at 100 Hz, trajectories; and jpegs of 640 x 480.
pub const SMALL: [Stream; 4] = [
    Stream {
        topic: "/camera/image_raw",
        content: Content::Image(64, 64),
        hz: 30,
    },
    Stream {
        topic: "/front/image_raw/compressed",
        content: Content::Jpeg,
        hz: 15,
    },
    Stream {
        topic: "/joint_states",
        content: Content::Joints,
        hz: 100,
    },
    Stream {
        topic: "/joint_trajectory",
        content: Content::Trajectory,
        hz: 10,
    },
];

/// Raw images of 640 x 480 at 15 Hz, 14 MB/s.
pub const LARGE: [Stream; 1] = [Stream {
    topic: "/camera/image_raw",
    content: Content::Image(640, 480),
    hz: 15,
}];

impl Stream {
    fn type_name(&self) -> &'static str {
        match self.content {
            Content::Image(..) => "Image",
            Content::Jpeg => "CompressedImage",
            Content::Joints => "JointState",
            Content::Trajectory => "JointTrajectory",
        }
    }

    /// Commands are reliable, the rest is sensor data.
    pub fn is_reliable(&self) -> bool {
        matches!(self.content, Content::Trajectory)
    }

    /// As `latco record` takes it.
    pub fn to_record(self) -> String {
        let package = match self.content {
            Content::Trajectory => "trajectory_msgs",
            _ => "sensor_msgs",
        };
        format!("{}:{package}/msg/{}", self.topic, self.type_name())
    }

    /// As a peer that listens takes it.
    pub fn to_hear(self) -> String {
        format!("{}:{}", self.topic, self.type_name())
    }

    /// As a peer that sends takes it.
    pub fn to_say(self) -> String {
        let size = match self.content {
            Content::Image(width, height) => format!(":{width}x{height}"),
            _ => String::new(),
        };
        format!("{}@{}{size}", self.to_hear(), self.hz)
    }
}

/// A jpeg of 640 x 480.
pub fn jpeg(number: u32) -> CompressedImage {
    let image = picture(Header::default(), 640, 480, number);
    compress(image, Compression::Jpeg { quality: 90 }).unwrap()
}

fn picture(header: Header, width: u32, height: u32, number: u32) -> Image {
    let row = 3 * width;
    let data = (0..row * height)
        .map(|i| ((i % row) / 5 + i / row + number * 29) as u8)
        .collect();
    Image::rgb8(header, width, height, data)
}

fn joints(header: Header, number: u32) -> JointState {
    let phase = f64::from(number) * 0.01;
    JointState {
        header,
        name: vec!["joint_1".into(), "joint_2".into(), "joint_3".into()],
        position: vec![phase.sin(), phase.cos(), -0.0],
        velocity: vec![f64::MIN_POSITIVE, phase, 1.0 / 3.0],
        effort: vec![],
    }
}

fn trajectory(header: Header, number: u32) -> JointTrajectory {
    let point = |step: u32| JointTrajectoryPoint {
        positions: vec![0.01 * f64::from(step), f64::from(number), 0.5],
        velocities: vec![0.1, 0.0, -0.1],
        accelerations: vec![],
        effort: vec![],
        time_from_start: Duration::from_nanos(i64::from(step) * 100_000_000),
    };
    JointTrajectory {
        header,
        joint_names: vec!["joint_1".into(), "joint_2".into(), "joint_3".into()],
        points: (1..=20).map(point).collect(),
    }
}

/// Writes a bag of so many seconds and says what is in it.
pub fn write_bag(folder: &Path, streams: &[Stream], seconds: u32) -> Heard {
    const START_NS: i64 = 1_700_000_000_123_456_789;
    let mut due: Vec<(i64, usize, u32)> = Vec::new();
    for (index, stream) in streams.iter().enumerate() {
        let period_ns = 1_000_000_000 / i64::from(stream.hz);
        due.extend((0..seconds * stream.hz).map(|k| (i64::from(k) * period_ns, index, k)));
    }
    due.sort_unstable();
    let (mut bag, mut heard) = (BagWriter::create(folder).unwrap(), Heard::default());
    for (after_ns, index, number) in due {
        let Stream { topic, content, .. } = streams[index];
        let time_ns = START_NS + after_ns;
        let header = Header::new(time_ns, "camera é");
        match content {
            Content::Image(width, height) => {
                let image = picture(header, width, height, number);
                bag.write(topic, time_ns, &image).unwrap();
                heard.add(topic, &image);
            }
            Content::Jpeg => {
                let image = CompressedImage {
                    header,
                    ..jpeg(number)
                };
                bag.write(topic, time_ns, &image).unwrap();
                heard.add(topic, &image);
            }
            Content::Joints => {
                let state = joints(header, number);
                bag.write(topic, time_ns, &state).unwrap();
                heard.add(topic, &state);
            }
            Content::Trajectory => {
                let trajectory = trajectory(header, number);
                bag.write(topic, time_ns, &trajectory).unwrap();
                heard.add(topic, &trajectory);
            }
        }
    }
    bag.finish().unwrap();
    heard
}
