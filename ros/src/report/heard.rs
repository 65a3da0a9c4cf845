//! What the bag says beside the journal.

use std::collections::BTreeMap;
use std::path::Path;

use latco_bag::messages::{
    DiagnosticStatus, Float64, Float64MultiArray, Int64, JointTrajectory, RosMessage as _,
    UInt8MultiArray,
};
use latco_bag::{BagReader, topics};
use latco_controller::journal::Record;

/// What was said on the topics of a recording. Times are those of the recording, in ns.
#[derive(Default)]
pub(super) struct Heard {
    /// Time at which the journal's step of each image was recorded, by the image's stamp: its plan was ready before.
    pub(super) steps: BTreeMap<i64, i64>,
    /// Times of the commands.
    pub(super) commands: Vec<i64>,
    /// Changes of what the node said of itself: time, level, message.
    pub(super) states: Vec<(i64, u8, String)>,
    /// Episode marks.
    pub(super) episodes: Vec<(i64, i64)>,
    /// Rewards.
    pub(super) rewards: Vec<(i64, f64)>,
}

/// Reads the bag. A message that cannot be read is left out.
///
/// # Errors
/// An error when the bag cannot be opened or read to its end.
pub(super) fn listen(bag: &Path) -> anyhow::Result<Heard> {
    let reader = BagReader::open(bag)?;
    let mut heard = Heard::default();
    for message in reader.messages() {
        let message = match message {
            Ok(message) => message,
            Err(error) if error.is_partial() => continue, // the replay told of it
            Err(error) => return Err(error.into()),
        };
        let (time, topic) = (message.time_ns, &*message.topic);
        match &*message.type_name {
            ty if ty == JointTrajectory::TYPE => heard.commands.push(time),
            ty if ty == Float64MultiArray::TYPE && topics::matches(topic, topics::COMMANDS) => {
                heard.commands.push(time);
            }
            ty if ty == Int64::TYPE && topics::matches(topic, topics::EPISODE) => {
                if let Ok(mark) = message.decode::<Int64>() {
                    heard.episodes.push((time, mark.data));
                }
            }
            ty if ty == Float64::TYPE && topics::matches(topic, topics::REWARD) => {
                if let Ok(reward) = message.decode::<Float64>() {
                    heard.rewards.push((time, reward.data));
                }
            }
            ty if ty == DiagnosticStatus::TYPE => {
                if let Ok(status) = message.decode::<DiagnosticStatus>() {
                    heard.state(time, status);
                }
            }
            ty if ty == UInt8MultiArray::TYPE && topic.ends_with("/journal") => {
                if let Ok(bytes) = message.decode::<UInt8MultiArray>()
                    && let Ok(Record::Step(step)) = Record::decode(&bytes.data)
                    && let Some(image) = step.image
                {
                    heard.steps.insert(image.stamp.0, time);
                }
            }
            _ => {}
        }
    }
    heard.commands.sort_unstable();
    Ok(heard)
}

impl Heard {
    fn state(&mut self, time: i64, status: DiagnosticStatus) {
        let last = self.states.last();
        if last.is_none_or(|(_, level, text)| (*level, text) != (status.level, &status.message)) {
            self.states.push((time, status.level, status.message));
        }
    }

    /// Time of the first command at or after `time`.
    pub(super) fn command_after(&self, time: i64) -> Option<i64> {
        let at = self.commands.partition_point(|&command| command < time);
        self.commands.get(at).copied()
    }
}
