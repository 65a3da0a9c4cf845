//! Which reward each image gets.

use latco_bag::messages::{Bool, Float32, Float64, RosMessage};
use latco_bag::recording::described;
use latco_bag::{BagError, BagMessage, BagReader};

use super::contents::{Contents, LabelledEpisode, Rule};
use super::ranges::Ranges;

/// Types of messages that can be rewards.
const VALUE_TYPES: [&str; 3] = [Float64::TYPE, Float32::TYPE, Bool::TYPE];

/// What is wrong with a rule for the topics of a bag.
pub(super) fn check_topics(reader: &BagReader, rule: &Rule) -> Vec<String> {
    match rule {
        Rule::Topic(name) => match reader.topic(name) {
            None => vec![format!(
                "expected a topic {name}, found {}",
                described(reader).join(", ")
            )],
            Some(topic) if !VALUE_TYPES.contains(&topic.type_name.as_str()) => vec![format!(
                "topic {name}: expected type {}, found {}",
                VALUE_TYPES.join(" or "),
                topic.type_name
            )],
            Some(topic) if topic.messages == 0 => {
                vec![format!("topic {name}: expected messages, found none")]
            }
            Some(_) => Vec::new(),
        },
        Rule::LastSeconds(seconds) if !(seconds.is_finite() && *seconds > 0.0) => vec![format!(
            "expected a positive number of seconds, found {seconds}"
        )],
        Rule::Ranges(_) | Rule::LastSeconds(_) => Vec::new(),
    }
}

/// The value of a message of one of the types that can be rewards.
pub(super) fn value_of(message: &BagMessage) -> Result<f64, BagError> {
    if *message.type_name == *Bool::TYPE {
        return Ok(f64::from(u8::from(message.decode::<Bool>()?.data)));
    }
    if *message.type_name == *Float32::TYPE {
        return Ok(f64::from(message.decode::<Float32>()?.data));
    }
    Ok(message.decode::<Float64>()?.data)
}

/// One reward for every image, or everything that is wrong.
pub(super) fn rewards(
    contents: &Contents,
    reader: &BagReader,
    rule: &Rule,
) -> Result<Vec<f64>, Vec<String>> {
    if contents.frames.is_empty() {
        return Err(vec![
            "expected images, found none that can be read".to_owned(),
        ]);
    }
    match rule {
        Rule::Topic(name) => from_topic(contents, name),
        Rule::Ranges(ranges) => from_ranges(contents, reader, ranges),
        Rule::LastSeconds(seconds) => Ok(last_seconds(contents, *seconds)),
    }
}

fn from_topic(contents: &Contents, name: &str) -> Result<Vec<f64>, Vec<String>> {
    let bad = (contents.values.iter()).filter(|(_, _, value)| !value.is_finite());
    let bad: Vec<i64> = bad.map(|(time, _, _)| *time).collect();
    if let Some(first) = bad.first() {
        return Err(vec![format!(
            "topic {name}: expected finite values, found {} others, the first at {first} ns",
            bad.len()
        )]);
    }
    // In the order of the recording, which is that of episodes and times.
    Ok((contents.frames.iter())
        .map(|frame| {
            let after = (contents.values).partition_point(|(time, episode, _)| {
                (*episode, *time) <= (frame.episode, frame.time_ns)
            });
            // A value belongs to the episode in which it was published.
            let known = (contents.values[..after].last())
                .filter(|(_, episode, _)| *episode == frame.episode);
            known.map_or(0.0, |(_, _, value)| *value)
        })
        .collect())
}

fn from_ranges(
    contents: &Contents,
    reader: &BagReader,
    ranges: &Ranges,
) -> Result<Vec<f64>, Vec<String>> {
    let bounds = reader.bounds_ns().unwrap_or_default();
    let spans = ranges.place(&contents.episodes, bounds)?;
    Ok((contents.frames.iter())
        .map(|frame| {
            let span = (spans.iter()).find(|s| (s.from_ns..s.to_ns).contains(&frame.time_ns));
            span.map_or(0.0, |span| span.reward)
        })
        .collect())
}

fn last_seconds(contents: &Contents, seconds: f64) -> Vec<f64> {
    let mut last = vec![i64::MIN; contents.episodes.len()];
    for frame in &contents.frames {
        last[frame.episode] = last[frame.episode].max(frame.time_ns);
    }
    let length = (seconds * 1e9) as i64;
    (contents.frames.iter())
        .map(|frame| {
            let left = last[frame.episode] - frame.time_ns;
            f64::from(u8::from(left < length))
        })
        .collect()
}

/// Labels that are possible but hardly meant.
pub(super) fn oddities(episodes: &[LabelledEpisode], rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    for episode in episodes {
        let number = episode.number;
        if episode.rewarded == episode.frames && episode.frames > 1 {
            found.push(match rule {
                Rule::LastSeconds(seconds) => format!(
                    "episode {number} takes {:.1} s: all of it lies in its last {seconds} s",
                    episode.seconds
                ),
                _ => format!("every image of episode {number} has a reward"),
            });
        }
    }
    if episodes.iter().all(|episode| episode.rewarded == 0) {
        found.push("no image has a reward other than 0".to_owned());
    }
    found
}
