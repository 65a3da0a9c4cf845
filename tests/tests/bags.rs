//! Bags are readable by others: the PyPI package `rosbags` reads ours, and we read its.
//!
//! `LATCO_PYTHON` names a Python that has `tests/python/requirements.txt` installed; without it a
//! virtual environment is made ([`latco_tests::python`]).

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use latco_bag::messages::{
    Bool, CompressedImage, DiagnosticArray, DiagnosticStatus, Duration, Empty, Float32, Float64,
    Float64MultiArray, Header, Image, Int64, JointState, JointTrajectory, JointTrajectoryPoint,
    KeyValue, MultiArrayDimension, MultiArrayLayout, RosMessage, SUPPORTED, StringMessage, Time,
};
use latco_bag::{BagReader, BagWriter, cdr, topics};
use latco_tests::python::{ROSBAGS, run, scripts};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A Unix time, so that also seconds and nanoseconds are tried at their usual size.
const START_NS: i64 = 1_700_000_000_123_456_789;
const PERIOD_NS: i64 = 100_000_000;

/// A bag under construction, and what `read_bag.py` must find in it.
struct Written {
    bag: BagWriter,
    topics: Map<String, Value>,
    messages: Vec<Value>,
    time_ns: i64,
}

impl Written {
    fn add<M: RosMessage + Serialize>(&mut self, topic: &str, message: &M) {
        self.bag.write(topic, self.time_ns, message).unwrap();
        let entry = self
            .topics
            .entry(topic)
            .or_insert_with(|| json!({ "type": M::TYPE, "count": 0 }));
        entry["count"] = json!(entry["count"].as_u64().unwrap() + 1);
        self.messages.push(json!({
            "topic": topic,
            "time_ns": self.time_ns,
            "fields": message,
        }));
    }
}

/// An episode as it is collected, then one message of every other type.
fn write(folder: &Path) -> Written {
    let mut written = Written {
        bag: BagWriter::create(folder).unwrap(),
        topics: Map::new(),
        messages: Vec::new(),
        time_ns: START_NS,
    };
    written.add(topics::EPISODE, &Int64 { data: 7 });
    for frame in 0..60u32 {
        let time = written.time_ns;
        let data = (0..32 * 24 * 3)
            .map(|i: u32| (i * 7 + frame * 29 + i / 72) as u8)
            .collect();
        let image = Image::rgb8(Header::new(time, "camera"), 32, 24, data);
        written.add(topics::CAMERA_IMAGE, &image);
        let joints = JointState {
            header: Header::new(time, ""),
            name: vec!["shoulder".into(), "elbow".into(), "wrist".into()],
            position: vec![f64::from(frame) * 0.1, -1.5, 1e-9],
            velocity: vec![0.35, -0.45, 0.7],
            effort: vec![],
        };
        written.add(topics::JOINT_STATES, &joints);
        written.add(
            topics::REWARD,
            &Float64 {
                data: f64::from(frame % 2),
            },
        );
        let command = Float64MultiArray::vector(vec![0.1, f64::MIN_POSITIVE, -f64::from(frame)]);
        written.add(topics::COMMANDS, &command);
        written.time_ns += PERIOD_NS;
    }
    let header = Header::new(written.time_ns, "base é");
    written.add("/others/time", &Time::from_nanos(-1));
    written.add("/others/duration", &Duration::from_nanos(-1_500_000_000));
    written.add("/others/header", &header);
    written.add("/others/empty", &Empty::default());
    written.add("/others/bool", &Bool { data: true });
    written.add("/others/float", &Float32 { data: -0.25 });
    written.add(
        "/others/string",
        &StringMessage {
            data: "two\nlines \"quoted\"".into(),
        },
    );
    let layout = MultiArrayLayout {
        dim: vec![MultiArrayDimension {
            label: "joint".into(),
            size: 2,
            stride: 2,
        }],
        data_offset: 0,
    };
    written.add(
        "/others/array",
        &Float64MultiArray {
            layout,
            data: vec![1.0, 2.0],
        },
    );
    let compressed = CompressedImage {
        header: header.clone(),
        format: "jpeg".into(),
        data: vec![0xff, 0xd8, 0xff, 0xd9, 0],
    };
    written.add("/others/compressed", &compressed);
    let point = |time: i64| JointTrajectoryPoint {
        positions: vec![0.5, 1.5],
        velocities: vec![0.0, time as f64],
        accelerations: vec![],
        effort: vec![],
        time_from_start: Duration::from_nanos(time * PERIOD_NS),
    };
    let trajectory = JointTrajectory {
        header: header.clone(),
        joint_names: vec!["a".into(), "bcd".into()],
        points: vec![point(1), point(25)],
    };
    written.add("/others/trajectory", &trajectory);
    let status = DiagnosticStatus {
        level: DiagnosticStatus::STALE,
        name: "camera".into(),
        message: "no image for 2 s".into(),
        hardware_id: String::new(),
        values: vec![KeyValue {
            key: "images".into(),
            value: "0".into(),
        }],
    };
    written.add("/others/status", &status);
    let array = DiagnosticArray {
        header,
        status: vec![status.clone(), status],
    };
    written.add("/others/diagnostics", &array);
    written
}

#[test]
fn rosbags_reads_our_bags_and_we_read_its() {
    let Some(python) = ROSBAGS.or_skip() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    let Written {
        bag,
        topics,
        messages,
        ..
    } = write(&ours);
    bag.finish().unwrap();
    for (type_name, _) in SUPPORTED {
        assert!(
            topics.values().any(|topic| topic["type"] == *type_name),
            "{type_name} is not tried"
        );
    }
    let expected = folder.path().join("expected.json");
    let count = messages.len();
    let expect = |messages: &[Value]| {
        let text = json!({ "topics": topics, "messages": messages }).to_string();
        std::fs::write(&expected, text).unwrap();
    };
    expect(&messages);

    let theirs = folder.path().join("theirs");
    let script = scripts().join("read_bag.py");
    let said = run(Command::new(&python)
        .arg(&script)
        .args([&ours, &expected, &theirs]));
    let said = said.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(
        said.trim(),
        format!("{count} messages, 60 images, {} topics", topics.len())
    );

    // The script does notice a difference: one byte of one image.
    let mut wrong = messages;
    let image = wrong
        .iter_mut()
        .find(|m| m["topic"] == topics::CAMERA_IMAGE);
    image.unwrap()["fields"]["data"][100] = json!(256);
    expect(&wrong);
    let why = run(Command::new(&python).arg(&script).args([&ours, &expected])).unwrap_err();
    assert!(why.contains("data[100]: expected 256"), "{why}");

    // The copy that rosbags wrote.
    let (ours, theirs) = (
        BagReader::open(&ours).unwrap(),
        BagReader::open(&theirs).unwrap(),
    );
    assert_eq!(theirs.damage().count(), 0);
    let messages = |bag: &BagReader| -> Vec<_> { bag.messages().map(|m| m.unwrap()).collect() };
    assert_eq!(messages(&ours), messages(&theirs));
    let image = messages(&theirs)
        .into_iter()
        .find(|m| topics::matches(&m.topic, topics::CAMERA_IMAGE));
    let image: Image = cdr::decode(&image.unwrap().data).unwrap();
    assert_eq!((image.width, image.height, image.step), (32, 24, 96));
}
