//! A grid of cells: parts that ran apart are the whole when they are put together, and what a killed run
//! left is not run again.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::ExperimentError;
use latco_experiments::grid::{Cell, Grid, Outcome, Wanted};
use latco_export::{RandomSpec, write_random_bundle};

/// What does not depend on the machine's speed.
fn untimed(cells: &[Cell]) -> Vec<(String, f64, Vec<Outcome>)> {
    (cells.iter())
        .map(|cell| (cell.row.clone(), cell.mean_return, cell.episodes.clone()))
        .collect()
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
        Wanted {
            task: "reach".into(),
            bundle: bundle.to_path_buf(),
            row: kind.name().into(),
            setting: "paper".into(),
            config,
        }
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
    grid.run(|_| ControlFlow::Continue(()), |_| Ok(())).unwrap()
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
    assert_eq!(first.merge(&at("second")).unwrap(), 1);
    assert_eq!(first.merge(&at("second")).unwrap(), 0, "nothing twice");
    assert_eq!(untimed(&first.done().unwrap()), untimed(&whole));

    // A run that was killed within a line: that cell is run again, the others are not.
    let file = at("whole").join("cells.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 20]).unwrap();
    let resumed = grid(&bundle, &at("whole"), None);
    assert_eq!(resumed.done().unwrap().len(), 2);
    let mut ran = Vec::new();
    let cells = resumed
        .run(
            |progress| {
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
    assert_eq!(untimed(&cells), untimed(&whole));

    let mut other = grid(&bundle, &at("whole"), None);
    other.episodes = 3;
    let refused = other.done();
    assert!(matches!(refused, Err(ExperimentError::Another { .. })));
}
