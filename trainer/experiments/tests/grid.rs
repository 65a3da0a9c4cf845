//! A grid of cells: parts that ran apart are the whole when they are put together, and what a killed run
//! left is not run again. Files are compared byte for byte but for what was measured.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_experiments::ExperimentError;
use latco_experiments::cells::{Experiment, Report};
use latco_experiments::tables::grid::{Cell, Wanted, experiment};
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

fn wanted(bundle: &Path, kind: PlannerKind, iterations: u32) -> Wanted {
    let mut config = Config::default();
    config.planner.kind = kind;
    let latco = &mut config.planner.latco;
    (latco.iterations_cold, latco.iterations_warm) = (iterations, 1);
    let cem = &mut config.planner.cem;
    (cem.iterations, cem.samples, cem.elites) = (1, 16, 4);
    config.planner.threads = 1;
    let place = (kind.name(), "paper");
    Wanted::new("reach", bundle.to_path_buf(), place, config).unwrap()
}

fn cells(bundle: &Path) -> Vec<Wanted> {
    let kinds = [
        PlannerKind::Latco,
        PlannerKind::Mppi,
        PlannerKind::ShootingGd,
    ];
    kinds.map(|kind| wanted(bundle, kind, 2)).to_vec()
}

fn grid(
    cells: Vec<Wanted>,
    out: &Path,
    part: Option<(usize, usize)>,
    report: Report<'static, Cell>,
) -> Experiment<'static, Cell> {
    let out = (out.to_path_buf(), part);
    experiment("test", cells, (2, 0), out, ("test.md".into(), report))
}

fn run(mut grid: Experiment<'_, Cell>) -> Vec<Cell> {
    grid.run(&mut |_| ControlFlow::Continue(())).unwrap()
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
    let grid = |name: &str, part| grid(cells(&bundle), &at(name), part, Box::new(|_| Ok(())));

    let whole = run(grid("whole", None));
    assert_eq!(whole.len(), 3);
    assert!(whole.iter().all(|cell| cell.episodes.len() == 2));

    // Two machines with a folder each, put together on the first.
    assert_eq!(run(grid("first", Some((0, 2)))).len(), 2);
    assert_eq!(run(grid("second", Some((1, 2)))).len(), 1);
    let mut merged = grid("merged", None);
    merged.report = Box::new(|cells| {
        assert_eq!(cells.len(), 3);
        Ok(())
    });
    assert_eq!(merged.merge(&at("second")).unwrap(), 1);
    assert_eq!(merged.merge(&at("first")).unwrap(), 2);
    assert_eq!(merged.merge(&at("first")).unwrap(), 0, "nothing twice");
    let nothing = merged.merge(&at("nowhere")).unwrap_err();
    assert!(matches!(nothing, ExperimentError::NothingToMerge(_)));
    let ran = merged.run(&mut |progress| panic!("nothing is left to run, {} was", progress.cell));
    assert_eq!(ran.unwrap().len(), 3);
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
    let mut resumed = grid("whole", None);
    assert_eq!(resumed.done().unwrap().len(), 2);
    let mut ran = Vec::new();
    let again = resumed.run(&mut |progress| {
        ran.push(progress.cell.clone());
        ControlFlow::Continue(())
    });
    again.unwrap();
    assert!(
        ran.iter().all(|cell| cell.contains("shooting_gd")),
        "{ran:?}"
    );
    assert_eq!(unmeasured(&file), whole_file);

    // Another configuration is another cell, and the old ones stay.
    let mut changed = cells(&bundle);
    changed[0] = wanted(&bundle, PlannerKind::Latco, 1);
    let changed = self::grid(changed, &at("whole"), None, Box::new(|_| Ok(())));
    assert_eq!(changed.done().unwrap().len(), 2);

    let mut other = grid("whole", None);
    other.name = "test, 3 episodes from seed 0".into();
    let refused = other.done();
    assert!(matches!(refused, Err(ExperimentError::Another { .. })));
}
