//! A grid of cells: parts that ran apart are the whole when they are put together, and what a killed run
//! left is not run again. Files are compared byte for byte but for what was measured.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::ExperimentError;
use latco_experiments::tables::grid::{Cell, Grid, Wanted};
use latco_export::{RandomSpec, write_random_bundle};

/// The lines of a file of cells without the measured times at their ends.
fn unmeasured(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| match line.find(",\"measured\":") {
        Some(at) => line[..at].to_owned(),
        None => line.to_owned(),
    });
    lines.collect()
}

fn grid(bundle: &Path, out: &Path, part: Option<(usize, usize)>) -> Grid {
    let kinds = [
        PlannerKind::Latco,
        PlannerKind::Mppi,
        PlannerKind::ShootingGd,
    ];
    let cells = kinds.map(|kind| {
        let mut config = Config::default();
        config.planner.kind = kind;
        (
            config.planner.latco.iterations_cold,
            config.planner.latco.iterations_warm,
        ) = (2, 1);
        (config.planner.mppi.samples, config.planner.mppi.elites) = (16, 4);
        config.planner.mppi.iterations = 1;
        let gd = &mut config.planner.shooting_gd;
        (gd.iterations_cold, gd.iterations_warm) = (2, 1);
        config.planner.threads = 1;
        Wanted::new(
            "reach",
            bundle.to_path_buf(),
            (kind.name(), "paper"),
            config,
        )
        .unwrap()
    });
    Grid {
        experiment: "test".into(),
        cells: cells.to_vec(),
        episodes: 2,
        seed: 0,
        out: out.to_path_buf(),
        part,
    }
}

fn run(grid: &Grid) -> Vec<Cell> {
    grid.run(&mut |_| ControlFlow::Continue(()), |_| Ok(()))
        .unwrap()
}

#[test]
fn parts_make_the_whole_and_nothing_is_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(&bundle, &spec, 5).unwrap();
    let at = |name: &str| folder.path().join(name);

    let whole = run(&grid(&bundle, &at("whole"), None));
    assert_eq!(whole.len(), 3);
    assert!(whole.iter().all(|cell| cell.episodes.len() == 2));

    // Two machines with a folder each, put together on the first.
    let first = grid(&bundle, &at("first"), Some((0, 2)));
    let second = grid(&bundle, &at("second"), Some((1, 2)));
    assert_eq!((run(&first).len(), run(&second).len()), (2, 1));
    let merged = grid(&bundle, &at("merged"), None);
    assert_eq!(merged.merge(&at("second")).unwrap(), 1);
    assert_eq!(merged.merge(&at("first")).unwrap(), 2);
    assert_eq!(merged.merge(&at("first")).unwrap(), 0, "nothing twice");
    let nothing = merged.merge(&at("nowhere")).unwrap_err();
    assert!(matches!(nothing, ExperimentError::NothingToMerge(_)));
    let ran = merged
        .run(
            &mut |progress| panic!("nothing is left to run, {} was", progress.cell),
            |cells| {
                assert_eq!(cells.len(), 3);
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(ran.len(), 3);
    let whole_file = unmeasured(&at("whole").join("cells.jsonl"));
    assert_eq!(
        unmeasured(&at("merged").join("cells.jsonl")),
        whole_file,
        "in the order of the grid"
    );

    // A run that was killed within a line: that cell is run again, the others are not.
    let file = at("whole").join("cells.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 20]).unwrap();
    let resumed = grid(&bundle, &at("whole"), None);
    assert_eq!(resumed.done().unwrap().len(), 2);
    let mut ran = Vec::new();
    resumed
        .run(
            &mut |progress| {
                ran.push(progress.cell.clone());
                ControlFlow::Continue(())
            },
            |_| Ok(()),
        )
        .unwrap();
    assert!(
        ran.iter().all(|cell| cell.contains("shooting_gd")),
        "{ran:?}"
    );
    assert_eq!(unmeasured(&file), whole_file);

    // Another configuration is another cell, and the old ones stay.
    let mut changed = grid(&bundle, &at("whole"), None);
    let mut config = changed.cells[0].config.clone();
    config.planner.latco.iterations_cold = 1;
    changed.cells[0] = Wanted::new("reach", bundle.clone(), ("latco", "paper"), config).unwrap();
    assert_eq!(changed.done().unwrap().len(), 2);

    let mut other = grid(&bundle, &at("whole"), None);
    other.episodes = 3;
    let refused = other.done();
    assert!(matches!(refused, Err(ExperimentError::Another { .. })));
}
