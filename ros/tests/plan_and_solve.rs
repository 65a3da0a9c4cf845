//! `latco plan` and `latco solve`: a plan from a simulated robot and from a bag, dumped and solved again.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::path::Path;
use std::time::Duration;

use common::{IMAGE, JOINTS, Latco, configuration};
use latco_bag::image::{Compression, compress};
use latco_bag::messages::{Header, Image, Int64, JointState, Time};
use latco_bag::{BagWriter, topics};

const LONG: Duration = Duration::from_secs(60);
const PERIOD_NS: i64 = 100_000_000;

/// Two episodes of ten images, with joint states at each.
fn write_bag(folder: &Path) {
    let mut bag = BagWriter::create(folder).unwrap();
    for number in 0..20 {
        let time = 5_000_000_000 + number * PERIOD_NS;
        let header = || Header {
            stamp: Time::from_nanos(time),
            frame_id: String::new(),
        };
        if number % 10 == 0 {
            let episode = Int64 { data: number / 10 };
            bag.write(topics::EPISODE, time, &episode).unwrap();
        }
        let joints = JointState {
            header: header(),
            name: JOINTS.map(String::from).to_vec(),
            position: vec![0.02 * number as f64; 3],
            velocity: vec![0.2; 3],
            effort: Vec::new(),
        };
        bag.write(topics::JOINT_STATES, time, &joints).unwrap();
        let side = IMAGE as u32;
        let image = Image {
            header: header(),
            height: side,
            width: side,
            encoding: "rgb8".into(),
            is_bigendian: 0,
            step: 3 * side,
            data: vec![(10 * number) as u8; 3 * IMAGE * IMAGE],
        };
        bag.write(topics::CAMERA_IMAGE, time, &image).unwrap();
    }
    bag.finish().unwrap();
}

#[test]
fn a_plan_ends_where_a_goal_picture_shows_it_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "[planner.latco]\nstarts = 2\n");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bundle, out, dump) = (path("bundle"), path("out"), path("problem.dump"));
    let (goal, text, config) = (path("goal.png"), path("text.png"), config.to_string_lossy());
    // Of another size than the model's.
    let pixels = (0..48 * 64 * 3).map(|i| (i / 80) as u8).collect();
    let picture = Image::rgb8(Header::default(), 64, 48, pixels);
    let png = compress(picture, Compression::Png).unwrap();
    std::fs::write(&goal, png.data).unwrap();
    std::fs::write(&text, "no picture").unwrap();
    let plan = |more: &[&str]| {
        let common = [
            "plan",
            "--bundle",
            &bundle,
            "--task",
            "reach",
            "--iterations",
            "60",
            "--config",
            &config,
            "--out",
            &out,
            "--json",
        ];
        Latco::run(&[&common[..], more].concat(), LONG)
    };
    let found = plan(&["--goal-image", &goal, "--dump", &dump]);
    let found = found.assert_code(0).json();
    // A goal alone is all that the plan is valued by: the squared distance of its last state, which has twelve elements.
    let distance = found["goal"]["distance_at_end"].as_f64().unwrap();
    let promised = found["predicted_return"].as_f64().unwrap();
    assert!(distance > 0.0, "{found}");
    assert!((promised + 12.0 * distance.powi(2)).abs() < 1e-3, "{found}");
    assert_eq!(found["goal"]["joints"].as_array().map(Vec::len), Some(3));
    let given = ["--goal-image", &goal, "--goal-joints", "0.1,-0.2,0.3"];
    let given = plan(&given).assert_code(0).json();
    assert_eq!(
        given["goal"]["joints"][1]
            .as_f64()
            .map(|q| (q * 10.0).round()),
        Some(-2.0)
    );
    let solved = Latco::run(&["solve", &dump, "--json"], LONG);
    assert_eq!(solved.assert_code(0).json()["equal"], true);

    for (words, more) in [
        ("expected a goal picture", &["--goal-image", &text][..]),
        ("expected a goal picture", &["--goal-image", "missing.png"]),
        (
            "expected 3 positions",
            &["--goal-image", &goal, "--goal-joints", "0.1"],
        ),
        (
            "plans to no picture",
            &["--goal-image", &goal, "--planner", "gaussian_latco"],
        ),
    ] {
        let refused = plan(more);
        refused.assert_code(2);
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
}

#[test]
fn a_plan_is_drawn_dumped_and_solved_again() {
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path(), "");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bundle, out, dump) = (path("bundle"), path("out"), path("problem.dump"));
    let plan = [
        "plan", "--bundle", &bundle, "--task", "reach", "--seed", "3",
    ];
    let options = [
        "--iterations",
        "12",
        "--out",
        &out,
        "--dump",
        &dump,
        "--json",
    ];
    let table = Latco::run(&[&plan[..], &options].concat(), LONG);
    let table = table.assert_code(0).json();
    assert_eq!(table["iterations"], 12);
    assert_eq!(table["stop"], "iteration_budget");
    // What is executed is the best of the candidates.
    let value = |key: &str| table[key].as_f64().unwrap();
    let (iterates, sampled) = (value("iterates_best_return"), value("sampled_best_return"));
    assert_eq!(value("predicted_return"), iterates.max(sampled));
    let executed = if iterates > sampled {
        "iterate"
    } else {
        "sampled"
    };
    assert_eq!(table["executed_candidate"], executed);
    assert!(value("violation_mean") > 0.0);
    assert!(value("violation_max") >= value("violation_mean"));
    assert_eq!(table["true_rewards"].as_array().map(Vec::len), Some(6));
    for picture in ["film_strip.png", "plan_curves.png"] {
        assert!(folder.path().join("out").join(picture).is_file());
    }
    // The same seed, the same plan.
    let again = Latco::run(&[&plan[..], &options].concat(), LONG).json();
    assert_eq!(again["predicted_rewards"], table["predicted_rewards"]);
    let cem = Latco::run(
        &[
            &plan[..],
            &["--planner", "cem", "--iterations", "2", "--out", &out],
        ]
        .concat(),
        LONG,
    );
    assert!(cem.assert_code(0).stdout.contains("cem"));

    let solve = ["solve", &dump, "--json"];
    let solved = Latco::run(&solve, LONG);
    let solved = solved.assert_code(0).json();
    assert_eq!(solved["equal"], true);
    assert_eq!(solved["solved"]["iterations"], 12);
    let lines = solved["iterations"].as_array().map(Vec::len);
    let plans = solved["solved"]["plans"].as_u64().unwrap() as usize;
    assert_eq!(lines, Some(12 * plans));
    let text = Latco::run(&solve[..2], LONG);
    assert!(text.assert_code(0).stdout.contains("bit for bit"));

    let mut bytes = std::fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&dump, &bytes).unwrap();
    let damaged = Latco::run(&solve[..2], LONG);
    damaged.assert_code(2);
    assert!(damaged.stderr.contains("checksum"), "{}", damaged.stderr);
    let foreign = Latco::run(&["solve", "Cargo.toml"], LONG);
    foreign.assert_code(2);
    assert!(
        foreign.stderr.contains("another kind"),
        "{}",
        foreign.stderr
    );
}

#[test]
fn a_plan_is_made_from_the_images_of_a_bag_up_to_a_time() {
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path(), "");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bundle, bag, out) = (path("bundle"), path("bag"), path("out"));
    write_bag(Path::new(&bag));
    let plan = |at: &str| {
        let source = ["plan", "--bundle", &bundle, "--bag", &bag, "--at", at];
        Latco::run(&[&source[..], &["--out", &out, "--json"]].concat(), LONG)
    };
    let early = plan("0.35").assert_code(0).json();
    assert_eq!(early["images"], 4);
    assert!(early["true_return"].is_null());
    let late = plan("1.2").assert_code(0).json();
    assert_eq!(late["images"], 13);
    assert_ne!(early["predicted_rewards"], late["predicted_rewards"]);
    let before = plan("-1");
    before.assert_code(2);
    assert!(before.stderr.contains("no belief"), "{}", before.stderr);

    for arguments in [
        &["plan", "--bundle", &bundle][..],
        &["plan", "--bundle", &bundle, "--bag", &bag],
        &[
            "plan", "--bundle", &bundle, "--bag", &bag, "--at", "1", "--task", "reach",
        ],
        &["plan", "--bundle", "no-bundle", "--task", "reach"],
    ] {
        Latco::run(arguments, LONG).assert_code(2);
    }
    // The model of another robot.
    let refused = Latco::run(&["plan", "--bundle", &bundle, "--task", "push"], LONG);
    let said = &refused.assert_code(2).stderr;
    assert!(said.contains("control period in s"), "{said}");
}
