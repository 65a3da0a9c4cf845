//! A planner that fails, gives NaN, takes long or panics.

use std::sync::Arc;
use std::time::Duration;

use latco_controller::Clock;
use latco_controller::plan::{
    CandidateReturns, Decisions, PlanReport, PlanRequest, Planner, Problem, Solution, StopCause,
};
use latco_controller::trace::PlanTrace;

use crate::injector::{Injector, panic_here};
use crate::kind::{Effect, Target};

/// A planner that does what the faults of an injector make of another one.
pub struct FaultyPlanner {
    inner: Box<dyn Planner>,
    injector: Arc<Injector>,
}

impl FaultyPlanner {
    /// Puts faults round a planner.
    #[must_use]
    pub fn new(inner: Box<dyn Planner>, injector: Arc<Injector>) -> Self {
        Self { inner, injector }
    }
}

impl Planner for FaultyPlanner {
    fn plan(
        &mut self,
        request: &PlanRequest<'_>,
        clock: &dyn Clock,
        solution: &mut Solution,
        trace: &mut PlanTrace,
    ) -> PlanReport {
        let mut request = *request;
        let strikes = self.injector.strike(Target::Planner);
        let is = |effect| strikes.iter().any(|strike| strike.effect == effect);
        for strike in strikes.iter().filter(|s| s.effect == Effect::Slow) {
            self.injector.wait(strike.amount);
        }
        if is(Effect::Panic) {
            panic_here("panic_planner");
        }
        if is(Effect::Fail) {
            // Without time there is only what it begins with: the plan before, shifted, or no motion.
            request.deadline = Some(clock.now() - Duration::from_secs(1));
        }
        let mut report = self.inner.plan(&request, clock, solution, trace);
        if is(Effect::Fail) {
            report.stop = StopCause::ModelFailed;
        }
        if is(Effect::NotFinite) {
            solution.actions.fill(f32::NAN);
            report.stop = StopCause::NonFinite;
        }
        report
    }

    fn reset(&mut self, seed: u64) {
        self.inner.reset(seed);
    }

    fn drop_warm_start(&mut self) {
        self.inner.drop_warm_start();
    }

    fn problem(&self) -> Option<&Problem> {
        self.inner.problem()
    }

    fn restore(&mut self, problem: &Problem) -> bool {
        self.inner.restore(problem)
    }

    fn decisions(&self) -> Option<Decisions> {
        self.inner.decisions()
    }

    fn learn_times(&mut self, clock: &dyn Clock) {
        self.inner.learn_times(clock);
    }

    fn candidates(&self) -> CandidateReturns {
        self.inner.candidates()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}
