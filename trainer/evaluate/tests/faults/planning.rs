//! Faults of model and planner.

use std::cell::Cell;
use std::time::Duration;

use latco_controller::execute::StopReason;
use latco_controller::plan::StopCause;
use latco_controller::{Clock, Time};
use latco_models::Bundle;

use crate::rig::{FAULT_S, Rig, config, fault};

/// A clock that goes on by a ms at every look, as one does while a planner works.
struct TickingClock(Cell<i64>);

impl Clock for TickingClock {
    fn now(&self) -> Time {
        self.0.set(self.0.get() + 1_000_000);
        Time(self.0.get())
    }
}

#[test]
fn fault_07_model_and_solve_give_nan() {
    let mut rig = Rig::new(&fault("nan_model", ""));
    rig.run(3.0);
    rig.check_rest("07 NaN of the model", 1.5);
    assert!(rig.faulty.controller().counts().model > 10);
    let mut rig = Rig::new(&fault("nan_model", "probability = 0.3"));
    rig.run(3.0);
    rig.check("07 NaN of the model in three of ten");
    assert!(rig.followed_share(FAULT_S) > 0.3);
    let mut rig = Rig::new(&fault("nan_planner", "probability = 0.5"));
    rig.run(3.0);
    rig.check("07 NaN of half of the solves");
    assert!(rig.plans.contains(&StopCause::NonFinite));
    assert!(
        rig.followed_share(FAULT_S) > 0.3,
        "the plan before is followed"
    );
    assert_eq!(
        rig.faulty.counts().non_finite,
        0,
        "none reaches the executor"
    );
}

#[test]
fn fault_08_the_factorisation_fails() {
    // Next to no damping: in f32 the system is then as good as singular.
    let mut rig = Rig::with("", |config| config.planner.latco.damping = 1e-38);
    rig.run(3.0);
    let failed = |stop: &&StopCause| **stop == StopCause::FactorisationFailed;
    assert!(
        rig.plans.iter().filter(failed).count() > 3,
        "{:?}",
        rig.plans
    );
    let finite = rig
        .points
        .iter()
        .flat_map(|p| &p.velocities)
        .all(|v| v.is_finite());
    assert!(finite);
    assert!(rig.stopped_for(StopReason::PlannerFailed) || rig.fastest(0.0, 3.0) > 0.0);
}

#[test]
fn fault_09_a_solve_would_overrun_its_budget() {
    let mut rig = Rig::with("", |config| {
        config.planner.budget_ms = Some(40.0);
        config.planner.latco.iterations_warm = 1000;
        config.planner.latco.iterations_cold = 1000;
    });
    let clock = TickingClock(Cell::new(0));
    let mut latest = Duration::ZERO;
    for _ in 0..200 {
        let tick = rig.faulty.tick(rig.robot.as_mut(), &clock);
        if let Some(step) = tick.step {
            assert!(step.new_plan, "the best so far");
            latest = latest.max(step.belief_time + step.plan_time);
        }
    }
    assert!(latest <= Duration::from_millis(43), "{latest:?}");
    // One that overruns all the same comes late; the plan before is followed.
    for late in [80, 150, 250] {
        let mut rig = Rig::new(&fault("slow_planner", &format!("amount = {late}")));
        rig.run(3.0);
        rig.check(&format!("09 plans {late} ms late"));
        assert!(rig.followed_share(FAULT_S) > 0.4, "{late} ms");
    }
}

#[test]
fn f09_fault_10_the_planner_stalls() {
    let mut rig = Rig::new(&fault("slow_planner", "amount = 3500\nfor_s = 0.1"));
    rig.run(4.0);
    rig.check("10 planner held for 3.5 s");
    let rest_s = rig.rest_s();
    assert!(rest_s.is_some_and(|s| s < 1.5), "{rest_s:?}");
    assert_eq!(
        rig.fastest(FAULT_S + 1.5, FAULT_S + 3.3),
        0.0,
        "rests until then"
    );
}

#[test]
fn fault_11_solves_fail_again_and_again() {
    let mut rig = Rig::new(&fault("fail_planner", ""));
    rig.run(6.0);
    rig.check("11 every solve fails");
    assert!(rig.stopped_for(StopReason::PlannerFailed));
    assert_eq!(rig.fastest(4.0, 6.0), 0.0, "at rest for good");
    // One in three leaves the robot moving.
    let mut rig = Rig::new(&fault("fail_planner", "probability = 0.3"));
    rig.run(3.0);
    rig.check("11 three of ten solves fail");
    assert!(!rig.stopped_for(StopReason::PlannerFailed));
}

#[test]
fn fault_12_plans_do_not_join() {
    // Plans that are sometimes late begin where the robot is not any more.
    for seed in 0..3 {
        let late = format!("amount = 220\nprobability = 0.5\nseed = {seed}");
        let mut rig = Rig::new(&fault("slow_planner", &late));
        rig.run(3.0);
        rig.check("12 half of the plans 220 ms late");
    }
}

#[test]
fn fault_18_the_execution_provider_fails_while_it_runs() {
    // On a GPU this is a lost device: every graph fails from then on, and a session may hang; here it fails at once.
    let all = fault("fail_model", "") + &fault("fail_planner", "");
    let mut rig = Rig::new(&all);
    rig.run(4.0);
    rig.check_rest("18 provider lost", 1.5);
    assert!(rig.faulty.controller().counts().model > 10);
    // For a while only: it goes on by itself.
    let for_a_while = fault("fail_model", "for_s = 1") + &fault("fail_planner", "for_s = 1");
    let mut rig = Rig::new(&for_a_while);
    rig.run(5.0);
    rig.check("18 provider lost for a second");
    assert!(rig.follows());
}

#[test]
fn fault_22_the_model_is_for_another_robot_or_another_file() {
    let config = config();
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&config.bundle.path).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    for graph in ["dynamics.onnx", "reward.onnx"] {
        let file = folder.path().join(graph);
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    let error = Bundle::load(folder.path(), &config.bundle.load_options());
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("dynamics.onnx") && error.contains("reward.onnx"),
        "all mismatches in one message: {error}"
    );
    let mut other = config.clone();
    other.robot.joint_names = ["joint_2", "joint_1", "joint_3"].map(String::from).to_vec();
    let bundle = crate::rig::bundle();
    let error = latco_controller::Controller::new(&other, &bundle)
        .err()
        .unwrap();
    assert!(error.to_string().contains("the order counts"), "{error}");
}
