use core::marker::PhantomData;

use heapless::Vec;

use crate::kernels::lanes::padded;
use crate::multipliers::{self, mean_sqrt};
use crate::problem::{Change, LinearProblem, LinearSolver, PlanFaults, Scales};
use crate::workspace::{Parts, take_parts, total};
use crate::{
    Crew, Dims, InequalityRows, LayoutError, MAX_PLANS, Model, Multipliers, Plan, PlanFault,
    Predictions, Quantity, Scalar, Settings, SetupError, Shape, StepError, StepReport,
    Trajectories,
};

/// Iterates plans with the linear solver `L` in the arena `A` (`&mut [S]`, an array, a `Vec`).
#[derive(Debug)]
pub struct Solver<S, L, A> {
    shape: Shape,
    settings: Settings,
    arena: A,
    /// Outcome of the last step for each plan.
    outcomes: Vec<Result<StepReport, PlanFault>, MAX_PLANS>,
    /// Whether the model's linearisation and this arena belong to the caller's plans.
    current: bool,
    kind: PhantomData<fn() -> (S, L)>,
}

/// The arena in parts, which hold all `N` plans.
struct Work<'a, S> {
    rewards: &'a mut [S],
    dynamics_violations: &'a mut [S],
    action_violations: &'a mut [S],
    residuals: &'a mut [S],
    defects: &'a mut [S],
    gradients: &'a mut [S],
    anchor_defect: &'a mut [S],
    step_states: &'a mut [S],
    step_actions: &'a mut [S],
    new_states: &'a mut [S],
    new_actions: &'a mut [S],
    /// Values of the inequalities at the last evaluation, shape `[N, H, m]`.
    inequalities: &'a mut [S],
    /// Slopes of the inequalities, shape `[N, H, m, na]`.
    inequality_slopes: &'a mut [S],
    /// Multipliers of the inequalities, shape `[N, H, m]`.
    inequality_multipliers: &'a mut [S],
    /// 1 for the inequalities that held the last step back and 0 for the others, shape `[N, H, m]`.
    active: &'a mut [S],
    /// Residuals of the goal, shape `[N, m]`.
    goal_residuals: &'a mut [S],
    scratch: &'a mut [S],
}

impl<'a, S: Scalar> Work<'a, S> {
    fn len(shape: &Shape) -> usize {
        total(Self::lens(shape))
    }

    fn lens(shape: &Shape) -> [usize; 16] {
        let dims = &shape.dims;
        let (h, n) = (dims.horizon, dims.state());
        let (states, actions) = (dims.states_len(), dims.actions_len());
        let m = shape.inequalities;
        let of_plan = [
            h,
            h,
            h,
            h,
            h * n,
            h * n,
            n,
            states,
            actions,
            states,
            actions,
            h * m,
            h * m * dims.action,
            h * m,
            h * m,
            shape.most_rows() - h,
        ];
        of_plan.map(|len| shape.plans * len)
    }

    fn split(shape: &Shape, arena: &'a mut [S]) -> Self {
        let mut parts = Parts::new(arena);
        take_parts!(parts, Self::lens(shape), Self {
            rewards, dynamics_violations, action_violations, residuals, defects, gradients, anchor_defect, step_states,
            step_actions, new_states, new_actions, inequalities, inequality_slopes, inequality_multipliers, active,
            goal_residuals;
            scratch: parts.rest()
        })
    }
}

impl<S: Scalar, L: LinearSolver, A: AsRef<[S]> + AsMut<[S]>> Solver<S, L, A> {
    /// Number of elements of the arena for plans of this shape.
    #[must_use]
    pub fn len(shape: &Shape) -> usize {
        Work::<S>::len(shape) + L::scratch_len(shape)
    }

    /// Number of bytes of the arena for plans of this shape.
    #[must_use]
    pub fn bytes(shape: &Shape) -> usize {
        Self::len(shape) * size_of::<S>()
    }

    /// Makes a solver in `arena`, which has [`Solver::len`] elements or more of any value.
    ///
    /// # Errors
    /// A size is out of range, the arena is too short, or a setting is outside its range.
    pub fn new_in(shape: Shape, settings: Settings, mut arena: A) -> Result<Self, SetupError> {
        if !shape.dims.is_valid() {
            return Err(SetupError::Dims(shape.dims));
        }
        if !shape.is_valid() {
            return Err(SetupError::Shape(shape));
        }
        if shape.inequalities > 0 && !L::TAKES_INEQUALITIES {
            return Err(SetupError::Inequalities);
        }
        settings.validate()?;
        LayoutError::at_least("solver arena", Self::len(&shape), arena.as_ref().len())?;
        // rows are read with their padding, which nothing writes
        arena.as_mut().fill(S::ZERO);
        Ok(Self {
            shape,
            settings,
            arena,
            outcomes: (0..shape.plans)
                .map(|_| Ok(StepReport::default()))
                .collect(),
            current: false,
            kind: PhantomData,
        })
    }

    /// Sizes of the plans.
    pub fn dims(&self) -> &Dims {
        &self.shape.dims
    }

    /// Sizes and number of the plans.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Forgets the evaluated plans, their faults and the multipliers of their inequalities. Call it whenever a plan, its
    /// anchor or the model was changed (also: used for another plan) since the last call; the next
    /// one then evaluates afresh.
    pub fn reset(&mut self) {
        self.current = false;
        self.outcomes.fill(Ok(StepReport::default()));
        let work = Work::split(&self.shape, self.arena.as_mut());
        work.inequality_multipliers.fill(S::ZERO);
    }

    /// Predicted rewards of `z_1..z_H` of plan `b`, `[H]`, at the last evaluation.
    pub fn rewards(&self, b: usize) -> &[S] {
        self.measured(0, b)
    }

    /// Dynamics violations `|z_{t+1} - mu(z_t, a_t)|^2` of plan `b`, `[H]`, at the last evaluation.
    pub fn dynamics_violations(&self, b: usize) -> &[S] {
        self.measured(1, b)
    }

    /// Action violations `sum_j max(0, a_j^2 - limit^2)` of plan `b`, `[H]`, at the last evaluation.
    pub fn action_violations(&self, b: usize) -> &[S] {
        self.measured(2, b)
    }

    /// Values and multipliers of the inequalities of plan `b`, `[H, m]` each, at the last evaluation.
    pub fn inequalities(&self, b: usize) -> (&[S], &[S]) {
        let lens = Work::<S>::lens(&self.shape);
        let first = |array: usize| lens[..array].iter().map(|&len| padded(len)).sum::<usize>();
        let arena = Parts::aligned(self.arena.as_ref());
        let len = self.shape.dims.horizon * self.shape.inequalities;
        let row = |array| &arena[first(array) + b * len..][..len];
        (row(11), row(13))
    }

    /// Row `b` of one of the arrays `[N, H]` that the arena begins with.
    fn measured(&self, array: usize, b: usize) -> &[S] {
        let h = self.shape.dims.horizon;
        let arena = Parts::aligned(self.arena.as_ref());
        &arena[array * padded(self.shape.plans * h) + b * h..][..h]
    }

    /// The outcome of the last step for plan `b`.
    ///
    /// # Errors
    /// [`PlanFault`] when the plan could not be iterated, in this step or one before it; see
    /// [`Solver::step_all`].
    pub fn outcome(&self, b: usize) -> Result<StepReport, PlanFault> {
        self.outcomes[b]
    }

    /// Measures a plan without changing it (but for row 0, see [`Plan::states`]). Of several plans the report
    /// is the first one's, see [`Solver::outcome`].
    ///
    /// # Errors
    /// See [`StepError`].
    ///
    /// # Real-time
    /// No allocation, no blocking; one evaluation of the model.
    pub fn evaluate<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
        multipliers: &Multipliers<'_, S>,
    ) -> Result<StepReport, StepError<M::Error>> {
        self.begin(model, plan, multipliers)?;
        self.prepare(model, crew, plan)?;
        self.report(plan, multipliers);
        Ok(self.outcome(0)?)
    }

    /// Does one iteration of a single plan, see [`Solver::step_all`].
    ///
    /// # Errors
    /// [`StepError`]; plan and multipliers are then unchanged.
    ///
    /// # Real-time
    /// As of [`Solver::step_all`].
    pub fn step<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
        multipliers: &mut Multipliers<'_, S>,
    ) -> Result<StepReport, StepError<M::Error>> {
        self.step_all(model, crew, plan, multipliers)?;
        Ok(self.outcome(0)?)
    }

    /// Does one iteration of all plans: the Levenberg-Marquardt step from the current plan (Eq. 9), the model
    /// at the new plan, the multiplier update from the violations there (Eq. 10). It is [`Solver::propose`]
    /// followed by [`Solver::accept`].
    ///
    /// A plan that cannot be iterated is left as it is, now and until [`Solver::reset`] (or until
    /// this is true of all plans); the others go on. [`Solver::outcome`] tells of each.
    ///
    /// The model keeps the linearisation of the new plans for the next call; the first call after
    /// [`Solver::reset`] evaluates the model twice.
    ///
    /// # Errors
    /// The model could not be evaluated or an array has the wrong length; plans and multipliers are
    /// then unchanged.
    ///
    /// # Real-time
    /// No allocation, no blocking; the work depends on the sizes only.
    pub fn step_all<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
        multipliers: &mut Multipliers<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        self.propose(model, crew, plan, multipliers)?;
        self.accept(model, crew, plan, multipliers)
    }

    /// Does the first half of a step: the new plans, in the arena.
    ///
    /// # Errors
    /// As of [`Solver::step_all`].
    pub fn propose<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
        multipliers: &Multipliers<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        self.begin(model, plan, multipliers)?;
        self.prepare(model, crew, plan)?;

        let Shape { dims, plans, .. } = self.shape;
        let (states_len, actions_len) = (dims.states_len(), dims.actions_len());
        let work = Work::split(&self.shape, self.arena.as_mut());
        for (b, defects) in work
            .anchor_defect
            .chunks_exact_mut(dims.state())
            .enumerate()
        {
            let first = &plan.states[b * states_len..];
            for ((defect, &z), &anchor) in defects.iter_mut().zip(first).zip(plan.anchor) {
                *defect = z - anchor;
            }
        }
        let goal_slope = plan.goal.map_or(S::ZERO, |goal| goal.weight.sqrt());
        let goal_rows = plan.goal.map_or(0, |goal| goal.state.len());
        let goal_residuals = &mut work.goal_residuals[..plans * goal_rows];
        if let Some(goal) = plan.goal {
            for (b, residuals) in goal_residuals.chunks_exact_mut(goal_rows).enumerate() {
                let last = last_state(&dims, plan.states, b);
                for ((residual, &z), &goal) in residuals.iter_mut().zip(last).zip(goal.state) {
                    *residual = goal_slope * (z - goal);
                }
            }
        }
        let mut scales = [Scales::default(); MAX_PLANS];
        for (b, scales) in scales[..plans].iter_mut().enumerate() {
            let of_plan = b * dims.horizon..(b + 1) * dims.horizon;
            let normaliser = mean_sqrt(&multipliers.dynamics[of_plan.clone()])
                + mean_sqrt(&multipliers.actions[of_plan])
                + S::ONE;
            let damping = 0.5 * self.settings.damping;
            *scales = Scales {
                damping: S::from_f64(damping) * normaliser * normaliser,
                normaliser,
            };
        }
        let problem = LinearProblem {
            shape: self.shape,
            dynamics_multipliers: multipliers.dynamics,
            action_multipliers: multipliers.actions,
            defects: work.defects,
            residuals: work.residuals,
            gradients: work.gradients,
            actions: plan.actions,
            anchor_defect: work.anchor_defect,
            action_limit: S::from_f64(self.settings.action_limit),
            inequalities: work.inequalities,
            inequality_slopes: work.inequality_slopes,
            inequality_multipliers: work.inequality_multipliers,
            inequality_weight: S::from_f64(self.settings.inequality_weight),
            goal_residuals,
            goal_slope,
            scales,
        };
        let mut faults = PlanFaults::none();
        L::solve(
            &problem,
            crew,
            model,
            work.scratch,
            Change {
                states: &mut *work.step_states,
                actions: &mut *work.step_actions,
                active: &mut *work.active,
            },
            &mut faults,
        );

        for (b, outcome) in self.outcomes.iter_mut().enumerate() {
            let states = b * states_len..(b + 1) * states_len;
            let actions = b * actions_len..(b + 1) * actions_len;
            let mut squares = S::ZERO;
            for (new, old, step) in [
                (
                    &mut work.new_states[states.clone()],
                    &plan.states[states.clone()],
                    &work.step_states[states.clone()],
                ),
                (
                    &mut work.new_actions[actions.clone()],
                    &plan.actions[actions.clone()],
                    &work.step_actions[actions.clone()],
                ),
            ] {
                for ((new, &old), &step) in new.iter_mut().zip(old).zip(step) {
                    *new = old + step;
                    squares += step * step;
                }
            }
            if let Some(stage) = faults.get(b) {
                fail(outcome, PlanFault::NotPositiveDefinite { stage });
            } else if !squares.is_finite() {
                fail(outcome, PlanFault::NonFinite(Quantity::Step));
            }
            match outcome {
                Ok(report) => {
                    let len = (states_len + actions_len) as f64;
                    report.step_rms = libm::sqrt(squares.to_f64() / len);
                }
                Err(_) => {
                    work.new_states[states].fill(S::ZERO);
                    work.new_actions[actions].fill(S::ZERO);
                }
            }
        }
        self.current = false;
        Ok(())
    }

    /// Does the second half of a step, after [`Solver::propose`] with the same arguments: the model at the
    /// new plans, and the new multipliers.
    ///
    /// # Errors
    /// As of [`Solver::step_all`].
    pub fn accept<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
        multipliers: &mut Multipliers<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        self.evaluate_new(model, crew, plan)?;
        self.current = true;

        let dims = self.shape.dims;
        let (states_len, actions_len) = (dims.states_len(), dims.actions_len());
        let work = Work::split(&self.shape, self.arena.as_mut());
        for (b, outcome) in self.outcomes.iter().enumerate() {
            if outcome.is_err() {
                continue;
            }
            let states = b * states_len..(b + 1) * states_len;
            let actions = b * actions_len..(b + 1) * actions_len;
            plan.states[states.clone()].copy_from_slice(&work.new_states[states]);
            plan.actions[actions.clone()].copy_from_slice(&work.new_actions[actions]);
            let of_plan = b * dims.horizon..(b + 1) * dims.horizon;
            multipliers::update(
                &mut multipliers.dynamics[of_plan.clone()],
                &work.dynamics_violations[of_plan.clone()],
                self.settings.dynamics_tolerance,
                &self.settings,
            );
            multipliers::update(
                &mut multipliers.actions[of_plan.clone()],
                &work.action_violations[of_plan],
                self.settings.action_tolerance,
                &self.settings,
            );
            let of_plan = self.shape.inequalities_of(b);
            multipliers::update_inequalities(
                &mut work.inequality_multipliers[of_plan.clone()],
                &work.inequalities[of_plan.clone()],
                &work.active[of_plan],
                self.settings.inequality_weight,
            );
        }
        self.report(plan, multipliers);
        Ok(())
    }

    /// Checks the lengths of everything and the values of each plan.
    fn begin<M: Model<S>>(
        &mut self,
        model: &M,
        plan: &Plan<'_, S>,
        multipliers: &Multipliers<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        let (own, found) = (self.shape.dims, model.dims());
        LayoutError::check("stochastic size of the model", own.stoch, found.stoch)?;
        LayoutError::check("deterministic size of the model", own.deter, found.deter)?;
        LayoutError::check("action size of the model", own.action, found.action)?;
        LayoutError::check("horizon of the model", own.horizon, found.horizon)?;
        LayoutError::check("plans of the model", self.shape.plans, model.plans())?;
        plan.check(&self.shape)?;
        multipliers.check(&self.shape)?;
        if self.outcomes.iter().all(Result::is_err) {
            self.reset();
        }
        let is_anchored = finite(plan.anchor);
        let is_positive = |values: &[S]| values.iter().all(|&m| m > S::ZERO && m.is_finite());
        for (b, outcome) in self.outcomes.iter_mut().enumerate() {
            let states = &plan.states[b * own.states_len()..][..own.states_len()];
            let actions = &plan.actions[b * own.actions_len()..][..own.actions_len()];
            let of_plan = b * own.horizon..(b + 1) * own.horizon;
            if !(is_anchored && finite(states) && finite(actions)) {
                fail(outcome, PlanFault::NonFinite(Quantity::Plan));
            } else if !(is_positive(&multipliers.dynamics[of_plan.clone()])
                && is_positive(&multipliers.actions[of_plan]))
            {
                fail(outcome, PlanFault::NonFinite(Quantity::Multipliers));
            }
        }
        Ok(())
    }

    /// Evaluates the caller's plans unless the last evaluation was of them.
    fn prepare<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &mut Plan<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        if self.current {
            return Ok(());
        }
        let dims = self.shape.dims;
        let (states_len, actions_len) = (dims.states_len(), dims.actions_len());
        let work = Work::split(&self.shape, self.arena.as_mut());
        for (b, outcome) in self.outcomes.iter().enumerate() {
            let states = b * states_len..(b + 1) * states_len;
            let actions = b * actions_len..(b + 1) * actions_len;
            let new_states = &mut work.new_states[states.clone()];
            let new_actions = &mut work.new_actions[actions.clone()];
            if outcome.is_err() {
                new_states.fill(S::ZERO);
                new_actions.fill(S::ZERO);
                continue;
            }
            if !L::MOVES_ANCHOR {
                plan.states[states.clone()][..dims.state()].copy_from_slice(plan.anchor);
            }
            new_states.copy_from_slice(&plan.states[states]);
            new_actions.copy_from_slice(&plan.actions[actions]);
        }
        self.evaluate_new(model, crew, plan)?;
        self.current = true;
        Ok(())
    }

    /// Evaluates the model and the inequalities at the arena's new plans.
    fn evaluate_new<M: Model<S>, C: Crew>(
        &mut self,
        model: &mut M,
        crew: &mut C,
        plan: &Plan<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        let reward_scale = plan.goal.map(|goal| goal.reward_weight.sqrt());
        let dims = self.shape.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let limit = S::from_f64(self.settings.action_limit);
        let work = Work::split(&self.shape, self.arena.as_mut());
        model
            .evaluate(
                crew,
                &Trajectories {
                    states: work.new_states,
                    actions: work.new_actions,
                },
                &mut Predictions {
                    means: work.defects,
                    rewards: work.rewards,
                    gradients: work.gradients,
                },
            )
            .map_err(StepError::Model)?;

        for (b, outcome) in self.outcomes.iter_mut().enumerate() {
            let mut fault = None;
            for t in 0..h {
                let i = b * h + t;
                let next = &work.new_states[(b * (h + 1) + t + 1) * n..][..n];
                let mut squares = S::ZERO;
                for (defect, &z) in work.defects[i * n..][..n].iter_mut().zip(next) {
                    *defect = z - *defect;
                    squares += *defect * *defect;
                }
                work.dynamics_violations[i] = squares;

                let mut excess = S::ZERO;
                for &a in &work.new_actions[i * na..][..na] {
                    excess += (a * a - limit * limit).maximum(S::ZERO);
                }
                work.action_violations[i] = excess;

                // d softplus(-r) / dz = -sigmoid(-r) dr/dz
                let reward = work.rewards[i];
                work.residuals[i] = (-reward).softplus();
                let mut slope = -(-reward).sigmoid();
                // an infinite reward has a residual of 0
                let mut sum = work.residuals[i] + reward;
                if let Some(scale) = reward_scale {
                    work.residuals[i] *= scale;
                    slope *= scale;
                }
                for gradient in &mut work.gradients[i * n..][..n] {
                    *gradient *= slope;
                    sum += *gradient;
                }
                for (value, quantity) in [
                    (squares, Quantity::Means),
                    (excess, Quantity::Step),
                    (sum, Quantity::Rewards),
                ] {
                    if !value.is_finite() {
                        fault = fault.or(Some(quantity));
                    }
                }
            }
            let of_plan = self.shape.inequalities_of(b);
            let of_slopes = of_plan.start * na..of_plan.end * na;
            let values = &mut work.inequalities[of_plan];
            let slopes = &mut work.inequality_slopes[of_slopes];
            match plan.inequalities {
                Some(inequalities) => {
                    let actions = &work.new_actions[b * h * na..][..h * na];
                    inequalities.evaluate(
                        actions,
                        &mut InequalityRows {
                            values: &mut *values,
                            slopes: &mut *slopes,
                        },
                    );
                }
                None => values.fill(-S::ONE),
            }
            if !(finite(values) && finite(slopes)) {
                fault = fault.or(Some(Quantity::Inequalities));
            }
            if let Some(quantity) = fault {
                fail(outcome, PlanFault::NonFinite(quantity));
            }
        }
        Ok(())
    }

    /// Renews the reports from the last evaluation.
    fn report(&mut self, plan: &Plan<'_, S>, multipliers: &Multipliers<'_, S>) {
        let dims = self.shape.dims;
        let h = dims.horizon;
        for b in 0..self.shape.plans {
            let Ok(mut report) = self.outcomes[b] else {
                continue;
            };
            report.measure(
                &self.settings,
                self.rewards(b),
                self.dynamics_violations(b),
                self.action_violations(b),
                self.inequalities(b).0,
            );
            if let Some(goal) = &plan.goal {
                let cost = goal.cost(last_state(&dims, plan.states, b)).to_f64();
                let share = goal.reward_weight.to_f64();
                report.reward_sum = share * report.reward_sum - cost;
                report.reward_cost = share * report.reward_cost + cost;
            }
            let largest = |values: &[S]| {
                let of_plan = &values[b * h..(b + 1) * h];
                of_plan.iter().fold(S::ZERO, |m, &v| v.maximum(m)).to_f64()
            };
            report.dynamics_multiplier_max = largest(multipliers.dynamics);
            report.action_multiplier_max = largest(multipliers.actions);
            let of_inequalities = self.inequalities(b).1.iter();
            report.inequality_multiplier_max =
                of_inequalities.fold(S::ZERO, |m, &v| v.maximum(m)).to_f64();
            self.outcomes[b] = Ok(report);
        }
    }
}

/// The last state of plan `b`, `z_H [n]`.
fn last_state<'a, S>(dims: &Dims, states: &'a [S], b: usize) -> &'a [S] {
    let n = dims.state();
    &states[(b + 1) * dims.states_len() - n..][..n]
}

/// Notes the fault of a plan that had none: the first one stays.
fn fail(outcome: &mut Result<StepReport, PlanFault>, fault: PlanFault) {
    if outcome.is_ok() {
        *outcome = Err(fault);
    }
}

fn finite<S: Scalar>(values: &[S]) -> bool {
    // 0 x is 0 for every finite x and NaN for the others
    let mut sum = S::ZERO;
    for &value in values {
        sum += value * S::ZERO;
    }
    sum == S::ZERO
}
