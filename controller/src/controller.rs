//! The controller core: inputs and time in, plans out. No clock, thread or I/O of its own.

use std::time::Duration;

use latco_models::{Bundle, Manifest, RunError};

use crate::belief::{BeliefFilter, Observed};
use crate::config::Config;
use crate::constraints::{Constraints, Motion, Place};
use crate::error::SetupError;
use crate::inputs::{InputCounts, InputError, Inputs, JointVec};
use crate::keep_alive::KeepAlive;
use crate::model::{FilterModel, OnnxFilter};
use crate::parts::Parts;
use crate::plan::{
    self, CandidateReturns, Decisions, DumpHeader, Goal, GoalSlot, Plan, PlanReport, PlanRequest,
    PlanSizes, Planner, Problem, Solution, StopCause,
};
use crate::robot::{Robot, RobotError};
use crate::safety::surprise::{Surprise, SurpriseMonitor};
use crate::time::{Clock, FrozenClock, Time};
use crate::trace::PlanTrace;

/// Number of failed solves in a row after which the next plan is made cold: one failure may be its iterations', which the next
/// image helps against; after two the plan that they begin with is suspect.
const COLD_AFTER: u32 = 2;

/// Number of failed solves in a row after which the robot is stopped: a second at ten plans a second, in which images and noise
/// are new each time.
const STOP_AFTER: u32 = 10;

/// The outcome of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The effect of the image, if there was one.
    pub image: Option<Result<Observed, InputError>>,
    /// The fate of the joint states, if there were any.
    pub joints: Option<Result<(), InputError>>,
    /// The planner's report, if it planned.
    pub plan: Option<PlanReport>,
    /// Whether there is a new plan to hand over: [`Controller::plan`].
    pub new_plan: bool,
    /// What the newest images ask for by their surprise, whether or not it is acted on.
    pub surprise: Surprise,
    /// How far the belief of the image is from the goal, see [`plan::Goal::distance`]; `None` without a goal.
    pub goal_distance: Option<f32>,
    /// Time from the call to the end of the belief's step, by the given clock.
    pub belief_time: Duration,
    /// Time from there to the end of planning, by the given clock.
    pub plan_time: Duration,
}

/// The limits by which a plan ends.
struct TimeLimit<'a> {
    clock: &'a dyn Clock,
    deadline: Option<Time>,
    /// The clock's decisions when the same plan was made before.
    replay: Option<Decisions>,
}

/// The controller core: belief filter and planner, and what they carry from image to image.
pub struct Controller {
    robot: Robot,
    sizes: PlanSizes,
    period: Duration,
    lead: u32,
    replan_every: u32,
    validity: Duration,
    budget: Option<Duration>,
    seed: u64,
    /// The state that plans shall end in.
    goal: GoalSlot,
    goal_weight: f32,
    filter: BeliefFilter,
    constraints: Option<Constraints>,
    /// How the regions moved that plans keep out of.
    regions: Motion,
    surprise: SurpriseMonitor,
    planner: Box<dyn Planner>,
    plan: Plan,
    solution: Solution,
    trace: PlanTrace,
    start_state: Vec<f32>,
    committed: Vec<f32>,
    /// Start of the planned part of the plan from which the planner goes on.
    last_start: Option<Time>,
    steps_since_plan: u32,
    failures: u32,
    decisions: Decisions,
    dump_header: Option<DumpHeader>,
    keep_alive: Option<KeepAlive>,
}

impl Controller {
    /// Makes a controller with the planner that the configuration names; all sessions are made and warmed.
    ///
    /// # Errors
    /// [`SetupError`] when the configuration does not fit the bundle, or a session cannot be made.
    pub fn new(config: &Config, bundle: &Bundle) -> Result<Self, SetupError> {
        Self::decorated(config, bundle, |parts| parts)
    }

    /// Makes a controller as [`Controller::new`], with something put round its model and its planner.
    ///
    /// # Errors
    /// [`SetupError`] when the configuration does not fit the bundle, or a session cannot be made.
    pub fn decorated(
        config: &Config,
        bundle: &Bundle,
        decorate: impl FnOnce(Parts) -> Parts,
    ) -> Result<Self, SetupError> {
        let sizes = PlanSizes::new(config, bundle.manifest());
        let Parts { filter, planner } = decorate(Parts {
            planner: plan::make(config, bundle, &sizes)?,
            filter: Box::new(OnnxFilter::new(bundle)?),
        });
        let mut controller = Self::with_parts(config, bundle.manifest(), filter, planner)?;
        controller.dump_header = Some(DumpHeader::new(config, bundle));
        controller.keep_alive = KeepAlive::new(&config.bundle, bundle)?;
        Ok(controller)
    }

    /// Makes a controller round another filter model and planner, for tests.
    ///
    /// # Errors
    /// [`RobotError`] when the configuration does not fit the manifest.
    pub fn with_parts(
        config: &Config,
        manifest: &Manifest,
        filter: Box<dyn FilterModel>,
        planner: Box<dyn Planner>,
    ) -> Result<Self, RobotError> {
        let robot = Robot::new(config, manifest)?;
        let sizes = PlanSizes::new(config, manifest);
        let period = crate::time::span(manifest.control_period_s);
        let plan = Plan::new(&sizes, period);
        Ok(Self {
            filter: BeliefFilter::new(config, manifest, &robot, filter),
            constraints: Constraints::new(config, robot.limits(), manifest.control_period_s),
            regions: Motion::default(),
            robot,
            period,
            lead: config.control.lead_periods,
            replan_every: config.control.replan_every_periods,
            validity: period * plan.steps() as u32,
            budget: (config.planner.budget_ms).map(|ms| crate::time::span(ms * 1e-3)),
            seed: config.planner.seed,
            goal: GoalSlot::new(&sizes),
            goal_weight: config.goal.weight as f32,
            surprise: SurpriseMonitor::calibrated(
                manifest.surprise.as_ref(),
                config.control.surprise,
            ),
            planner,
            plan,
            solution: Solution::new(&sizes),
            trace: PlanTrace::new(config),
            start_state: vec![0.0; sizes.state],
            committed: vec![0.0; sizes.action],
            sizes,
            last_start: None,
            steps_since_plan: 0,
            failures: 0,
            decisions: Decisions::default(),
            dump_header: None,
            keep_alive: None,
        })
    }

    /// Forgets the episode: belief, commands, plan and warm start. Random numbers start again
    /// from the configured seed plus `episode`.
    pub fn reset(&mut self, episode: u64) {
        self.filter.reset();
        self.surprise.forget();
        self.planner.reset(self.seed.wrapping_add(episode));
        self.forget_plan();
        self.failures = 0;
    }

    /// Sets another time for one plan.
    pub fn set_budget(&mut self, budget: Option<Duration>) {
        self.budget = budget;
    }

    /// Notes what was really sent at `time` ([`crate::SetPoint::commands`]). Give it before the step whose image is later.
    pub fn record_sent(&mut self, time: Time, commands: &JointVec) {
        self.filter.record_sent(time, commands);
    }

    /// Moves the regions that plans keep out of, in the order of the configuration: balls, then boxes. One whose middle is not
    /// finite is away.
    pub fn move_regions(&mut self, middles: &[Place]) {
        if let Some(constraints) = &mut self.constraints {
            constraints.move_regions(middles);
        }
    }

    /// Sets the state `[n]` that plans shall end in, the belief of a goal picture; `None` for none. It stays through resets. Without
    /// `goal.weight` it does not matter.
    pub fn set_goal(&mut self, belief: Option<&[f32]>) {
        self.goal
            .put(belief.map(|belief| (belief, self.goal_weight)));
    }

    /// The state that plans shall end in, if there is one.
    #[must_use]
    pub fn goal(&self) -> Option<&Goal> {
        self.goal.get()
    }

    /// The goal and its memory.
    pub(crate) fn goal_slot(&self) -> &GoalSlot {
        &self.goal
    }

    /// What plans keep away from; `None` where there is nothing.
    #[must_use]
    pub fn constraints(&self) -> Option<&Constraints> {
        self.constraints.as_ref()
    }

    /// Does one step: takes the inputs, and when an image made a new belief and a plan is due, plans.
    ///
    /// `now` is the time at which the inputs are looked at, on the epoch of their stamps; `clock` is read
    /// only for budgets and measurements.
    ///
    /// # Real-time
    /// No allocation after the first cold and the first warm plan, unless an input is refused.
    /// Takes the time of one observation and one plan; the plan keeps to its budget.
    pub fn step(&mut self, inputs: &Inputs<'_>, now: Time, clock: &dyn Clock) -> Tick {
        self.take(inputs, now, clock, None)
    }

    /// Lets the planner find out how long its work takes by `clock`, where that is not the machine's.
    pub fn learn_times(&mut self, clock: &dyn Clock) {
        self.planner.learn_times(clock);
    }

    /// Repeats the step that was made at `now`, by the clock's decisions then ([`Controller::decisions`]) and
    /// without a clock.
    pub fn repeat(&mut self, inputs: &Inputs<'_>, now: Time, decisions: Decisions) -> Tick {
        self.take(inputs, now, &FrozenClock(now), Some(decisions))
    }

    fn take(
        &mut self,
        inputs: &Inputs<'_>,
        now: Time,
        clock: &dyn Clock,
        replay: Option<Decisions>,
    ) -> Tick {
        let began = clock.now();
        let mut tick = Tick {
            image: None,
            joints: inputs.joints.map(|joints| self.filter.joints(&joints, now)),
            plan: None,
            new_plan: false,
            surprise: self.surprise.level(),
            goal_distance: None,
            belief_time: Duration::ZERO,
            plan_time: Duration::ZERO,
        };
        let Some(image) = inputs.image else {
            return tick;
        };
        let observed = self.filter.observe(&image, now);
        let after_belief = clock.now();
        tick.belief_time = after_belief.saturating_since(began);
        if let Ok(observed) = &observed {
            let goal = self.goal.get();
            tick.goal_distance = goal.map(|goal| goal.distance(self.filter.mean()));
            if observed.restarted {
                self.forget_plan();
            }
            if let Some(score) = observed.surprise {
                tick.surprise = self.surprise.look(image.stamp, score);
            }
            self.steps_since_plan = self.steps_since_plan.saturating_add(observed.steps);
            if self.is_plan_due(image.stamp) {
                let deadline = self.budget.map(|budget| began + budget);
                let limit = TimeLimit {
                    clock,
                    deadline,
                    replay,
                };
                tick.plan = self.make_plan(image.stamp, &limit, &mut tick.new_plan);
                tick.plan_time = clock.now().saturating_since(after_belief);
            }
        }
        tick.image = Some(observed);
        tick
    }

    /// The newest plan; number 0 before the first.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The iterations of the newest plan.
    #[must_use]
    pub fn trace(&self) -> &PlanTrace {
        &self.trace
    }

    /// The clock's decisions in the newest plan.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        self.decisions
    }

    /// The planning problem that was solved last; see [`Planner::problem`].
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.planner.problem()
    }

    /// The returns of the newest plan's candidates, as far as the planner keeps them.
    #[must_use]
    pub fn candidates(&self) -> CandidateReturns {
        self.planner.candidates()
    }

    /// The header of dumps of its problems; `None` for a controller that was made from parts.
    #[must_use]
    pub fn dump_header(&self) -> Option<&DumpHeader> {
        self.dump_header.as_ref()
    }

    /// The posterior mean of the newest image, `[n]`.
    #[must_use]
    pub fn belief(&self) -> &[f32] {
        self.filter.mean()
    }

    /// What is to be done about how far the newest images are from what the model predicted; for
    /// [`crate::Executor::set_surprise`].
    #[must_use]
    pub fn surprise(&self) -> Surprise {
        self.surprise.action()
    }

    /// The counts of inputs that were taken and refused.
    #[must_use]
    pub fn counts(&self) -> &InputCounts {
        self.filter.counts()
    }

    /// The robot that the controller is set up for.
    #[must_use]
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// An empty plan of the right sizes, for the hand-over to the executor.
    #[must_use]
    pub fn empty_plan(&self) -> Plan {
        Plan::new(&self.sizes, self.period)
    }

    /// Columns and rows of the images that the model takes.
    #[must_use]
    pub fn image_size(&self) -> (usize, usize) {
        self.filter.image_size()
    }

    /// The control period.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// The name of the planner.
    #[must_use]
    pub fn planner_name(&self) -> &'static str {
        self.planner.name()
    }

    /// Prepares for an image that is about to come: brings the weights of the filter step into the processor's caches.
    /// Nothing that a later step computes depends on it.
    ///
    /// # Errors
    /// The runtime's reason.
    ///
    /// # Real-time
    /// No allocation. Takes the time of one observation, by which an image that arrives meanwhile waits.
    pub fn warm(&mut self) -> Result<(), RunError> {
        self.filter.warm()
    }

    /// Takes the session that the thread which steps this controller shall run while it waits, if there is
    /// one; it is given once.
    pub fn take_keep_alive(&mut self) -> Option<KeepAlive> {
        self.keep_alive.take()
    }

    fn forget_plan(&mut self) {
        self.planner.drop_warm_start();
        self.last_start = None;
        self.steps_since_plan = 0;
        self.plan.valid_until = self.plan.start;
    }

    fn is_plan_due(&self, stamp: Time) -> bool {
        let first = stamp + self.period * self.lead;
        self.last_start.is_none()
            || self.steps_since_plan >= self.replan_every
            || self.plan.step_at(first).is_none()
    }

    fn make_plan(
        &mut self,
        stamp: Time,
        limit: &TimeLimit<'_>,
        new_plan: &mut bool,
    ) -> Option<PlanReport> {
        let clock = limit.clock;
        self.filter.rest_action(stamp, &mut self.committed);
        if self.lead > 0 {
            // Half a period in, so that a little jitter of the stamps does not pick a neighbour.
            if let Some(step) = self.plan.step_at(stamp + self.period / 2) {
                self.committed.copy_from_slice(self.plan.action(step));
            }
            if self
                .filter
                .predict(&self.committed, &mut self.start_state)
                .is_err()
            {
                self.count_failures(false);
                return None;
            }
        } else {
            self.start_state.copy_from_slice(self.filter.mean());
        }
        let start = stamp + self.period * self.lead;
        // In whole nanoseconds, so that whole periods give whole numbers.
        let elapsed = (self.last_start)
            .map(|last| (start.0 - last.0) as f64 / self.period.as_nanos().max(1) as f64);
        // Without joint states nothing is known of where the robot is, and the executor stops it.
        let constraints = match (&mut self.constraints, self.filter.positions_at(stamp)) {
            (Some(constraints), Some(positions)) => {
                let committed = if self.lead > 0 { &*self.committed } else { &[] };
                constraints.start_from(positions, committed);
                self.regions.note(stamp, &constraints.middles());
                constraints.foresee(&self.regions, stamp);
                Some(&*constraints)
            }
            _ => None,
        };
        let request = PlanRequest {
            state: &self.start_state,
            elapsed_periods: elapsed,
            constraints,
            goal: self.goal.get(),
            deadline: limit.deadline,
            replay: limit.replay,
        };
        let number = self.plan.number + 1;
        self.trace.clear(number, clock.now());
        let report = self
            .planner
            .plan(&request, clock, &mut self.solution, &mut self.trace);
        self.decisions = self.planner.decisions().unwrap_or_else(|| Decisions {
            out_of_time_after: (report.stop == StopCause::TimeBudget).then_some(report.iterations),
            ..Decisions::default()
        });
        self.count_failures(report.stop.was_successful());
        let usable = self.solution.is_finite();
        if usable {
            self.take_solution(number, stamp);
            self.last_start = Some(start);
            self.steps_since_plan = 0;
            *new_plan = true;
        }
        if !usable || self.failures >= COLD_AFTER {
            self.planner.drop_warm_start();
            self.last_start = None;
        }
        Some(report)
    }

    fn count_failures(&mut self, successful: bool) {
        self.failures = if successful {
            0
        } else {
            self.failures.saturating_add(1)
        };
    }

    fn take_solution(&mut self, number: u64, stamp: Time) {
        let (lead, na, n) = (self.lead as usize, self.sizes.action, self.sizes.state);
        let plan = &mut self.plan;
        plan.number = number;
        plan.stamp = stamp;
        plan.start = stamp;
        plan.valid_until = stamp + self.validity.min(self.period * plan.steps() as u32);
        plan.abandoned = self.failures >= STOP_AFTER;
        if lead > 0 {
            plan.actions[..na].copy_from_slice(&self.committed);
            plan.states[..n].copy_from_slice(self.filter.mean());
        }
        plan.actions[lead * na..].copy_from_slice(&self.solution.actions);
        plan.states[lead * n..].copy_from_slice(&self.solution.states);
        plan.rewards.copy_from_slice(&self.solution.rewards);
        plan.predicted_return = self.solution.predicted_return;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::belief::tests::{Recorder, at, manifest, surprised_above};
    use crate::config::SurpriseAction;
    use crate::inputs::{ImageInput, JointInput};
    use crate::plan::StopCause;
    use crate::time::FrozenClock;

    /// What a request said: state, elapsed periods, deadline.
    type Asked = (Vec<f32>, Option<f64>, Option<Time>);

    #[derive(Default)]
    struct Script {
        asked: Vec<Asked>,
        dropped: u32,
        answer: Option<StopCause>,
        poison: bool,
    }

    /// Answers with actions that count up: plan k is k/10, k/10 + 0.01, ...
    struct Scripted(Arc<Mutex<Script>>);

    impl Planner for Scripted {
        fn plan(
            &mut self,
            request: &PlanRequest<'_>,
            _: &dyn Clock,
            solution: &mut Solution,
            _: &mut PlanTrace,
        ) -> PlanReport {
            let mut script = self.0.lock().unwrap();
            script.asked.push((
                request.state.to_vec(),
                request.elapsed_periods,
                request.deadline,
            ));
            let number = script.asked.len() as f32;
            for (step, action) in solution.actions.iter_mut().enumerate() {
                *action = 0.1 * number + 0.01 * step as f32;
            }
            if script.poison {
                solution.actions[1] = f32::NAN;
            }
            PlanReport {
                stop: script.answer.unwrap_or(StopCause::IterationBudget),
                warm: request.elapsed_periods.is_some(),
                iterations: 1,
                ..PlanReport::default()
            }
        }

        fn reset(&mut self, _: u64) {}

        fn drop_warm_start(&mut self) {
            self.0.lock().unwrap().dropped += 1;
        }

        fn name(&self) -> &'static str {
            "scripted"
        }
    }

    struct Bench {
        controller: Controller,
        script: Arc<Mutex<Script>>,
    }

    impl Bench {
        fn new(change: impl FnOnce(&mut Config)) -> Self {
            let mut config = Config::default();
            change(&mut config);
            let model = Recorder {
                calls: Arc::default(),
                poison: Arc::default(),
                innovation: 0.0,
            };
            let script: Arc<Mutex<Script>> = Arc::default();
            let planner = Box::new(Scripted(Arc::clone(&script)));
            let manifest = surprised_above([1.5, 3.5]);
            let controller =
                Controller::with_parts(&config, &manifest, Box::new(model), planner).unwrap();
            Self { controller, script }
        }

        fn image(&mut self, ms: i64) -> Tick {
            let inputs = Inputs {
                image: Some(ImageInput {
                    stamp: at(ms),
                    width: 2,
                    height: 2,
                    pixels: &[0; 12],
                }),
                joints: Some(JointInput {
                    stamp: at(ms),
                    positions: &[0.3],
                    velocities: &[0.0],
                }),
            };
            self.controller.step(&inputs, at(ms), &FrozenClock(at(ms)))
        }

        fn asked(&self) -> Vec<Asked> {
            self.script.lock().unwrap().asked.clone()
        }
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn with_a_lead_the_committed_action_is_frozen_and_planned_past() {
        let mut bench = Bench::new(|config| config.planner.budget_ms = Some(40.0));
        assert!(bench.image(1000).new_plan);
        let plan = bench.controller.plan().clone();
        assert_eq!((plan.number, plan.steps(), plan.lead()), (1, 5, 1));
        assert_eq!((plan.stamp, plan.start), (at(1000), at(1000)));
        assert_eq!(plan.valid_until, at(1500));
        assert!(close(&plan.actions, &[0.0, 0.10, 0.11, 0.12, 0.13]));
        bench.image(1100);
        let plan = bench.controller.plan();
        assert!(
            close(&plan.actions, &[0.10, 0.20, 0.21, 0.22, 0.23]),
            "{plan:?}"
        );
        let asked = bench.asked();
        assert_eq!(asked[0], (vec![100.0], None, Some(at(1040))));
        // The belief 200 (nothing was reported as sent), and the committed action 0.1 on top.
        assert!(close(&asked[1].0, &[200.1]), "{asked:?}");
        assert_eq!(asked[1].1, Some(1.0));
        bench.image(1300); // one image is missing
        assert_eq!(bench.asked()[2].1, Some(2.0));
        let committed = bench.controller.plan().action(0)[0];
        assert!((committed - 0.21).abs() < 1e-6, "{committed}");
    }

    #[test]
    fn without_a_lead_the_plan_starts_at_the_image() {
        let mut bench = Bench::new(|config| config.control.lead_periods = 0);
        bench.image(1000);
        let plan = bench.controller.plan();
        assert_eq!((plan.steps(), plan.lead(), plan.start), (4, 0, at(1000)));
        assert!(close(&plan.actions, &[0.10, 0.11, 0.12, 0.13]));
        assert_eq!(bench.asked()[0].0, [100.0]);
    }

    #[test]
    fn a_late_image_makes_a_fraction_of_a_period() {
        let mut bench = Bench::new(|_| ());
        bench.image(1000);
        bench.image(1112);
        bench.image(1198);
        let elapsed: Vec<_> = bench.asked().iter().map(|asked| asked.1).collect();
        assert_eq!(elapsed, [None, Some(1.12), Some(0.86)]);
    }

    #[test]
    fn plans_are_made_as_often_as_configured() {
        let mut bench = Bench::new(|config| config.control.replan_every_periods = 3);
        let planned: Vec<bool> = (0..9)
            .map(|k| bench.image(1000 + 100 * k).new_plan)
            .collect();
        let expected = [true, false, false, true, false, false, true, false, false];
        assert_eq!(planned, expected);
        assert_eq!(bench.asked()[1].1, Some(3.0));
    }

    #[test]
    fn after_failures_plans_are_made_cold_and_then_the_robot_is_stopped() {
        let mut bench = Bench::new(|_| ());
        bench.image(1000);
        bench.script.lock().unwrap().answer = Some(StopCause::NonFinite);
        let mut abandoned = Vec::new();
        for k in 1..=11 {
            bench.image(1000 + 100 * k);
            abandoned.push(bench.controller.plan().abandoned);
        }
        assert_eq!(abandoned[7..], [false, false, true, true]);
        let elapsed: Vec<_> = bench.asked().iter().map(|asked| asked.1).collect();
        assert_eq!(elapsed[..4], [None, Some(1.0), Some(1.0), None]);
        assert_eq!(elapsed[4..], [None; 8]);
        bench.script.lock().unwrap().answer = None;
        bench.image(2200);
        assert!(!bench.controller.plan().abandoned, "a good plan clears it");
    }

    #[test]
    fn a_solution_that_is_not_finite_is_not_handed_over() {
        let mut bench = Bench::new(|_| ());
        bench.image(1000);
        bench.script.lock().unwrap().poison = true;
        let tick = bench.image(1100);
        assert!(!tick.new_plan && tick.plan.is_some());
        assert_eq!(bench.controller.plan().number, 1, "the old plan stays");
        assert!(
            bench
                .controller
                .plan()
                .actions
                .iter()
                .all(|a| a.is_finite())
        );
    }

    #[test]
    fn a_refused_image_makes_no_plan_and_a_gap_forgets_the_old_one() {
        let mut bench = Bench::new(|_| ());
        bench.image(1000);
        let tick = bench.image(1000);
        assert!(matches!(
            tick.image,
            Some(Err(InputError::RepeatedStamp(_)))
        ));
        assert!(tick.plan.is_none() && !tick.new_plan);
        bench.image(4000);
        assert_eq!(bench.asked()[1].1, None, "cold");
        assert_eq!(bench.controller.plan().action(0), [0.0]);
    }

    #[test]
    fn surprise_is_told_with_every_image_and_acted_on_until_a_reset() {
        use Surprise::{Expected, Slow, Stop};
        for (action, acts) in [(SurpriseAction::Stop, true), (SurpriseAction::Warn, false)] {
            let mut bench = Bench::new(|config| config.control.surprise = action);
            // The k-th step after the first has the innovation k.
            let levels: Vec<_> = (0..6)
                .map(|k| bench.image(1000 + 100 * k).surprise)
                .collect();
            assert_eq!(levels, [Expected, Expected, Slow, Slow, Stop, Stop]);
            let acted = bench.controller.surprise();
            assert_eq!(acted, if acts { Stop } else { Expected });
            bench.controller.reset(1);
            assert_eq!(bench.controller.surprise(), Expected);
        }
    }

    #[test]
    fn a_configuration_for_another_robot_is_refused() {
        let mut config = Config::default();
        config.robot.joint_names = vec!["wrist".into()];
        let model = Recorder {
            calls: Arc::default(),
            poison: Arc::default(),
            innovation: 0.0,
        };
        let planner = Box::new(Scripted(Arc::default()));
        let result = Controller::with_parts(&config, &manifest(), Box::new(model), planner);
        let message = result.err().unwrap().to_string();
        assert!(
            message.contains("wrist") && message.contains("joint"),
            "{message}"
        );
    }
}
