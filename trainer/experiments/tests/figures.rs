//! The figures of single plans and of the model, on models that know nothing.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use latco_controller::config::PlannerKind;
use latco_experiments::figures::{film, optimisation, reward_map};
use latco_experiments::options::{Common, Parts};
use latco_experiments::{ExperimentError, Progress, race};
use latco_export::{RandomSpec, write_random_bundle};

fn random_bundle(folder: &Path) {
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder, &spec, 5).unwrap();
}

fn common(out: &Path) -> Common {
    Common {
        out: Some(out.to_path_buf()),
        ..Common::default()
    }
}

fn go_on() -> impl FnMut(&Progress) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn assert_written(folder: &Path, names: &[&str]) {
    for name in names {
        let length = folder.join(name).metadata().unwrap().len();
        assert!(length > 200, "{name}: {length} bytes");
    }
}

#[test]
fn a_reward_map_has_the_goal_where_it_is_and_a_prediction_everywhere_in_reach() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    random_bundle(&bundle);
    let out = folder.path().join("map");
    let args = reward_map::Args {
        common: common(&out),
        task: "reach".into(),
        bundle: Some(bundle),
        grid: Some(25),
    };
    let all = reward_map::run(&args).unwrap();
    assert_eq!(all.len(), 1);
    let ((_, rewarded), (_, others)) = all[0].means();
    // A disc of 0.08 m, seen every 0.08 m.
    assert!((1..=5).contains(&rewarded), "{rewarded}");
    assert!(
        others > 100 && others < 625,
        "{others}: some are out of reach"
    );
    assert!(all[0].values.iter().flatten().all(|(p, _)| p.is_finite()));
    assert_written(&out, &["reward_map.csv", "reward_map.md", "reward_map.png"]);
}

#[test]
fn a_film_strip_has_a_row_for_every_plan() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    random_bundle(&bundle);
    let out = folder.path().join("film");
    let args = film::Args {
        common: common(&out),
        task: "reach".into(),
        bundle: Some(bundle),
        config: Some(configs().join("reach.toml")),
        planners: vec![PlannerKind::Latco, PlannerKind::Cem],
        iterations: vec![3, 1],
        samples: Some(20),
    };
    let rows = film::run(&args, &mut go_on()).unwrap().unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r.planner, r.iterations)).collect();
    assert_eq!(told, [("latco", 1), ("latco", 3), ("cem", 1), ("cem", 3)]);
    assert!(rows[0].violation.is_some() && rows[2].violation.is_none());
    assert_written(&out, &["film_strip.csv", "film_strip.md", "film_strip.png"]);
    let again = film::run(&args, &mut go_on()).unwrap().unwrap();
    assert_eq!(again, rows, "the same random numbers");
}

#[test]
fn a_race_has_a_lane_for_every_planner_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    random_bundle(&bundle);
    let out = folder.path().join("race");
    let args = race::Args {
        common: common(&out),
        task: "reach".into(),
        bundle: Some(bundle),
        config: Some(configs().join("reach.toml")),
        planners: vec![PlannerKind::SamplingOnly, PlannerKind::Cem],
        equal_ms: 2.0,
    };
    let lanes = race::run(&args, &mut go_on()).unwrap().unwrap();
    let names: Vec<_> = lanes.iter().map(|lane| lane.planner).collect();
    assert_eq!(names, ["sampling_only", "cem"]);
    assert!(lanes.iter().all(|l| l.plan_ms_p50 > 0.0 && l.got.is_some()));
    assert_written(&out, &["race.csv", "race.md", "race.html"]);
    let page = std::fs::read_to_string(out.join("race.html")).unwrap();
    let jpegs = page.matches("/9j/").count();
    assert!(jpegs >= 2 * 2 * 50, "{jpegs} pictures");
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    let stopped = race::run(&args, &mut |_| ControlFlow::Break(())).unwrap();
    assert!(stopped.is_none());
}

#[test]
fn curves_of_parts_are_those_of_one_run_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    random_bundle(&folder.path().join("bundles/reach"));
    let args = |name: &str, cell| optimisation::Args {
        common: common(&folder.path().join(name)),
        parts: Parts {
            cell,
            merge: Vec::new(),
        },
        tasks: vec!["reach".into()],
        bundles: folder.path().join("bundles"),
        configs: configs(),
        iterations: 6,
        plans: Some(2),
    };
    let run = |name: &str, part| {
        let args = args(name, part);
        args.experiment().unwrap().run(&mut go_on()).unwrap()
    };
    let whole = run("whole", None);
    assert_eq!(whole.len(), 2);
    for cell in &whole {
        assert_eq!(cell.violation.len(), 6);
        assert!(cell.multiplier[0][1] >= 1.0);
    }
    assert!(whole[1].multiplier[0][1] >= 1e7, "not relaxed");
    run("a", Some((1, 2)));
    run("b", Some((0, 2)));
    let merged = args("merged", None);
    let mut merged = merged.experiment().unwrap();
    for part in ["a", "b"] {
        assert_eq!(merged.merge(&folder.path().join(part)).unwrap(), 1);
    }
    merged.run(&mut go_on()).unwrap();
    for name in ["cells.jsonl", "curves.csv", "curves.md", "curves-reach.png"] {
        let read = |run: &str| std::fs::read(folder.path().join(run).join(name)).unwrap();
        assert!(read("whole") == read("merged"), "{name} differs");
        assert!(read("whole").len() > 300, "{name}");
    }
    let other = ExperimentError::NothingToMerge(folder.path().join("none"));
    assert!(other.to_string().contains("none"));
}
