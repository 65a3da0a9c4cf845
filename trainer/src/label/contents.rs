//! What decides the rewards: the rule, and what is known of the bag.

use serde::Serialize;

use super::ranges::Ranges;

/// Where the rewards come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// The values on a topic of type `std_msgs/msg/Float64`, `Float32` or `Bool`, each held until
    /// the next, and 0 before the first of an episode.
    Topic(String),
    /// Time ranges with a reward; 0 elsewhere.
    Ranges(Ranges),
    /// The last so many seconds of each episode have the reward 1; 0 before.
    LastSeconds(f64),
}

/// What was labelled of one episode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelledEpisode {
    /// Number given by the recorder; -1 for what stands before the first mark.
    pub number: i64,
    /// Its images.
    pub frames: usize,
    /// Those with a reward other than 0.
    pub rewarded: usize,
    /// Time from its first to its last image, s.
    pub seconds: f64,
}

/// One camera image of the bag, in the order of the recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FrameTime {
    /// When it was seen, ns: its stamp if that is of the recording's clock.
    pub(super) time_ns: i64,
    /// Index of its episode.
    pub(super) episode: usize,
}

/// What is known of the bag before labelling.
pub(super) struct Contents {
    pub(super) frames: Vec<FrameTime>,
    /// Number and time of the mark; the first may be the time before any mark.
    pub(super) episodes: Vec<(i64, i64)>,
    /// Values on the topic of the labels: time, episode, value.
    pub(super) values: Vec<(i64, usize, f64)>,
    pub(super) problems: Vec<String>,
}

impl Contents {
    /// The present episode; what comes before the first mark is one, too.
    pub(super) fn episode(&mut self, time_ns: i64) -> usize {
        if self.episodes.is_empty() {
            self.episodes.push((-1, time_ns));
        }
        self.episodes.len() - 1
    }
}
