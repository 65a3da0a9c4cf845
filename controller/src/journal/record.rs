//! Steps as bytes: a version, then postcard, then the sums of the chain.

use latco_models::Bundle;
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::config::Config;
use crate::plan::DumpHeader;

/// Version of the format that this program writes.
const FORMAT: u8 = 2;
/// Version that is read as well: records without sums.
const FORMAT_WITHOUT_SUMS: u8 = 1;
/// Bytes of the two sums at the end of a record.
const SUMS: usize = 64;

/// The model and the configuration of the steps that follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name and version of the program that wrote it.
    pub program: String,
    /// Folder of the bundle, as it was named when the journal was written.
    pub bundle: String,
    /// SHA-256 over names and sums of the bundle's files, in hexadecimal.
    pub bundle_sha256: String,
    /// The configuration in TOML.
    pub config: String,
}

impl Header {
    /// Makes the header for a controller with this configuration and bundle.
    ///
    /// # Errors
    /// [`JournalError::Config`] when the configuration cannot be written as TOML.
    pub fn new(config: &Config, bundle: &Bundle) -> Result<Self, JournalError> {
        let dump = DumpHeader::new(config, bundle);
        Ok(Self {
            program: dump.program,
            bundle: dump.bundle,
            bundle_sha256: dump.bundle_sha256,
            config: toml::to_string(config).map_err(|e| JournalError::Config(e.to_string()))?,
        })
    }
}

/// One message of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A header: the steps that follow are of this model and configuration.
    Header(Header),
    /// A step.
    Step(Step),
}

/// A [`Record`] that borrows its contents.
#[derive(Serialize)]
enum Borrowed<'a> {
    Header(&'a Header),
    Step(&'a Step),
}

/// The reason why a record cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The record was written by another version.
    #[error(
        "expected a record of journal format {FORMAT}, found format {0}; replay it with the version that recorded it"
    )]
    Format(u8),
    /// The bytes are no record.
    #[error("expected a record of the controller's journal, found bytes that are none: {0}")]
    Content(String),
    /// The configuration cannot be kept.
    #[error("the configuration cannot be written down: {0}")]
    Config(String),
}

impl Record {
    /// Reads one message by itself; [`ChainReader`](super::ChainReader) also says whether it follows the one before.
    ///
    /// # Errors
    /// [`JournalError::Format`] and [`JournalError::Content`].
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        Self::with_sums(bytes).map(|(record, _)| record)
    }

    /// Reads one message: the record and its sums, which are empty in format 1.
    ///
    /// # Errors
    /// [`JournalError::Format`] and [`JournalError::Content`].
    pub(super) fn with_sums(bytes: &[u8]) -> Result<(Self, &[u8]), JournalError> {
        let content = |reason: &str| JournalError::Content(reason.to_owned());
        let (rest, sums) = match bytes.split_first() {
            None => return Err(content("there are none")),
            Some((&FORMAT, rest)) => (rest, SUMS),
            Some((&FORMAT_WITHOUT_SUMS, rest)) => (rest, 0),
            Some((&format, _)) => return Err(JournalError::Format(format)),
        };
        let (record, rest) =
            postcard::take_from_bytes(rest).map_err(|e| content(&e.to_string()))?;
        match rest.len() == sums {
            true => Ok((record, rest)),
            false => Err(content("its length is not that of one record")),
        }
    }
}

/// Encodes a header as one message, without its sums.
///
/// # Errors
/// [`JournalError::Content`], which does not happen.
pub(super) fn encode_header(header: &Header) -> Result<Vec<u8>, JournalError> {
    encode(&Borrowed::Header(header))
}

/// Encodes a step as one message, without its sums.
///
/// # Errors
/// [`JournalError::Content`], which does not happen.
pub(super) fn encode_step(step: &Step) -> Result<Vec<u8>, JournalError> {
    encode(&Borrowed::Step(step))
}

fn encode(record: &Borrowed<'_>) -> Result<Vec<u8>, JournalError> {
    postcard::to_extend(record, vec![FORMAT]).map_err(|e| JournalError::Content(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{Event, ImageMark};
    use super::*;
    use crate::time::Time;

    fn step() -> Step {
        Step {
            number: 7,
            gap: true,
            events: vec![
                Event::Reset { episode: 3 },
                Event::Joints {
                    now: Time(5),
                    stamp: Time(4),
                    positions: [0.5, f64::NAN].into_iter().collect(),
                    velocities: [-1.0].into_iter().collect(),
                },
            ],
            image: Some(ImageMark {
                stamp: Time(9),
                now: Time(10),
                crc32c: 77,
            }),
            ..Step::default()
        }
    }

    #[test]
    fn a_record_survives_and_a_damaged_one_is_refused() {
        let mut bytes = encode_step(&step()).unwrap();
        bytes.extend([7; SUMS]);
        let (Record::Step(read), sums) = Record::with_sums(&bytes).unwrap() else {
            panic!("not a step");
        };
        assert_eq!(format!("{read:?}"), format!("{:?}", step()));
        assert_eq!(sums, [7; SUMS]);
        for cut in 0..bytes.len() {
            assert!(Record::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Record::decode(&longer).is_err());
        let mut without = bytes[..bytes.len() - SUMS].to_vec();
        without[0] = FORMAT_WITHOUT_SUMS;
        assert!(Record::with_sums(&without).unwrap().1.is_empty());
        let mut other = bytes;
        other[0] = FORMAT + 1;
        assert_eq!(
            Record::decode(&other),
            Err(JournalError::Format(FORMAT + 1))
        );
    }
}
