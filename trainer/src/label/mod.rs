//! Reward labels for bags of real robots, which have none.
//!
//! A copy of the bag is written with one reward for every camera image; [`labels`] decides which,
//! [`ranges`] reads time ranges from a file, [`strip`] draws frames with their rewards, for
//! checking by eye.

mod contents;
mod error;
mod labels;
mod ranges;
mod strip;

use std::path::{Path, PathBuf};

use latco_bag::image::{CameraImage, camera_topic};
use latco_bag::messages::{Float64, Int64};
use latco_bag::{BagError, BagMessage, BagReader, BagWriter, topics};
use serde::Serialize;

use contents::{Contents, FrameTime, topic_list};

pub use contents::{LabelledEpisode, Rule};
pub use error::LabelError;
pub use ranges::{Range, Ranges};

/// File name of the strip in the folder of the labelled bag.
pub const STRIP_FILE: &str = "labels.png";
/// Stamps and recording times further apart than this are of different clocks, ns.
const SAME_CLOCK_NS: u64 = 10_000_000_000;

/// What was labelled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Labelled {
    /// The bag that was written.
    pub bag: PathBuf,
    /// The strip of labelled frames.
    pub strip: PathBuf,
    /// Images, each of which has a reward now.
    pub frames: usize,
    /// Images with a reward other than 0.
    pub rewarded: usize,
    /// Rewards of the original that are not in the copy.
    pub replaced: u64,
    /// One for each episode.
    pub episodes: Vec<LabelledEpisode>,
    /// What is odd about the labels, or was lost of the original.
    pub problems: Vec<String>,
}

/// Copies `bag` to `out` with a reward for every image; `bag` itself is not changed. Rewards that
/// it has already are left out.
///
/// # Errors
/// [`LabelError`]; what is wrong with labels and bag is reported all at once, and nothing is
/// written then.
pub fn label(bag: &Path, out: &Path, rule: &Rule) -> Result<Labelled, LabelError> {
    let reader = BagReader::open(bag)?;
    let refuse = |problems| LabelError::Refused {
        bag: bag.to_path_buf(),
        problems,
    };
    let mut wrong = labels::check_topics(&reader, rule);
    let camera = camera_topic(&reader)
        .filter(|topic| topic.messages > 0)
        .map(|topic| topic.name.clone());
    if camera.is_none() {
        wrong.push(format!(
            "expected a topic {} or {}, found {}",
            topics::CAMERA_IMAGE,
            topics::CAMERA_IMAGE_COMPRESSED,
            topic_list(&reader)
        ));
    }
    let Some(camera) = camera.filter(|_| wrong.is_empty()) else {
        return Err(refuse(wrong));
    };
    let contents = look(&reader, &camera, rule)?;
    let rewards = labels::rewards(&contents, &reader, rule).map_err(refuse)?;

    let existed = out.exists();
    let written = write(&reader, out, &camera, &contents, &rewards);
    if written.is_err() && !existed {
        // Half a copy is of no use; why it was not finished is reported.
        let _ = std::fs::remove_dir_all(out);
    }
    let (strip, replaced) = written?;
    let episodes = episodes(&contents, &rewards);
    let mut problems = contents.problems.clone();
    problems.extend(labels::oddities(&episodes, rule));
    Ok(Labelled {
        bag: out.to_path_buf(),
        strip,
        frames: rewards.len(),
        rewarded: rewards.iter().filter(|r| **r != 0.0).count(),
        replaced,
        episodes,
        problems,
    })
}

/// Reads times, episodes and the topic of the labels.
fn look(reader: &BagReader, camera: &str, rule: &Rule) -> Result<Contents, LabelError> {
    let mut contents = Contents {
        frames: Vec::new(),
        episodes: Vec::new(),
        values: Vec::new(),
        problems: Vec::new(),
    };
    for message in reader.messages() {
        let message = match message {
            Ok(message) => message,
            Err(error) if error.is_partial() => {
                contents.problems.push(error.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if topics::matches(&message.topic, topics::EPISODE) {
            let mark = message.decode::<Int64>()?;
            contents.episodes.push((mark.data, message.time_ns));
        } else if *message.topic == *camera {
            let episode = contents.episode(message.time_ns);
            if let Some(time_ns) = seen_at(&message)? {
                contents.frames.push(FrameTime { time_ns, episode });
            }
        } else if let Rule::Topic(name) = rule
            && topics::matches(&message.topic, name)
        {
            let episode = contents.episode(message.time_ns);
            let value = labels::value_of(&message)?;
            contents.values.push((message.time_ns, episode, value));
        }
    }
    Ok(contents)
}

/// When the image of a message was taken, ns; none if the message cannot be decoded, which the
/// trainer leaves out as well.
fn seen_at(message: &BagMessage) -> Result<Option<i64>, BagError> {
    match CameraImage::decode(message) {
        Ok(image) => {
            let stamp = image.header().stamp.to_nanos();
            let same_clock = stamp.abs_diff(message.time_ns) < SAME_CLOCK_NS && stamp >= 0;
            Ok(Some(if same_clock { stamp } else { message.time_ns }))
        }
        Err(error @ BagError::WrongType { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Writes copy and strip; returns the strip's path and how many rewards were left out.
fn write(
    reader: &BagReader,
    out: &Path,
    camera: &str,
    contents: &Contents,
    rewards: &[f64],
) -> Result<(PathBuf, u64), LabelError> {
    let mut bag = BagWriter::create(out)?;
    bag.announce::<Float64>(topics::REWARD)?;
    let mut strip = strip::Strip::new(contents, rewards);
    let (mut frame, mut replaced) = (0, 0);
    for message in reader.messages() {
        // What is damaged was reported when the bag was looked at.
        let Ok(message) = message else { continue };
        if topics::matches(&message.topic, topics::REWARD) {
            replaced += 1;
            continue;
        }
        let definition = (reader.topics().iter())
            .find(|t| *t.name == *message.topic && *t.type_name == *message.type_name)
            .map_or("", |topic| topic.definition.as_str());
        bag.write_raw(
            &message.topic,
            &message.type_name,
            definition,
            message.time_ns,
            &message.data,
        )?;
        if *message.topic == *camera && seen_at(&message)?.is_some() {
            let reward = Float64 {
                data: rewards[frame],
            };
            bag.write(topics::REWARD, contents.frames[frame].time_ns, &reward)?;
            if strip.wants(frame)
                && let Ok(picture) = CameraImage::decode(&message)
            {
                strip.add(frame, &picture);
            }
            frame += 1;
        }
    }
    bag.finish()?;
    let path = out.join(STRIP_FILE);
    strip.save(&path)?;
    Ok((path, replaced))
}

fn episodes(contents: &Contents, rewards: &[f64]) -> Vec<LabelledEpisode> {
    (contents.episodes.iter().enumerate())
        .filter_map(|(index, (number, _))| {
            let of_it = || {
                let frames = contents.frames.iter().zip(rewards);
                frames.filter(move |(frame, _)| frame.episode == index)
            };
            let first = of_it().map(|(frame, _)| frame.time_ns).min()?;
            let last = of_it().map(|(frame, _)| frame.time_ns).max()?;
            Some(LabelledEpisode {
                number: *number,
                frames: of_it().count(),
                rewarded: of_it().filter(|(_, reward)| **reward != 0.0).count(),
                seconds: (last - first) as f64 * 1e-9,
            })
        })
        .collect()
}
