//! The chain of a journal: each message has the sum of all before it, so that the first one that was changed, taken out or put in
//! is found.
//!
//! A message is `[version][record in postcard][sum before][sum]`, the sums of 32 bytes each:
//! `sum = SHA-256(sum before, version, record)`. The sum before the first message of a run is zero. This finds accidents and changes
//! of those who do not care; against somebody who computes all later sums anew, keep the last one, which `latco replay` prints,
//! apart from the recording.

use sha2::{Digest, Sha256};

use super::record::{Header, JournalError, Record, encode_header, encode_step};
use super::step::Step;

/// Bytes of a sum.
const SUM: usize = 32;

/// A sum of the chain.
type ChainSum = [u8; SUM];

/// Writes the messages of a run.
#[derive(Clone, Debug, Default)]
pub struct ChainWriter {
    last: ChainSum,
}

impl ChainWriter {
    /// The next message, which is a header.
    ///
    /// # Errors
    /// [`JournalError::Content`], which does not happen.
    pub fn header(&mut self, header: &Header) -> Result<Vec<u8>, JournalError> {
        encode_header(header).map(|record| self.link(record))
    }

    /// The next message, which is a step.
    ///
    /// # Errors
    /// [`JournalError::Content`], which does not happen.
    pub fn step(&mut self, step: &Step) -> Result<Vec<u8>, JournalError> {
        encode_step(step).map(|record| self.link(record))
    }

    fn link(&mut self, mut record: Vec<u8>) -> Vec<u8> {
        let sum = sum_after(&self.last, &record);
        record.extend(self.last);
        record.extend(sum);
        self.last = sum;
        record
    }
}

fn sum_after(before: &ChainSum, record: &[u8]) -> ChainSum {
    let mut sum = Sha256::new();
    sum.update(before);
    sum.update(record);
    sum.finalize().into()
}

/// The first place at which a journal is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// A message was changed.
    #[error(
        "the journal was changed: its message {message}, {}, does not have the sum that it says", after(.tick)
    )]
    Changed {
        /// Number of the message in the recording, from 1.
        message: u64,
        /// The last step before it.
        tick: Option<u64>,
    },
    /// Messages are missing, or were put in.
    #[error("the journal is not whole: what comes {} does not follow it (message {message}): something between them is missing", after(.tick))]
    Missing {
        /// Number of the message that does not follow, from 1.
        message: u64,
        /// The last step before it.
        tick: Option<u64>,
    },
}

fn after(tick: &Option<u64>) -> String {
    tick.map_or("at the beginning".to_owned(), |tick| {
        format!("after tick {tick}")
    })
}

/// Reads the messages of a recording in their order.
#[derive(Clone, Debug, Default)]
pub struct ChainReader {
    messages: u64,
    last: Option<ChainSum>,
    tick: Option<u64>,
    first_break: Option<ChainBreak>,
}

impl ChainReader {
    /// Reads the next message. One that was changed is read as it is, if it is a record at all.
    ///
    /// # Errors
    /// [`JournalError::Format`] and [`JournalError::Content`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<Record, JournalError> {
        self.messages += 1;
        let (message, tick) = (self.messages, self.tick);
        let (record, sums) = Record::with_sums(bytes)?;
        // A journal of format 1 has no chain.
        if let Some((before, sum)) = sums.split_first_chunk::<SUM>() {
            let written = &bytes[..bytes.len() - sums.len()];
            // A controller that starts begins a chain.
            let begins = matches!(record, Record::Header(_)) && *before == ChainSum::default();
            let found = if sum_after(before, written) != *sum {
                Some(ChainBreak::Changed { message, tick })
            } else if self.last.is_some_and(|last| last != *before) && !begins {
                Some(ChainBreak::Missing { message, tick })
            } else {
                None
            };
            if self.first_break.is_none() {
                self.first_break = found;
            }
            self.last = sum.try_into().ok();
        }
        if let Record::Step(step) = &record {
            self.tick = Some(step.number);
        }
        Ok(record)
    }

    /// The first place at which the journal is not as it was written; `None` if there is none so far.
    #[must_use]
    pub fn first_break(&self) -> Option<&ChainBreak> {
        self.first_break.as_ref()
    }

    /// The sum of the last message, in hexadecimal; `None` of a journal without a chain.
    #[must_use]
    pub fn last_sum(&self) -> Option<String> {
        let sum = self.last?;
        Some(sum.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Vec<u8>> {
        let mut writer = ChainWriter::default();
        let header = Header {
            program: "test".into(),
            bundle: "bundle".into(),
            bundle_sha256: "ab".into(),
            config: String::new(),
        };
        let step = |number| Step {
            number,
            ..Step::default()
        };
        let mut messages = vec![writer.header(&header).unwrap()];
        messages.extend((1..6).map(|number| writer.step(&step(number)).unwrap()));
        messages
    }

    fn read(messages: &[Vec<u8>]) -> ChainReader {
        let mut reader = ChainReader::default();
        for message in messages {
            reader.read(message).unwrap();
        }
        reader
    }

    #[test]
    fn the_first_changed_or_missing_tick_is_named() {
        let good = messages();
        let whole = read(&good);
        assert_eq!(whole.first_break(), None);
        assert_eq!(whole.last_sum().unwrap().len(), 64);
        // One that begins in the middle, and two runs one after the other, are whole.
        assert_eq!(read(&good[2..]).first_break(), None);
        assert_eq!(
            read(&[good.clone(), good.clone()].concat()).first_break(),
            None
        );

        for at in 0..good.len() {
            let mut missing = good.clone();
            missing.remove(at);
            let tick = (at > 1).then(|| at as u64 - 1);
            let message = at as u64 + 1;
            let expected = (0 < at && at < 5).then_some(ChainBreak::Missing { message, tick });
            assert_eq!(read(&missing).first_break(), expected.as_ref(), "{at}");
        }
        // The number of the third step, in the record and nowhere else.
        let mut changed = good.clone();
        assert_eq!(changed[3][2], 3);
        changed[3][2] = 77;
        let expected = ChainBreak::Changed {
            message: 4,
            tick: Some(2),
        };
        assert_eq!(read(&changed).first_break(), Some(&expected));
        let said = expected.to_string();
        assert!(said.contains("message 4, after tick 2"), "{said}");
        // Changed together with its own sum: the next one does not follow.
        let mut writer = ChainWriter {
            last: whole_before(&good[3]),
        };
        let forged = writer
            .step(&Step {
                number: 3,
                gap: true,
                ..Step::default()
            })
            .unwrap();
        let mut changed = good.clone();
        changed[3] = forged;
        let expected = ChainBreak::Missing {
            message: 5,
            tick: Some(3),
        };
        assert_eq!(read(&changed).first_break(), Some(&expected));
    }

    /// The sum before a message.
    fn whole_before(message: &[u8]) -> ChainSum {
        message[message.len() - 2 * SUM..][..SUM]
            .try_into()
            .unwrap()
    }
}
