//! Whether a recording has all that was recorded.

use anyhow::Context as _;
use latco_bag::messages::UInt8MultiArray;
use latco_bag::{BagError, BagMessage};
use latco_controller::journal::{ChainReader, Record};

/// What a recording was found to lack while it was read.
#[derive(Default)]
pub struct Wholeness {
    /// Number of damaged parts of the bag before its end.
    pub holes: u64,
    /// The chain of the journal's records.
    pub chain: ChainReader,
}

impl Wholeness {
    /// What is missing or changed, in words.
    pub fn missing(&self) -> Option<String> {
        match (self.chain.first_break(), self.holes) {
            (Some(first), _) => Some(first.to_string()),
            (None, 0) => None,
            (None, holes) => Some(format!(
                "{holes} damaged parts of the bag are not read, see the log"
            )),
        }
    }

    /// Reads a message; `None` where a part of the bag is damaged and the rest can be read.
    pub(super) fn whole(
        &mut self,
        message: Result<BagMessage, BagError>,
    ) -> Result<Option<BagMessage>, BagError> {
        match message {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.is_partial() => {
                tracing::warn!(%error, "a part of the bag is missing");
                self.holes += u64::from(error.is_hole());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the next record of the journal.
    pub(super) fn decode(&mut self, message: &BagMessage) -> anyhow::Result<Record> {
        let bytes = message.decode::<UInt8MultiArray>()?.data;
        (self.chain.read(&bytes)).with_context(|| message.topic.to_string())
    }
}
