//! `latco replay`: a demonstration's bag goes through the controller again and decides the same; what was changed is named.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Latco, configuration, my_turn};
use latco_bag::image::{Compression, compress};
use latco_bag::messages::{Header, Image, Int64, UInt8MultiArray};
use latco_bag::{BagMessage, BagReader, BagWriter, topics};

const LONG: Duration = Duration::from_secs(120);

fn replay(arguments: &[&str]) -> common::Ended {
    Latco::run(&[&["replay"], arguments, &["--json"]].concat(), LONG)
}

/// A copy of a bag, in which `change` may change every image and `keep` leaves topics out.
fn copy(bag: &Path, to: &Path, keep: impl Fn(&str) -> bool, change: impl FnMut(&mut Image)) {
    copy_late(bag, to, 0, keep, change);
}

/// The same, in which images were recorded so many nanoseconds later.
fn copy_late(
    bag: &Path,
    to: &Path,
    late_ns: i64,
    keep: impl Fn(&str) -> bool,
    mut change: impl FnMut(&mut Image),
) {
    let reader = BagReader::open(bag).unwrap();
    let mut writer = BagWriter::create(to).unwrap();
    let mut messages: Vec<_> = (reader.messages().map(Result::unwrap))
        .filter(|message| keep(&message.topic))
        .collect();
    let is_image = |message: &BagMessage| *message.topic == *topics::CAMERA_IMAGE;
    for message in messages.iter_mut().filter(|message| is_image(message)) {
        message.time_ns += late_ns;
    }
    messages.sort_by_key(|message| message.time_ns);
    for message in messages {
        if is_image(&message) {
            let mut image: Image = message.decode().unwrap();
            change(&mut image);
            writer
                .write(&message.topic, message.time_ns, &image)
                .unwrap();
        } else {
            writer
                .write_raw(
                    &message.topic,
                    &message.type_name,
                    message.time_ns,
                    &message.data,
                )
                .unwrap();
        }
    }
    writer.finish().unwrap();
}

/// A copy of a bag in which the records of the journal were changed.
fn edit_journal(bag: &Path, to: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let reader = BagReader::open(bag).unwrap();
    let messages: Vec<_> = reader.messages().map(Result::unwrap).collect();
    let is_journal = |message: &&BagMessage| message.topic.ends_with("/journal");
    let journal = || messages.iter().filter(is_journal);
    let mut records: Vec<Vec<u8>> = journal()
        .map(|message| message.decode::<UInt8MultiArray>().unwrap().data)
        .collect();
    change(&mut records);
    let mut records = records.into_iter();
    let mut writer = BagWriter::create(to).unwrap();
    for message in &messages {
        if !is_journal(&message) {
            writer
                .write_raw(
                    &message.topic,
                    &message.type_name,
                    message.time_ns,
                    &message.data,
                )
                .unwrap();
        } else if let Some(data) = records.next() {
            let record = UInt8MultiArray {
                data,
                ..UInt8MultiArray::default()
            };
            writer
                .write(&message.topic, message.time_ns, &record)
                .unwrap();
        }
    }
    writer.finish().unwrap();
}

#[test]
fn f16_a_recording_decides_the_same_again_and_what_was_changed_or_is_missing_is_named() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    // A goal is part of what was decided by.
    let picture = folder.path().join("goal.png");
    let pixels = Image::rgb8(Header::default(), 32, 32, vec![90; 32 * 32 * 3]);
    let png = compress(pixels, Compression::Png).unwrap();
    std::fs::write(&picture, png.data).unwrap();
    let more = format!("[planner]\nbudget_ms = 30.0\n[goal]\nweight = 0.5\nimage = {picture:?}\n");
    let config = configuration(folder.path(), &more);
    let out = folder.path().join("output");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let demo = ["demo", "--episodes", "3", "--domain", "54", "--json"];
    let paths = ["--config", &text(&config), "--out", &text(&out)];
    Latco::run(&[&demo[..], &paths].concat(), LONG).assert_code(0);
    let bag = text(&out.join("bag"));

    let first = replay(&[&bag]).assert_code(0).json();
    let second = replay(&[&bag]).assert_code(0).json();
    assert_eq!(first["equal"], true, "{first}");
    assert_eq!(first["skipped"], 0, "{first}");
    assert!(first["ticks"].as_u64() > Some(30), "{first}");
    assert!(first["realtime_factor"].as_f64() > Some(1.0), "{first}");
    assert_eq!(first["decisions_sha256"], second["decisions_sha256"]);
    let reference = replay(&[&bag, "--reference", &bag]).assert_code(0).json();
    assert_eq!(reference["decisions_sha256"], first["decisions_sha256"]);

    // A recorder that came late to run heard of decisions before it heard of their images.
    let late = folder.path().join("late");
    copy_late(Path::new(&bag), &late, 300_000_000, |_| true, |_| ());
    let replayed = replay(&[&text(&late)]).assert_code(0).json();
    assert_eq!(replayed["decisions_sha256"], first["decisions_sha256"]);

    // One pixel of one image in the middle of the second episode.
    let mut marks = BagReader::open(&bag).unwrap();
    let episodes: Vec<i64> = (marks.messages().map(Result::unwrap))
        .filter(|m| *m.topic == *topics::EPISODE)
        .map(|m| {
            m.decode::<Int64>().unwrap();
            m.time_ns
        })
        .collect();
    marks = BagReader::open(&bag).unwrap();
    let stamp = (marks.messages().map(Result::unwrap))
        .filter(|m| *m.topic == *topics::CAMERA_IMAGE && m.time_ns > episodes[1])
        .nth(5)
        .map(|m| m.decode::<Image>().unwrap().header.stamp.to_nanos())
        .unwrap();
    let changed = folder.path().join("changed");
    copy(
        Path::new(&bag),
        &changed,
        |_| true,
        |image| {
            if image.header.stamp.to_nanos() == stamp {
                image.data[100] ^= 64;
            }
        },
    );
    let ended = replay(&[&text(&changed)]);
    let found = ended.assert_code(1).json();
    assert_eq!(found["equal"], false);
    assert_eq!(found["first_difference"]["stage"], "image", "{found}");
    assert_eq!(found["first_difference"]["stamp_ns"], stamp, "{found}");
    assert!(ended.stderr.contains("pixels"), "{}", ended.stderr);
    // The recorded belief is not what that image gives.
    let strict = found["largest_difference"].as_f64().unwrap();
    assert!(strict > 0.0, "{found}");

    let whole = folder.path().join("whole");
    edit_journal(Path::new(&bag), &whole, |_| ());
    let replayed = replay(&[&text(&whole)]).assert_code(0).json();
    assert_eq!(replayed["journal_sha256"], first["journal_sha256"]);
    assert_eq!(replayed["journal_sha256"].as_str().unwrap().len(), 64);
    // A record that is missing, and one in which the last bit of an outcome was changed.
    let missing = folder.path().join("missing");
    edit_journal(Path::new(&bag), &missing, |records| {
        drop(records.remove(12))
    });
    let ended = replay(&[&text(&missing)]);
    let found = ended.assert_code(1).json();
    assert_eq!(found["equal"], false, "{found}");
    assert!(
        ended
            .stderr
            .contains("the journal is not whole: what comes after tick "),
        "{}",
        ended.stderr
    );
    let changed = folder.path().join("changed-record");
    edit_journal(Path::new(&bag), &changed, |records| {
        let record = &mut records[12];
        // The last byte before the sums.
        let at = record.len() - 65;
        record[at] ^= 1;
    });
    let ended = replay(&[&text(&changed)]);
    let found = ended.assert_code(1).json();
    let said = found["journal_break"].as_str().unwrap();
    assert!(
        said.contains("was changed") && said.contains("after tick "),
        "{said}"
    );
    println!("f16: {said}");

    // Damage in the middle of the file: what is left decides the same, and that is not called equal.
    let holed = folder.path().join("holed");
    std::fs::create_dir(&holed).unwrap();
    for file in std::fs::read_dir(&bag).unwrap() {
        let file = file.unwrap();
        let mut bytes = std::fs::read(file.path()).unwrap();
        if file.path().extension().is_some_and(|e| e == "mcap") {
            // More than the indices of a chunk, which a reader does without.
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8192].fill(0xa5);
        }
        std::fs::write(holed.join(file.file_name()), bytes).unwrap();
    }
    let ended = replay(&[&text(&holed)]);
    let found = ended.assert_code(1).json();
    assert_eq!(found["equal"], false, "{found}");
    assert!(found["missing_parts"].as_u64() >= Some(1), "{found}");
    println!(
        "f16: {} damaged parts: equal is false, exit status 1",
        found["missing_parts"]
    );

    let silent = folder.path().join("silent");
    copy(
        Path::new(&bag),
        &silent,
        |t| !t.ends_with("/journal"),
        |_| (),
    );
    let ended = replay(&[&text(&silent)]);
    assert!(
        ended.assert_code(2).stderr.contains("latco record"),
        "{}",
        ended.stderr
    );
    let blind = folder.path().join("blind");
    copy(
        Path::new(&bag),
        &blind,
        |t| t != topics::CAMERA_IMAGE,
        |_| (),
    );
    let ended = replay(&[&text(&blind)]);
    let said = &ended.assert_code(2).stderr;
    assert!(said.contains("not in the bag"), "{said}");

    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let spec = latco_export::RandomSpec::keypoint();
    latco_export::write_random_bundle(&other, &spec, 77).unwrap();
    let ended = replay(&[&bag, "--bundle", &text(&other)]);
    let said = &ended.assert_code(2).stderr;
    assert!(said.contains("bundle of the recording"), "{said}");
}
