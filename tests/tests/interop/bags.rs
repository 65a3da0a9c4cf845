//! Bags are readable by others: the PyPI package `rosbags` reads ours, and we read its; MCAP files pass the checks of
//! `mcap doctor`.
//!
//! `LATCO_PYTHON` names a Python that has `tests/python/rosbags.txt` installed; without it a
//! virtual environment is made under the target folder ([`latco_testkit::python`]).

use std::path::{Path, PathBuf};
use std::process::Command;

use latco_bag::messages::{
    Bool, CompressedImage, DiagnosticArray, DiagnosticStatus, Duration, Empty, Float32, Float64,
    Float64MultiArray, Header, Image, Int64, JointState, JointTrajectory, JointTrajectoryPoint,
    KeyValue, MultiArrayDimension, MultiArrayLayout, RosMessage, StringMessage, Time, TwistStamped,
    UInt8MultiArray,
};
use latco_bag::types::{TypeFinder, type_hash};
use latco_bag::{BagMessage, BagOptions, BagReader, BagWriter, Compression, Storage, cdr, topics};
use latco_testkit::python::{ROSBAGS, scripts};
use latco_testkit::run::run;
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
fn write(folder: &Path, options: BagOptions) -> Written {
    let mut written = Written {
        bag: BagWriter::create_with(folder, options).unwrap(),
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
        let twist = TwistStamped {
            header: Header::new(time, "base_link"),
            twist: [0.1, -0.2, f64::from(frame), 0.0, 1e-9, -3.0].into(),
        };
        written.add("/servo/delta_twist_cmds", &twist);
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
    let bytes = UInt8MultiArray {
        data: vec![0, 7, 255],
        ..UInt8MultiArray::default()
    };
    written.add("/others/bytes", &bytes);
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

const FORMATS: [(&str, Storage, Compression); 4] = [
    ("mcap-zstd", Storage::Mcap, Compression::Zstd),
    ("mcap-lz4", Storage::Mcap, Compression::Lz4),
    ("mcap-none", Storage::Mcap, Compression::None),
    ("sqlite3", Storage::Sqlite3, Compression::None),
];

fn options(storage: Storage, compression: Compression) -> BagOptions {
    BagOptions {
        storage,
        compression,
    }
}

fn messages(path: &Path) -> Vec<BagMessage> {
    let bag = BagReader::open(path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bag.damage().next().map(ToString::to_string), None);
    bag.messages().map(|m| m.unwrap()).collect()
}

#[test]
#[ignore = "needs rosbags from PyPI: make test-interop"]
fn rosbags_reads_our_bags_and_we_read_its() {
    let python = ROSBAGS.python();
    for (name, storage, compression) in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours");
        let Written {
            bag,
            topics,
            messages: written,
            ..
        } = write(&ours, options(storage, compression));
        bag.finish().unwrap();
        for type_name in [
            Time::TYPE,
            Duration::TYPE,
            Header::TYPE,
            Empty::TYPE,
            Bool::TYPE,
            Int64::TYPE,
            Float32::TYPE,
            Float64::TYPE,
            StringMessage::TYPE,
            Float64MultiArray::TYPE,
            UInt8MultiArray::TYPE,
            Image::TYPE,
            CompressedImage::TYPE,
            JointState::TYPE,
            JointTrajectory::TYPE,
            TwistStamped::TYPE,
            DiagnosticStatus::TYPE,
            DiagnosticArray::TYPE,
        ] {
            assert!(
                topics.values().any(|topic| topic["type"] == type_name),
                "{type_name} is not tried"
            );
        }
        let expected = folder.path().join("expected.json");
        let count = written.len();
        let expect = |messages: &[Value]| {
            let text = json!({ "topics": topics, "messages": messages }).to_string();
            std::fs::write(&expected, text).unwrap();
        };
        expect(&written);

        let theirs = folder.path().join("theirs");
        let script = scripts().join("read_bag.py");
        let said = run(Command::new(&python)
            .arg(&script)
            .args([&ours, &expected, &theirs]));
        let said = said.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(
            said.trim(),
            format!("{count} messages, 60 images, {} topics", topics.len())
        );

        // The script does notice a difference: one byte of one image.
        let mut wrong = written;
        let image = wrong
            .iter_mut()
            .find(|m| m["topic"] == topics::CAMERA_IMAGE);
        image.unwrap()["fields"]["data"][100] = json!(256);
        expect(&wrong);
        let why = run(Command::new(&python).arg(&script).args([&ours, &expected])).unwrap_err();
        assert!(why.contains("data[100]: expected 256"), "{why}");

        // The copy that rosbags wrote.
        let theirs = messages(&theirs);
        assert_eq!(messages(&ours), theirs);
        let image = theirs
            .into_iter()
            .find(|m| topics::matches(&m.topic, topics::CAMERA_IMAGE));
        let image: Image = cdr::decode(&image.unwrap().data).unwrap();
        assert_eq!((image.width, image.height, image.step), (32, 24, 96));
    }
}

#[test]
#[ignore = "needs rosbags from PyPI: make test-interop"]
fn we_read_every_layout() {
    let python = ROSBAGS.python();
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    let sqlite = options(Storage::Sqlite3, Compression::None);
    write(&ours, sqlite).bag.finish().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let mut command = Command::new(&python);
    command
        .arg(scripts().join("write_bags.py"))
        .args([&ours, &out])
        .arg(old_rosbags(&python));
    let said = run(&mut command).unwrap_or_else(|why| panic!("{why}"));
    let made: Map<String, Value> = serde_json::from_str(&said).unwrap();
    assert!(made.len() >= 19, "{made:?}");
    let expected = messages(&ours);
    for (name, what) in &made {
        let bag = BagReader::open(out.join(name)).unwrap_or_else(|e| panic!("{what}: {e}"));
        let damage: Vec<String> = bag.damage().map(ToString::to_string).collect();
        assert!(damage.is_empty(), "{what}: {damage:?}");
        assert_eq!(messages(&out.join(name)), expected, "{what}");
        let camera = bag.topic(topics::CAMERA_IMAGE).unwrap();
        assert_eq!(camera.messages, 60, "{what}");
        // What the newer layouts hold beside the messages.
        let written_by_rosbags = name.starts_with('v');
        if written_by_rosbags {
            assert!(camera.definition.contains("MSG: std_msgs/Header"), "{what}");
            assert!(camera.offered_qos.contains("durability"), "{what}");
        }
        if written_by_rosbags && name.contains("sqlite3") {
            assert!(camera.type_hash.starts_with("RIHS01_"), "{what}");
        }
    }
}

/// `mcap doctor` is on no registry of packages; `check_mcap.py` does its checks with the parser of the PyPI package `mcap`.
#[test]
#[ignore = "needs rosbags from PyPI: make test-interop"]
fn our_mcap_files_are_faultless() {
    let python = ROSBAGS.python();
    let folder = tempfile::tempdir().unwrap();
    let check = |file: &Path| {
        run(Command::new(&python)
            .arg(scripts().join("check_mcap.py"))
            .arg(file))
    };
    for (name, storage, compression) in FORMATS {
        if storage != Storage::Mcap {
            continue;
        }
        let path = folder.path().join(name);
        let Written { bag, messages, .. } = write(&path, options(storage, compression));
        bag.finish().unwrap();
        let file = path.join(format!("{name}_0.mcap"));
        let said = check(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(
            said.starts_with(&format!("{} messages, ", messages.len())),
            "{said}"
        );
        // It does find faults: in a chunk, in the summary, at the end.
        let bytes = std::fs::read(&file).unwrap();
        for place in [bytes.len() / 3, bytes.len() - 60, bytes.len() - 12] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x11;
            let damaged_file = folder.path().join("damaged.mcap");
            std::fs::write(&damaged_file, damaged).unwrap();
            assert!(check(&damaged_file).is_err(), "{name}: byte {place}");
        }
    }
}

/// Every type that is built in has the hash that `rosbags` computes from its own definitions of ROS 2 Jazzy.
#[test]
#[ignore = "needs rosbags from PyPI: make test-interop"]
fn definitions_of_standard_types_have_the_hashes_of_others() {
    let python = ROSBAGS.python();
    let script = "import json; from rosbags.typesys import Stores, get_typestore as g; s = g(Stores.ROS2_JAZZY); \
                  print(json.dumps({t: s.hash_rihs01(t) for t in s.fielddefs if '/msg/' in t}))";
    let said =
        run(Command::new(&python).args(["-c", script])).unwrap_or_else(|why| panic!("{why}"));
    let hashes: Map<String, Value> = serde_json::from_str(&said).unwrap();
    let finder = TypeFinder::built_in();
    let mut compared = 0;
    for (name, hash) in &hashes {
        // rosidl makes `char` an unsigned byte, `rosbags` keeps it apart.
        if name == "std_msgs/msg/Char" {
            continue;
        }
        if let Ok(text) = finder.definition(name) {
            assert_eq!(
                type_hash(name, &text).unwrap(),
                hash.as_str().unwrap(),
                "{name}:\n{text}"
            );
            compared += 1;
        }
    }
    assert!(compared > 130, "{compared}");
}

/// The folder of the PyPI package `rosbags` 0.9.11, the last that wrote version 5 of the format. What it needs, `python` has.
fn old_rosbags(python: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rosbags-0.9.11");
    if !folder.join("rosbags/rosbag2").is_dir() {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&folder)
            .arg("rosbags==0.9.11");
        run(&mut pip).unwrap_or_else(|why| panic!("no rosbags 0.9.11: {why}"));
    }
    folder
}
