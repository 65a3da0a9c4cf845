//! Bags as they are: the rows of `tests/cases/README.md` that need no middleware. The name of a test has the row's number.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use latco_bag::image::{CameraImage, Converter};
use latco_bag::messages::{CompressedImage, Float64MultiArray, Image, Int64};
use latco_bag::types::{TypeFinder, has_header};
use latco_bag::{BagOptions, BagReader, BagWriter, Compression, Storage, topics};

/// An input of `tests/cases`.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/cases")
        .join(name)
}

fn open(name: &str) -> BagReader {
    BagReader::open(case(name)).unwrap()
}

/// The bag opens without damage, lists as many messages as it gives, and gives no error.
fn assert_sound(bag: &BagReader, messages: usize) {
    let damage: Vec<String> = bag.damage().map(ToString::to_string).collect();
    assert_eq!(damage, Vec::<String>::new());
    let found: Vec<_> = bag.messages().map(Result::unwrap).collect();
    assert_eq!(found.len(), messages);
    assert_eq!(bag.message_count(), messages as u64);
    let mut counts = BTreeMap::new();
    for message in &found {
        *counts
            .entry((&*message.topic, &*message.type_name))
            .or_insert(0) += 1;
    }
    for topic in bag.topics().iter().filter(|topic| topic.messages > 0) {
        let found = counts.get(&(topic.name.as_str(), topic.type_name.as_str()));
        assert_eq!(found, Some(&topic.messages), "{}", topic.name);
    }
}

#[test]
fn case_01_channels_of_other_encodings_are_left_out_and_named() {
    let bag = open("01/mixed");
    assert_sound(&bag, 161);
    let left_out: Vec<String> = bag.left_out().iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    for (text, words) in left_out
        .iter()
        .zip([["/diag_json", "json"], ["/pose_pb", "protobuf"]])
    {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    // A copy keeps them.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let mut writer = BagWriter::create_copy(&copy, &bag, |_| false).unwrap();
    bag.all_messages()
        .for_each(|message| writer.copy(&message.unwrap()).unwrap());
    writer.finish().unwrap();
    let copy = BagReader::open(&copy).unwrap();
    assert_eq!(
        (copy.topics(), copy.left_out()),
        (bag.topics(), bag.left_out())
    );
    let bytes =
        |bag: &BagReader| -> Vec<_> { bag.all_messages().map(|m| m.unwrap().data).collect() };
    assert_eq!(bytes(&copy), bytes(&bag));
}

#[test]
fn case_02_messages_of_services_and_actions_are_messages() {
    assert_sound(&open("02/service_events"), 10);
    assert_eq!(open("02/service_events").topics().len(), 5);
    let bag = open("02/act");
    assert_sound(&bag, bag.message_count() as usize);
    let feedback = bag.topic("/fib/_action/feedback").unwrap();
    assert_eq!(
        feedback.type_name,
        "example_interfaces/action/Fibonacci_FeedbackMessage"
    );
    assert!(feedback.messages > 0 && bag.left_out().is_empty());
}

#[test]
fn case_03_messages_that_rosbag2_compressed_are_known_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for storage in [Storage::Sqlite3, Storage::Mcap] {
        let path = folder.path().join(storage.identifier());
        let options = BagOptions {
            storage,
            compression: Compression::None,
        };
        let mut bag = BagWriter::create_with(&path, options).unwrap();
        for number in 0..161 {
            let cdr = latco_bag::cdr::encode(&Int64 { data: number }).unwrap();
            // Some tools compress only what gets smaller by it.
            let bytes = match number % 7 {
                0 => cdr,
                _ => zstd::encode_all(&cdr[..], 3).unwrap(),
            };
            bag.write_raw("/a", "std_msgs/msg/Int64", number, &bytes)
                .unwrap();
        }
        bag.finish().unwrap();
        let files = std::fs::read_dir(&path)
            .unwrap()
            .map(|file| file.unwrap().path());
        let file = files
            .into_iter()
            .find(|file| file.extension().unwrap() != "yaml");
        for opened in [path.clone(), file.unwrap()] {
            let bag = BagReader::open(&opened).unwrap();
            let numbers: Vec<i64> = (bag.messages())
                .map(|message| message.unwrap().decode::<Int64>().unwrap().data)
                .collect();
            assert_eq!(
                numbers,
                (0..161).collect::<Vec<_>>(),
                "{}",
                opened.display()
            );
        }
    }
}

#[test]
fn case_04_big_endian_messages_are_read() {
    let bag = open("05/be");
    assert_sound(&bag, 161);
    let message = bag
        .messages()
        .map(Result::unwrap)
        .find(|m| topics::matches(&m.topic, topics::CAMERA_IMAGE));
    let message = message.unwrap();
    assert_eq!(message.data[..2], [0, 0], "the input is big-endian");
    let image = message.decode::<Image>().unwrap();
    assert_eq!((image.width, image.height), (32, 32));
}

#[test]
fn case_05_the_language_of_definitions_is_kept_and_headers_are_known_by_type() {
    let bag = open("06/idl");
    assert_sound(&bag, 161);
    let types = TypeFinder::built_in();
    for topic in bag.topics() {
        assert_eq!(topic.language, "ros2idl");
        let expected = topic.type_name.starts_with("sensor_msgs/");
        let found = has_header(&types, &topic.type_name, &topic.language, &topic.definition);
        assert_eq!(found, expected, "{}", topic.type_name);
    }
}

#[test]
fn case_06_a_topic_with_two_types_is_two_topics() {
    let bag = open("07/two");
    let commands: Vec<_> = bag
        .topics()
        .iter()
        .filter(|t| t.name == "/commands")
        .collect();
    let counts: Vec<_> = commands
        .iter()
        .map(|t| (t.type_name.as_str(), t.messages))
        .collect();
    assert_eq!(
        counts,
        [
            ("std_msgs/msg/Float64MultiArray", 20),
            ("std_msgs/msg/String", 1)
        ]
    );
    let decoded = bag
        .messages()
        .map(Result::unwrap)
        .filter(|m| &*m.topic == "/commands");
    assert_eq!(
        decoded
            .filter(|m| m.decode::<Float64MultiArray>().is_ok())
            .count(),
        20
    );
}

#[test]
fn case_07_a_jpeg_without_huffman_tables_is_decoded_with_the_standard_ones() {
    let decode = |name: &str| {
        let image = CompressedImage {
            format: "jpeg".into(),
            data: std::fs::read(case(name)).unwrap(),
            ..CompressedImage::default()
        };
        let image = CameraImage::from(image);
        let (width, height) = image.size().unwrap();
        Converter::new().to_rgb(&image, width, height).unwrap()
    };
    let (found, expected) = (decode("09/mjpeg_no_dht.jpg"), decode("09/std.jpg"));
    assert_eq!(found.len(), expected.len());
    let off = found
        .iter()
        .zip(&expected)
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(off.unwrap() <= 2, "{off:?}");
}

#[test]
fn case_08_channels_that_stand_only_in_chunks_are_found() {
    assert_sound(&open("11/norepeat"), 241);
}

/// Writes one topic of 50 messages and one of 20 with the options of the `mcap` crate.
fn mcap_file(path: &Path, options: mcap::WriteOptions) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = options
        .profile("ros2")
        .create(std::io::BufWriter::new(file))
        .unwrap();
    let mut channels = Vec::new();
    for (name, text) in [
        ("std_msgs/msg/Int64", "int64 data\n"),
        ("std_msgs/msg/Float64", "float64 data\n"),
    ] {
        let schema = writer.add_schema(name, "ros2msg", text.as_bytes()).unwrap();
        let topic = format!("/{}", channels.len());
        channels.push(
            writer
                .add_channel(schema, &topic, "cdr", &BTreeMap::new())
                .unwrap(),
        );
    }
    for number in 0..70_u64 {
        let header = mcap::records::MessageHeader {
            channel_id: channels[usize::from(number % 7 >= 5)],
            sequence: 0,
            log_time: 1_000_000 * (number ^ 1),
            publish_time: 0,
        };
        let cdr = latco_bag::cdr::encode(&Int64 {
            data: number as i64,
        })
        .unwrap();
        writer.write_to_known_channel(&header, &cdr).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn case_09_files_with_any_part_of_an_index_or_none_are_read_by_their_data() {
    let folder = tempfile::tempdir().unwrap();
    let all = mcap::WriteOptions::new;
    let variants: Vec<(&str, mcap::WriteOptions)> = vec![
        ("whole", all()),
        ("no chunks", all().use_chunks(false)),
        ("no summary", all().emit_summary_records(false)),
        ("no offsets", all().emit_summary_offsets(false)),
        (
            "neither",
            all()
                .use_chunks(false)
                .emit_summary_records(false)
                .emit_summary_offsets(false),
        ),
        ("no statistics", all().emit_statistics(false)),
        ("no repeated channels", all().repeat_channels(false)),
        ("no repeated schemas", all().repeat_schemas(false)),
        ("no chunk index", all().emit_chunk_indexes(false)),
        ("no message index", all().emit_message_indexes(false)),
        (
            "lz4, small chunks",
            all()
                .compression(Some(mcap::Compression::Lz4))
                .chunk_size(Some(200)),
        ),
        (
            "no compression",
            all().compression(None).chunk_size(Some(64)),
        ),
        (
            "no sums",
            all()
                .calculate_chunk_crcs(false)
                .calculate_summary_section_crc(false),
        ),
    ];
    for (name, options) in variants {
        let path = folder.path().join(format!("{name}.mcap"));
        mcap_file(&path, options);
        println!("{name}"); // for what is asserted without the name
        let bag = BagReader::open(&path).unwrap();
        assert_sound(&bag, 70);
        let counts: Vec<u64> = bag.topics().iter().map(|topic| topic.messages).collect();
        assert_eq!(counts, [50, 20], "{name}");
        assert_eq!(bag.bounds_ns(), Some((0, 69_000_000)), "{name}");
        assert_eq!(bag.messages_from(35_000_000).count(), 35, "{name}");
    }
}

#[test]
fn case_09_statistics_that_contradict_the_data_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lying.mcap");
    mcap_file(
        &path,
        mcap::WriteOptions::new()
            .use_chunks(false)
            .calculate_summary_section_crc(false),
    );
    let mut bytes = std::fs::read(&path).unwrap();
    // The counts of both channels stand at the end of the statistics record.
    let counts = [&1_u16.to_le_bytes()[..], &50_u64.to_le_bytes()].concat();
    let at = bytes.windows(10).rposition(|window| window == counts);
    let at = at.or_else(|| {
        let counts = [&0_u16.to_le_bytes()[..], &50_u64.to_le_bytes()].concat();
        bytes.windows(10).rposition(|window| window == counts)
    });
    bytes[at.unwrap() + 2] = 9;
    std::fs::write(&path, bytes).unwrap();
    assert_sound(&BagReader::open(&path).unwrap(), 70);
}

#[test]
fn case_09_records_whose_type_was_damaged_are_told_with_any_part_of_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.mcap");
    let all = mcap::WriteOptions::new;
    for (name, options, kind) in [
        ("a message", all().use_chunks(false), 5),
        (
            "a message without statistics",
            all().use_chunks(false).emit_statistics(false),
            5,
        ),
        ("a chunk", all(), 6),
        (
            "a chunk without its index",
            all().emit_chunk_indexes(false),
            6,
        ),
        (
            "a chunk without any index",
            all().emit_summary_records(false),
            6,
        ),
    ] {
        mcap_file(&path, options);
        let mut bytes = std::fs::read(&path).unwrap();
        // Behind the mark, the records: type, length, content.
        let mut at = 8;
        while bytes[at] != kind {
            let length = u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap());
            at += 9 + length as usize;
        }
        bytes[at] ^= 0x5a;
        std::fs::write(&path, bytes).unwrap();
        let bag = BagReader::open(&path).unwrap();
        let errors = bag.messages().filter(Result::is_err).count();
        assert_eq!(errors, 1, "{name}");
        assert!(bag.messages().flatten().count() < 70, "{name}");
    }
}

#[test]
fn case_10_a_channel_without_schema_is_named_and_the_others_are_used() {
    let bag = open("11/sid0.mcap");
    assert_sound(&bag, 0);
    let left_out = bag.left_out();
    assert_eq!((left_out.len(), left_out[0].messages), (1, 10));
    let text = left_out[0].to_string();
    assert!(
        text.contains("/chatter") && text.contains("schema"),
        "{text}"
    );

    // Beside others, in a file of the same bag.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(case("11/sid0.mcap"), folder.path().join("a.mcap")).unwrap();
    std::fs::copy(
        case("11/norepeat/norepeat_0.mcap"),
        folder.path().join("b.mcap"),
    )
    .unwrap();
    let bag = BagReader::open(folder.path()).unwrap();
    assert_sound(&bag, 241);
    assert_eq!(bag.left_out().len(), 1);
}

#[test]
fn case_11_a_malformed_database_gives_what_can_be_saved_and_says_so_within_two_seconds() {
    let began = std::time::Instant::now();
    let bag = open("12/bad1.db3");
    let (messages, errors): (Vec<_>, Vec<_>) = bag.messages().partition(Result::is_ok);
    assert_eq!(messages.len(), 122);
    let errors: Vec<String> = (errors.into_iter())
        .map(|error| error.unwrap_err().to_string())
        .collect();
    let told = |error: &String| {
        let words = [
            "bad1.db3",
            "malformed",
            "122 were found",
            "the rest of the file is read",
        ];
        words.iter().all(|word| error.contains(word))
    };
    assert!(errors.iter().any(told), "{errors:?}");
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn case_17_depth_is_refused_in_words() {
    let image = |encoding: &str| {
        let image = Image {
            width: 2,
            height: 2,
            step: 8,
            encoding: encoding.into(),
            data: vec![0; 16],
            ..Image::default()
        };
        Converter::new()
            .to_rgb(&image.into(), 2, 2)
            .unwrap_err()
            .to_string()
    };
    for encoding in ["16UC1", "32FC1"] {
        let text = image(encoding);
        assert!(
            text.contains("depth is not supported") && text.contains(encoding),
            "{text}"
        );
    }
    let mut png = Cursor::new(Vec::new());
    image::GrayImage::new(2, 2)
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let compressed = CompressedImage {
        format: "16UC1; compressedDepth png".into(),
        data: [vec![0; 12], png.into_inner()].concat(),
        ..CompressedImage::default()
    };
    let text = Converter::new()
        .to_rgb(&compressed.into(), 2, 2)
        .unwrap_err()
        .to_string();
    assert!(text.contains("depth is not supported"), "{text}");
}
