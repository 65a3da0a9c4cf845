//! The planners on a bundle of random weights: stop causes, budgets, warm start, determinism.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::cell::Cell;
use std::time::Duration;

use latco_controller::config::{PlannerKind, SolverKind};
use latco_controller::plan::{
    CemPlanner, LatcoPlanner, PlanReport, PlanRequest, PlanSizes, Planner, Solution, StopCause,
};
use latco_controller::time::FrozenClock;
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock, Config, Time};
use latco_export::{RandomSpec, golden, random_weights, write_bundle};
use latco_models::{Bundle, RewardKind};

struct Bench {
    planner: Box<dyn Planner>,
    sizes: PlanSizes,
    solution: Solution,
    trace: PlanTrace,
    state: Vec<f32>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_reward(RewardKind::Regression, change)
    }

    fn with_reward(kind: RewardKind, change: impl FnOnce(&mut Config)) -> Self {
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter: 12,
            hidden: 16,
            horizon: 8,
            ..RandomSpec::keypoint()
        };
        let dir = tempfile::tempdir().unwrap();
        let (weights, mut metadata) = random_weights(&spec, 21);
        metadata.reward_kind = kind;
        let vectors = golden::from_reference(&weights, &metadata, 4, 2).unwrap();
        write_bundle(dir.path(), &weights, &metadata, &vectors).unwrap();
        let bundle = Bundle::load(dir.path(), &Default::default()).unwrap();
        let mut config = Config::default();
        config.planner.cem.samples = 64;
        config.planner.cem.elites = 8;
        change(&mut config);
        let sizes = PlanSizes {
            horizon: 8,
            lead: 1,
            state: 16,
            action: 3,
        };
        let planner: Box<dyn Planner> = match config.planner.kind {
            PlannerKind::Latco => Box::new(LatcoPlanner::new(&config, &bundle, &sizes).unwrap()),
            PlannerKind::Cem => Box::new(CemPlanner::new(&config, &bundle, &sizes).unwrap()),
        };
        Self {
            planner,
            solution: Solution::new(&sizes),
            trace: PlanTrace::with_capacity(1000),
            state: vec![0.1; sizes.state],
            sizes,
        }
    }

    fn latco(change: impl FnOnce(&mut latco_controller::config::LatcoSection)) -> Self {
        Self::new(|config| change(&mut config.planner.latco))
    }

    fn plan(&mut self, elapsed: Option<usize>) -> PlanReport {
        self.plan_until(elapsed, None, &FrozenClock(Time(0)))
    }

    fn plan_until(
        &mut self,
        elapsed: Option<usize>,
        deadline: Option<Time>,
        clock: &dyn Clock,
    ) -> PlanReport {
        let request = PlanRequest {
            state: &self.state,
            elapsed_periods: elapsed,
            deadline,
        };
        self.trace.clear(1, clock.now());
        let report = (self.planner).plan(&request, clock, &mut self.solution, &mut self.trace);
        assert!(self.solution.is_finite(), "{report:?}");
        assert!(self.solution.actions.iter().all(|a| a.abs() <= 1.0));
        assert_eq!(
            self.solution.states[..self.sizes.state].len(),
            self.state.len()
        );
        report
    }
}

/// Moves on by a fixed span at every look.
struct TickingClock {
    now: Cell<Time>,
    span: Duration,
}

impl Clock for TickingClock {
    fn now(&self) -> Time {
        let now = self.now.get() + self.span;
        self.now.set(now);
        now
    }
}

#[test]
fn the_iteration_budgets_of_cold_and_warm_plans_are_kept() {
    let mut bench = Bench::latco(|latco| {
        (latco.iterations_cold, latco.iterations_warm) = (12, 5);
        (latco.starts, latco.rollout_every_iterations) = (3, 4);
    });
    let cold = bench.plan(None);
    assert_eq!((cold.stop, cold.warm), (StopCause::IterationBudget, false));
    assert_eq!(cold.iterations, 36, "three starts of twelve");
    let starts: Vec<u32> = bench.trace.iterations().iter().map(|i| i.start).collect();
    assert_eq!((starts[0], starts[12], starts[35]), (0, 1, 2));
    let evaluated = (bench.trace.iterations().iter())
        .filter(|i| i.rollout_return.is_finite())
        .count();
    assert_eq!(evaluated, 9, "every fourth iterate is rolled out");
    let warm = bench.plan(Some(1));
    assert_eq!((warm.stop, warm.warm), (StopCause::IterationBudget, true));
    assert_eq!(warm.iterations, 5);
    let far = bench.plan(Some(8));
    assert!(!far.warm, "nothing is left of the old plan");
}

#[test]
fn a_warm_plan_that_promises_too_little_is_joined_by_a_fresh_start() {
    let mut bench = Bench::latco(|latco| {
        (latco.iterations_cold, latco.iterations_warm) = (12, 5);
        latco.restart_below_return = 100.0;
    });
    assert_eq!(bench.plan(None).iterations, 12);
    let warm = bench.plan(Some(1));
    assert_eq!((warm.iterations, warm.warm), (17, true));
    assert_eq!(bench.trace.iterations().last().map(|i| i.start), Some(1));
}

#[test]
fn violations_fall_and_multipliers_rise_until_the_plan_obeys_the_model() {
    for solver in [SolverKind::Reduced, SolverKind::BlockTridiagonal] {
        let mut bench = Bench::latco(|latco| {
            latco.solver = solver;
            latco.iterations_cold = 120;
        });
        let report = bench.plan(None);
        assert!(report.dynamics_violation < 1e-3, "{solver:?}: {report:?}");
        let iterations = bench.trace.iterations();
        assert!(iterations[0].dynamics_violation_max > 10.0 * report.dynamics_violation);
        let largest = |i: usize| iterations[i].dynamics_multiplier_max;
        assert!(largest(iterations.len() - 1) > largest(0));
    }
}

#[test]
fn converged_and_stalled_are_told_apart() {
    let mut bench = Bench::latco(|latco| {
        latco.iterations_cold = 2000;
        (latco.tolerance, latco.reward_tolerance) = (1e-2, 1e-2);
    });
    let report = bench.plan(None);
    assert_eq!(report.stop, StopCause::Converged, "{report:?}");
    assert!(report.iterations < 2000 && report.dynamics_violation <= 1e-2);

    let mut bench = Bench::latco(|latco| {
        latco.iterations_cold = 2000;
        (latco.reward_tolerance, latco.stall_iterations) = (0.0, 3);
    });
    let report = bench.plan(None);
    assert_eq!(report.stop, StopCause::Stalled, "{report:?}");
    assert!(report.iterations < 2000);
}

#[test]
fn the_deadline_is_kept_and_the_best_so_far_is_the_answer() {
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            config.planner.latco.iterations_cold = 1000;
            config.planner.cem.iterations = 1000;
        });
        let clock = TickingClock {
            now: Cell::new(Time(0)),
            span: Duration::from_millis(1),
        };
        let deadline = Time::from_seconds(0.2);
        let report = bench.plan_until(None, Some(deadline), &clock);
        assert_eq!(report.stop, StopCause::TimeBudget, "{kind:?}");
        assert!(clock.now() <= deadline, "{kind:?}: {:?}", clock.now());
        assert!((20..100).contains(&report.iterations), "{report:?}");
        assert!(report.best_iteration > 0 && report.predicted_return.is_finite());

        // Nothing fits: the answer is the shifted plan (LatCo), or standing still (CEM).
        let before = bench.solution.actions.clone();
        let report = bench.plan_until(Some(0), Some(Time(0)), &clock);
        assert_eq!((report.stop, report.iterations), (StopCause::TimeBudget, 0));
        match kind {
            PlannerKind::Latco => assert!(report.warm && bench.solution.actions != [0.0; 24]),
            PlannerKind::Cem => assert_eq!(bench.solution.actions, [0.0; 24]),
        }
        assert_eq!(before.len(), 24);
    }
}

#[test]
fn a_state_that_is_not_finite_fails_by_name_and_the_next_plan_is_cold() {
    let mut bench = Bench::latco(|_| ());
    bench.plan(None);
    bench.state[3] = f32::NAN;
    let request = PlanRequest {
        state: &bench.state,
        elapsed_periods: Some(1),
        deadline: None,
    };
    let clock = FrozenClock(Time(0));
    let report = bench
        .planner
        .plan(&request, &clock, &mut bench.solution, &mut bench.trace);
    assert_eq!(report.stop, StopCause::NonFinite);
    assert!(bench.solution.actions.iter().all(|a| a.is_finite()));
    bench.state[3] = 0.0;
    assert!(!bench.plan(Some(1)).warm);
}

#[test]
fn more_iterations_never_make_the_answer_worse() {
    let mut last = f32::NEG_INFINITY;
    for iterations in [5, 10, 20, 40, 80] {
        let mut bench = Bench::latco(|latco| {
            latco.iterations_cold = iterations;
            latco.rollout_every_iterations = 5;
        });
        let report = bench.plan(None);
        assert!(report.predicted_return >= last, "{iterations}: {report:?}");
        last = report.predicted_return;
    }
}

#[test]
fn a_warm_plan_is_at_least_as_good_as_the_shifted_one() {
    let mut bench = Bench::latco(|latco| latco.iterations_warm = 1);
    let cold = bench.plan(None);
    let state = bench.solution.states[16..32].to_vec();
    bench.state = state;
    let warm = bench.plan(Some(1));
    assert!(warm.warm);
    let shifted: f32 = bench
        .solution
        .rewards
        .iter()
        .map(|r| r.clamp(0.0, 1.0))
        .sum();
    assert!(
        (warm.predicted_return - shifted).abs() < 1e-4,
        "the return is of its rewards"
    );
    assert!(
        warm.predicted_return > cold.predicted_return - 1.5,
        "{cold:?} {warm:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_plan_bit_for_bit() {
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        let mut bench = Bench::new(|config| config.planner.kind = kind);
        bench.planner.reset(7);
        bench.plan(None);
        let first = bench.solution.clone();
        bench.planner.reset(7);
        bench.plan(None);
        assert_eq!(first.actions, bench.solution.actions);
        assert_eq!(first.states, bench.solution.states);
        bench.planner.reset(8);
        bench.plan(None);
        assert_ne!(first.actions, bench.solution.actions);
    }
}

#[test]
fn cem_beats_standing_still_and_improves() {
    let mut bench = Bench::new(|config| config.planner.kind = PlannerKind::Cem);
    let report = bench.plan(None);
    let means: Vec<f32> = bench
        .trace
        .iterations()
        .iter()
        .map(|i| i.planned_reward)
        .collect();
    assert_eq!(means.len(), 10);
    assert!(means[9] >= means[0], "{means:?}");
    assert!(report.predicted_return >= means[9] - 1e-3);
}

#[test]
fn with_a_logit_as_reward_head_plans_are_compared_by_probabilities() {
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        let change = |config: &mut Config| config.planner.kind = kind;
        let mut bench = Bench::with_reward(RewardKind::BernoulliLogit, change);
        let report = bench.plan(None);
        assert!(bench.solution.rewards.iter().all(|r| 0.0 < *r && *r < 1.0));
        let sum: f32 = bench.solution.rewards.iter().sum();
        assert!(
            (sum - report.predicted_return).abs() < 1e-4,
            "{kind:?}: {report:?}"
        );
        let promised = bench.trace.iterations().iter().map(|i| i.planned_reward);
        assert!(promised.into_iter().all(|sum| 0.0 < sum && sum < 8.0));
    }
}
