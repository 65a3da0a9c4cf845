//! The figures of single plans and of the model, on models that know nothing.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::figures::{film, optimisation, reward_map};
use latco_experiments::{ExperimentError, Progress};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

fn random_bundle(folder: &Path) -> Bundle {
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder, &spec, 5).unwrap();
    Bundle::load(folder, &Default::default()).unwrap()
}

fn go_on() -> impl FnMut(&Progress) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
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
    let bundle = random_bundle(&folder.path().join("bundle"));
    let out = folder.path().join("map");
    let options = reward_map::Options {
        task: "reach".into(),
        grid: 25,
        seed: 0,
        out: out.clone(),
    };
    let all = reward_map::run(&bundle, &options).unwrap();
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
    let bundle = random_bundle(&folder.path().join("bundle"));
    let out = folder.path().join("film");
    let options = film::Options {
        task: "reach".into(),
        config: Config::default(),
        planners: vec![PlannerKind::Latco, PlannerKind::Cem],
        iterations: vec![1, 3],
        samples: 20,
        seed: 0,
        out: out.clone(),
    };
    let rows = film::run(&bundle, &options, &mut go_on()).unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r.planner, r.iterations)).collect();
    assert_eq!(told, [("latco", 1), ("latco", 3), ("cem", 1), ("cem", 3)]);
    assert!(rows[0].violation.is_some() && rows[2].violation.is_none());
    assert_written(&out, &["film_strip.csv", "film_strip.md", "film_strip.png"]);
    let again = film::run(&bundle, &options, &mut go_on()).unwrap();
    assert_eq!(again, rows, "the same random numbers");
}

#[test]
fn curves_of_parts_are_those_of_one_run_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    random_bundle(&folder.path().join("bundles/reach"));
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let experiment = |name: &str, part| {
        let options = optimisation::Options {
            tasks: vec!["reach".into()],
            bundles: folder.path().join("bundles"),
            configs: configs.clone(),
            iterations: 6,
            plans: 2,
            seed: 0,
            out: folder.path().join(name),
            part,
        };
        optimisation::Optimisation::new(options).unwrap()
    };
    let whole = experiment("whole", None).run(&mut go_on()).unwrap();
    assert_eq!(whole.len(), 2);
    for cell in &whole {
        assert_eq!(cell.violation.len(), 6);
        assert!(cell.multiplier[0][1] >= 1.0);
    }
    assert!(whole[1].multiplier[0][1] >= 1e7, "not relaxed");
    experiment("a", Some((1, 2))).run(&mut go_on()).unwrap();
    experiment("b", Some((0, 2))).run(&mut go_on()).unwrap();
    let merged = experiment("merged", None);
    for part in ["a", "b"] {
        let added = merged
            .cells
            .merge::<optimisation::Cell>(&folder.path().join(part));
        assert_eq!(added.unwrap(), 1);
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
