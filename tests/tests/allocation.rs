//! After warm-up a planner tick makes no Rust heap allocation, in no thread of ours: counted by the
//! global allocator of this process. (ONNX Runtime's own small C++ allocations are not Rust's and
//! not counted.)
//!
//! One test function, because a second one would run, and allocate, beside it.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use latco_controller::config::{OutputKind, PlannerKind, SolverKind};
use latco_controller::execute::{Chunk, SetPoint};
use latco_controller::runtime::{CommandSink, ImageIntake, JointIntake, Runtime};
use latco_controller::time::MonotonicClock;
use latco_controller::{Clock, Config, Controller};
use latco_evaluate::ClosedLoop;
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

/// Counts while told to.
struct Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The main thread is the test harness's, which says after a minute that a test still runs.
fn is_harness() -> bool {
    // SAFETY: neither call has a precondition.
    #[allow(unsafe_code)]
    unsafe {
        libc::gettid() == libc::getpid()
    }
}

fn note() {
    if COUNTING.load(Ordering::Relaxed) && !is_harness() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counters beside it are
// atomics and allocate nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the whole process while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    COUNTING.store(true, Ordering::SeqCst);
    work();
    COUNTING.store(false, Ordering::SeqCst);
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

#[test]
fn no_allocation_per_planner_tick_after_warm_up() {
    // The counter counts.
    assert_eq!(
        allocations(|| drop(std::hint::black_box(vec![1u8; 100]))),
        1
    );

    let dir = tempfile::tempdir().unwrap();
    let random = dir.path().join("random");
    write_random_bundle(&random, &RandomSpec::keypoint(), 11).unwrap();
    let trained = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles/reach");
    for path in [random, trained] {
        let bundle = Bundle::load(&path, &Default::default()).unwrap();
        for config in configs() {
            let name = format!("{:?} with {}", path.file_name(), describe(&config));
            core_loop(&bundle, &config, &name);
            threads(&bundle, &config, &name);
        }
    }
}

fn configs() -> Vec<Config> {
    let mut latco = Config::default();
    latco.planner.latco.starts = 2;
    let mut budgeted = latco.clone();
    budgeted.planner.budget_ms = Some(5.0);
    budgeted.control.output = OutputKind::JointTrajectory;
    let mut tridiagonal = latco.clone();
    tridiagonal.planner.latco.solver = SolverKind::BlockTridiagonal;
    tridiagonal.planner.latco.iterations_cold = 3;
    tridiagonal.planner.latco.iterations_warm = 2;
    latco_baselines::add();
    let mut configs = vec![budgeted, tridiagonal];
    configs.extend(PlannerKind::ALL.map(|kind| {
        let mut config = latco.clone();
        let planner = &mut config.planner;
        planner.kind = kind;
        (planner.cem.samples, planner.cem.elites) = (100, 10);
        planner.gaussian_latco.samples = 10;
        if kind != PlannerKind::Latco {
            let latco = &mut planner.latco;
            (latco.iterations_cold, latco.iterations_warm) = (5, 5);
        }
        config
    }));
    configs
}

fn describe(config: &Config) -> String {
    let planner = &config.planner;
    let (kind, solver) = (planner.kind.name(), planner.latco.solver);
    format!("{kind}, {solver:?}, budget {:?} ms", planner.budget_ms)
}

/// Belief, planner, hand-over, executor and chunks, called directly.
fn core_loop(bundle: &Bundle, config: &Config, name: &str) {
    let mut robot = latco_envs::make("reach", bundle.manifest().image.width).unwrap();
    let mut closed_loop = ClosedLoop::new(config, bundle).unwrap();
    let clock = MonotonicClock::system();
    let mut plans = 0;
    let mut run = |periods: u32| {
        for _ in 0..periods {
            let report = closed_loop.period(robot.as_mut(), &clock);
            assert!(matches!(report.tick.image, Some(Ok(_))));
            plans += u32::from(report.tick.new_plan);
        }
    };
    run(3);
    let counted = allocations(|| run(20));
    assert_eq!(plans, 23, "{name}: a plan at every image");
    assert_eq!(counted, 0, "{name}: allocations in 20 ticks");
}

/// Keeps nothing.
struct Ignore;

impl CommandSink for Ignore {
    fn set_point(&mut self, point: &SetPoint) {
        assert!(point.velocities.iter().all(|v| v.is_finite()));
    }
    fn chunk(&mut self, chunk: &Chunk) {
        assert!(
            chunk
                .points
                .iter()
                .all(|p| p.positions.iter().all(|v| v.is_finite()))
        );
    }
}

/// The same with the planner and executor threads of the node.
fn threads(bundle: &Bundle, config: &Config, name: &str) {
    let controller = Controller::new(config, bundle).unwrap();
    let (width, height) = controller.image_size();
    let joints = controller.robot().actions();
    let clock = Arc::new(MonotonicClock::system());
    let (runtime, mut ports) =
        Runtime::start(config, controller, clock.clone(), Box::new(Ignore)).unwrap();
    let pixels = vec![90; width * height * 3];
    let mut stamp = clock.now() - Duration::from_secs(30);
    let (mut plans, mut steps) = (0, 0);
    let mut run = |images: u32| {
        for _ in 0..images {
            // Stamps run ahead of the clock's pace, so that the test does not wait for periods.
            stamp = stamp + Duration::from_millis(100);
            ports
                .joints
                .send(stamp, &[0.1; 16][..joints], &[0.0; 16][..joints])
                .unwrap();
            ports.images.send(stamp, width, height, &pixels).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                assert!(Instant::now() < deadline, "{name}: no answer to an image");
                if let Some(record) = ports.ticks.pop() {
                    assert!(matches!(record.tick.image, Some(Ok(_))), "{record:?}");
                    plans += u32::from(record.tick.new_plan);
                    ports.plans.update();
                    if let Some(journal) = &mut ports.journal {
                        journal.drain(|step| steps += u32::from(step.image.is_some()));
                    }
                    break;
                }
                std::thread::yield_now();
            }
        }
    };
    run(5);
    // Let the planner thread wait once: a thread's first wait on a channel allocates its context.
    #[allow(clippy::disallowed_methods)]
    std::thread::sleep(Duration::from_millis(100));
    let counted = allocations(|| run(20));
    assert_eq!(plans, 25, "{name}: a plan at every image");
    assert!(steps >= 24, "{name}: {steps} steps of the journal");
    assert_eq!(counted, 0, "{name}: allocations in 20 ticks of the threads");
    let report = runtime.stop();
    assert!(report.executor.is_some_and(|counts| counts.ticks > 0));
}
