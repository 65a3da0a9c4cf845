//! One bag to episodes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use latco_bag::image::{CameraImage, Converter, ImageError};
use latco_bag::recording::{Event, Need, Needs, Recording, Wanted};
use latco_bag::topics;
use latco_models::ActionKind;

use super::contract::{BagReport, Episode, EpisodeSink, LoadOptions, Shape};
use super::error::DataError;
use super::resample::{Channels, Stream, Tick, ticks};

/// Number of what stands before the first mark of an episode, or in a bag without any.
const UNMARKED: i64 = -1;
/// Most frames of an episode there: a robot that is recorded for an hour makes one long recording, of which parts have to be held
/// out. Several times as many as plans look ahead.
const UNMARKED_FRAMES: usize = 100;

/// Frames of the equal parts of so many, the last of which may have fewer.
fn part_frames(frames: usize) -> usize {
    frames.div_ceil(frames.div_ceil(UNMARKED_FRAMES)).max(1)
}

/// Reads the episodes of `bag` into `sink`. The first bag with frames decides the image size,
/// joint names and action width where the options leave them open.
pub(super) fn episodes(
    bag: &Path,
    options: &LoadOptions,
    common: &mut Option<Shape>,
    sink: &mut dyn EpisodeSink,
) -> Result<BagReport, DataError> {
    let known = common.as_ref().map(|shape| &shape.joint_names);
    let wanted = Wanted {
        joints: (options.topics.joints.as_ref().or(known)).cloned(),
        ..options.topics.clone()
    };
    let needs = Needs {
        images: Need::Must,
        joints: Need::May,
        commands: Need::Must,
    };
    let recording = Recording::open(bag, &wanted, needs)?;
    let size_of = |shape: &Shape| (shape.width as u32, shape.height as u32);
    let mut collector = Collector {
        bag,
        converter: Converter::new(),
        period_ns: (options.control_period_s * 1e9).round() as i64,
        min_frames: options.min_frames.max(1),
        size: options.image_size.or(common.as_ref().map(size_of)),
        fixed_size: options.image_size.is_some(),
        joints: match recording.has_joints() {
            true => recording.joints(),
            false => &[],
        },
        action_width: match options.action_scale.len() {
            0 => common.as_ref().map(|shape| shape.action_width),
            count => Some(count),
        },
        meaning: Meaning::new(options, recording.sends_numbers()),
        segment: None,
        segments: Vec::new(),
        problems: BTreeMap::new(),
        gaps: 0,
        cut: 0,
        taken: Taken::default(),
    };
    let mut problems = recording.events(|event| {
        collector.take(event)?;
        if collector.knows_its_shape() {
            collector.give(sink)?;
        }
        Ok::<_, DataError>(ControlFlow::Continue(()))
    })?;
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
    if collector.cut > 0 {
        problems.push(format!(
            "no episode marks: cut {} times, so that no episode has more than {UNMARKED_FRAMES} frames and some can be held out",
            collector.cut
        ));
    }
    if collector.gaps > 0 {
        problems.push(format!(
            "{} gaps without images for more than a period: an episode ends at each, and another begins behind it",
            collector.gaps
        ));
    }
    let rewards = recording.bag().topic(topics::REWARD);
    if rewards.is_none_or(|topic| topic.messages == 0) {
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

/// What the numbers of the commands of a bag are.
struct Meaning<'a> {
    kinds: &'a [ActionKind],
    /// Whether they are positions, whose changes are the actions.
    are_positions: bool,
    /// Whether they are joint velocities, whose actions are changes of positions in as many s.
    moved_in_s: Option<f64>,
    scale: &'a [f32],
}

impl<'a> Meaning<'a> {
    /// The meaning for actions of the kinds of `options` of commands that are numbers of messages, or velocities of joints.
    fn new(options: &'a LoadOptions, are_numbers: bool) -> Self {
        let kinds = &options.action_kinds[..];
        let positions = kinds.iter().any(|kind| kind.sends_position());
        Self {
            kinds,
            are_positions: are_numbers && kinds.contains(&ActionKind::JointPosition),
            moved_in_s: (positions && !are_numbers).then_some(options.control_period_s),
            scale: &options.action_scale,
        }
    }

    /// The numbers of the actions in a command.
    fn of(&self, command: &[f64]) -> Vec<f64> {
        let axes: Option<Vec<usize>> = self.kinds.iter().map(|kind| kind.twist_axis()).collect();
        match (axes, self.moved_in_s) {
            (Some(axes), _) if !axes.is_empty() && command.len() == 6 => {
                axes.iter().map(|axis| command[*axis]).collect()
            }
            (_, Some(seconds)) => command.iter().map(|speed| speed * seconds).collect(),
            _ => command.to_vec(),
        }
    }
}

/// Episodes of one bag so far.
#[derive(Default)]
struct Taken {
    episodes: usize,
    frames: usize,
    /// Left out because they are too short.
    short: usize,
}

/// Takes events in the order of recording and sorts them into segments between episode marks.
struct Collector<'a> {
    bag: &'a Path,
    converter: Converter,
    period_ns: i64,
    min_frames: usize,
    size: Option<(u32, u32)>,
    /// Whether images of another size are resized rather than refused.
    fixed_size: bool,
    /// Names of the joints; empty where none are read.
    joints: &'a [String],
    action_width: Option<usize>,
    meaning: Meaning<'a>,
    segment: Option<Segment>,
    /// Complete ones that were not given away yet.
    segments: Vec<Segment>,
    /// Messages that cannot be used: kind, then number and first example.
    problems: BTreeMap<&'static str, (usize, String)>,
    /// Gaps between images that ended an episode.
    gaps: usize,
    /// Cuts between images that no mark and no gap separates.
    cut: usize,
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
    fn take(&mut self, event: Event<'_>) -> Result<(), DataError> {
        match event {
            Event::Image { time_ns, image } => self.image(time_ns, &image)?,
            Event::Episode { number, .. } => {
                self.close_segment();
                self.segment = Some(self.new_segment(number));
            }
            Event::Joints {
                time_ns,
                positions,
                velocities,
            } if !self.joints.is_empty() => {
                let segment = self.segment();
                segment.joints.width = 2 * positions.len();
                segment
                    .joints
                    .push(time_ns, &[positions, velocities].concat());
            }
            Event::Sent {
                time_ns,
                velocities,
            } => self.command(time_ns, &velocities)?,
            Event::Reward { time_ns, value } => {
                self.segment().rewards.push(time_ns, &[value as f32]);
            }
            Event::Joints { .. } | Event::Other(_) => {}
        }
        Ok(())
    }

    fn image(&mut self, time: i64, message: &CameraImage) -> Result<(), DataError> {
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

    fn command(&mut self, time_ns: i64, command: &[f64]) -> Result<(), DataError> {
        let command = self.meaning.of(command);
        let found = command.len();
        let expected = *self.action_width.get_or_insert(found);
        if expected != found {
            return Err(self.mismatch(
                "commands with",
                format!("{expected} values"),
                format!("{found} values"),
            ));
        }
        let mut values: Vec<f32> = command.iter().map(|value| *value as f32).collect();
        if !self.meaning.are_positions {
            for (value, scale) in values.iter_mut().zip(self.meaning.scale) {
                *value /= scale;
            }
        }
        if values.iter().all(|value| value.is_finite()) {
            let segment = self.segment();
            segment.commands.width = expected;
            segment.commands.push(time_ns, &values);
        } else {
            self.note("commands", format!("{command:?} is not finite"));
        }
        Ok(())
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
        let fresh = (self.segment.is_none()).then(|| self.new_segment(UNMARKED));
        self.segment
            .get_or_insert_with(|| fresh.expect("made when there is none"))
    }

    /// Whether all of [`Self::shape`] is known before the end of the bag.
    fn knows_its_shape(&self) -> bool {
        self.action_width.is_some_and(|width| width > 0)
    }

    fn shape(&self) -> Shape {
        let (width, height) = self.size.unwrap_or_default();
        Shape {
            width: width as usize,
            height: height as usize,
            joint_names: self.joints.to_vec(),
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
            let mut runs = ticks(&segment.image_times, self.period_ns);
            self.gaps += runs.len().saturating_sub(1);
            if segment.number == UNMARKED {
                let parts = runs
                    .iter()
                    .flat_map(|run| run.chunks(part_frames(run.len())));
                let parts: Vec<Vec<Tick>> = parts.map(<[Tick]>::to_vec).collect();
                self.cut += parts.len() - runs.len();
                runs = parts;
            }
            let by: Vec<f32> = (0..shape.action_width)
                .map(|action| 1.0 / self.meaning.scale.get(action).copied().unwrap_or(1.0))
                .collect();
            let changes = self.meaning.are_positions.then_some(&by[..]);
            for episode in segment.episodes(runs, self.period_ns, changes) {
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
    fn episodes<'a>(
        &'a self,
        runs: Vec<Vec<Tick>>,
        period_ns: i64,
        changes: Option<&'a [f32]>,
    ) -> impl Iterator<Item = Episode> + 'a {
        let channels = Channels {
            joints: &self.joints,
            commands: &self.commands,
            rewards: &self.rewards,
            changes,
        };
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
