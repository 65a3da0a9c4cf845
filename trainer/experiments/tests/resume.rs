//! An experiment that is stopped goes on, and ends with the table of one that was not.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::io::Write as _;
use std::ops::ControlFlow;

use latco_experiments::options::Common;
use latco_experiments::tables::grid::Cell;
use latco_experiments::warm_start::{Args, STARTS};
use latco_experiments::{ExperimentError, Progress};
use latco_export::{RandomSpec, write_random_bundle};

/// What does not depend on the machine's speed, as exact as a number in JSON.
fn untimed(cells: &[Cell]) -> Vec<(String, String, [f32; 6])> {
    let figures = |c: &Cell| {
        [
            c.success,
            c.mean_return,
            c.predicted_return,
            c.real_return,
            c.violation_median,
            c.violation_p90,
        ]
        .map(|figure| figure as f32)
    };
    (cells.iter())
        .map(|cell| (cell.row.clone(), cell.setting.clone(), figures(cell)))
        .collect()
}

#[test]
fn a_stopped_experiment_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(&bundle, &spec, 5).unwrap();
    let args = |name: &str, seed| Args {
        common: Common {
            quick: true,
            out: Some(folder.path().join(name)),
            seed,
            json: false,
        },
        parts: Default::default(),
        bundle: bundle.clone(),
        task: "reach".into(),
        config: None,
        budgets: vec![1, 2],
        episodes: Some(1),
    };
    let run = |name: &str, seed, progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>| {
        args(name, seed).experiment().unwrap().run(progress)
    };
    let whole = run("whole", 0, &mut |progress| {
        assert!(progress.done <= progress.total);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(whole.len(), 2 * STARTS.len());
    assert!(
        whole
            .iter()
            .all(|cell| cell.episodes.len() == 1 && cell.violation_median > 0.0)
    );

    let parted = folder.path().join("parted");
    let first = run("parted", 0, &mut |progress| {
        if progress.done < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    assert_eq!(first.len(), 3);
    // As if it had been killed in the middle of a line.
    let file = parted.join("cells.jsonl");
    let mut cells = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    cells.write_all(b"{\"task\":\"re").unwrap();
    let mut seen = Vec::new();
    let rest = run("parted", 0, &mut |progress| {
        seen.push(progress.done);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen[0], 3, "the cells that were done are not done again");
    assert_eq!(untimed(&rest), untimed(&whole));
    for name in ["warm_start.csv", "warm_start.md", "warm_start.png"] {
        assert!(parted.join(name).metadata().unwrap().len() > 100, "{name}");
    }

    let error = run("parted", 9, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, ExperimentError::Another { .. }), "{error}");
}
