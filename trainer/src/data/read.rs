//! One bag to episodes.

use std::collections::BTreeMap;
use std::path::Path;

use latco_bag::image::{CameraImage, Converter, ImageError, camera_topic};
use latco_bag::joints::JointOrder;
use latco_bag::messages::{Float64, Float64MultiArray, Image, Int64, JointState, RosMessage};
use latco_bag::{BagError, BagMessage, BagReader, topics};

use super::contract::{BagReport, Episode, EpisodeSink, LoadOptions, Shape};
use super::error::DataError;
use super::resample::{Channels, Stream, ticks};

/// Stamps and recording times further apart than this are of different clocks, ns.
const SAME_CLOCK_NS: u64 = 10_000_000_000;

/// Reads the episodes of `bag` into `sink`. The first bag with frames decides the image size,
/// joint names and action width where the options leave them open.
pub(super) fn episodes(
    bag: &Path,
    options: &LoadOptions,
    common: &mut Option<Shape>,
    sink: &mut dyn EpisodeSink,
) -> Result<BagReport, DataError> {
    let reader = BagReader::open(bag)?;
    let topic = |name, expected| {
        reader
            .topic(name)
            .map(|_| ())
            .ok_or_else(|| DataError::MissingTopic {
                bag: bag.to_path_buf(),
                topic: name,
                expected,
                found: reader
                    .topics()
                    .iter()
                    .map(|topic| topic.name.clone())
                    .collect(),
            })
    };
    let camera = match camera_topic(&reader) {
        Some(camera) => camera.name.clone(),
        None => return Err(topic(topics::CAMERA_IMAGE, Image::TYPE).expect_err("not there")),
    };
    topic(topics::COMMANDS, Float64MultiArray::TYPE)?;
    let joint_names = match &options.joint_names {
        Some(names) => Some(names),
        None => common.as_ref().map(|shape| &shape.joint_names),
    };
    if joint_names.is_some_and(|names| !names.is_empty()) {
        topic(topics::JOINT_STATES, JointState::TYPE)?;
    }
    let size_of = |shape: &Shape| (shape.width as u32, shape.height as u32);
    let mut collector = Collector {
        bag,
        camera,
        converter: Converter::new(),
        period_ns: (options.control_period_s * 1e9).round() as i64,
        min_frames: options.min_frames.max(1),
        size: options.image_size.or(common.as_ref().map(size_of)),
        fixed_size: options.image_size.is_some(),
        joints: joint_names.map(|names| JointOrder::new(names.clone())),
        wants_joints: joint_names.is_none_or(|names| !names.is_empty())
            && reader.topic(topics::JOINT_STATES).is_some(),
        action_width: match options.action_scale.len() {
            0 => common.as_ref().map(|shape| shape.action_width),
            count => Some(count),
        },
        action_scale: &options.action_scale,
        uses_stamps: None,
        segment: None,
        segments: Vec::new(),
        problems: BTreeMap::new(),
        taken: Taken::default(),
    };
    let mut problems = Vec::new();
    for message in reader.messages() {
        match message {
            Ok(message) => collector.take(&message)?,
            Err(error) if error.is_partial() => problems.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        if collector.knows_its_shape() {
            collector.give(sink)?;
        }
    }
    collector.close_segment();
    for (problem, (count, example)) in &collector.problems {
        problems.push(format!("{count} {problem} ignored, the first: {example}"));
    }
    if collector.action_width.unwrap_or(0) == 0 {
        problems.push("no command with values".to_owned());
        collector.segments.clear();
    }
    collector.give(sink)?;
    let Taken {
        episodes,
        frames,
        short,
    } = collector.taken;
    if short > 0 {
        problems.push(format!(
            "{short} episodes with less than {} frames left out",
            options.min_frames
        ));
    }
    if reader.topic(topics::REWARD).is_none() {
        problems.push("no topic `reward`: rewards are taken as 0".to_owned());
    }
    if episodes == 0 {
        return Err(DataError::NoFrames {
            bag: bag.to_path_buf(),
            problems,
        });
    }
    common.get_or_insert_with(|| collector.shape());
    Ok(BagReport {
        bag: bag.to_path_buf(),
        episodes,
        frames,
        problems,
    })
}

/// Episodes of one bag so far.
#[derive(Default)]
struct Taken {
    episodes: usize,
    frames: usize,
    /// Left out because they are too short.
    short: usize,
}

/// Takes messages in the order of time and sorts them into segments between episode marks.
struct Collector<'a> {
    bag: &'a Path,
    /// Topic of the images.
    camera: String,
    converter: Converter,
    period_ns: i64,
    min_frames: usize,
    size: Option<(u32, u32)>,
    /// Whether images of another size are resized rather than refused.
    fixed_size: bool,
    joints: Option<JointOrder>,
    wants_joints: bool,
    action_width: Option<usize>,
    action_scale: &'a [f32],
    /// Whether header stamps are of the clock of the recording times; known after one image.
    uses_stamps: Option<bool>,
    segment: Option<Segment>,
    /// Complete ones that were not given away yet.
    segments: Vec<Segment>,
    /// Messages that cannot be used: kind, then number and first example.
    problems: BTreeMap<&'static str, (usize, String)>,
    taken: Taken,
}

/// Messages between two episode marks.
struct Segment {
    number: i64,
    image_times: Vec<i64>,
    images: Vec<u8>,
    image_bytes: usize,
    joints: Stream,
    commands: Stream,
    rewards: Stream,
}

impl Collector<'_> {
    fn take(&mut self, message: &BagMessage) -> Result<(), DataError> {
        let is = |name| topics::matches(&message.topic, name);
        if *message.topic == *self.camera {
            match CameraImage::decode(message) {
                Ok(image) => self.image(message.time_ns, &image)?,
                Err(error) => self.refuse("images", error)?,
            }
        } else if is(topics::EPISODE) {
            match message.decode::<Int64>() {
                Ok(mark) => {
                    self.close_segment();
                    self.segment = Some(self.new_segment(mark.data));
                }
                Err(error) => self.refuse("episode marks", error)?,
            }
        } else if is(topics::JOINT_STATES) && self.wants_joints {
            match message.decode::<JointState>() {
                Ok(state) => self.joint_state(message.time_ns, &state),
                Err(error) => self.refuse("joint states", error)?,
            }
        } else if is(topics::COMMANDS) {
            match message.decode::<Float64MultiArray>() {
                Ok(command) => self.command(message.time_ns, &command)?,
                Err(error) => self.refuse("commands", error)?,
            }
        } else if is(topics::REWARD) {
            match message.decode::<Float64>() {
                Ok(reward) if (reward.data as f32).is_finite() => {
                    let segment = self.segment();
                    segment.rewards.push(message.time_ns, &[reward.data as f32]);
                }
                Ok(reward) => self.note("rewards", format!("{} is not finite", reward.data)),
                Err(error) => self.refuse("rewards", error)?,
            }
        }
        Ok(())
    }

    fn image(&mut self, time_ns: i64, message: &CameraImage) -> Result<(), DataError> {
        let stamp = message.header().stamp.to_nanos();
        let uses_stamps = *self
            .uses_stamps
            .get_or_insert(stamp.abs_diff(time_ns) < SAME_CLOCK_NS);
        let (found, pixels) = match self.convert(message) {
            Ok(converted) => converted,
            Err(error) => {
                self.note("images", error.to_string());
                return Ok(());
            }
        };
        let size = *self.size.get_or_insert(found);
        if !self.fixed_size && size != found {
            return Err(self.mismatch("images of", format_size(size), format_size(found)));
        }
        let time = if uses_stamps { stamp } else { time_ns };
        let segment = self.segment();
        segment.image_bytes = pixels.len();
        // Images rarely overtake one another; one that does is put in its place.
        let at = segment.image_times.partition_point(|known| *known <= time);
        segment.image_times.insert(at, time);
        let start = at * pixels.len();
        segment.images.splice(start..start, pixels);
        Ok(())
    }

    /// The image's own size, and its pixels in the size of the episodes.
    fn convert(&mut self, message: &CameraImage) -> Result<((u32, u32), Vec<u8>), ImageError> {
        let found = message.size()?;
        let (width, height) = self.size.unwrap_or(found);
        let pixels = self.converter.to_rgb(message, width, height)?;
        Ok((found, pixels))
    }

    fn joint_state(&mut self, time_ns: i64, state: &JointState) {
        let order = self
            .joints
            .get_or_insert_with(|| JointOrder::new(state.name.clone()));
        let count = order.len();
        let mut values = vec![0.0; 2 * count];
        let (positions, velocities) = values.split_at_mut(count);
        match order.read_into(state, positions, velocities) {
            Ok(_) => {
                let stamp = state.header.stamp.to_nanos();
                let of_clock = stamp.abs_diff(time_ns) < SAME_CLOCK_NS;
                let time = if of_clock { stamp } else { time_ns };
                let segment = self.segment();
                segment.joints.width = 2 * count;
                segment.joints.push(time, &values);
            }
            Err(error) => self.note("joint states", error.to_string()),
        }
    }

    fn command(&mut self, time_ns: i64, command: &Float64MultiArray) -> Result<(), DataError> {
        let found = command.data.len();
        let expected = *self.action_width.get_or_insert(found);
        if expected != found {
            return Err(self.mismatch(
                "commands with",
                format!("{expected} values"),
                format!("{found} values"),
            ));
        }
        let mut values: Vec<f32> = command.data.iter().map(|value| *value as f32).collect();
        for (value, scale) in values.iter_mut().zip(self.action_scale) {
            *value /= scale;
        }
        if values.iter().all(|value| value.is_finite()) {
            let segment = self.segment();
            segment.commands.width = expected;
            segment.commands.push(time_ns, &values);
        } else {
            self.note("commands", format!("{:?} is not finite", command.data));
        }
        Ok(())
    }

    /// A message that is of another type makes the bag unusable, a damaged one is left out.
    fn refuse(&mut self, kind: &'static str, error: BagError) -> Result<(), DataError> {
        match error {
            BagError::WrongType { .. } => Err(error.into()),
            other => {
                self.note(kind, other.to_string());
                Ok(())
            }
        }
    }

    fn note(&mut self, kind: &'static str, example: String) {
        let entry = self.problems.entry(kind).or_insert((0, example));
        entry.0 += 1;
    }

    fn mismatch(&self, quantity: &'static str, expected: String, found: String) -> DataError {
        DataError::Mismatch {
            bag: self.bag.to_path_buf(),
            quantity,
            expected,
            found,
        }
    }

    fn new_segment(&self, number: i64) -> Segment {
        Segment {
            number,
            image_times: Vec::new(),
            images: Vec::new(),
            image_bytes: 0,
            joints: Stream::new(0),
            commands: Stream::new(0),
            rewards: Stream::new(1),
        }
    }

    fn segment(&mut self) -> &mut Segment {
        let fresh = self.segment.is_none().then(|| self.new_segment(-1));
        self.segment
            .get_or_insert_with(|| fresh.expect("made when there is none"))
    }

    /// Whether all of [`Self::shape`] is known before the end of the bag.
    fn knows_its_shape(&self) -> bool {
        self.action_width.is_some_and(|width| width > 0)
            && (self.joints.is_some() || !self.wants_joints)
    }

    fn shape(&self) -> Shape {
        let (width, height) = self.size.unwrap_or_default();
        let joints = self.joints.as_ref();
        Shape {
            width: width as usize,
            height: height as usize,
            joint_names: joints.map_or(Vec::new(), |order| order.names().to_vec()),
            action_width: self.action_width.unwrap_or(0),
        }
    }

    /// Gives the episodes of the complete segments away.
    fn give(&mut self, sink: &mut dyn EpisodeSink) -> Result<(), DataError> {
        if self.segments.is_empty() {
            return Ok(());
        }
        let shape = self.shape();
        for mut segment in std::mem::take(&mut self.segments) {
            // Also where a segment has none of these messages.
            segment.commands.width = shape.action_width;
            segment.joints.width = 2 * shape.joint_names.len();
            for episode in segment.episodes(self.period_ns) {
                if episode.len() < self.min_frames {
                    self.taken.short += 1;
                    continue;
                }
                self.taken.episodes += 1;
                self.taken.frames += episode.len();
                sink.add(&shape, episode).map_err(DataError::Store)?;
            }
        }
        Ok(())
    }

    fn close_segment(&mut self) {
        if let Some(segment) = self.segment.take()
            && !segment.image_times.is_empty()
        {
            self.segments.push(segment);
        }
    }
}

impl Segment {
    fn episodes(&self, period_ns: i64) -> impl Iterator<Item = Episode> {
        let channels = Channels {
            joints: &self.joints,
            commands: &self.commands,
            rewards: &self.rewards,
        };
        let runs = ticks(&self.image_times, period_ns);
        let episodes = runs.into_iter().map(move |run| {
            let mut episode = Episode {
                number: self.number,
                ..Episode::default()
            };
            for tick in run {
                let known = channels.append(
                    tick.time_ns,
                    period_ns,
                    &mut episode.joints,
                    &mut episode.actions,
                    &mut episode.rewards,
                );
                if known {
                    if episode.images.is_empty() {
                        episode.start_ns = tick.time_ns;
                    }
                    let image = &self.images[tick.image * self.image_bytes..][..self.image_bytes];
                    episode.images.extend_from_slice(image);
                }
            }
            episode
        });
        episodes.filter(|episode| !episode.is_empty())
    }
}

fn format_size((width, height): (u32, u32)) -> String {
    format!("{width} x {height} pixels")
}
