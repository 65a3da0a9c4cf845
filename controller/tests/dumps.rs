//! Planning problems on file: dumped, solved again bit for bit, refused when damaged.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod planner_bench;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latco_controller::constraints::Constraints;
use latco_controller::execute::{Chunk, SetPoint};
use latco_controller::plan::{Dump, DumpError, DumpHeader, StopCause, write_dump};
use latco_controller::runtime::{CommandSink, ImageIntake, JointIntake, Runtime};
use latco_controller::time::MonotonicClock;
use latco_controller::{Clock, Config, Controller, Robot, Time};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;
use planner_bench::{Bench, TickingClock};

fn dump(bench: &Bench, folder: &Path) -> PathBuf {
    let path = folder.join("problem.dump");
    let header = DumpHeader::new(&bench.config, &bench.bundle);
    write_dump(&path, &header, bench.planner.problem().unwrap()).unwrap();
    path
}

/// Several starts, some sampled, of which the second plan has all.
fn busy() -> Bench {
    Bench::latco(|latco| {
        (latco.starts, latco.sampled_starts, latco.samples) = (3, 1, 16);
        latco.starts_below_return = 100.0;
    })
}

#[test]
fn cold_warm_and_interrupted_plans_are_solved_again_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = busy();
    let clock = TickingClock::new(Duration::from_micros(200));
    let mut stops = Vec::new();
    for (number, elapsed) in [None, Some(1.0), Some(0.37), Some(2.5)]
        .into_iter()
        .enumerate()
    {
        bench.state[0] = 0.1 * number as f32;
        let deadline = (number % 2 == 1).then(|| clock.now() + Duration::from_millis(15));
        let report = bench.plan_until(elapsed, deadline, &clock);
        stops.push(report.stop);
        let dump = Dump::read(&dump(&bench, folder.path())).unwrap();
        assert_eq!(dump.problem.report, report);
        let solved = dump.solve(&bench.bundle).unwrap();
        assert_eq!(solved.difference, None, "plan {number}: {report:?}");
        assert_eq!(solved.problem.solution, bench.solution);
    }
    assert!(stops.contains(&StopCause::TimeBudget), "{stops:?}");
    assert!(stops.contains(&StopCause::IterationBudget), "{stops:?}");
}

#[test]
fn plans_that_keep_away_from_something_are_solved_again_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(|config| config.keep_out.joint_margin_rad = Some(0.1));
    let robot = Robot::new(&bench.config, bench.bundle.manifest()).unwrap();
    let free = bench.plan(None);
    assert_eq!(free.stop, StopCause::IterationBudget);
    // At the end of every joint: it may only come back.
    let mut constraints = Constraints::new(&bench.config, robot.limits(), 0.1).unwrap();
    let ends: Vec<f64> = (0..robot.actions())
        .map(|joint| robot.limits().position(joint).1 - 0.1)
        .collect();
    constraints.start_from(&ends, &[]);
    let moved = constraints.penalty(&bench.solution.actions);
    assert!(moved > 0.0, "the plan without them keeps them by chance");
    bench.constraints = Some(constraints.clone());
    bench.plan(Some(1.0));
    let kept = constraints.penalty(&bench.solution.actions);
    assert!(kept < 0.1 * moved, "{kept} {moved}");
    let dump = Dump::read(&dump(&bench, folder.path())).unwrap();
    let solved = dump.solve(&bench.bundle).unwrap();
    assert_eq!(solved.difference, None);
    assert_eq!(solved.problem.solution, bench.solution);
}

#[test]
fn a_failed_solve_fails_again_in_the_same_iteration() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::latco(|latco| latco.damping = 1e-38);
    let report = bench.plan(None);
    assert_eq!(report.stop, StopCause::FactorisationFailed);
    let dump = Dump::read(&dump(&bench, folder.path())).unwrap();
    let solved = dump.solve(&bench.bundle).unwrap();
    assert_eq!(solved.difference, None);
    assert_eq!(solved.problem.report, report);
}

#[test]
fn an_answer_that_differs_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = busy();
    bench.plan(None);
    let mut dump = Dump::read(&dump(&bench, folder.path())).unwrap();
    let last = dump.problem.solution.actions.len() - 1;
    let bits = dump.problem.solution.actions[last].to_bits();
    dump.problem.solution.actions[last] = f32::from_bits(bits ^ 1);
    let difference = dump.solve(&bench.bundle).unwrap().difference;
    assert_eq!(difference.as_deref(), Some("actions"));
    dump.problem.iterations[5].planned_reward += 1.0;
    let difference = dump.solve(&bench.bundle).unwrap().difference.unwrap();
    assert!(
        difference.starts_with("iteration 2 of start 2"),
        "{difference}"
    );
}

#[test]
fn damaged_files_and_other_bundles_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = busy();
    bench.plan(None);
    let path = dump(&bench, folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let error = Dump::from_bytes(&damaged).unwrap_err();
    assert!(matches!(error, DumpError::Checksum), "{error}");
    let error = Dump::from_bytes(&bytes[..middle]).unwrap_err();
    assert!(matches!(error, DumpError::Length { .. }), "{error}");

    let other = folder.path().join("other");
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(&other, &spec, 3).unwrap();
    let other = Bundle::load(&other, &Default::default()).unwrap();
    let error = Dump::read(&path).unwrap().solve(&other).unwrap_err();
    assert!(error.to_string().contains("--bundle"), "{error}");
}

struct Ignore;

impl CommandSink for Ignore {
    fn set_point(&mut self, _: &SetPoint) {}
    fn chunk(&mut self, _: &Chunk) {}
}

/// Sends images and waits for each to be dealt with.
fn run(config: &Config, bundle: &Bundle, images: u32) {
    let controller = Controller::new(config, bundle).unwrap();
    let (width, height) = controller.image_size();
    let clock = Arc::new(MonotonicClock::system());
    let (runtime, mut ports) =
        Runtime::start(config, controller, clock.clone(), Box::new(Ignore)).unwrap();
    let pixels = vec![90; width * height * 3];
    let mut stamp: Time = clock.now() - Duration::from_secs(30);
    for _ in 0..images {
        stamp = stamp + Duration::from_millis(100);
        ports.joints.send(stamp, &[0.1; 3], &[0.0; 3]).unwrap();
        ports.images.send(stamp, width, height, &pixels).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while ports.ticks.pop().is_none() {
            assert!(Instant::now() < deadline, "no answer to an image");
            std::thread::yield_now();
        }
    }
    runtime.stop();
}

#[test]
fn the_runtime_dumps_failed_and_slow_solves_and_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::latco(|latco| latco.iterations_cold = 5);
    let files = |name: &str| {
        let folder = folder.path().join(name);
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let set = |name: &str, above_ms: Option<f64>| {
        let mut config = bench.config.clone();
        config.planner.dump_dir = Some(folder.path().join(name).to_string_lossy().into_owned());
        config.planner.dump_above_ms = above_ms;
        config
    };
    run(&set("good", Some(60_000.0)), &bench.bundle, 3);
    assert_eq!(files("good"), [] as [PathBuf; 0]);

    run(&set("slow", Some(1e-6)), &bench.bundle, 40);
    let slow = files("slow");
    assert!((1..=20).contains(&slow.len()), "{slow:?}");

    let mut failing = set("failed", None);
    failing.planner.latco.damping = 1e-38;
    run(&failing, &bench.bundle, 2);
    let failed = files("failed");
    assert!(!failed.is_empty());
    for path in slow.iter().chain(&failed) {
        let dump = Dump::read(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.contains(dump.problem.report.stop.name()), "{name}");
        assert_eq!(dump.solve(&bench.bundle).unwrap().difference, None);
    }
}
