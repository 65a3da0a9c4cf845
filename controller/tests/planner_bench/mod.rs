//! A planner on a small bundle of random weights, for several tests of which none uses all of it.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::cell::Cell;
use std::time::Duration;

use latco_controller::constraints::Constraints;
use latco_controller::plan::{
    self, Decisions, Goal, PlanReport, PlanRequest, PlanSizes, Planner, Solution,
};
use latco_controller::time::FrozenClock;
use latco_controller::trace::PlanTrace;
use latco_controller::{Clock, Config, Time, config::LatcoSection};
use latco_export::{RandomSpec, golden, random_weights, write_bundle};
use latco_models::{Bundle, RewardKind};

/// Size of a state, and horizon.
pub const STATE: usize = 16;
pub const HORIZON: usize = 8;

pub struct Bench {
    pub planner: Box<dyn Planner>,
    pub config: Config,
    pub bundle: Bundle,
    pub solution: Solution,
    pub trace: PlanTrace,
    pub state: Vec<f32>,
    pub constraints: Option<Constraints>,
    pub goal: Option<Goal>,
    /// Keeps the bundle's folder.
    _folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_reward(RewardKind::Regression, change)
    }

    pub fn with_reward(kind: RewardKind, change: impl FnOnce(&mut Config)) -> Self {
        latco_baselines::add();
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter: 12,
            hidden: 16,
            horizon: HORIZON,
            ..RandomSpec::keypoint()
        };
        let folder = tempfile::tempdir().unwrap();
        let (weights, mut metadata) = random_weights(&spec, 21);
        metadata.reward_kind = kind;
        let vectors = golden::from_reference(&weights, &metadata, 4, 2).unwrap();
        write_bundle(folder.path(), &weights, &metadata, &vectors).unwrap();
        let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
        let mut config = Config::default();
        config.bundle.path = folder.path().to_string_lossy().into_owned();
        config.planner.cem.samples = 64;
        config.planner.cem.elites = 8;
        config.planner.latco.starts = 1;
        config.planner.latco.sampled_starts = 0;
        change(&mut config);
        let sizes = PlanSizes::new(&config, bundle.manifest());
        assert_eq!((sizes.state, sizes.horizon), (STATE, HORIZON));
        Self {
            planner: plan::make(&config, &bundle, &sizes).unwrap(),
            config,
            bundle,
            solution: Solution::new(&sizes),
            trace: PlanTrace::with_capacity(4096),
            state: vec![0.1; STATE],
            constraints: None,
            goal: None,
            _folder: folder,
        }
    }

    /// LatCo with one Gaussian start, but for `change`.
    pub fn latco(change: impl FnOnce(&mut LatcoSection)) -> Self {
        Self::new(|config| change(&mut config.planner.latco))
    }

    pub fn plan(&mut self, elapsed: Option<f64>) -> PlanReport {
        self.plan_until(elapsed, None, &FrozenClock(Time(0)))
    }

    pub fn plan_until(
        &mut self,
        elapsed: Option<f64>,
        deadline: Option<Time>,
        clock: &dyn Clock,
    ) -> PlanReport {
        self.plan_with(elapsed, deadline, None, clock)
    }

    /// A plan from nothing by what the clock decided before.
    pub fn plan_again(&mut self, decisions: Decisions) -> PlanReport {
        self.plan_with(None, None, Some(decisions), &FrozenClock(Time(0)))
    }

    /// A plan from nothing that ends after so many rounds of sampling, before the first iteration.
    pub fn sample(&mut self, rounds: u32) -> PlanReport {
        let decisions = Decisions {
            sampling_rounds: rounds,
            out_of_time_after: Some(0),
            ..Decisions::default()
        };
        self.plan_with(None, None, Some(decisions), &FrozenClock(Time(0)))
    }

    fn plan_with(
        &mut self,
        elapsed_periods: Option<f64>,
        deadline: Option<Time>,
        replay: Option<Decisions>,
        clock: &dyn Clock,
    ) -> PlanReport {
        let request = PlanRequest {
            state: &self.state,
            elapsed_periods,
            constraints: self.constraints.as_ref(),
            goal: self.goal.as_ref(),
            deadline,
            replay,
        };
        self.trace.clear(1, clock.now());
        let report = (self.planner).plan(&request, clock, &mut self.solution, &mut self.trace);
        // Also after a failure the answer can be executed.
        let solution = &self.solution;
        assert!(
            solution.actions.iter().all(|a| a.abs() <= 1.0),
            "{report:?}"
        );
        assert!(solution.rewards.iter().all(|r| r.is_finite()), "{report:?}");
        assert!(report.predicted_return.is_finite(), "{report:?}");
        if self.state.iter().all(|z| z.is_finite()) {
            assert!(solution.is_finite(), "{report:?}");
        }
        report
    }
}

/// Moves on by a fixed span at every look.
pub struct TickingClock {
    now: Cell<Time>,
    span: Duration,
}

impl TickingClock {
    pub fn new(span: Duration) -> Self {
        Self {
            now: Cell::new(Time(0)),
            span,
        }
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Time {
        let now = self.now.get() + self.span;
        self.now.set(now);
        now
    }
}
