//! One bag to episodes.

use std::collections::BTreeMap;
use std::path::Path;

use latco_bag::joints::JointOrder;
use latco_bag::messages::{Float64, Float64MultiArray, Image, Int64, JointState, RosMessage};
use latco_bag::{BagError, BagMessage, BagReader, image, topics};

use super::resample::{Channels, Stream, ticks};
use super::{BagReport, DataError, Dataset, Episode, LoadOptions};

/// Stamps and recording times further apart than this are of different clocks, ns.
const SAME_CLOCK_NS: u64 = 10_000_000_000;

/// Reads the episodes of `bag` into `data`. The first bag with frames decides the image size,
/// joint names and action width where the options leave them open.
pub(super) fn episodes(
    bag: &Path,
    options: &LoadOptions,
    data: &mut Dataset,
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
    topic(topics::CAMERA_IMAGE, Image::TYPE)?;
    topic(topics::COMMANDS, Float64MultiArray::TYPE)?;
    let started = !data.episodes.is_empty();
    let joint_names = match &options.joint_names {
        Some(names) => Some(names),
        None => started.then_some(&data.joint_names),
    };
    if joint_names.is_some_and(|names| !names.is_empty()) {
        topic(topics::JOINT_STATES, JointState::TYPE)?;
    }
    let mut collector = Collector {
        bag,
        size: options
            .image_size
            .or(started.then_some((data.width as u32, data.height as u32))),
        fixed_size: options.image_size.is_some(),
        joints: joint_names.map(|names| JointOrder::new(names.clone())),
        wants_joints: joint_names.is_none_or(|names| !names.is_empty()),
        action_width: match options.action_scale.len() {
            0 => started.then_some(data.action_width),
            count => Some(count),
        },
        action_scale: &options.action_scale,
        uses_stamps: None,
        segment: None,
        segments: Vec::new(),
        problems: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    for message in reader.messages() {
        match message {
            Ok(message) => collector.take(&message)?,
            Err(error) if error.is_partial() => problems.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    collector.close_segment();
    for (problem, (count, example)) in &collector.problems {
        problems.push(format!("{count} {problem} ignored, the first: {example}"));
    }

    let period_ns = (options.control_period_s * 1e9).round() as i64;
    let action_width = collector.action_width.unwrap_or(0);
    if action_width == 0 {
        problems.push("no command with values".to_owned());
        collector.segments.clear();
    }
    let joints_width = collector.joints.as_ref().map_or(0, |order| 2 * order.len());
    let mut episodes = Vec::new();
    let mut short = 0;
    for segment in &mut collector.segments {
        // Also where a segment has none of these messages.
        (segment.commands.width, segment.joints.width) = (action_width, joints_width);
        for episode in segment.episodes(period_ns) {
            if episode.len() >= options.min_frames.max(1) {
                episodes.push(episode);
            } else {
                short += 1;
            }
        }
    }
    if short > 0 {
        problems.push(format!(
            "{short} episodes with less than {} frames left out",
            options.min_frames
        ));
    }
    if reader.topic(topics::REWARD).is_none() {
        problems.push("no topic `reward`: rewards are taken as 0".to_owned());
    }
    if episodes.is_empty() {
        return Err(DataError::NoFrames {
            bag: bag.to_path_buf(),
            problems,
        });
    }
    if !started {
        let (width, height) = collector.size.unwrap_or_default();
        (data.width, data.height) = (width as usize, height as usize);
        data.joint_names = collector
            .joints
            .map_or(Vec::new(), |order| order.names().to_vec());
        data.action_width = action_width;
    }
    let report = BagReport {
        bag: bag.to_path_buf(),
        episodes: episodes.len(),
        frames: episodes.iter().map(Episode::len).sum(),
        problems,
    };
    data.episodes.append(&mut episodes);
    Ok(report)
}

/// Takes messages in the order of time and sorts them into segments between episode marks.
struct Collector<'a> {
    bag: &'a Path,
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
    segments: Vec<Segment>,
    /// Messages that cannot be used: kind, then number and first example.
    problems: BTreeMap<&'static str, (usize, String)>,
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
        if is(topics::CAMERA_IMAGE) {
            match message.decode::<Image>() {
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

    fn image(&mut self, time_ns: i64, message: &Image) -> Result<(), DataError> {
        let stamp = message.header.stamp.to_nanos();
        let uses_stamps = *self
            .uses_stamps
            .get_or_insert(stamp.abs_diff(time_ns) < SAME_CLOCK_NS);
        if let Err(error) = image::validate(message) {
            self.note("images", error.to_string());
            return Ok(());
        }
        let found = (message.width, message.height);
        let size = *self.size.get_or_insert(found);
        if !self.fixed_size && size != found {
            return Err(self.mismatch("images of", format_size(size), format_size(found)));
        }
        let time = if uses_stamps { stamp } else { time_ns };
        let segment = self.segment();
        let bytes = size.0 as usize * size.1 as usize * 3;
        segment.image_bytes = bytes;
        // Images rarely overtake one another; one that does is put in its place.
        let at = segment.image_times.partition_point(|known| *known <= time);
        segment.image_times.insert(at, time);
        let old = segment.images.len();
        segment.images.resize(old + bytes, 0);
        segment
            .images
            .copy_within(at * bytes..old, (at + 1) * bytes);
        let target = &mut segment.images[at * bytes..(at + 1) * bytes];
        image::rgb_into(message, size.0, size.1, target)
            .expect("the image was validated and the buffer has its size");
        Ok(())
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

    fn close_segment(&mut self) {
        if let Some(segment) = self.segment.take()
            && !segment.image_times.is_empty()
        {
            self.segments.push(segment);
        }
    }
}

impl Segment {
    fn episodes(&self, period_ns: i64) -> Vec<Episode> {
        let channels = Channels {
            joints: &self.joints,
            commands: &self.commands,
            rewards: &self.rewards,
        };
        let runs = ticks(&self.image_times, period_ns);
        let episodes = runs.iter().map(|run| {
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
        episodes.filter(|episode| !episode.is_empty()).collect()
    }
}

fn format_size((width, height): (u32, u32)) -> String {
    format!("{width} x {height} pixels")
}
