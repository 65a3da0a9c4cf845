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

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use latco_bag::image::CameraImage;
use latco_bag::messages::Float64;
use latco_bag::recording::{Event, Keys, Need, Needs, Recording, Wanted};
use latco_bag::{BagWriter, topics};
use serde::Serialize;

use contents::{Contents, FrameTime};

pub use contents::{LabelledEpisode, Rule};
pub use error::LabelError;
pub use ranges::{Range, Ranges};

/// File name of the strip in the folder of the labelled bag.
pub const STRIP_FILE: &str = "labels.png";

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

/// Copies `bag` to `out` with a reward for every image of the topic `image` (empty takes `camera/image_raw`, else the only
/// one); `bag` itself is not changed. Rewards that it has already are left out.
///
/// # Errors
/// [`LabelError`]; what is wrong with labels and bag is reported all at once, and nothing is
/// written then.
pub fn label(bag: &Path, out: &Path, rule: &Rule, image: &str) -> Result<Labelled, LabelError> {
    let wanted = Wanted {
        image: image.to_owned(),
        joints: Some(Vec::new()),
        keys: Keys {
            image: "--image",
            ..Keys::default()
        },
        ..Wanted::default()
    };
    let needs = Needs {
        images: Need::May,
        ..Needs::default()
    };
    let recording = Recording::open(bag, &wanted, needs)?;
    let refuse = |problems| LabelError::Refused {
        bag: bag.to_path_buf(),
        problems,
    };
    let mut wrong = labels::check_topics(recording.bag(), rule);
    if let Err(error) = wanted.camera(recording.bag()) {
        wrong.push(error.to_string());
    }
    if !wrong.is_empty() {
        return Err(refuse(wrong));
    }
    let contents = look(&recording, rule)?;
    let rewards = labels::rewards(&contents, recording.bag(), rule).map_err(refuse)?;

    let existed = out.exists();
    let written = write(&recording, out, &contents, &rewards);
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
fn look(recording: &Recording, rule: &Rule) -> Result<Contents, LabelError> {
    let mut contents = Contents {
        frames: Vec::new(),
        episodes: Vec::new(),
        values: Vec::new(),
        problems: Vec::new(),
    };
    let is_label = |topic: &str| matches!(rule, Rule::Topic(name) if topics::matches(topic, name));
    let problems = recording.events(|event| {
        match event {
            Event::Episode { time_ns, number } => contents.episodes.push((number, time_ns)),
            Event::Image { time_ns, .. } => {
                let episode = contents.episode(time_ns);
                contents.frames.push(FrameTime { time_ns, episode });
            }
            Event::Reward { time_ns, value } if is_label(topics::REWARD) => {
                let episode = contents.episode(time_ns);
                contents.values.push((time_ns, episode, value));
            }
            Event::Other(message) if is_label(&message.topic) => {
                let episode = contents.episode(message.time_ns);
                let value = labels::value_of(message)?;
                contents.values.push((message.time_ns, episode, value));
            }
            _ => {}
        }
        Ok::<_, LabelError>(ControlFlow::Continue(()))
    })?;
    contents.problems.extend(problems);
    Ok(contents)
}

/// Writes copy and strip; returns the strip's path and how many rewards were left out.
fn write(
    recording: &Recording,
    out: &Path,
    contents: &Contents,
    rewards: &[f64],
) -> Result<(PathBuf, u64), LabelError> {
    let reader = recording.bag();
    let is_reward = |topic: &str| topics::matches(topic, topics::REWARD);
    let mut bag = BagWriter::create_copy(out, reader, is_reward)?;
    bag.announce::<Float64>(topics::REWARD)?;
    let mut strip = strip::Strip::new(contents, rewards);
    let (mut frame, mut replaced) = (0, 0);
    for message in reader.all_messages() {
        // What is damaged was reported when the bag was looked at.
        let Ok(message) = message else { continue };
        if is_reward(&message.topic) {
            replaced += 1;
            continue;
        }
        bag.copy(&message)?;
        if recording.is_image(&message)
            && let Ok(picture) = CameraImage::decode(&message)
        {
            let reward = Float64 {
                data: rewards[frame],
            };
            bag.write(topics::REWARD, contents.frames[frame].time_ns, &reward)?;
            if strip.wants(frame) {
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
