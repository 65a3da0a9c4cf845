//! Writing a sqlite3 file in the layout of rosbag2 since ROS 2 Iron (schema version 4), which older ones read too.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::contract::{Channel, FileWriter};
use crate::error::BagError;

/// Number of message bytes after which they are committed, as an MCAP chunk is closed.
const COMMIT_BYTES: usize = 256 * 1024;

const LAYOUT: &str = "
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
  serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
  encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
INSERT INTO schema(schema_version, ros_distro) VALUES (4, '');
";

pub(crate) struct SqliteWriter {
    path: PathBuf,
    connection: Connection,
    /// Number of bytes in the open transaction; `None` while none is open.
    open: Option<usize>,
    types: Vec<String>,
}

impl SqliteWriter {
    pub(crate) fn create(path: &Path) -> Result<Self, BagError> {
        std::fs::File::create_new(path)
            .map_err(|source| BagError::io(path, "making the file", source))?;
        let failed = |error: rusqlite::Error| write_error(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.execute_batch(LAYOUT).map_err(failed)?;
        // With a write-ahead log, a recorder that is killed leaves everything up to its last commit.
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
            .map_err(failed)?;
        Ok(Self {
            path: path.to_path_buf(),
            connection,
            open: None,
            types: Vec::new(),
        })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> BagError + use<> {
        let path = self.path.clone();
        move |error| write_error(&path, &error)
    }

    fn begin(&mut self) -> Result<(), BagError> {
        if self.open.is_none() {
            self.connection
                .execute_batch("BEGIN")
                .map_err(self.failed())?;
            self.open = Some(0);
        }
        Ok(())
    }
}

impl FileWriter for SqliteWriter {
    fn add_topic(&mut self, topic: &Channel) -> Result<u16, BagError> {
        self.begin()?;
        let failed = self.failed();
        let (type_name, type_hash) = (&*topic.type_name, topic.type_hash());
        if !topic.definition.is_empty() && !self.types.iter().any(|ty| ty == type_name) {
            self.connection
                .execute(
                    "INSERT INTO message_definitions(topic_type, encoding, encoded_message_definition, \
                     type_description_hash) VALUES (?1, ?2, ?3, ?4)",
                    params![type_name, &*topic.language, &*topic.definition, type_hash],
                )
                .map_err(&failed)?;
            self.types.push(type_name.to_owned());
        }
        self.connection
            .execute(
                "INSERT INTO topics(name, type, serialization_format, offered_qos_profiles, \
                 type_description_hash) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    &*topic.topic,
                    type_name,
                    &*topic.encoding,
                    topic.offered_qos(),
                    type_hash
                ],
            )
            .map_err(&failed)?;
        u16::try_from(self.connection.last_insert_rowid()).map_err(|_| BagError::Write {
            path: self.path.clone(),
            detail: "expected at most 65535 topics".to_owned(),
        })
    }

    fn write(
        &mut self,
        topic: u16,
        _: u32,
        (time_ns, _): (u64, u64),
        cdr: &[u8],
    ) -> Result<(), BagError> {
        self.begin()?;
        let failed = self.failed();
        self.connection
            .prepare("INSERT INTO messages(topic_id, timestamp, data) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![topic, time_ns as i64, cdr]))
            .map_err(failed)?;
        let open = self.open.unwrap_or(0) + cdr.len();
        self.open = Some(open);
        if open >= COMMIT_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BagError> {
        if self.open.take().is_some() {
            self.connection
                .execute_batch("COMMIT")
                .map_err(self.failed())?;
        }
        Ok(())
    }

    fn finish(&mut self, version: u32, metadata: &str) -> Result<(), BagError> {
        self.begin()?;
        self.connection
            .execute(
                "INSERT INTO metadata(metadata_version, metadata) VALUES (?1, ?2)",
                params![version, metadata],
            )
            .map_err(self.failed())?;
        self.flush()?;
        // One plain file, which is read without writing beside it.
        self.connection
            .pragma_update(None, "journal_mode", "DELETE")
            .map_err(self.failed())
    }
}

fn write_error(path: &Path, error: &rusqlite::Error) -> BagError {
    BagError::Write {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}
