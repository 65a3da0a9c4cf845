//! Reward labels: the original stays, the copy has the rewards that were asked for, and training reads them.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use latco_bag::messages::{Bool, Float32, Float64MultiArray, Header, Image, Int64, StringMessage};
use latco_bag::{BagReader, BagWriter, topics};
use latco_models::sha256;
use latco_trainer::data::{LoadOptions, load};
use latco_trainer::label::{Ranges, Rule, label};

const PERIOD_NS: i64 = 100_000_000;
const STEPS: i64 = 20;
const EPISODES: i64 = 3;
/// Between the episodes.
const PAUSE_NS: i64 = 1_000_000_000;

/// When an episode's step is.
fn time(episode: i64, step: i64) -> i64 {
    1_000 * PERIOD_NS + episode * (STEPS * PERIOD_NS + PAUSE_NS) + step * PERIOD_NS
}

/// A bag as a robot records it: no rewards, a success button, images stamped 30 ms before they are recorded.
fn robot_bag(folder: &Path) -> PathBuf {
    let path = folder.join("robot");
    let mut bag = BagWriter::create(&path).unwrap();
    for episode in 0..EPISODES {
        bag.write(
            topics::EPISODE,
            time(episode, 0) - 1,
            &Int64 { data: 10 + episode },
        )
        .unwrap();
        for step in 0..STEPS {
            let seen = time(episode, step);
            let shade = (10 * step) as u8;
            let image = Image::rgb8(
                Header::new(seen, "camera"),
                16,
                12,
                vec![shade; 16 * 12 * 3],
            );
            bag.write(topics::CAMERA_IMAGE, seen + 30_000_000, &image)
                .unwrap();
            let command = Float64MultiArray::vector(vec![0.1, 0.2]);
            bag.write(topics::COMMANDS, seen + 31_000_000, &command)
                .unwrap();
            // Pressed during the last steps, never released before the next episode.
            if step == STEPS - 4 {
                bag.write("/success", seen, &Bool { data: true }).unwrap();
                bag.write("/score", seen, &Float32 { data: 0.25 }).unwrap();
            }
        }
        bag.write(
            "/notes",
            time(episode, STEPS - 1),
            &StringMessage {
                data: "done".into(),
            },
        )
        .unwrap();
    }
    bag.finish().unwrap();
    path
}

fn sums(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path());
    files
        .map(|f| (f.clone(), sha256(&std::fs::read(f).unwrap())))
        .collect()
}

/// Rewards of every episode as training reads them.
fn read(bag: &Path) -> Vec<Vec<f32>> {
    let data = load(&[bag.to_owned()], &LoadOptions::default()).unwrap();
    assert_eq!(data.problems(), Vec::<String>::new());
    data.episodes.into_iter().map(|e| e.rewards).collect()
}

/// 0 for the first steps, then `value`.
fn from_step(first: i64, value: f32) -> Vec<f32> {
    (0..STEPS)
        .map(|step| if step >= first { value } else { 0.0 })
        .collect()
}

fn ranges(folder: &Path, text: &str) -> Ranges {
    let file = folder.join("ranges.toml");
    std::fs::write(&file, text).unwrap();
    Ranges::read(&file).unwrap()
}

#[test]
fn the_last_seconds_of_every_episode_are_rewarded_and_the_original_stays() {
    let folder = tempfile::tempdir().unwrap();
    let bag = robot_bag(folder.path());
    let before = sums(&bag);
    let out = folder.path().join("labelled");
    let labelled = label(&bag, &out, &Rule::LastSeconds(0.5), "").unwrap();
    assert_eq!(sums(&bag), before);
    assert_eq!((labelled.frames, labelled.rewarded), (60, 15));
    assert_eq!(labelled.problems, Vec::<String>::new());
    assert_eq!(read(&out), vec![from_step(STEPS - 5, 1.0); 3]);

    // Everything else is there as it was.
    let (original, copy) = (
        BagReader::open(&bag).unwrap(),
        BagReader::open(&out).unwrap(),
    );
    for topic in original.topics() {
        assert_eq!(copy.topic(&topic.name), Some(topic));
    }
    let strip = image::open(&labelled.strip).unwrap().to_rgb8();
    let green = strip.pixels().filter(|p| p.0 == [0, 190, 90]).count();
    assert!(green > 10_000, "{green} pixels of borders");

    let again = label(&bag, &out, &Rule::LastSeconds(0.5), "")
        .unwrap_err()
        .to_string();
    assert!(again.contains("labelled"), "{again}");
    assert_eq!(read(&out).len(), 3, "a copy that is there is not touched");

    // Labelling the copy differently replaces its rewards.
    let third = folder.path().join("third");
    let labelled = label(&out, &third, &Rule::LastSeconds(0.25), "").unwrap();
    assert_eq!(labelled.replaced, 60);
    assert_eq!(read(&third), vec![from_step(STEPS - 3, 1.0); 3]);
}

#[test]
fn topics_are_held_until_the_next_value_and_not_beyond_the_episode() {
    let folder = tempfile::tempdir().unwrap();
    let bag = robot_bag(folder.path());
    for (name, value) in [("success", 1.0), ("/score", 0.25)] {
        let out = folder
            .path()
            .join(format!("by-{}", name.trim_start_matches('/')));
        label(&bag, &out, &Rule::Topic(name.into()), "").unwrap();
        assert_eq!(read(&out), vec![from_step(STEPS - 4, value); 3], "{name}");
    }
    let refused = |topic: &str| {
        let out = folder.path().join("refused");
        let error = label(&bag, &out, &Rule::Topic(topic.into()), "")
            .unwrap_err()
            .to_string();
        assert!(!out.exists());
        error
    };
    let message = refused("sucess");
    for part in [
        "sucess",
        "/success (std_msgs/msg/Bool)",
        "/camera/image_raw",
        "/notes",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    let message = refused("/notes");
    assert!(
        message.contains("std_msgs/msg/String") && message.contains("Float32"),
        "{message}"
    );
}

#[test]
fn ranges_reward_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let bag = robot_bag(folder.path());
    let out = folder.path().join("labelled");
    let text = "[[range]]\nfrom_s = 1.0\nto_s = 2.5\nepisode = 11\n[[range]]\nfrom_s = 0\nto_s = 0.35\nreward = -0.5\n";
    let rule = Rule::Ranges(ranges(folder.path(), text));
    label(&bag, &out, &rule, "").unwrap();
    let mut first = vec![-0.5; 4];
    first.resize(STEPS as usize, 0.0);
    let none = vec![0.0; STEPS as usize];
    assert_eq!(read(&out), [first, from_step(10, 1.0), none]);
}

#[test]
fn everything_wrong_with_ranges_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let bag = robot_bag(folder.path());
    let text = "
        [[range]]
        from_s = 2
        to_s = 4
        [[range]]
        from_s = 3
        to_s = 5
        [[range]]
        from_s = 8
        to_s = 7
        [[range]]
        from_s = 6
        to_s = 100
        [[range]]
        from_s = 0
        to_s = 1
        episode = 77
        [[range]]
        from_s = 6
        to_s = 6.5
        reward = nan
    ";
    let out = folder.path().join("labelled");
    let error = label(&bag, &out, &Rule::Ranges(ranges(folder.path(), text)), "").unwrap_err();
    let message = error.to_string();
    for part in [
        "ranges 1 and 2 overlap",
        "range 3 (8 to 7 s): expected times with from_s < to_s",
        "range 4 (6 to 100 s): expected times within the bag",
        "range 5 (0 to 1 s): expected an episode of the bag, found 77; there are 10, 11, 12",
        "range 6 (6 to 6.5 s): expected a finite reward",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert!(!out.exists());
}

#[test]
fn the_command_ends_with_2_for_bad_labels_and_says_what_is_odd() {
    let folder = tempfile::tempdir().unwrap();
    let bag = robot_bag(folder.path());
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_latco-train"))
            .arg("label")
            .arg(&bag)
            .args(["--out", folder.path().join("out").to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap()
    };
    for arguments in [&["--topic", "nothing"][..], &["--last-seconds", "0"], &[]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let done = run(&["--last-seconds", "60", "--json"]);
    assert!(done.status.success(), "{done:?}");
    let log = String::from_utf8(done.stderr).unwrap();
    assert!(log.contains("all of it lies in its last 60 s"), "{log}");
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(json["rewarded"], 60);
}
