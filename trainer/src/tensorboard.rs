//! TensorBoard event files: records of `[length, crc of length, message, crc of message]`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// One event of the file (TensorFlow's `Event` message, as far as it is used here).
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since the epoch.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// Step of the training run.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// `brain.Event:2` in the first record of a file, else empty.
    #[prost(string, tag = "3")]
    pub file_version: String,
    /// Values recorded at this step.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
}

/// Values recorded at one step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// One named value: a number or a picture.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Name, with `/` between groups.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The number.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    /// The picture.
    #[prost(message, optional, tag = "4")]
    pub image: Option<Picture>,
}

/// A picture.
#[derive(Clone, PartialEq, Message)]
pub struct Picture {
    /// Rows.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Columns.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 3 for RGB.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// PNG file.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded_image_string: Vec<u8>,
}

/// Writes one event file.
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// Creates a new event file in `folder`, which is made if needed.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!(
            "events.out.tfevents.{}.{:09}.latco",
            now.as_secs(),
            now.subsec_nanos()
        );
        let mut writer = Self {
            file: File::create_new(folder.join(name))?,
        };
        writer.write(&Event {
            wall_time: now.as_secs_f64(),
            file_version: "brain.Event:2".to_owned(),
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// Records numbers at a step.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn scalars(&mut self, step: usize, values: &[(String, f32)]) -> io::Result<()> {
        let value = values
            .iter()
            .map(|(tag, value)| Value {
                tag: tag.clone(),
                simple_value: Some(*value),
                image: None,
            })
            .collect();
        self.summary(step, value)
    }

    /// Records an RGB picture (PNG file) at a step.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn picture(
        &mut self,
        step: usize,
        tag: &str,
        width: usize,
        height: usize,
        png: Vec<u8>,
    ) -> io::Result<()> {
        let image = Picture {
            height: height as i32,
            width: width as i32,
            colorspace: 3,
            encoded_image_string: png,
        };
        let value = Value {
            tag: tag.to_owned(),
            simple_value: None,
            image: Some(image),
        };
        self.summary(step, vec![value])
    }

    fn summary(&mut self, step: usize, value: Vec<Value>) -> io::Result<()> {
        let wall_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64());
        self.write(&Event {
            wall_time,
            step: step as i64,
            file_version: String::new(),
            summary: Some(Summary { value }),
        })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        self.file.write_all(&record(&event.encode_to_vec()))
    }
}

/// Frames a message as a record.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(message.len() + 16);
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(message);
    out.extend_from_slice(&masked_crc(message).to_le_bytes());
    out
}

/// CRC-32C, rotated and offset as record files want it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_masked_castagnoli_crc() {
        // CRC-32C of 32 zero bytes is 8A9136AA (RFC 3720, B.4).
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let expected = 0x8a91_36aau32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc(&[0; 32]), expected);
    }

    #[test]
    fn a_written_file_reads_back_record_by_record() {
        let folder = std::env::temp_dir().join(format!("latco-events-{}", std::process::id()));
        let mut writer = EventWriter::create(&folder).unwrap();
        writer
            .scalars(
                7,
                &[
                    ("world/loss".to_owned(), 1.5),
                    ("world/kl".to_owned(), 0.25),
                ],
            )
            .unwrap();
        let file = std::fs::read_dir(&folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();

        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
            let message = &rest[12..12 + length];
            assert_eq!(
                rest[12 + length..16 + length],
                masked_crc(message).to_le_bytes()
            );
            events.push(Event::decode(message).unwrap());
            rest = &rest[16 + length..];
        }
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].file_version, "brain.Event:2");
        assert_eq!(events[1].step, 7);
        let values = &events[1].summary.as_ref().unwrap().value;
        assert_eq!(values[0].tag, "world/loss");
        assert_eq!(values[1].simple_value, Some(0.25));
    }
}
