//! `metadata.yaml` and the files beside it: what does not fit is named, and what is there is read.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use latco_bag::messages::Int64;
use latco_bag::{BagError, BagOptions, BagReader, BagWriter, Compression, Storage};

fn write(folder: &Path, storage: Storage, values: std::ops::Range<i64>) {
    let options = BagOptions {
        storage,
        compression: Compression::None,
    };
    let mut bag = BagWriter::create_with(folder, options).unwrap();
    for value in values {
        bag.write("/a", value, &Int64 { data: value }).unwrap();
    }
    bag.finish().unwrap();
}

fn values(path: &Path) -> (Vec<i64>, Vec<BagError>) {
    let reader = BagReader::open(path).unwrap_or_else(|error| panic!("{error}"));
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for message in reader.messages() {
        match message {
            Ok(message) => values.push(message.decode::<Int64>().unwrap().data),
            Err(error) => errors.push(error),
        }
    }
    (values, errors)
}

/// `(folder, metadata.yaml)` of a bag of two files, `two_0` and `two_1`.
fn two_files(folder: &Path, storage: Storage) -> (PathBuf, String) {
    let extension = match storage {
        Storage::Mcap => "mcap",
        Storage::Sqlite3 => "db3",
    };
    let (two, other) = (folder.join("two"), folder.join("other"));
    write(&two, storage, 0..5);
    write(&other, storage, 5..10);
    std::fs::rename(
        other.join(format!("other_0.{extension}")),
        two.join(format!("two_1.{extension}")),
    )
    .unwrap();
    let first = format!("  - \"two_0.{extension}\"\n");
    let text = std::fs::read_to_string(two.join("metadata.yaml"))
        .unwrap()
        .replace("message_count: 5", "message_count: 10")
        .replace(&first, &format!("{first}    - \"two_1.{extension}\"\n"));
    assert!(text.contains("two_1"));
    std::fs::write(two.join("metadata.yaml"), &text).unwrap();
    (two, text)
}

#[test]
fn files_and_counts_that_do_not_fit_are_named() {
    for storage in [Storage::Mcap, Storage::Sqlite3] {
        let folder = tempfile::tempdir().unwrap();
        let (bag, text) = two_files(folder.path(), storage);
        let metadata = bag.join("metadata.yaml");
        let all: Vec<i64> = (0..10).collect();
        let (found, errors) = values(&bag);
        assert_eq!((&found, errors.len()), (&all, 0), "{storage:?}: {errors:?}");

        // Each change of the text, what is still read, and what the error says.
        let listed = ["two_1.mcap", "two_1.db3"].map(|name| format!("    - \"{name}\"\n"));
        let without = listed
            .iter()
            .fold(text.clone(), |text, line| text.replace(line, ""));
        let without = without.replace("message_count: 10", "message_count: 5");
        let cases: [(String, usize, &[&str]); 7] = [
            (
                text.replace("message_count: 10", "message_count: 12"),
                10,
                &["12 of `/a`", "found 10"],
            ),
            (
                text.replacen("message_count: 10", "message_count: 11", 1),
                10,
                &["11 messages", "found 10"],
            ),
            (
                text.replace("two_1", "two_7"),
                5,
                &["two_7", "not there", "lost"],
            ),
            (without, 5, &["two_1", "does not list"]),
            (
                text.replace("version: 8", "version: [8"),
                10,
                &["not valid YAML"],
            ),
            (
                text.replace("relative_file_paths", "files_of_it"),
                10,
                &["`relative_file_paths`"],
            ),
            (String::new(), 10, &["`rosbag2_bagfile_information`"]),
        ];
        for (text, expected, words) in cases {
            std::fs::write(&metadata, &text).unwrap();
            let (found, errors) = values(&bag);
            assert_eq!(found, all[..expected], "{words:?}: {errors:?}");
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert!(errors.iter().all(BagError::is_partial), "{said:?}");
            for word in words {
                assert!(
                    said.iter().any(|text| text.contains(word)),
                    "no {word:?} in {said:?}"
                );
            }
        }
        std::fs::write(
            &metadata,
            text.replace("two_0", "x_0").replace("two_1", "x_1"),
        )
        .unwrap();
        let error = BagReader::open(&bag).unwrap_err().to_string();
        assert!(
            error.contains("x_0") && error.contains("not there"),
            "{error}"
        );

        // Up to version 3 paths began with the folder's name.
        let old = text
            .replace("- \"two_", "- \"two/two_")
            .replace("version: 8", "version: 2");
        std::fs::write(&metadata, old).unwrap();
        let (found, errors) = values(&bag);
        assert_eq!((&found, errors.len()), (&all, 0), "{errors:?}");

        // Without the file, MCAP says by itself that it is whole.
        std::fs::remove_file(&metadata).unwrap();
        let (found, errors) = values(&bag);
        assert_eq!(found, all);
        assert_eq!(
            errors.len(),
            usize::from(storage == Storage::Sqlite3),
            "{errors:?}"
        );
    }
}

#[test]
fn bags_compressed_by_rosbag2_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for storage in [Storage::Mcap, Storage::Sqlite3] {
        let bag = folder.path().join(storage.identifier());
        write(&bag, storage, 0..5);
        let metadata = bag.join("metadata.yaml");
        let text = std::fs::read_to_string(&metadata).unwrap();
        let file = std::fs::read_dir(&bag)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|e| e != "yaml"))
            .unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let packed = zstd::encode_all(&std::fs::read(&file).unwrap()[..], 3).unwrap();
        let packed_file = bag.join(format!("{name}.zstd"));
        std::fs::write(&packed_file, &packed).unwrap();
        std::fs::remove_file(&file).unwrap();
        let text = text
            .replace(&name, &format!("{name}.zstd"))
            .replace("compression_mode: \"\"", "compression_mode: FILE")
            .replace("compression_format: \"\"", "compression_format: zstd");
        std::fs::write(&metadata, &text).unwrap();
        let (found, errors) = values(&bag);
        assert_eq!((found, errors.len()), ((0..5).collect(), 0), "{errors:?}");
        assert_eq!(values(&packed_file).0.len(), 5, "the file alone");

        std::fs::write(&packed_file, &packed[..packed.len() - 20]).unwrap();
        match BagReader::open(&bag) {
            Err(error) => assert!(matches!(error, BagError::NotABag { .. }), "{error}"),
            Ok(reader) => assert!(reader.damage().any(|d| d.to_string().contains("zstd"))),
        }
        std::fs::write(&metadata, text.replace(": zstd", ": lz9")).unwrap();
        let error = BagReader::open(&bag).unwrap_err().to_string();
        assert!(
            error.contains("lz9") && error.contains("convert"),
            "{error}"
        );
    }
}

#[test]
fn messages_compressed_by_rosbag2_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("bag");
    let options = BagOptions {
        storage: Storage::Sqlite3,
        compression: Compression::None,
    };
    let mut writer = BagWriter::create_with(&bag, options).unwrap();
    let cdr = latco_bag::cdr::encode(&Int64 { data: 3 }).unwrap();
    let packed = zstd::encode_all(&cdr[..], 3).unwrap();
    let ty = "std_msgs/msg/Int64";
    writer.write_raw("/a", ty, 1, &packed).unwrap();
    writer.write_raw("/a", ty, 2, &packed[..5]).unwrap();
    writer.write_raw("/a", ty, 3, &packed).unwrap();
    writer.finish().unwrap();
    let metadata = bag.join("metadata.yaml");
    let text = std::fs::read_to_string(&metadata)
        .unwrap()
        .replace("compression_mode: \"\"", "compression_mode: message")
        .replace("compression_format: \"\"", "compression_format: zstd");
    std::fs::write(&metadata, text).unwrap();
    let (found, errors) = values(&bag);
    assert_eq!(found, [3, 3]);
    assert_eq!(errors.len(), 1);
    let text = errors[0].to_string();
    assert!(errors[0].is_partial() && text.contains("at 2 ns"), "{text}");
}
