//! sqlite3 bags: written, read, and what is left of them when they are damaged or were not completed.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use latco_bag::messages::{Float64, Header, Image, Int64, JointState};
use latco_bag::{
    BagError, BagMessage, BagOptions, BagReader, BagWriter, Compression, Storage, topics,
};

const FRAMES: i64 = 60;
const PERIOD_NS: i64 = 100_000_000;
const SQLITE: BagOptions = BagOptions {
    storage: Storage::Sqlite3,
    compression: Compression::None,
};

fn fill(bag: &mut BagWriter, frames: std::ops::Range<i64>) {
    for frame in frames {
        let time = frame * PERIOD_NS;
        let data = (0..64 * 64 * 3).map(|i| (i * frame % 251) as u8).collect();
        let header = Header::new(time, "camera");
        bag.write(
            topics::CAMERA_IMAGE,
            time,
            &Image::rgb8(header, 64, 64, data),
        )
        .unwrap();
        let joints = JointState {
            header: Header::new(time, ""),
            name: vec!["a".into()],
            position: vec![frame as f64],
            ..JointState::default()
        };
        bag.write(topics::JOINT_STATES, time, &joints).unwrap();
        bag.write(topics::REWARD, time, &Float64 { data: frame as f64 })
            .unwrap();
    }
}

fn write(folder: &Path, options: BagOptions) -> PathBuf {
    let mut bag = BagWriter::create_with(folder, options).unwrap();
    bag.announce::<Int64>(topics::EPISODE).unwrap();
    fill(&mut bag, 0..FRAMES);
    bag.finish().unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let extension = match options.storage {
        Storage::Mcap => "mcap",
        Storage::Sqlite3 => "db3",
    };
    folder.join(format!("{name}_0.{extension}"))
}

fn read(path: &Path) -> (Vec<BagMessage>, Vec<BagError>) {
    let (mut messages, mut errors) = (Vec::new(), Vec::new());
    match BagReader::open(path) {
        Err(error) => errors.push(error),
        Ok(reader) => {
            for message in reader.messages() {
                match message {
                    Ok(message) => messages.push(message),
                    Err(error) => errors.push(error),
                }
            }
        }
    }
    (messages, errors)
}

#[test]
fn every_storage_format_holds_the_same_messages() {
    let folder = tempfile::tempdir().unwrap();
    let mut first: Option<Vec<BagMessage>> = None;
    for (name, storage, compression) in [
        ("zstd", Storage::Mcap, Compression::Zstd),
        ("lz4", Storage::Mcap, Compression::Lz4),
        ("none", Storage::Mcap, Compression::None),
        ("sqlite", Storage::Sqlite3, Compression::None),
    ] {
        let path = folder.path().join(name);
        let file = write(
            &path,
            BagOptions {
                storage,
                compression,
            },
        );
        let reader = BagReader::open(&path).unwrap();
        assert_eq!(reader.damage().count(), 0, "{name}");
        assert_eq!(reader.bounds_ns(), Some((0, (FRAMES - 1) * PERIOD_NS)));
        let counts: Vec<(&str, u64)> = (reader.topics().iter())
            .map(|t| (t.name.as_str(), t.messages))
            .collect();
        assert_eq!(
            counts,
            [
                ("/camera/image_raw", 60),
                ("/episode", 0),
                ("/joint_states", 60),
                ("/reward", 60)
            ],
            "{name}"
        );
        for topic in reader.topics() {
            assert!(topic.type_hash.starts_with("RIHS01_"), "{name}: {topic:?}");
            assert!(!topic.definition.is_empty(), "{name}: {topic:?}");
        }
        let (messages, errors) = read(&path);
        assert!(errors.is_empty(), "{name}: {errors:?}");
        // The file alone reads as the folder does.
        assert_eq!(read(&file).0, messages, "{name}");
        let later: Vec<BagMessage> = (reader.messages_from(30 * PERIOD_NS))
            .map(Result::unwrap)
            .collect();
        assert_eq!(later[..], messages[90..], "{name}");
        match &first {
            None => first = Some(messages),
            Some(first) => assert_eq!(*first, messages, "{name}"),
        }
    }
}

#[test]
fn messages_are_read_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order");
    let mut bag = BagWriter::create_with(&path, SQLITE).unwrap();
    for time in [30, 10, 20, 0, 10] {
        bag.write("/a", time, &Int64 { data: time }).unwrap();
    }
    bag.finish().unwrap();
    let times: Vec<i64> = read(&path).0.iter().map(|m| m.time_ns).collect();
    assert_eq!(times, [0, 10, 10, 20, 30]);
}

/// What lies on the disk while a recorder is at work is what it leaves when it is killed.
#[test]
fn an_unfinished_bag_gives_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live");
    let mut bag = BagWriter::create_with(&path, SQLITE).unwrap();
    fill(&mut bag, 0..10);
    bag.flush().unwrap();
    fill(&mut bag, 10..12);
    let left = folder.path().join("left");
    std::fs::create_dir(&left).unwrap();
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), left.join(entry.file_name())).unwrap();
    }
    assert!(left.join("live_0.db3-wal").metadata().unwrap().len() > 0);
    bag.finish().unwrap();

    // In a place that cannot be written (for others than root) it is read as well.
    let (messages, errors) = read(&left);
    assert_eq!(messages.len(), 30);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let text = errors[0].to_string();
    assert!(errors[0].is_end_missing(), "{text}");
    for words in ["30 messages", "900000000 ns", "lost"] {
        assert!(text.contains(words), "{text}");
    }
    // The journal has been taken in by now; without metadata.yaml it is still known to be unfinished.
    let (messages, errors) = read(&left);
    assert_eq!((messages.len(), errors.len()), (30, 1), "{errors:?}");
    assert!(
        errors[0].to_string().contains("metadata.yaml"),
        "{errors:?}"
    );
    // A single file does not say so.
    let (messages, errors) = read(&left.join("live_0.db3"));
    assert_eq!((messages.len(), errors.len()), (30, 0), "{errors:?}");
}

#[test]
fn layouts_of_older_distributions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (name, topics) in [
        (
            "foxy",
            "id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL",
        ),
        (
            "humble",
            "id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL, \
             offered_qos_profiles TEXT NOT NULL",
        ),
    ] {
        let path = folder.path().join(format!("{name}.db3"));
        let database = rusqlite::Connection::open(&path).unwrap();
        let more = if topics.contains("qos") { ", ''" } else { "" };
        database
            .execute_batch(&format!(
                "CREATE TABLE topics({topics});
                 CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
                   data BLOB NOT NULL);
                 INSERT INTO topics VALUES (7, '/reward', 'std_msgs/msg/Float64', 'cdr'{more});
                 INSERT INTO messages(topic_id, timestamp, data) VALUES
                   (7, 20, x'0001000000000000000000000000f03f'), (7, 10, x'00010000000000000000f03f');"
            ))
            .unwrap();
        drop(database);
        let reader = BagReader::open(&path).unwrap();
        assert_eq!(reader.topics().len(), 1, "{name}");
        let messages: Vec<_> = reader.messages().map(Result::unwrap).collect();
        assert_eq!(messages[0].decode::<Float64>().unwrap().data, 1.0, "{name}");
        assert_eq!(messages.len(), 2);
    }
}

#[test]
fn other_databases_and_files_are_refused_by_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db3");
    std::fs::write(&path, b"").unwrap();
    let error = BagReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("0 bytes"), "{error}");
    std::fs::write(&path, vec![7; 5000]).unwrap();
    let error = BagReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("SQLite mark"), "{error}");
    std::fs::write(&path, b"SQLite format 3\0").unwrap();
    let error = BagReader::open(&path).unwrap_err();
    assert!(matches!(error, BagError::NotABag { .. }), "{error}");

    std::fs::remove_file(&path).unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch("CREATE TABLE topics(id, name, type)")
        .unwrap();
    let error = BagReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("`messages`"), "{error}");
    database
        .execute_batch("CREATE TABLE messages(topic_id, timestamp)")
        .unwrap();
    let error = BagReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("`data`"), "{error}");
    // A view is not executed: it could be made to run without end.
    database
        .execute_batch("DROP TABLE messages; CREATE VIEW messages AS SELECT 1 AS topic_id, 2 AS timestamp, 3 AS data")
        .unwrap();
    let error = BagReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("`messages`"), "{error}");
}

#[test]
fn rows_that_are_no_messages_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder.path().join("odd"), SQLITE);
    let database = rusqlite::Connection::open(&file).unwrap();
    database
        .execute_batch(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES (99, 5, x'00'), (1, 'soon', x'00');
             UPDATE messages SET data = 12 WHERE id = 3;",
        )
        .unwrap();
    drop(database);
    let (messages, errors) = read(&file);
    assert_eq!(messages.len(), 179);
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("row 3"), "{texts:?}");
    assert!(texts[1].contains("2 rows"), "{texts:?}");
    assert!(errors.iter().all(BagError::is_partial));
}

#[test]
fn a_damaged_page_costs_its_rows_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let file = write(&path, SQLITE);
    let (whole, _) = read(&path);
    let bytes = std::fs::read(&file).unwrap();
    let page = 4096;
    assert!(bytes.len() > 100 * page);
    let (mut partial, mut named) = (0, 0);
    for number in (1..bytes.len() / page).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[number * page..(number + 1) * page].fill(0xa5);
        std::fs::write(&file, &damaged).unwrap();
        let (messages, errors) = read(&path);
        if messages.len() < whole.len() {
            assert!(
                !errors.is_empty(),
                "page {number}: messages vanished in silence"
            );
            named += 1;
            partial += usize::from(messages.len() > whole.len() / 2);
        }
    }
    assert!(
        named == 0 || partial * 10 > named * 8,
        "one damaged page should not cost the bag: {partial} of {named}"
    );
    // Cut in the middle: the rows in the first half are there.
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let (messages, errors) = read(&path);
    assert!(!errors.is_empty());
    assert!(messages.len() < whole.len());
    for message in &messages {
        assert!(whole.contains(message));
    }
}

/// Pages overwritten, cut and swapped anywhere, of a bag with thousands of small messages.
#[test]
fn f17_a_damaged_bag_is_read_or_given_up_within_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let mut bag = BagWriter::create_with(&path, SQLITE).unwrap();
    fill(&mut bag, 0..FRAMES);
    for number in 0..20_000_i64 {
        let time = FRAMES * PERIOD_NS + number;
        bag.write(topics::REWARD, time, &Float64 { data: 0.0 })
            .unwrap();
    }
    bag.finish().unwrap();
    let file = path.join("damaged_0.db3");
    let bytes = std::fs::read(&file).unwrap();
    let pages = bytes.len() / 4096;
    let (mut slowest, mut tried, mut some) = (std::time::Duration::ZERO, 0, 0);
    for number in (0..pages).step_by(pages / 24) {
        for kind in 0..3 {
            let mut damaged = bytes.clone();
            let page = number * 4096..(number + 1) * 4096;
            match kind {
                0 => damaged[page].fill(0xa5),
                1 => damaged[page.start..page.start + 16].fill(0xff),
                _ => damaged[page.start + 8..page.start + 12].copy_from_slice(&[0, 0, 0, 1]),
            }
            std::fs::write(&file, &damaged).unwrap();
            let began = std::time::Instant::now();
            let (messages, errors) = read(&path);
            slowest = slowest.max(began.elapsed());
            tried += 1;
            some += usize::from(!messages.is_empty());
            assert!(!messages.is_empty() || !errors.is_empty());
        }
    }
    println!(
        "f17: {tried} damaged bags of {} kB, the slowest {slowest:.2?}; {some} still give messages",
        bytes.len() / 1024
    );
    assert!(slowest < std::time::Duration::from_secs(2), "{slowest:?}");
}
