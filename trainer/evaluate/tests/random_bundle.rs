//! The loop with random weights: nothing is solved, but everything must run, and repeat by seed.

use std::ops::ControlFlow;
use std::time::Duration;

use latco_controller::config::{PlannerKind, SolverKind};
use latco_controller::execute::{Mode, StopReason};
use latco_controller::inputs::JointInput;
use latco_controller::plan::{Plan, PlanSizes};
use latco_controller::{Config, Executor, Time, latest};
use latco_evaluate::{
    CalibrationOptions, EvaluateError, Evaluation, KeepOut, Obstacles, Options, calibrate, evaluate,
};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::Bundle;

fn small() -> RandomSpec {
    RandomSpec {
        image: 32,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 8,
        ..RandomSpec::keypoint()
    }
}

fn run(bundle: &Bundle, config: &Config) -> Evaluation {
    let options = Options {
        task: "reach".into(),
        episodes: 2,
        seed: 3,
        expert: true,
        keep_out: None,
    };
    let result = evaluate(bundle, config, &options, |_| ControlFlow::Continue(()));
    let mut evaluation = result.expect("the random bundle has the arm's joints and period");
    // Measured, so different each time.
    (evaluation.plan_ms_p50, evaluation.plan_ms_p99) = (0.0, 0.0);
    evaluation
}

#[test]
fn both_planners_run_and_repeat_by_seed() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut config = Config::default();
    config.planner.cem.samples = 50;
    config.planner.cem.elites = 10;
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        config.planner.kind = kind;
        let first = run(&bundle, &config);
        assert_eq!(first.plans, 100, "a plan at every image");
        assert_eq!(first.expert_success, Some(1.0));
        assert_eq!(
            first,
            run(&bundle, &config),
            "the same seed, the same result"
        );
        config.planner.seed += 1;
        assert_ne!(
            first.mean_predicted_return,
            run(&bundle, &config).mean_predicted_return,
            "another seed, other noise"
        );
    }
}

#[test]
fn a_robot_that_moves_at_random_touches_no_obstacle_that_it_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let run = |task: &str, is_told| {
        let options = Options {
            task: task.into(),
            episodes: 8,
            seed: 0,
            expert: false,
            keep_out: Some(KeepOut {
                obstacles: Obstacles::Mixed,
                is_told,
            }),
        };
        let config = Config::default();
        evaluate(&bundle, &config, &options, |_| ControlFlow::Continue(()))
    };
    let told = run("reach", true).unwrap().keep_out.unwrap();
    assert_eq!((told.episodes, told.moving), (8, 4));
    assert_eq!(told.touched_episodes, 0, "{told:?}");
    let untold = run("reach", false).unwrap().keep_out.unwrap();
    assert_eq!(untold.held_back_share, 0.0);
    assert!(untold.deepest_m > told.deepest_m, "{untold:?} {told:?}");
}

#[test]
fn the_block_tridiagonal_solver_runs_too() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut config = Config::default();
    config.planner.latco.solver = SolverKind::BlockTridiagonal;
    let evaluation = run(&bundle, &config);
    assert_eq!(evaluation.plans, 100);
    assert!(
        !evaluation.stop_causes.contains_key("model_failed"),
        "{evaluation:?}"
    );
}

#[test]
fn a_bundle_for_another_robot_is_refused_with_every_mismatch() {
    let dir = tempfile::tempdir().unwrap();
    let spec = RandomSpec {
        joints: 4,
        action: 4,
        ..small()
    };
    write_random_bundle(dir.path(), &spec, 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let options = Options {
        task: "reach".into(),
        episodes: 1,
        seed: 0,
        expert: false,
        keep_out: None,
    };
    let error = evaluate(&bundle, &Config::default(), &options, |_| {
        ControlFlow::Continue(())
    })
    .unwrap_err();
    assert!(error.to_string().contains("joint_4"), "{error}");
}

#[test]
fn the_planner_collects_data_and_repeats_by_seed() {
    use latco_envs::Policy;
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut robot = latco_envs::make("reach", 32).unwrap();
    latco_evaluate::check_fit(&bundle, robot.as_ref()).unwrap();
    let mut policy = latco_evaluate::PlannerPolicy::new(&Config::default(), &bundle).unwrap();
    let mut drive = |seed: u64| -> Vec<Vec<f32>> {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let actions = (0..10).map(|_| {
            let mut action = vec![9.0; 3];
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            action
        });
        actions.collect()
    };
    let first = drive(4);
    assert_eq!(
        first[0], [0.0; 3],
        "nothing is planned for the first period"
    );
    assert!(first.iter().flatten().all(|a| a.abs() <= 1.0));
    assert!(first[1..].iter().flatten().any(|a| *a != 0.0));
    assert_eq!(first, drive(4));
    assert_ne!(first, drive(5));
}

#[test]
fn plans_are_followed_to_their_end_however_long_the_camera_may_be_silent() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
    let mut config = Config::default();
    // Plans of 0.9 s, and a robot that stops when images stay away for a third of that.
    config.timeouts.camera_ms = 300.0;
    let options = CalibrationOptions {
        task: "reach".into(),
        plans: 3,
        seed: 0,
        warm_up: 2,
    };
    // `calibrate` itself refuses a plan of which one set-point is not followed.
    let found = calibrate(&bundle, &config, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(found.plans.len(), 3);
    // Joint states that are too old stop the robot, and that is told instead of measured.
    config.timeouts.joints_ms = -1.0;
    let error = calibrate(&bundle, &config, &options, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(
        matches!(error, EvaluateError::NotFollowed { ticks, followed: 0, .. } if ticks > 0),
        "{error}"
    );
}

#[test]
fn a_whole_plan_of_known_actions_moves_the_robot_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    write_random_bundle(dir.path(), &small(), 5).unwrap();
    let manifest = Bundle::load(dir.path(), &Default::default()).unwrap();
    let manifest = manifest.manifest();
    let mut config = Config::default();
    config.timeouts.camera_ms = 300.0;
    let arm = latco_controller::Robot::new(&config, manifest).unwrap();
    let sizes = PlanSizes::new(&config, manifest);
    let period = Duration::from_secs_f64(manifest.control_period_s);
    let (mut plans, reader) = latest::channel(|| Plan::new(&sizes, period));
    let mut executor = Executor::new(&config, &arm, reader);
    let mut robot = latco_envs::make("reach", 32).unwrap();
    robot.reset(7);

    let plan = plans.value_mut();
    plan.number = 1;
    plan.valid_until = plan.end();
    let steps = plan.steps();
    for step in 0..steps {
        for joint in 0..sizes.action {
            // Slow enough for the limits of the bundle, another one for each step and joint.
            plan.actions[step * sizes.action + joint] =
                0.02 * (step as f32 + 1.0) * [1.0, -1.0, 0.5][joint];
        }
    }
    let actions = plan.actions.clone();
    plans.publish();

    let before = robot.positions().to_vec();
    let (ticks, mut now) = (10, Time(0));
    for step in 0..steps {
        executor.image(now);
        for _ in 0..ticks {
            let joints = JointInput {
                stamp: now,
                positions: robot.positions(),
                velocities: robot.velocities(),
            };
            executor.joints(&joints, now).unwrap();
            let point = executor.tick(now);
            assert_eq!(point.mode, Mode::Follow { plan: 1, step });
            robot.advance(&point.velocities, (period / ticks).as_secs_f64());
            now = now + period / ticks;
        }
    }
    assert_eq!(
        executor.counts().followed,
        steps as u64 * u64::from(ticks),
        "every set-point of every period"
    );
    assert_eq!(executor.tick(now).mode, Mode::Stop(StopReason::PlanEnded));
    // The arm's velocity lags behind what it is told; at rest it has caught up.
    for _ in 0..300 {
        robot.advance(&[0.0; 3], 0.01);
    }
    for joint in 0..sizes.action {
        let expected: f64 = (0..steps)
            .map(|step| f64::from(actions[step * sizes.action + joint]))
            .sum::<f64>()
            * arm.axes()[joint].command(1.0)
            * period.as_secs_f64();
        let moved = robot.positions()[joint] - before[joint];
        assert!(
            (moved - expected).abs() < 1e-6 && expected.abs() > 0.02,
            "joint {joint}: expected {expected}, found {moved}"
        );
    }
}
