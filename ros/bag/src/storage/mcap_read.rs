//! The records of one MCAP file: where the chunks are and which topics they hold, also when the
//! file is cut or damaged.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::{Record, op};
use mcap::sans_io::LinearReader;
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReaderOptions};

use super::contract::{Channel, Cursor, Taken};
use crate::error::BagError;
use crate::zstd_mark::begins_as_zstd;

/// Length of a record's header in bytes: op code and length.
const RECORD_HEADER_BYTES: u64 = 9;
/// Length of footer record and end magic in bytes.
const FOOTER_BYTES: u64 = RECORD_HEADER_BYTES + 20 + 8;
/// Largest chunk in bytes, decompressed, so that a damaged length cannot ask for all memory.
const CHUNK_LIMIT_BYTES: usize = 512 << 20;

/// How many times its length a chunk may say to unpack to without being looked at: no chunk without compression or by lz4 is more.
const PLAUSIBLE_RATIO: u64 = 256;

/// Name, language and text of a schema.
type Schema = (Arc<str>, Arc<str>, Arc<str>);

/// Schemas and channels seen so far; of each, the first record counts.
#[derive(Debug, Clone, Default)]
struct Channels {
    schemas: BTreeMap<u16, Schema>,
    /// Channels with the numbers of their schemas.
    by_id: BTreeMap<u16, (u16, Arc<Channel>)>,
}

impl Channels {
    /// Takes over a schema or channel record; other records change nothing.
    fn add(&mut self, record: &Record<'_>) {
        match record {
            Record::Schema { header, data } if !self.schemas.contains_key(&header.id) => {
                let definition = String::from_utf8_lossy(data).into_owned();
                let schema: Schema = (
                    header.name.as_str().into(),
                    header.encoding.as_str().into(),
                    definition.into(),
                );
                // An index may name channels before their schemas.
                for (_, channel) in self.by_id.values_mut().filter(|(id, _)| *id == header.id) {
                    let channel = Arc::make_mut(channel);
                    (channel.type_name, channel.language, channel.definition) = schema.clone();
                }
                self.schemas.insert(header.id, schema);
            }
            Record::Channel(channel) if !self.by_id.contains_key(&channel.id) => {
                let empty = || (Arc::from(""), Arc::from(""), Arc::from(""));
                let (type_name, language, definition) = self
                    .schemas
                    .get(&channel.schema_id)
                    .cloned()
                    .unwrap_or_else(empty);
                let made = Channel {
                    topic: channel.topic.as_str().into(),
                    type_name,
                    definition,
                    language,
                    encoding: channel.message_encoding.as_str().into(),
                    about: channel.metadata.clone(),
                };
                (self.by_id).insert(channel.id, (channel.schema_id, Arc::new(made)));
            }
            _ => {}
        }
    }

    /// Whether the channel of this number is known, and its schema where it has one.
    fn has(&self, id: u16) -> bool {
        (self.by_id.get(&id))
            .is_some_and(|(schema, _)| *schema == 0 || self.schemas.contains_key(schema))
    }

    /// Takes over what only `others` has.
    fn extend(&mut self, others: Self) {
        for (id, schema) in others.schemas {
            self.schemas.entry(id).or_insert(schema);
        }
        for (id, channel) in others.by_id {
            self.by_id.entry(id).or_insert(channel);
        }
    }
}

/// A record that holds messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Offset at which the record begins in the file.
    offset: u64,
    /// Length of the record in bytes, with op code and length.
    length: u64,
    start_ns: u64,
    end_ns: u64,
}

/// What one MCAP file holds.
#[derive(Debug)]
pub(crate) struct McapFile {
    pub(crate) path: PathBuf,
    /// Chunks (and messages outside chunks), in file order.
    entries: Vec<Entry>,
    channels: Channels,
    /// Number of messages per channel.
    counts: BTreeMap<u16, u64>,
    /// Numbers of messages by what stands beside chunks: messages outside them, and the chunks' own indexes.
    walked: BTreeMap<u16, u64>,
    /// Where the first record of a type begins that MCAP does not have: perhaps one of messages, damaged.
    strange: Option<u64>,
    /// Faults of the file, apart from damage inside chunks.
    pub(crate) damage: Vec<BagError>,
}

/// The parsed end of a file.
#[derive(Default)]
struct Summary {
    channels: Channels,
    counts: Option<BTreeMap<u16, u64>>,
    chunks: Vec<Entry>,
}

impl Summary {
    /// Whether the file's statistics can stand for a look at all its data: they name only channels that are known with their schemas,
    /// and count what was seen beside the chunks. An index that a tool left out, shortened or copied does not.
    fn agrees(&self, channels: &Channels, walked: &BTreeMap<u16, u64>, entries: usize) -> bool {
        if walked.is_empty() && entries > 0 {
            // Chunks without indexes: only their contents tell what is in them.
            return false;
        }
        self.counts.as_ref().is_some_and(|counts| {
            counted(counts) == counted(walked) && counts.keys().all(|id| channels.has(*id))
        })
    }
}

/// The numbers of messages of the channels that have any.
fn counted(all: &BTreeMap<u16, u64>) -> Vec<(u16, u64)> {
    let some = all.iter().filter(|(_, count)| **count > 0);
    some.map(|(id, count)| (*id, *count)).collect()
}

impl McapFile {
    /// Reads the record headers of `path` and its index; makes the index from the messages where
    /// it is missing or damaged.
    pub(crate) fn open(path: &Path) -> Result<Self, BagError> {
        let mut file = File::open(path).map_err(|error| BagError::io(path, "opening", error))?;
        let file_bytes = file
            .metadata()
            .map_err(|error| BagError::io(path, "asking for the size", error))?
            .len();
        let mut magic = [0; 8];
        let has_magic = file.read_exact(&mut magic).is_ok() && magic == mcap::MAGIC;
        if !has_magic {
            return Err(BagError::NotABag {
                path: path.to_path_buf(),
                found: format!("a file of {file_bytes} bytes without the MCAP mark at its start"),
            });
        }
        let mut index = Self {
            path: path.to_path_buf(),
            entries: Vec::new(),
            channels: Channels::default(),
            counts: BTreeMap::new(),
            walked: BTreeMap::new(),
            strange: None,
            damage: Vec::new(),
        };
        let stop = index.walk(&mut file, file_bytes)?;
        let summary_at = match stop {
            Stop::DataEnd(at) => Some(at),
            Stop::Broken(_) => find_data_end(&mut file, file_bytes),
        };
        let summary = summary_at.map(|at| read_summary(&mut file, path, at));
        match (summary, stop) {
            (Some(Ok(summary)), stop) => index.adopt(summary, stop),
            (Some(Err(detail)), stop) => {
                let (Stop::DataEnd(offset) | Stop::Broken(offset)) = stop;
                index.damage.push(BagError::DamagedIndex {
                    path: path.to_path_buf(),
                    offset,
                    detail,
                });
                let last = index.rebuild(&mut file);
                if let Stop::Broken(offset) = stop {
                    index.broken_at(offset, last, i64::MAX);
                }
            }
            (None, stop) => {
                let (Stop::DataEnd(offset) | Stop::Broken(offset)) = stop;
                let last_time_ns = index.rebuild(&mut file);
                index.damage.push(BagError::Truncated {
                    path: path.to_path_buf(),
                    file_bytes,
                    complete_bytes: offset,
                    complete_chunks: index.entries.len(),
                    last_time_ns,
                });
            }
        }
        Ok(index)
    }

    pub(crate) fn channels(&self) -> Vec<(Arc<Channel>, u64)> {
        (self.channels.by_id.iter())
            .map(|(id, (_, channel))| (channel.clone(), self.counts.get(id).copied().unwrap_or(0)))
            .collect()
    }

    pub(crate) fn bounds_ns(&self) -> Option<(i64, i64)> {
        let first = self.entries.iter().map(|entry| entry.start_ns).min()?;
        let last = self.entries.iter().map(|entry| entry.end_ns).max()?;
        Some((to_i64(first), to_i64(last)))
    }

    pub(crate) fn cursor(&self, from_ns: i64) -> McapCursor<'_> {
        let mut entries: Vec<Entry> = (self.entries.iter())
            .filter(|entry| to_i64(entry.end_ns) >= from_ns)
            .copied()
            .collect();
        entries.sort_by_key(|entry| (entry.start_ns, entry.offset));
        McapCursor {
            path: &self.path,
            from_ns,
            file: None,
            channels: self.channels.clone(),
            entries: entries.into(),
        }
    }

    /// Walks from record to record of the data section.
    fn walk(&mut self, file: &mut File, file_bytes: u64) -> Result<Stop, BagError> {
        let mut offset = mcap::MAGIC.len() as u64;
        loop {
            let mut head = [0; 25];
            let available = file_bytes.saturating_sub(offset).min(head.len() as u64) as usize;
            if available < RECORD_HEADER_BYTES as usize {
                return Ok(Stop::Broken(offset));
            }
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| file.read_exact(&mut head[..available]))
                .map_err(|error| BagError::io(&self.path, "reading", error))?;
            let length = u64::from_le_bytes(head[1..9].try_into().expect("eight bytes"));
            let Some(end) = offset
                .checked_add(RECORD_HEADER_BYTES)
                .and_then(|start| start.checked_add(length))
                .filter(|end| *end <= file_bytes)
            else {
                return Ok(Stop::Broken(offset));
            };
            let total = end - offset;
            let time = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight"));
            let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
            match head[0] {
                op::CHUNK if length >= 16 => self.entries.push(Entry {
                    offset,
                    length: total,
                    start_ns: time(9),
                    end_ns: time(17),
                }),
                op::MESSAGE if length >= 22 => {
                    self.entries.push(Entry {
                        offset,
                        length: total,
                        start_ns: time(15),
                        end_ns: time(15),
                    });
                    *self.walked.entry(short(9)).or_insert(0) += 1;
                }
                // The channel, the number of bytes of the list, and 16 bytes a message.
                op::MESSAGE_INDEX if length >= 6 => {
                    let bytes = u32::from_le_bytes(head[11..15].try_into().expect("four bytes"));
                    *self.walked.entry(short(9)).or_insert(0) += u64::from(bytes / 16);
                }
                op::SCHEMA | op::CHANNEL => {
                    let body = read_at(file, offset + RECORD_HEADER_BYTES, length)
                        .map_err(|error| BagError::io(&self.path, "reading", error))?;
                    match parse(head[0], &body) {
                        Ok(record) => self.channels.add(&record),
                        Err(_) => return Ok(Stop::Broken(offset)),
                    }
                }
                op::DATA_END => return Ok(Stop::DataEnd(offset)),
                0 | op::CHUNK | op::MESSAGE | op::FOOTER => return Ok(Stop::Broken(offset)),
                // Types of other programs begin at 0x80.
                op::HEADER..=op::DATA_END | 0x80.. => {}
                _ => self.strange = self.strange.or(Some(offset)),
            }
            offset = end;
        }
    }

    /// Takes over what the index of the file adds to what was seen: the chunks behind a damaged place, and counts that do
    /// not contradict the data.
    fn adopt(&mut self, summary: Summary, stop: Stop) {
        let mut entries: BTreeMap<u64, Entry> = summary
            .chunks
            .iter()
            .map(|entry| (entry.offset, *entry))
            .collect();
        // Whether index and chunks agree on the chunks' times; no sum protects what a chunk itself says of them.
        let mut is_sound = true;
        match stop {
            Stop::Broken(offset) => {
                let time = |entry: Option<(&u64, &Entry)>| entry.map(|(_, entry)| entry.start_ns);
                let before = time(entries.range(..offset).next_back()).unwrap_or(0);
                let behind = time(entries.range(offset + 1..).next()).unwrap_or(u64::MAX);
                self.broken_at(offset, to_i64(before), to_i64(behind));
                // What the walk took for records near the damage may be none.
                if entries.is_empty() {
                    entries.extend(self.entries.iter().map(|entry| (entry.offset, *entry)));
                }
            }
            Stop::DataEnd(_) => {
                // A chunk of the index where the walk saw none stays, so that reading reports it; but an index that points
                // into what was seen is only wrong.
                let seen: BTreeMap<u64, Entry> = (self.entries.iter())
                    .map(|entry| (entry.offset, *entry))
                    .collect();
                is_sound = seen.iter().all(|(offset, entry)| {
                    let times = |entry: &Entry| (entry.start_ns, entry.end_ns);
                    (entries.get(offset)).is_none_or(|other| times(other) == times(entry))
                });
                entries.retain(|offset, entry| {
                    let end = offset.saturating_add(entry.length);
                    let before = seen.range(..end).next_back();
                    before.is_none_or(|(at, other)| at + other.length <= *offset)
                });
                entries.extend(seen);
            }
        }
        self.entries = entries.into_values().collect();
        self.channels.extend(summary.channels.clone());
        let statistics = summary.counts.clone();
        if matches!(stop, Stop::Broken(_)) && summary.counts.is_some()
            || is_sound
                && self.strange.is_none()
                && summary.agrees(&self.channels, &self.walked, self.entries.len())
        {
            self.counts = summary.counts.unwrap_or_default();
        } else if let Ok(mut file) = File::open(&self.path) {
            self.rebuild(&mut file);
        }
        // A record of an unknown type, and messages are missing that no chunk of the index accounts for.
        if let (Some(offset), Stop::DataEnd(_)) = (self.strange, stop)
            && self.entries.iter().all(|entry| entry.offset != offset)
            && statistics.is_none_or(|counts| counted(&counts) != counted(&self.counts))
        {
            self.broken_at(offset, 0, i64::MAX);
        }
    }

    fn broken_at(&mut self, offset: u64, start_ns: i64, end_ns: i64) {
        self.damage.push(BagError::Damaged {
            path: self.path.clone(),
            offset,
            detail: "a record there has an impossible type or length".to_owned(),
            start_ns,
            end_ns,
        });
    }

    /// Finds channels, counts and times by reading all chunks; returns the last time in nanoseconds.
    fn rebuild(&mut self, file: &mut File) -> i64 {
        let mut last = 0;
        self.counts.clear();
        for entry in &mut self.entries {
            let mut bounds: Option<(u64, u64)> = None;
            let (channels, counts) = (&mut self.channels, &mut self.counts);
            // Damage inside a chunk is reported when its messages are read.
            let _ = read_entry(file, entry, &mut |record| match record {
                Record::Message { header, .. } => {
                    let time = header.log_time;
                    *counts.entry(header.channel_id).or_insert(0) += 1;
                    bounds = Some(bounds.map_or((time, time), |(a, b)| (a.min(time), b.max(time))));
                }
                other => channels.add(&other),
            });
            if let Some((start, end)) = bounds {
                (entry.start_ns, entry.end_ns) = (start, end);
                last = last.max(end);
            }
        }
        to_i64(last)
    }
}

/// Goes through the chunks by their first times.
pub(crate) struct McapCursor<'a> {
    path: &'a Path,
    from_ns: i64,
    file: Option<File>,
    channels: Channels,
    /// Entries that have not been read yet, by start time.
    entries: VecDeque<Entry>,
}

impl Cursor for McapCursor<'_> {
    fn due_ns(&self) -> Option<i64> {
        self.entries.front().map(|entry| to_i64(entry.start_ns))
    }

    fn load(&mut self, take: &mut dyn FnMut(Taken)) -> Vec<BagError> {
        let Some(entry) = self.entries.pop_front() else {
            return Vec::new();
        };
        let file = match &mut self.file {
            Some(file) => file,
            closed => match File::open(self.path) {
                Ok(file) => closed.insert(file),
                Err(error) => {
                    self.entries.clear();
                    return vec![BagError::io(self.path, "opening", error)];
                }
            },
        };
        let (channels, from_ns) = (&mut self.channels, self.from_ns);
        let mut number = 0;
        let mut strays = 0;
        let result = read_entry(file, &entry, &mut |record| match record {
            Record::Message { header, data } => {
                let time_ns = to_i64(header.log_time);
                match channels.by_id.get(&header.channel_id) {
                    Some((_, channel)) if time_ns >= from_ns => take(Taken {
                        time_ns,
                        published_ns: to_i64(header.publish_time),
                        position: (entry.offset, number),
                        channel: channel.clone(),
                        data: data.into_owned(),
                    }),
                    Some(_) => {}
                    None => strays += 1,
                }
                number += 1;
            }
            other => channels.add(&other),
        });
        let detail = match result {
            Err(detail) => detail,
            Ok(()) if strays > 0 => format!("{strays} messages belong to no known topic"),
            Ok(()) => return Vec::new(),
        };
        vec![BagError::Damaged {
            path: self.path.to_path_buf(),
            offset: entry.offset,
            detail,
            start_ns: to_i64(entry.start_ns),
            end_ns: to_i64(entry.end_ns),
        }]
    }
}

/// Converts a time to nanoseconds; times beyond the signed range (after the year 2262) count as its end.
fn to_i64(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// Where the walk through the data section ended.
#[derive(Clone, Copy)]
enum Stop {
    /// The walk reached the record that ends the section, at this offset.
    DataEnd(u64),
    /// The walk reached something that is not a complete record, at this offset.
    Broken(u64),
}

/// Finds the data end record by way of the footer, for a file damaged in the middle.
fn find_data_end(file: &mut File, file_bytes: u64) -> Option<u64> {
    let start = file_bytes.checked_sub(FOOTER_BYTES)?;
    let footer = read_at(file, start, FOOTER_BYTES).ok()?;
    if footer[0] != op::FOOTER || footer[29..] != *mcap::MAGIC {
        return None;
    }
    let summary_start = u64::from_le_bytes(footer[9..17].try_into().expect("eight bytes"));
    // A data end record has a body of four bytes and stands right before the summary.
    let at = summary_start.checked_sub(RECORD_HEADER_BYTES + 4)?;
    let head = (at < start).then(|| read_at(file, at, 1).ok()).flatten()?;
    (head[0] == op::DATA_END).then_some(at)
}

/// Parses everything from the data end record to the end of the file, checksum included.
fn read_summary(file: &mut File, path: &Path, at: u64) -> Result<Summary, String> {
    let bytes = file
        .metadata()
        .map(|data| data.len())
        .and_then(|size| read_at(file, at, size.saturating_sub(at)))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_validate_summary_section_crc(true)
        .with_record_length_limit(bytes.len());
    let mut summary = Summary::default();
    let mut footer = false;
    for_each_record(options, &bytes, &mut |opcode, body| {
        match opcode {
            op::FOOTER => footer = true,
            op::SCHEMA | op::CHANNEL | op::STATISTICS | op::CHUNK_INDEX => {
                match parse(opcode, body)? {
                    Record::Statistics(statistics) => {
                        summary.counts = Some(statistics.channel_message_counts);
                    }
                    Record::ChunkIndex(chunk) => summary.chunks.push(Entry {
                        offset: chunk.chunk_start_offset,
                        length: chunk.chunk_length,
                        start_ns: chunk.message_start_time,
                        end_ns: chunk.message_end_time,
                    }),
                    other => summary.channels.add(&other),
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if footer {
        Ok(summary)
    } else {
        Err("the footer is missing".to_owned())
    }
}

/// Reads the chunk (or message outside chunks) at `entry` and hands its schema, channel and
/// message records over. The checksum is checked before the first record is handed over.
fn read_entry(
    file: &mut File,
    entry: &Entry,
    take: &mut dyn FnMut(Record<'_>),
) -> Result<(), String> {
    let bytes = read_at(file, entry.offset, entry.length).map_err(|error| error.to_string())?;
    if !matches!(bytes.first(), Some(&(op::CHUNK | op::MESSAGE))) {
        return Err("expected a chunk, found another record".to_owned());
    }
    if bytes[0] == op::CHUNK {
        check_unpacked(&bytes)?;
    }
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(CHUNK_LIMIT_BYTES);
    for_each_record(options, &bytes, &mut |opcode, body| {
        if matches!(opcode, op::SCHEMA | op::CHANNEL | op::MESSAGE) {
            take(parse(opcode, body)?);
        }
        Ok(())
    })
}

/// Checks what a chunk says to unpack to, before as much is allocated: at most [`CHUNK_LIMIT_BYTES`], and at most
/// [`PLAUSIBLE_RATIO`] times its length, unless it is seen to unpack to that.
fn check_unpacked(chunk: &[u8]) -> Result<(), String> {
    let Some(size) = chunk.get(25..33) else {
        return Ok(()); // the reader says what is missing
    };
    let unpacked = u64::from_le_bytes(size.try_into().expect("eight bytes"));
    if unpacked > CHUNK_LIMIT_BYTES as u64 {
        return Err(format!(
            "expected a chunk of at most {CHUNK_LIMIT_BYTES} bytes, found one that says to have {unpacked}"
        ));
    }
    if unpacked <= PLAUSIBLE_RATIO * chunk.len() as u64 {
        return Ok(());
    }
    // A sum, the compression with its length before it, the length of what is packed.
    let packed = texts_end(chunk.get(37..), 1).and_then(|rest| rest.get(8..));
    let found = match packed.filter(|packed| begins_as_zstd(packed)) {
        Some(packed) => zstd::stream::read::Decoder::new(packed)
            .and_then(|plain| std::io::copy(&mut plain.take(unpacked), &mut std::io::sink()))
            .unwrap_or(0),
        None => 0,
    };
    if found < unpacked {
        return Err(format!(
            "expected a chunk of {unpacked} bytes, as it says, found {} bytes that do not unpack to as many",
            chunk.len()
        ));
    }
    Ok(())
}

/// Parses a record whose texts end within it: the parser sets memory aside for as much as a text says to have.
fn parse(opcode: u8, body: &[u8]) -> Result<Record<'_>, String> {
    let fits = match opcode {
        // A number, then name, language and definition.
        op::SCHEMA => texts_end(body.get(2..), 3),
        // Two numbers, then topic and encoding, then pairs of texts that may be none.
        op::CHANNEL => texts_end(body.get(4..), 2).and_then(|rest| {
            let (length, pairs) = rest.split_first_chunk()?;
            let mut pairs = pairs.get(..u32::from_le_bytes(*length) as usize)?;
            while !pairs.is_empty() {
                pairs = texts_end(Some(pairs), 2)?;
            }
            Some(pairs)
        }),
        // Four numbers, pairs of a channel and a place, a number, then the name of the compression.
        op::CHUNK_INDEX => body
            .get(32..)
            .and_then(|rest| texts_end(Some(rest), 1))
            .and_then(|rest| texts_end(rest.get(8..), 1)),
        _ => Some(body),
    };
    if fits.is_none() {
        return Err(format!(
            "a text in a record of type {opcode} says to be longer than the record"
        ));
    }
    mcap::parse_record(opcode, body).map_err(|error| error.to_string())
}

/// What follows `count` texts, each with its length before it.
fn texts_end(bytes: Option<&[u8]>, count: usize) -> Option<&[u8]> {
    (0..count).try_fold(bytes?, |rest, _| {
        let (length, rest) = rest.split_first_chunk()?;
        rest.get(u32::from_le_bytes(*length) as usize..)
    })
}

/// Callback that takes the op code and body of a record.
type TakeRecord<'a> = dyn FnMut(u8, &[u8]) -> Result<(), String> + 'a;

/// Feeds `bytes` through mcap's record reader.
fn for_each_record(
    options: LinearReaderOptions,
    mut bytes: &[u8],
    take: &mut TakeRecord<'_>,
) -> Result<(), String> {
    let mut reader = LinearReader::new_with_options(options);
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| error.to_string())? {
            LinearReadEvent::ReadRequest(wanted) => {
                let count = wanted.min(bytes.len());
                reader.insert(count).copy_from_slice(&bytes[..count]);
                reader.notify_read(count);
                bytes = &bytes[count..];
            }
            LinearReadEvent::Record { data, opcode } => take(opcode, data)?,
        }
    }
    Ok(())
}

/// Reads `length` bytes from `offset` on.
fn read_at(file: &mut File, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let available = file.metadata()?.len().saturating_sub(offset);
    if length > available {
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!("expected {length} bytes at byte {offset}, found {available}"),
        ));
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_may_unpack_to_what_it_says_and_to_no_more() {
        let zeros = vec![0; 4 << 20];
        let packed = zstd::encode_all(&zeros[..], 3).unwrap();
        let chunk = |says: u64, compression: &[u8], packed: &[u8]| {
            let head = [&[op::CHUNK][..], &[0; 24], &says.to_le_bytes(), &[0; 4]].concat();
            let name = [&(compression.len() as u32).to_le_bytes()[..], compression].concat();
            let length = (packed.len() as u64).to_le_bytes();
            check_unpacked(&[&head[..], &name, &length, packed].concat())
        };
        let all = zeros.len() as u64;
        assert!(all > 1000 * packed.len() as u64, "{}", packed.len());
        assert_eq!(chunk(all, b"zstd", &packed), Ok(()));
        assert_eq!(chunk(5000, b"", &[0; 5000]), Ok(()));
        for (says, compression, packed) in [
            (all + 1, &b"zstd"[..], &packed[..]),
            (336 << 20, b"zstd", &packed),
            (336 << 20, b"lz4", &[0; 5000]),
            (336 << 20, b"", &[0; 5000]),
            (600 << 20, b"zstd", &packed),
        ] {
            let text = chunk(says, compression, packed).unwrap_err();
            assert!(text.contains(&says.to_string()), "{text}");
        }
    }

    #[test]
    fn a_text_that_says_to_be_longer_than_its_record_is_refused_unread() {
        let text = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
        let pairs = text(&[text(b"key"), text(b"value")].concat());
        let channel = [vec![1, 0, 1, 0], text(b"/a"), text(b"cdr"), pairs].concat();
        let schema = [vec![1, 0], text(b"a/msg/B"), text(b"ros2msg"), text(b"")].concat();
        let index = [vec![0; 32], text(&[0; 10]), vec![0; 8], text(b"lz4")].concat();
        let index = [index, vec![0; 16]].concat();
        // Places of the lengths.
        for (kind, good, lengths) in [
            (op::CHANNEL, channel, vec![4, 10, 17, 21, 28]),
            (op::SCHEMA, schema, vec![2, 13, 24]),
            (op::CHUNK_INDEX, index, vec![32, 54]),
        ] {
            assert!(parse(kind, &good).is_ok(), "{kind}");
            for at in lengths {
                let mut bad = good.clone();
                bad[at..at + 4].fill(0xff);
                let text = parse(kind, &bad).unwrap_err();
                assert!(text.contains("longer than the record"), "{kind}: {text}");
            }
        }
    }
}
