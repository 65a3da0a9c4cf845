//! The ablations of table 3 as they stand in `configs/ablations/`.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::rows::ablations;
use latco_experiments::tables::grid::Wanted;
use latco_experiments::tables::{ABLATIONS, Args, Setting};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cells(bundles: PathBuf) -> Vec<Wanted> {
    let args = Args {
        common: Default::default(),
        parts: Default::default(),
        rows: Vec::new(),
        settings: vec![Setting::Paper],
        tasks: vec!["key".to_owned()],
        bundles,
        configs: repository().join("configs"),
        equal_ms: Some(50.0),
        episodes: Some(1),
    };
    args.cells(&ABLATIONS).unwrap()
}

#[test]
fn every_file_is_that_of_the_key_task_but_for_its_ablation() {
    let key = Config::load(&repository().join("configs/key.toml")).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(repository().join("configs/ablations")).unwrap() {
        let path = entry.unwrap().path();
        let mut config = Config::load(&path).unwrap();
        assert_ne!(config.planner.latco, key.planner.latco, "{path:?}");
        if config.planner.kind == PlannerKind::LatcoFirstOrder {
            assert_eq!(config.planner.budget_ms, None, "{path:?}");
            config.planner.budget_ms = key.planner.budget_ms;
            config.planner.kind = PlannerKind::Latco;
        }
        // What the table takes of it.
        let row = path
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .replace('-', "_");
        let mut untimed = key.clone();
        untimed.planner.budget_ms = None;
        let of_table = ablations(&untimed).into_iter().find(|a| a.row == row);
        let latco = &of_table.unwrap().config.planner.latco;
        assert_eq!(config.planner.latco, *latco, "{path:?}");
        config.planner.latco = key.planner.latco.clone();
        assert_eq!(config, key, "{path:?}");
        files += 1;
    }
    assert_eq!(files, 4);
}

#[test]
fn the_table_has_a_row_for_each_of_them() {
    let cells = cells(repository().join("models/bundles"));
    let planner = |name: &str| {
        let found = cells.iter().find(|cell| cell.row == name);
        &found.unwrap().config.planner
    };
    let row = |name: &str| &planner(name).latco;
    assert_eq!(row("no_relaxation").dynamics_multiplier, 1e8);
    let fixed = row("no_constrained");
    assert_eq!(
        (fixed.dynamics_multiplier, fixed.action_multiplier),
        (8.0, 16.0)
    );
    assert_eq!(fixed.multiplier_rate, 0.0);
    let first_order = row("no_second_order");
    let kind = planner("no_second_order").kind;
    assert_eq!(kind, PlannerKind::LatcoFirstOrder);
    assert_eq!(
        (first_order.iterations_cold, first_order.multiplier_rate),
        (5000, 1.5)
    );
    assert_eq!(row("no_sampled_start").sampled_starts, 0);
    let kinds = cells.iter().map(|cell| cell.config.planner.kind);
    assert_eq!(kinds.filter(|kind| *kind == PlannerKind::Latco).count(), 5);
}

/// The model without a deterministic part is another bundle: its row is there if the bundle is.
#[test]
fn a_model_without_a_deterministic_part_is_a_row_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |bundles: &Path| {
        let cells = cells(bundles.to_path_buf());
        let of_it = cells.iter().filter(|cell| cell.row == "no_deterministic");
        of_it.map(|cell| cell.bundle.clone()).collect::<Vec<_>>()
    };
    let copy = |name: &str| {
        let to = folder.path().join(name);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(repository().join("models/bundles/key")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        to
    };
    copy("key");
    assert!(rows(folder.path()).is_empty());
    let bundle = copy("key-no-deterministic");
    assert_eq!(rows(folder.path()), [bundle]);
}
