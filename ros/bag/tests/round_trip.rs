//! Bags: what is written is read, also what is left of a cut or damaged file.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use latco_bag::messages::{Float64, Header, Image, Int64, JointState, StringMessage};
use latco_bag::{BagError, BagMessage, BagReader, BagWriter, cdr, topics};

const FRAMES: i64 = 120;
const PERIOD_NS: i64 = 100_000_000;

/// Bytes that do not compress, so that the bag has several chunks.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push((state >> 32) as u8);
    }
    bytes
}

fn image(frame: i64) -> Image {
    let header = Header::new(frame * PERIOD_NS, "camera");
    Image::rgb8(header, 64, 64, noise(frame as u64 + 1, 64 * 64 * 3))
}

fn joints(frame: i64) -> JointState {
    JointState {
        header: Header::new(frame * PERIOD_NS, ""),
        name: vec!["shoulder".into(), "elbow".into()],
        position: vec![frame as f64, -0.5],
        velocity: vec![0.25, f64::from(frame as i32) * 0.125],
        effort: vec![],
    }
}

fn write_bag(folder: &Path) {
    let mut bag = BagWriter::create(folder).unwrap();
    bag.announce::<StringMessage>("/silent").unwrap();
    for frame in 0..FRAMES {
        let time = frame * PERIOD_NS;
        if frame % 50 == 0 {
            bag.write(topics::EPISODE, time, &Int64 { data: frame / 50 })
                .unwrap();
        }
        bag.write(topics::CAMERA_IMAGE, time, &image(frame))
            .unwrap();
        bag.write(topics::JOINT_STATES, time, &joints(frame))
            .unwrap();
        bag.write(topics::REWARD, time, &Float64 { data: frame as f64 })
            .unwrap();
    }
    bag.finish().unwrap();
}

fn mcap_of(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap().to_str().unwrap();
    folder.join(format!("{name}_0.mcap"))
}

fn read_all(path: &Path) -> Vec<BagMessage> {
    BagReader::open(path)
        .unwrap()
        .messages()
        .map(|message| message.unwrap())
        .collect()
}

/// Messages and errors of whatever the file has become.
fn read_rest(path: &Path) -> (Vec<BagMessage>, Vec<BagError>) {
    let reader = match BagReader::open(path) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), vec![error]),
    };
    let (mut messages, mut errors) = (Vec::new(), Vec::new());
    for item in reader.messages() {
        match item {
            Ok(message) => messages.push(message),
            Err(error) => errors.push(error),
        }
    }
    (messages, errors)
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trip");
    write_bag(&path);

    let reader = BagReader::open(&path).unwrap();
    let topics_found: Vec<(&str, &str, u64)> = reader
        .topics()
        .iter()
        .map(|topic| {
            (
                topic.name.as_str(),
                topic.type_name.as_str(),
                topic.messages,
            )
        })
        .collect();
    assert_eq!(
        topics_found,
        [
            ("/camera/image_raw", "sensor_msgs/msg/Image", 120),
            ("/episode", "std_msgs/msg/Int64", 3),
            ("/joint_states", "sensor_msgs/msg/JointState", 120),
            ("/reward", "std_msgs/msg/Float64", 120),
            ("/silent", "std_msgs/msg/String", 0),
        ]
    );
    assert_eq!(reader.bounds_ns(), Some((0, (FRAMES - 1) * PERIOD_NS)));
    assert_eq!(reader.message_count(), 363);
    assert_eq!(reader.damage().count(), 0);
    assert!(
        reader
            .topic("joint_states")
            .unwrap()
            .definition
            .contains("MSG: std_msgs/Header")
    );

    let messages = read_all(&path);
    assert_eq!(messages.len(), 363);
    assert!(messages.is_sorted_by_key(|message| message.time_ns));
    let mut frame = 0;
    for message in &messages {
        if topics::matches(&message.topic, topics::CAMERA_IMAGE) {
            assert_eq!(message.time_ns, frame * PERIOD_NS);
            assert_eq!(message.decode::<Image>().unwrap(), image(frame));
        } else if topics::matches(&message.topic, topics::JOINT_STATES) {
            assert_eq!(message.decode::<JointState>().unwrap(), joints(frame));
            frame += 1;
        }
    }
    assert_eq!(frame, FRAMES);
    // The single file reads the same as the folder.
    assert_eq!(read_all(&mcap_of(&path)), messages);
}

#[test]
fn the_same_messages_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a/bag"), folder.path().join("b/bag"));
    write_bag(&a);
    write_bag(&b);
    for file in ["bag_0.mcap", "metadata.yaml"] {
        assert_eq!(
            std::fs::read(a.join(file)).unwrap(),
            std::fs::read(b.join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn messages_written_out_of_order_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order");
    let mut bag = BagWriter::create(&path).unwrap();
    // Far enough apart to land in different chunks.
    for time in [30, 10, 20, 0, 40] {
        bag.write("/a", time, &Int64 { data: time }).unwrap();
        bag.flush().unwrap();
    }
    bag.write("/a", 10, &Int64 { data: -10 }).unwrap();
    bag.finish().unwrap();
    let values: Vec<i64> = read_all(&path)
        .iter()
        .map(|message| message.decode::<Int64>().unwrap().data)
        .collect();
    assert_eq!(values, [0, 10, -10, 20, 30, 40]);
}

#[test]
fn a_bag_that_was_not_finished_is_complete_after_the_drop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dropped");
    let mut bag = BagWriter::create(&path).unwrap();
    bag.write("/a", 5, &Int64 { data: 1 }).unwrap();
    drop(bag);
    assert!(path.join("metadata.yaml").exists());
    assert_eq!(read_all(&path).len(), 1);
}

#[test]
fn a_cut_file_gives_everything_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    write_bag(&path);
    let whole = read_all(&path);
    let file = mcap_of(&path);
    let bytes = std::fs::read(&file).unwrap();
    let cuts = (0..80)
        .map(|i| i * bytes.len() / 80)
        .chain(bytes.len() - 40..bytes.len());
    for cut in cuts {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        let (messages, errors) = read_rest(&path);
        assert_eq!(messages[..], whole[..messages.len()], "cut at {cut}");
        assert_eq!(errors.len(), 1, "cut at {cut}: {errors:?}");
        let text = errors[0].to_string();
        if cut < 8 {
            assert!(matches!(errors[0], BagError::NotABag { .. }), "{text}");
            continue;
        }
        if matches!(errors[0], BagError::DamagedIndex { .. }) {
            assert_eq!(
                messages.len(),
                whole.len(),
                "only the index was cut: {text}"
            );
            continue;
        }
        let BagError::Truncated {
            file_bytes,
            last_time_ns,
            ..
        } = errors[0]
        else {
            panic!("cut at {cut}: {text}");
        };
        assert_eq!(file_bytes, cut as u64);
        assert_eq!(
            last_time_ns,
            messages.last().map_or(0, |message| message.time_ns)
        );
        assert!(
            text.contains("truncated") && text.contains("lost"),
            "{text}"
        );
        // A chunk has about 21 frames of 12.3 kB.
        let frames = messages.len() as f64 / whole.len() as f64 * FRAMES as f64;
        let expected = cut as f64 / bytes.len() as f64 * FRAMES as f64;
        assert!(
            frames >= expected - 24.0,
            "cut at {cut}: {frames} frames of {expected}"
        );
    }
}

#[test]
fn a_flipped_byte_never_panics_and_is_never_taken_for_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flip");
    write_bag(&path);
    let whole = read_all(&path);
    let file = mcap_of(&path);
    let bytes = std::fs::read(&file).unwrap();
    // All over the file, and every byte of the first records and of the index.
    let places = (0..150)
        .map(|i| i * bytes.len() / 150)
        .chain(0..120)
        .chain(bytes.len() - 900..bytes.len());
    let mut partial = 0;
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x5a;
        std::fs::write(&file, &damaged).unwrap();
        let (messages, errors) = read_rest(&path);
        let mut rest = whole.iter();
        for message in &messages {
            assert!(
                rest.any(|known| known == message),
                "flip at {place}: a message changed"
            );
        }
        if messages.len() < whole.len() {
            assert!(
                !errors.is_empty(),
                "flip at {place}: messages vanished in silence"
            );
            partial += usize::from(messages.len() > whole.len() / 2);
        }
    }
    assert!(
        partial > 50,
        "one flipped byte should not cost the whole bag: {partial}"
    );
}

#[test]
fn wrong_uses_of_the_writer_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong");
    let mut bag = BagWriter::create(&path).unwrap();
    bag.write("/a", 5, &Int64 { data: 1 }).unwrap();
    let error = bag
        .write("/a", 6, &Float64 { data: 1.0 })
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("std_msgs/msg/Int64") && error.contains("std_msgs/msg/Float64"),
        "{error}"
    );
    let error = bag.write("/a", -1, &Int64 { data: 1 }).unwrap_err();
    assert!(
        matches!(error, BagError::NegativeTime { time_ns: -1, .. }),
        "{error}"
    );
    let raw = cdr::encode(&Int64 { data: 1 }).unwrap();
    bag.write_raw("/b", "std_msgs/msg/Int64", 7, &raw).unwrap();
    bag.finish().unwrap();

    let messages = read_all(&path);
    let error = messages[0].decode::<Float64>().unwrap_err().to_string();
    assert!(
        error.contains("expected type std_msgs/msg/Float64, found std_msgs/msg/Int64"),
        "{error}"
    );

    let error = BagWriter::create(&path).err().unwrap();
    assert!(matches!(error, BagError::Exists { .. }), "{error}");
    let error = BagReader::open(folder.path().join("nothing")).unwrap_err();
    assert!(matches!(error, BagError::Io { .. }), "{error}");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("notes.txt"), b"no bag").unwrap();
    let error = BagReader::open(&other).unwrap_err().to_string();
    assert!(
        error.contains("notes.txt") && error.contains(".db3"),
        "{error}"
    );
}
