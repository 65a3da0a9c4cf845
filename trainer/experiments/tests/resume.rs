//! An experiment that is stopped goes on, and ends with the table of one that was not.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::io::Write as _;
use std::ops::ControlFlow;

use latco_experiments::ExperimentError;
use latco_experiments::warm_start::{Cell, Options, STARTS, run};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

/// What does not depend on the machine's speed, as exact as a number in JSON.
fn untimed(cells: &[Cell]) -> Vec<(String, u32, [f32; 6])> {
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
        .map(|cell| (cell.start.clone(), cell.iterations, figures(cell)))
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
    let bundle = Bundle::load(&bundle, &Default::default()).unwrap();
    let options = |name: &str| {
        let mut options = Options::new("reach", folder.path().join(name), true);
        (options.episodes, options.budgets) = (1, vec![1, 2]);
        options
    };
    let whole = run(&bundle, &options("whole"), &mut |progress| {
        assert!(progress.done <= progress.total);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(whole.len(), 2 * STARTS.len());
    assert!(
        whole
            .iter()
            .all(|cell| cell.episodes == 1 && cell.violation_median > 0.0)
    );

    let parted = options("parted");
    let first = run(&bundle, &parted, &mut |progress| {
        if progress.done < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    assert_eq!(first.len(), 3);
    // As if it had been killed in the middle of a line.
    let file = parted.out.join("cells.jsonl");
    let mut cells = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    cells.write_all(b"{\"start\":\"co").unwrap();
    let mut seen = Vec::new();
    let rest = run(&bundle, &parted, &mut |progress| {
        seen.push(progress.done);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen[0], 3, "the cells that were done are not done again");
    assert_eq!(untimed(&rest), untimed(&whole));
    for name in ["warm_start.csv", "warm_start.md", "warm_start.png"] {
        assert!(
            parted.out.join(name).metadata().unwrap().len() > 100,
            "{name}"
        );
    }

    let mut other = parted.clone();
    other.seed = 9;
    let error = run(&bundle, &other, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, ExperimentError::Another { .. }), "{error}");
}
