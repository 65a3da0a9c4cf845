//! Writing an MCAP file with the profile of ROS 2.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use mcap::records::{MessageHeader, Metadata};

use super::contract::{Channel, Compression, FileWriter, full_or};
use crate::error::BagError;

/// Uncompressed size in bytes at which a chunk is closed. A cut recording loses at most one chunk: two
/// seconds of 64x64 images at 10 Hz.
const CHUNK_BYTES: u64 = 256 * 1024;

pub(crate) struct McapWriter {
    path: PathBuf,
    mcap: mcap::Writer<BufWriter<File>>,
}

impl McapWriter {
    pub(crate) fn create(path: &Path, compression: Compression) -> Result<Self, BagError> {
        let handle = File::create_new(path)
            .map_err(|source| BagError::io(path, "making the file", source))?;
        let mcap = mcap::WriteOptions::new()
            .profile("ros2")
            .library("latco-bag")
            .compression(match compression {
                Compression::Zstd => Some(mcap::Compression::Zstd),
                Compression::Lz4 => Some(mcap::Compression::Lz4),
                Compression::None => None,
            })
            .compression_threads(0)
            .chunk_size(Some(CHUNK_BYTES))
            .create(BufWriter::new(handle))
            .map_err(|error| write_error(path, &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            mcap,
        })
    }
}

impl FileWriter for McapWriter {
    fn add_topic(&mut self, topic: &Channel) -> Result<u16, BagError> {
        // rosbag2 gives types without a definition a schema without language.
        let schema = match (&*topic.type_name, &*topic.language) {
            ("", "") => Ok(0),
            (name, language) => (self.mcap).add_schema(name, language, topic.definition.as_bytes()),
        };
        schema
            .and_then(|schema| {
                (self.mcap).add_channel(schema, &topic.topic, &topic.encoding, &topic.about)
            })
            .map_err(|error| write_error(&self.path, &error))
    }

    fn write(
        &mut self,
        topic: u16,
        sequence: u32,
        (log_time, publish_time): (u64, u64),
        cdr: &[u8],
    ) -> Result<(), BagError> {
        let header = MessageHeader {
            channel_id: topic,
            sequence,
            log_time,
            publish_time,
        };
        self.mcap
            .write_to_known_channel(&header, cdr)
            .map_err(|error| write_error(&self.path, &error))
    }

    fn flush(&mut self) -> Result<(), BagError> {
        self.mcap
            .flush()
            .map_err(|error| write_error(&self.path, &error))
    }

    fn finish(&mut self, _: u32, metadata: &str) -> Result<(), BagError> {
        let record = Metadata {
            name: "rosbag2".to_owned(),
            metadata: BTreeMap::from([("serialized_metadata".to_owned(), metadata.to_owned())]),
        };
        self.mcap
            .write_metadata(&record)
            .and_then(|()| self.mcap.finish())
            .map(|_| ())
            .map_err(|error| write_error(&self.path, &error))
    }
}

fn write_error(path: &Path, error: &mcap::McapError) -> BagError {
    BagError::Write {
        path: path.to_path_buf(),
        detail: match error {
            mcap::McapError::Io(error) => full_or(error),
            other => other.to_string(),
        },
    }
}
