//! The planner and executor threads in real time, on a bundle of random weights.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latco_controller::config::OutputKind;
use latco_controller::execute::{Chunk, Mode, SetPoint, StopReason};
use latco_controller::inputs::InputError;
use latco_controller::runtime::{CommandSink, ImageIntake, JointIntake, Ports, Runtime};
use latco_controller::time::MonotonicClock;
use latco_controller::{Clock, Config, Controller};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

#[derive(Clone, Default)]
struct Record {
    points: Arc<Mutex<Vec<SetPoint>>>,
    chunks: Arc<Mutex<Vec<Chunk>>>,
}

impl CommandSink for Record {
    fn set_point(&mut self, point: &SetPoint) {
        self.points.lock().unwrap().push(point.clone());
    }
    fn chunk(&mut self, chunk: &Chunk) {
        self.chunks.lock().unwrap().push(chunk.clone());
    }
}

struct Bench {
    runtime: Runtime,
    ports: Ports,
    clock: Arc<MonotonicClock>,
    record: Record,
}

impl Bench {
    fn start() -> Self {
        Self::start_with(|_| ())
    }

    fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter: 12,
            hidden: 16,
            horizon: 8,
            ..RandomSpec::keypoint()
        };
        let dir = tempfile::tempdir().unwrap();
        write_random_bundle(dir.path(), &spec, 21).unwrap();
        let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
        let mut config = Config::default();
        config.control.output = OutputKind::JointTrajectory;
        config.planner.latco.iterations_cold = 5;
        config.planner.latco.iterations_warm = 2;
        change(&mut config);
        let controller = Controller::new(&config, &bundle).unwrap();
        let clock = Arc::new(MonotonicClock::system());
        let record = Record::default();
        let sink = Box::new(record.clone());
        let (runtime, ports) = Runtime::start(&config, controller, clock.clone(), sink).unwrap();
        Self {
            runtime,
            ports,
            clock,
            record,
        }
    }

    /// `count` images a control period apart, with joint states of a robot that does as it is told.
    fn drive(&mut self, count: u32) {
        for _ in 0..count {
            let stamp = self.clock.now();
            let told = self.record.points.lock().unwrap().last().cloned();
            let positions = told.map_or([0.0; 3], |point| [0, 1, 2].map(|j| point.positions[j]));
            self.ports
                .joints
                .send(stamp, &positions, &[0.0; 3])
                .unwrap();
            self.ports
                .images
                .send(stamp, 32, 32, &[stamp.0.to_le_bytes()[3]; 32 * 32 * 3])
                .unwrap();
            wait(Duration::from_millis(100));
        }
    }

    fn last_mode(&self) -> Option<Mode> {
        self.record.points.lock().unwrap().last().map(|p| p.mode)
    }
}

#[allow(clippy::disallowed_methods)] // a test in real time
fn wait(span: Duration) {
    std::thread::sleep(span);
}

#[test]
fn images_become_set_points_and_chunks_and_the_emergency_stop_is_latched() {
    let mut bench = Bench::start();
    wait(Duration::from_millis(50));
    assert_eq!(bench.last_mode(), Some(Mode::Stop(StopReason::NoJoints)));
    bench.drive(5);
    assert!(
        matches!(bench.last_mode(), Some(Mode::Follow { .. })),
        "{:?}",
        bench.last_mode()
    );
    let mut plans = 0;
    while let Some(record) = bench.ports.ticks.pop() {
        assert!(matches!(record.tick.image, Some(Ok(_))), "{record:?}");
        plans += u32::from(record.tick.new_plan);
    }
    assert!(plans >= 4, "{plans} plans");
    assert!(bench.ports.plans.update());
    assert!(bench.ports.plans.value().plan.number >= 4);
    assert!(!bench.ports.plans.value().trace.iterations().is_empty());
    let chunks = bench.record.chunks.lock().unwrap().clone();
    assert!(chunks.len() >= 4);
    for chunk in &chunks {
        let last = chunk.points.last().expect("a chunk has points");
        assert!(last.velocities.iter().all(|&v| v == 0.0));
    }

    bench.runtime.estop();
    bench.drive(2);
    assert_eq!(
        bench.last_mode(),
        Some(Mode::Stop(StopReason::EmergencyStop))
    );
    assert!(bench.runtime.is_estopped());
    bench.runtime.reset_estop();
    bench.drive(2);
    assert!(matches!(bench.last_mode(), Some(Mode::Follow { .. })));

    assert!(bench.runtime.is_alive());
    let began = Instant::now();
    let report = bench.runtime.stop();
    assert!(began.elapsed() < Duration::from_secs(2));
    let points = bench.record.points.lock().unwrap();
    let last = points.last().unwrap();
    assert_eq!(last.mode, Mode::Stop(StopReason::Deactivated));
    assert!(last.velocities.iter().all(|&v| v == 0.0), "stops at rest");
    assert_eq!(report.executor.unwrap().ticks, points.len() as u64);
    assert!(report.inputs.unwrap().images >= 8);
}

#[test]
fn wrong_inputs_are_refused_at_the_ports() {
    let mut bench = Bench::start();
    let stamp = bench.clock.now();
    let refused = bench.ports.images.send(stamp, 64, 64, &[0; 64 * 64 * 3]);
    assert!(matches!(refused, Err(InputError::ImageSize { .. })));
    let refused = bench
        .ports
        .joints
        .send(stamp, &[0.0, f64::NAN, 0.0], &[0.0; 3]);
    assert_eq!(refused, Err(InputError::NonFiniteJoint { joint: 1 }));
    let refused = bench.ports.joints.send(stamp, &[0.0; 2], &[0.0; 2]);
    assert!(matches!(refused, Err(InputError::JointCount { .. })));
}

#[test]
fn a_new_episode_takes_the_plan_away() {
    let mut bench = Bench::start();
    bench.drive(3);
    bench.runtime.new_episode();
    wait(Duration::from_millis(60));
    assert_eq!(bench.last_mode(), Some(Mode::Stop(StopReason::NoJoints)));
    bench.drive(3);
    assert!(matches!(bench.last_mode(), Some(Mode::Follow { .. })));
}

#[test]
fn what_waited_when_an_episode_began_is_not_taken_for_its_scene() {
    let mut bench = Bench::start();
    for place in [0.0, 0.9, -0.9] {
        bench.runtime.new_episode();
        for _ in 0..5 {
            let stamp = bench.clock.now();
            let joints = &mut bench.ports.joints;
            joints.send(stamp, &[place; 3], &[0.0; 3]).unwrap();
            let pixels = &[stamp.0.to_le_bytes()[3]; 32 * 32 * 3];
            bench.ports.images.send(stamp, 32, 32, pixels).unwrap();
            wait(Duration::from_millis(100));
        }
        // The planner thread sleeps until the next image or beginning: these wait.
        for _ in 0..5 {
            let stamp = bench.clock.now();
            let joints = &mut bench.ports.joints;
            joints.send(stamp, &[place; 3], &[0.0; 3]).unwrap();
            wait(Duration::from_millis(2));
        }
    }
    let records: Vec<_> = std::iter::from_fn(|| bench.ports.ticks.pop()).collect();
    assert_eq!(records.len(), 15);
    for record in &records {
        assert!(matches!(record.tick.image, Some(Ok(_))), "{record:?}");
    }
    assert_eq!(records[14].counts.impossible, 0, "{records:?}");
    let report = bench.runtime.stop();
    assert_eq!(report.executor.unwrap().refused_joints, 0, "{report:?}");
}

/// Without it a GPU lowers its clock in a pause, which only the latency of the first plan after one shows, on a GPU.
#[test]
fn fault_20_while_it_waits_the_planner_thread_keeps_a_gpu_awake_if_asked_to() {
    // On the CPU provider only when the configuration says so.
    let bench = Bench::start();
    wait(Duration::from_millis(200));
    assert_eq!(bench.runtime.keep_alive_runs(), 0);
    bench.runtime.stop();

    let mut bench = Bench::start_with(|config| config.bundle.keep_alive_ms = Some(10.0));
    wait(Duration::from_millis(400));
    let idle = bench.runtime.keep_alive_runs();
    assert!((5..=40).contains(&idle), "{idle} in 400 ms");
    // Between images, which are answered as ever.
    bench.drive(4);
    let mut plans = 0;
    while let Some(record) = bench.ports.ticks.pop() {
        assert!(matches!(record.tick.image, Some(Ok(_))), "{record:?}");
        plans += u32::from(record.tick.new_plan);
    }
    assert!(plans >= 3, "{plans} plans");
    assert!(bench.runtime.keep_alive_runs() > idle);
    let began = Instant::now();
    bench.runtime.stop();
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_planner_thread_prepares_once_for_every_image_that_is_due() {
    let mut bench = Bench::start_with(|_| ());
    wait(Duration::from_millis(200));
    assert_eq!(bench.runtime.warm_ups(), 0, "no image was seen");
    // A machine that is busy elsewhere may not come to it before the next image is there.
    let mut images = 0;
    while images < 40 && (images == 0 || bench.runtime.warm_ups() == 0) {
        bench.drive(4);
        images += 4;
        // Nothing follows the last image, for which it prepares all the same, but once.
        wait(Duration::from_millis(300));
    }
    while let Some(record) = bench.ports.ticks.pop() {
        assert!(matches!(record.tick.image, Some(Ok(_))), "{record:?}");
    }
    let count = bench.runtime.warm_ups();
    bench.runtime.stop();
    assert!((1..=images).contains(&count), "{count} of {images} images");
}

#[test]
fn an_inactive_runtime_rests_sleeps_and_begins_anew() {
    let mut bench = Bench::start_with(|config| {
        config.control.output = OutputKind::Commands;
        config.robot.max_acceleration_rad_s2 = vec![2.0; 3];
    });
    bench.drive(5);
    assert!(matches!(bench.last_mode(), Some(Mode::Follow { .. })));
    let points = |bench: &Bench| bench.record.points.lock().unwrap().len();
    let before = points(&bench);
    bench.runtime.set_active(false);
    // Braking from full speed takes 0.35 s here.
    for _ in 0..20 {
        if bench.runtime.is_at_rest() {
            break;
        }
        bench.drive(2);
    }
    assert!(bench.runtime.is_at_rest());
    bench.drive(2);
    assert_eq!(bench.last_mode(), Some(Mode::Stop(StopReason::Deactivated)));
    {
        let points = bench.record.points.lock().unwrap();
        for pair in points[before.saturating_sub(1)..].windows(2) {
            let late = pair[1].time.seconds_since(pair[0].time).max(0.01);
            for (a, b) in pair[0].velocities.iter().zip(&pair[1].velocities) {
                assert!(
                    (a - b).abs() <= 2.0 * late + 1e-6,
                    "braked, not cut: {pair:?}"
                );
            }
        }
        assert!(points.last().unwrap().velocities.iter().all(|&v| v == 0.0));
    }
    // Long enough to fall asleep; images change nothing.
    wait(Duration::from_millis(1200));
    while bench.ports.ticks.pop().is_some() {}
    let asleep = points(&bench);
    bench.drive(3);
    assert_eq!(points(&bench), asleep, "no set-points while it sleeps");
    assert!(bench.ports.ticks.is_empty(), "no plans while inactive");

    // The last plan is still valid by its time, but from before, as are the joint states.
    bench.runtime.set_active(true);
    wait(Duration::from_millis(50));
    assert_eq!(bench.last_mode(), Some(Mode::Stop(StopReason::NoJoints)));
    let stamp = bench.clock.now();
    let joints = &mut bench.ports.joints;
    joints.send(stamp, &[0.0; 3], &[0.0; 3]).unwrap();
    wait(Duration::from_millis(50));
    assert_eq!(bench.last_mode(), Some(Mode::Stop(StopReason::NoPlan)));
    bench.drive(4);
    assert!(
        matches!(bench.last_mode(), Some(Mode::Follow { .. })),
        "{:?}",
        bench.last_mode()
    );
    bench.runtime.set_active(false);
    wait(Duration::from_millis(1500));
    let began = Instant::now();
    let report = bench.runtime.stop();
    assert!(report.executor.is_some(), "ends from its sleep");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn settings_change_while_it_runs() {
    let mut config = Config::default();
    let mut bench = Bench::start_with(|own| {
        own.control.output = OutputKind::Commands;
        own.timeouts.camera_ms = 60_000.0;
        own.timeouts.joints_ms = 60_000.0;
        config = own.clone();
    });
    bench.drive(5);
    let fastest = |bench: &Bench, from: usize| {
        let points = bench.record.points.lock().unwrap();
        let speeds = points[from..].iter().flat_map(|p| p.velocities.clone());
        speeds.fold(0.0_f64, |a, v| a.max(v.abs()))
    };
    let before = fastest(&bench, 0);
    config.robot.velocity_scale = 0.1;
    bench.runtime.set_live(&config);
    wait(Duration::from_millis(50));
    let from = bench.record.points.lock().unwrap().len();
    bench.drive(5);
    let slowed = fastest(&bench, from);
    // At most a tenth of the bundle's action scaling, whatever the plan wants.
    assert!(
        slowed > 0.0 && slowed <= 0.1 * 0.5 + 1e-9,
        "{before} then {slowed} rad/s"
    );
    config.timeouts.joints_ms = 1.0;
    bench.runtime.set_live(&config);
    wait(Duration::from_millis(100));
    assert_eq!(
        bench.last_mode(),
        Some(Mode::Stop(StopReason::JointsSilent))
    );
}
