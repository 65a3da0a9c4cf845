//! Reading a sqlite3 file of rosbag2. The columns differ by distribution, so they are asked for by name.
//!
//! All rows are listed when the file is opened: 16 bytes of memory a message. Damaged pages are found then, and the
//! rows on both sides of them are listed one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement};

use super::contract::{Channel, Cursor, Taken};
use super::sqlite_open::{self, Database, unreadable};

use crate::error::BagError;

/// Largest number of rows that are looked for one by one between two readable ends. A row takes up to 100 µs where pages are
/// damaged; what lies behind so many is given up.
const MOST_SINGLE_ROWS: i64 = 10_000;
/// Bytes that a message takes in a file at least: the heads of its row and of its entry in the index, and its own.
const LEAST_ROW_BYTES: u64 = 24;

/// Time in nanoseconds and row number of a message.
type Listed = (i64, i64);

/// The contents of one sqlite3 file.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    pub(crate) path: PathBuf,
    pub(crate) damage: Vec<BagError>,
    channels: BTreeMap<i64, (Arc<Channel>, u64)>,
    /// The rows in the order of time.
    rows: Vec<Listed>,
    database: Database,
}

impl SqliteFile {
    pub(crate) fn open(path: &Path) -> Result<Self, BagError> {
        let database = sqlite_open::open(path)?;
        let topics = columns(&database.connection, path, "topics")?;
        let messages = columns(&database.connection, path, "messages")?;
        let expected = |table: &str, found: &[String], wanted: &[&str]| match wanted
            .iter()
            .find(|name| !found.iter().any(|column| column == *name))
        {
            None => Ok(()),
            Some(name) => Err(BagError::NotABag {
                path: path.to_path_buf(),
                found: format!(
                    "a SQLite database that is no bag: expected the column `{name}` of the table `{table}`, found {found:?}"
                ),
            }),
        };
        expected("topics", &topics, &["id", "name", "type"])?;
        expected("messages", &messages, &["topic_id", "timestamp", "data"])?;
        let mut file = Self {
            path: path.to_path_buf(),
            damage: Vec::new(),
            channels: BTreeMap::new(),
            rows: Vec::new(),
            database,
        };
        file.read_topics(&topics)
            .map_err(|error| unreadable(path, &error))?;
        let lost = file.list();
        file.rows.sort_unstable();
        if file.database.recovered {
            file.damage.push(BagError::Unfinished {
                path: path.to_path_buf(),
                detail: "its writer left a journal beside it, as one does that was killed"
                    .to_owned(),
                messages: file.rows.len() as u64,
                last_time_ns: file.rows.last().map_or(0, |(time, _)| *time),
            });
        }
        file.damage.extend(lost);
        Ok(file)
    }

    pub(crate) fn channels(&self) -> Vec<(Arc<Channel>, u64)> {
        self.channels.values().cloned().collect()
    }

    pub(crate) fn bounds_ns(&self) -> Option<(i64, i64)> {
        Some((self.rows.first()?.0, self.rows.last()?.0))
    }

    pub(crate) fn cursor(&self, from_ns: i64) -> SqliteCursor<'_> {
        SqliteCursor {
            file: self,
            next: self.rows.partition_point(|(time, _)| *time < from_ns),
            query: None,
        }
    }

    fn read_topics(&mut self, found: &[String]) -> rusqlite::Result<()> {
        let connection = &self.database.connection;
        let has = |name: &str| found.iter().any(|column| column == name);
        let or_empty = |name: &'static str| if has(name) { name } else { "''" };
        let definitions = definitions(connection)?;
        let mut query = connection.prepare(&format!(
            "SELECT id, name, type, {}, {}, {} FROM topics",
            or_empty("serialization_format"),
            or_empty("offered_qos_profiles"),
            or_empty("type_description_hash"),
        ))?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let type_name = text(row, 2)?;
            let (language, definition, definition_hash) =
                definitions.get(&type_name).cloned().unwrap_or_default();
            let encoding = match text(row, 3)? {
                empty if empty.is_empty() => "cdr".to_owned(),
                named => named,
            };
            let type_hash = match text(row, 5)? {
                empty if empty.is_empty() => definition_hash,
                hash => hash,
            };
            let channel = Channel {
                topic: text(row, 1)?.into(),
                type_name: type_name.into(),
                definition: definition.into(),
                language: language.into(),
                encoding: encoding.into(),
                about: Channel::about(&text(row, 4)?, &type_hash),
            };
            self.channels
                .insert(row.get::<_, i64>(0)?, (Arc::new(channel), 0));
        }
        Ok(())
    }

    /// Lists the rows; returns what is missing among them.
    fn list(&mut self) -> Vec<BagError> {
        let mut lost = Lost::default();
        let mut add = Adder {
            channels: &mut self.channels,
            rows: &mut self.rows,
            strays: 0,
            newest: i64::MIN,
        };
        let connection = &self.database.connection;
        let forward = walk(
            connection,
            "SELECT rowid, topic_id, timestamp FROM messages ORDER BY rowid",
            &mut |row| add.take(row),
        );
        if let Err((detail, last)) = forward {
            // From behind up to the damage, then one by one what lies between.
            let mut first_behind = i64::MAX;
            let backward = walk(
                connection,
                "SELECT rowid, topic_id, timestamp FROM messages ORDER BY rowid DESC",
                &mut |row| match row.0 <= last {
                    true => false,
                    false => {
                        first_behind = row.0;
                        add.take(row)
                    }
                },
            );
            lost.detail = detail;
            if backward.is_err() && first_behind > last {
                let bytes = std::fs::metadata(&self.path).map_or(0, |file| file.len());
                let fit = i64::try_from(bytes / LEAST_ROW_BYTES).unwrap_or(i64::MAX);
                let end = first_behind.min(last.saturating_add(MOST_SINGLE_ROWS.min(fit)));
                lost.rows = Some(single_rows(
                    connection,
                    last.saturating_add(1)..end,
                    &mut add,
                ));
                lost.to_end = first_behind == i64::MAX;
            }
        }
        let strays = add.strays;
        let mut errors = Vec::new();
        if !lost.detail.is_empty() {
            errors.push(self.lost_rows(&lost));
        }
        if strays > 0 {
            errors.push(BagError::DamagedRows {
                path: self.path.clone(),
                detail: format!("{strays} rows have no time or belong to no known topic"),
                lost: format!("these {strays} messages"),
            });
        }
        errors
    }

    fn lost_rows(&self, lost: &Lost) -> BagError {
        let last = self.rows.iter().map(|(time, _)| *time).max().unwrap_or(0);
        let what = match (lost.rows, lost.to_end) {
            (Some(_), true) => format!(
                "how many messages is not known ({} were found, the last of {last} ns)",
                self.rows.len()
            ),
            (Some(rows), false) => format!("at most {rows} messages in the middle of the file"),
            (None, _) => "no message, as far as can be seen".to_owned(),
        };
        BagError::DamagedRows {
            path: self.path.clone(),
            detail: lost.detail.clone(),
            lost: what,
        }
    }
}

#[derive(Default)]
struct Lost {
    detail: String,
    /// Number of rows that are missing between readable ends.
    rows: Option<i64>,
    /// Whether everything up to the end is missing, without a readable end.
    to_end: bool,
}

/// Row number, topic and time of a message.
type Head = (i64, Option<i64>, Option<i64>);

struct Adder<'a> {
    channels: &'a mut BTreeMap<i64, (Arc<Channel>, u64)>,
    rows: &'a mut Vec<Listed>,
    strays: u64,
    newest: i64,
}

impl Adder<'_> {
    /// Adds a row to the list; always asks for the next one.
    fn take(&mut self, (row, topic, time): Head) -> bool {
        let entry = topic.and_then(|topic| self.channels.get_mut(&topic));
        match (entry, time) {
            (Some((_, count)), Some(time)) => {
                *count += 1;
                self.rows.push((time, row));
                self.newest = self.newest.max(time);
            }
            _ => self.strays += 1,
        }
        true
    }
}

/// Steps through `query` until its end, an error, or until `take` has enough. The error has the last row before it.
fn walk(
    connection: &Connection,
    query: &str,
    take: &mut dyn FnMut(Head) -> bool,
) -> Result<(), (String, i64)> {
    let mut last = 0;
    let mut step = || -> rusqlite::Result<()> {
        let mut query = connection.prepare(query)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let head = head(row)?;
            if !take(head) {
                break;
            }
            last = head.0;
        }
        Ok(())
    };
    step().map_err(|error| (error.to_string(), last))
}

/// Looks for each row of `range` by itself; returns how many are not found.
fn single_rows(connection: &Connection, range: std::ops::Range<i64>, add: &mut Adder<'_>) -> i64 {
    let mut lost = 0;
    let query = "SELECT rowid, topic_id, timestamp FROM messages WHERE rowid = ?1";
    let Ok(mut query) = connection.prepare(query) else {
        return range.end - range.start;
    };
    for row in range {
        match query.query_row([row], head) {
            Ok(head) if head.0 == row => {
                add.take(head);
            }
            _ => lost += 1,
        }
    }
    lost
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let whole = |index| match row.get_ref(index) {
        Ok(ValueRef::Integer(value)) => Ok(Some(value)),
        other => other.map(|_| None),
    };
    Ok((row.get(0)?, whole(1)?, whole(2)?))
}

/// Names of the columns of a table.
fn columns(connection: &Connection, path: &Path, table: &str) -> Result<Vec<String>, BagError> {
    let names = || -> rusqlite::Result<Vec<String>> {
        let mut query = connection.prepare(
            "SELECT c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name = ?1",
        )?;
        query.query_map([table], |row| text(row, 0))?.collect()
    };
    match names() {
        Ok(names) if names.is_empty() => Err(BagError::NotABag {
            path: path.to_path_buf(),
            found: format!("a SQLite database without the table `{table}`"),
        }),
        Ok(names) => Ok(names),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Language, definition and hash of a type.
type Defined = (String, String, String);

/// The definitions by type, where the file has them.
fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Defined>> {
    let mut found = BTreeMap::new();
    let query = "SELECT topic_type, encoding, encoded_message_definition, type_description_hash FROM message_definitions \
                 WHERE encoding IN ('ros2msg', 'ros2idl')";
    // Files of older distributions have no such table.
    let Ok(mut query) = connection.prepare(query) else {
        return Ok(found);
    };
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        found.insert(text(row, 0)?, (text(row, 1)?, text(row, 2)?, text(row, 3)?));
    }
    Ok(found)
}

/// A column as text, whatever bytes it holds.
fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        ValueRef::Integer(value) => value.to_string(),
        _ => String::new(),
    })
}

/// Goes through the rows in the order of time.
pub(crate) struct SqliteCursor<'a> {
    file: &'a SqliteFile,
    next: usize,
    /// The query for a row, prepared at the first one.
    query: Option<Statement<'a>>,
}

impl Cursor for SqliteCursor<'_> {
    fn due_ns(&self) -> Option<i64> {
        self.file.rows.get(self.next).map(|(time, _)| *time)
    }

    fn load(&mut self, take: &mut dyn FnMut(Taken)) -> Vec<BagError> {
        let Some(&(time_ns, row)) = self.file.rows.get(self.next) else {
            return Vec::new();
        };
        self.next += 1;
        let mut read = || -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
            let query = match &mut self.query {
                Some(query) => query,
                none => none.insert(
                    (self.file.database.connection)
                        .prepare("SELECT topic_id, data FROM messages WHERE rowid = ?1")?,
                ),
            };
            query.query_row([row], |row| {
                Ok(match (row.get_ref(0)?, row.get_ref(1)?) {
                    (ValueRef::Integer(topic), ValueRef::Blob(data) | ValueRef::Text(data)) => {
                        Some((topic, data.to_vec()))
                    }
                    _ => None,
                })
            })
        };
        let problem = match read() {
            Ok(Some((topic, data))) => match self.file.channels.get(&topic) {
                Some((channel, _)) => {
                    take(Taken {
                        time_ns,
                        published_ns: time_ns,
                        position: (row as u64, 0),
                        channel: channel.clone(),
                        data,
                    });
                    return Vec::new();
                }
                None => "it belongs to no known topic".to_owned(),
            },
            Ok(None) => "it holds no message".to_owned(),
            Err(error) => error.to_string(),
        };
        vec![BagError::DamagedRows {
            path: self.file.path.clone(),
            detail: format!("row {row}: {problem}"),
            lost: format!("the message of {time_ns} ns"),
        }]
    }
}
