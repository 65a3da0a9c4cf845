//! Property: whatever happens to the bytes of a bag, reading it gives messages and errors, and never panics.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use latco_bag::messages::{Header, Image, Int64, JointState};
use latco_bag::{BagMessage, BagOptions, BagReader, BagWriter, Compression, Storage, topics};
use proptest::prelude::*;

const FORMATS: [(&str, Storage, Compression); 4] = [
    ("zstd", Storage::Mcap, Compression::Zstd),
    ("lz4", Storage::Mcap, Compression::Lz4),
    ("none", Storage::Mcap, Compression::None),
    ("sqlite", Storage::Sqlite3, Compression::None),
];

/// Names and bytes of the files of a bag.
type Files = Vec<(String, Vec<u8>)>;

/// Files of one bag of each format, and its messages.
static BAGS: LazyLock<Vec<(Files, Vec<BagMessage>)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let write = |(name, storage, compression): (&str, Storage, Compression)| {
        let path = folder.path().join(name);
        let options = BagOptions {
            storage,
            compression,
        };
        let mut bag = BagWriter::create_with(&path, options).unwrap();
        for frame in 0..30_i64 {
            let time = frame * 1000;
            let header = Header::new(time, "camera");
            let data = (0..32 * 32 * 3).map(|i| (i * frame % 253) as u8).collect();
            bag.write(
                "/camera/image_raw",
                time,
                &Image::rgb8(header, 32, 32, data),
            )
            .unwrap();
            let joints = JointState {
                name: vec!["a".into(); 3],
                position: vec![frame as f64; 3],
                ..JointState::default()
            };
            bag.write(topics::JOINT_STATES, time, &joints).unwrap();
            bag.write(topics::EPISODE, time, &Int64 { data: frame })
                .unwrap();
            if frame % 10 == 9 {
                bag.flush().unwrap();
            }
        }
        bag.finish().unwrap();
        let messages = BagReader::open(&path)
            .unwrap()
            .messages()
            .map(Result::unwrap)
            .collect();
        let files = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|file| {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(&file).unwrap())
            })
            .collect();
        (files, messages)
    };
    FORMATS.map(write).into()
});

fn use_it(path: &Path) -> Vec<BagMessage> {
    let Ok(reader) = BagReader::open(path) else {
        return Vec::new();
    };
    let _ = reader.bounds_ns();
    let mut messages = Vec::new();
    for message in reader.messages() {
        match message {
            Ok(message) => {
                let _ = message.decode::<Image>();
                let _ = message.decode::<JointState>();
                messages.push(message);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    messages
}

/// A change of a file: flipped bytes, a cut, or a part that is moved.
#[derive(Clone, Debug)]
enum Change {
    Flip(Vec<(f64, u8)>),
    Cut(f64),
    Fill(f64, f64, u8),
    Repeat(f64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |part: f64| ((part * length as f64) as usize).min(length.saturating_sub(1));
        match self {
            _ if length == 0 => {}
            Self::Flip(flips) => flips
                .iter()
                .for_each(|(at, mask)| bytes[place(*at)] ^= mask),
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Fill(a, b, with) => {
                let (a, b) = (place(a.min(*b)), place(a.max(*b)));
                bytes[a..b].fill(*with);
            }
            Self::Repeat(at) => bytes.extend_from_within(place(*at)..),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let part = || 0.0..1.0_f64;
    // Headers and indices stand at the ends.
    let ends = || prop_oneof![part(), (0.0..0.02_f64), (0.98..1.0_f64)];
    prop_oneof![
        6 => prop::collection::vec((ends(), 1..=255_u8), 1..6).prop_map(Change::Flip),
        2 => part().prop_map(Change::Cut),
        1 => (part(), part(), any::<u8>()).prop_map(|(a, b, with)| Change::Fill(a, b, with)),
        1 => part().prop_map(Change::Repeat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bags_never_panic(format in 0..4_usize, file in 0..2_usize, single in any::<bool>(), change in change()) {
        let (files, whole) = &BAGS[format];
        let folder = tempfile::tempdir().unwrap();
        let mut changed = PathBuf::new();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let mut bytes = bytes.clone();
            if number == file {
                change.apply(&mut bytes);
                changed = folder.path().join(name);
            }
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let messages = use_it(if single { &changed } else { folder.path() });
        // The checksums of MCAP tell data from damage.
        if FORMATS[format].1 == Storage::Mcap && !matches!(change, Change::Repeat(_)) {
            for message in &messages {
                prop_assert!(whole.contains(message), "{message:?}");
            }
        }
    }
}
