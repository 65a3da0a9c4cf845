//! The one loop of all planners, round an optimiser that needs no model: whatever the quanta do and
//! however long they take, the answer is never worth less than its base, never late by more than a
//! quantum, and made again by what the clock decided.

#![allow(clippy::unwrap_used)] // a test that cannot begin fails

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chacha20::ChaCha8Rng;
use latco_controller::plan::{
    Anytime, Candidate, Goal, Optimiser, Outcome, PlanReport, PlanRequest, PlanSizes, Planner,
    Quantum, Rounds, Schedule, Shift, Solution, StartKind, Step, StopCause,
};
use latco_controller::time::FrozenClock;
use latco_controller::trace::{IterationTrace, PlanTrace};
use latco_controller::{Clock, Config, Time};
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::{Bundle, RunError};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};

/// A clock that work moves on.
#[derive(Clone, Default)]
struct WorkClock(Arc<AtomicI64>);

impl WorkClock {
    fn spend(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as i64, Ordering::SeqCst);
    }
}

impl Clock for WorkClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// What the plans of an optimiser go through.
#[derive(Clone, Debug)]
struct Script {
    seed: u64,
    plans: usize,
    parts: u32,
    rounds: u32,
    value_every: u32,
    iterations: u32,
    /// Longest quantum.
    quantum: Duration,
    /// In so many of 100 iterations a plan fails, or is finished.
    fails: u32,
    finishes: u32,
    gives_up: bool,
}

/// Plans of one number, which goes up and down at random; a candidate is worth its number.
struct Walk {
    script: Script,
    clock: WorkClock,
    random: ChaCha8Rng,
    values: Vec<f32>,
    valued: Vec<f32>,
    outcomes: Vec<Outcome>,
    count: usize,
    sizes: PlanSizes,
    actions: Vec<f32>,
    rewards: Vec<f32>,
    /// What the first valuation of the shifted plan found.
    base: Option<f32>,
}

impl Walk {
    fn new(script: &Script, clock: WorkClock, sizes: &PlanSizes) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(script.seed),
            script: script.clone(),
            clock,
            values: vec![0.0; script.plans],
            valued: vec![0.0; script.plans],
            outcomes: vec![Outcome::Failed(StopCause::ModelFailed); script.plans],
            count: 0,
            sizes: *sizes,
            actions: vec![0.0; sizes.horizon * sizes.action],
            rewards: vec![0.0; sizes.horizon],
            base: None,
        }
    }

    fn step(&mut self) -> f32 {
        self.random.random_range(-1.0..1.0)
    }

    /// A time of its own: how long work takes must not change what it finds.
    fn work(&self, longest: Duration) {
        let share = (self.clock.now().0.unsigned_abs() / 1000 % 97) as f64 / 97.0;
        self.clock.spend(longest.mul_f64(0.5 + 0.5 * share));
    }
}

impl Optimiser for Walk {
    fn schedule(&self) -> Schedule {
        Schedule {
            warm_start: true,
            iterations_cold: self.script.iterations,
            iterations_warm: self.script.iterations,
            value_every: self.script.value_every,
            fresh_starts_below_return: Some(0.0),
        }
    }

    fn most_plans(&self) -> usize {
        self.script.plans
    }

    fn parts(&self) -> u32 {
        self.script.parts
    }

    fn begin(&mut self, _goal: Option<&Goal>) {
        (self.count, self.base) = (0, None);
    }

    fn start_warm(
        &mut self,
        _: &PlanRequest<'_>,
        _: Shift,
        _: &mut Rounds<'_>,
    ) -> Result<StartKind, RunError> {
        self.count = 1;
        Ok(StartKind::Shifted)
    }

    fn start_fresh(
        &mut self,
        _: &PlanRequest<'_>,
        rounds: &mut Rounds<'_>,
        starts: &mut Vec<StartKind>,
    ) -> Result<bool, RunError> {
        let mut best = f32::NEG_INFINITY;
        while rounds.done() < self.script.rounds {
            let found = self.step();
            let quantum = self.script.quantum;
            let is_done = rounds.one_more(|| {
                self.work(quantum);
                Ok::<(), RunError>(())
            })?;
            if !is_done {
                break;
            }
            best = best.max(found);
        }
        // What was drawn for a round that there was no time for is lost: begin again by the count.
        let rounds = u64::from(rounds.done());
        self.random = ChaCha8Rng::seed_from_u64(self.script.seed ^ (rounds << 32));
        for plan in self.count..self.script.plans {
            self.values[plan] = if best.is_finite() { best } else { self.step() };
            starts.push(StartKind::Uniform);
        }
        self.count = self.script.plans;
        Ok(true)
    }

    fn improve(&mut self, _: &PlanRequest<'_>, quantum: &mut Quantum<'_>) -> Step {
        if quantum.part() + 1 < self.script.parts {
            self.work(self.script.quantum);
            return Step::Part;
        }
        if self.script.gives_up {
            for _ in 0..4 {
                if quantum.is_over() {
                    return Step::GivenUp;
                }
                self.work(self.script.quantum / 4);
            }
        } else {
            self.work(self.script.quantum);
        }
        for plan in 0..self.count {
            let dice = self.random.random_range(0..100);
            self.values[plan] += self.step();
            let figures = IterationTrace {
                planned_reward: self.values[plan],
                ..IterationTrace::default()
            };
            self.outcomes[plan] = if dice < self.script.fails {
                Outcome::Failed(StopCause::NonFinite)
            } else if dice < self.script.fails + self.script.finishes {
                Outcome::Finished(figures, StopCause::Converged)
            } else {
                Outcome::Improved(figures)
            };
        }
        Step::Iteration
    }

    fn outcome(&self, plan: usize) -> Outcome {
        self.outcomes[plan]
    }

    fn interrupt(&mut self, parts: u32) -> bool {
        self.values[0] += 0.1 * parts as f32;
        true
    }

    fn value(&mut self, _: &[f32]) -> Result<(), RunError> {
        self.work(self.script.quantum / 8);
        self.valued.copy_from_slice(&self.values);
        self.base.get_or_insert(self.values[0]);
        Ok(())
    }

    fn candidate(&mut self, plan: usize) -> Candidate<'_> {
        let value = self.valued[plan];
        self.actions.fill(value);
        self.rewards.fill(value / self.sizes.horizon as f32);
        Candidate {
            worth: value,
            predicted_return: value,
            actions: &self.actions,
            rewards: &self.rewards,
            states: None,
            start: None,
            competes: true,
        }
    }

    fn keep(&mut self, plan: usize) {
        self.values.swap(0, plan);
    }
}

/// A planner with what it writes.
struct Bench {
    planner: Anytime<Walk>,
    clock: WorkClock,
    state: Vec<f32>,
    solution: Solution,
    trace: PlanTrace,
}

impl Bench {
    fn new(script: &Script, bundle: &Bundle) -> Self {
        let config = Config::default();
        let sizes = PlanSizes::new(&config, bundle.manifest());
        let clock = WorkClock::default();
        let walk = Walk::new(script, clock.clone(), &sizes);
        Self {
            planner: Anytime::new(&config, bundle, &sizes, walk).unwrap(),
            clock,
            state: vec![0.1; sizes.state],
            solution: Solution::new(&sizes),
            trace: PlanTrace::with_capacity(1000),
        }
    }

    fn plan(&mut self, request: &PlanRequest<'_>, clock: &dyn Clock) -> PlanReport {
        self.trace.clear(1, Time(0));
        (self.planner).plan(request, clock, &mut self.solution, &mut self.trace)
    }

    /// Everything that is not a measured time.
    fn written(&self, report: &PlanReport) -> String {
        let lines: Vec<_> = (self.trace.iterations().iter())
            .map(|line| (line.iteration, line.start, line.planned_reward.to_bits()))
            .collect();
        let bits: Vec<u32> = self.solution.actions.iter().map(|a| a.to_bits()).collect();
        format!("{report:?} {bits:?} {lines:?}")
    }
}

fn bundle() -> (tempfile::TempDir, Bundle) {
    let folder = tempfile::tempdir().unwrap();
    let spec = RandomSpec {
        image: 32,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 4,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder.path(), &spec, 5).unwrap();
    let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
    (folder, bundle)
}

fn scripts() -> impl Strategy<Value = (Script, Vec<(bool, u64)>)> {
    let script = (
        any::<u64>(),
        1..4usize,
        prop_oneof![Just(1u32), 2..5u32],
        0..4u32,
        1..6u32,
        0..30u32,
        100..10_000u64,
        prop_oneof![Just(0u32), 0..20u32],
        prop_oneof![Just(0u32), 0..20u32],
        any::<bool>(),
    )
        .prop_map(
            |(seed, plans, parts, rounds, value_every, iterations, us, fails, finishes, up)| {
                Script {
                    seed,
                    plans,
                    parts,
                    rounds,
                    value_every,
                    iterations,
                    quantum: Duration::from_micros(us),
                    fails,
                    finishes,
                    gives_up: up && parts == 1,
                }
            },
        );
    // Whether there is a previous plan, and the budget in us.
    let plans = proptest::collection::vec((any::<bool>(), 0..60_000u64), 1..8);
    (script, plans)
}

#[test]
fn never_worse_than_the_base_never_late_and_made_again_bit_for_bit() {
    let (_folder, bundle) = bundle();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&scripts(), |(script, plans)| {
            let mut first = Bench::new(&script, &bundle);
            let mut again = Bench::new(&script, &bundle);
            let mut was_timed = false;
            for (warm, us) in plans {
                let budget = Duration::from_micros(us);
                let began = first.clock.now();
                let state = first.state.clone();
                let request = PlanRequest {
                    state: &state,
                    elapsed_periods: warm.then_some(1.0),
                    constraints: None,
                    goal: None,
                    deadline: Some(began + budget),
                    replay: None,
                };
                let clock = first.clock.clone();
                let report = first.plan(&request, &clock);

                // The base counts if a plan was started at all from it.
                let base = first.planner.optimiser().base;
                if let Some(base) = base {
                    prop_assert!(first.solution.predicted_return >= base, "{report:?} {base}");
                }
                // The base, the rounds and their valuation come whatever the time is; after that
                // one quantum and one valuation may overrun.
                let late = clock.now().saturating_since(began + budget);
                let quantum = script.quantum;
                let base = quantum / 8 * 2 + if was_timed { quantum } else { 2 * quantum };
                prop_assert!(
                    late <= base + quantum + quantum / 8,
                    "late by {late:?}: {report:?}"
                );
                was_timed |= report.iterations > 0;

                let decisions = first.planner.decisions();
                prop_assert!(decisions.is_some());
                let request = PlanRequest {
                    constraints: None,
                    goal: None,
                    deadline: None,
                    replay: decisions,
                    ..request
                };
                let repeated = again.plan(&request, &FrozenClock(Time(0)));
                prop_assert_eq!(first.written(&report), again.written(&repeated));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_a_deadline_all_iterations_are_done_and_valued_every_few() {
    let (_folder, bundle) = bundle();
    let script = Script {
        seed: 3,
        plans: 2,
        parts: 1,
        rounds: 2,
        value_every: 4,
        iterations: 10,
        quantum: Duration::from_millis(1),
        fails: 0,
        finishes: 0,
        gives_up: false,
    };
    let mut bench = Bench::new(&script, &bundle);
    let state = bench.state.clone();
    let request = PlanRequest {
        state: &state,
        elapsed_periods: None,
        constraints: None,
        goal: None,
        deadline: None,
        replay: None,
    };
    let clock = bench.clock.clone();
    let report = bench.plan(&request, &clock);
    assert_eq!(report.stop, StopCause::IterationBudget);
    assert_eq!((report.iterations, report.plans), (10, 2));
    let decisions = bench.planner.decisions().unwrap();
    assert_eq!(
        (decisions.sampling_rounds, decisions.out_of_time_after),
        (2, None)
    );
    let valued = |line: &&IterationTrace| !line.rollout_return.is_nan();
    let valued: Vec<u32> = (bench.trace.iterations().iter())
        .filter(valued)
        .map(|line| line.iteration)
        .collect();
    assert_eq!(valued, [4, 4, 8, 8, 10, 10]);
    // The states of the answer are those that its actions lead to.
    assert_ne!(
        bench.solution.states[..state.len()],
        bench.solution.states[state.len()..][..state.len()]
    );
}
