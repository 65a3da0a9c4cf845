use core::marker::PhantomData;

use crate::multipliers::updated;
use crate::workspace::Parts;
use crate::{
    Dims, LayoutError, Model, Multipliers, Plan, Quantity, Scalar, Settings, SetupError, StepError,
    StepReport,
};

/// The linear system of one step, at the current plan.
#[derive(Debug)]
pub struct LinearProblem<'a, S> {
    pub(crate) dims: Dims,
    /// `lambda [H]`.
    pub(crate) dynamics_multipliers: &'a [S],
    /// `nu [H]`.
    pub(crate) action_multipliers: &'a [S],
    /// `z_{t+1} - mu(z_t, a_t)`, `[H, n]`.
    pub(crate) defects: &'a [S],
    /// `softplus(-r(z_t))`, `t = 1..H`, `[H]`.
    pub(crate) residuals: &'a [S],
    /// Their gradients, `[H, n]`.
    pub(crate) gradients: &'a [S],
    /// The plan's actions `[H, na]`.
    pub(crate) actions: &'a [S],
    /// `z_0 - anchor`, `[n]`; read only by a solver that moves the first state.
    pub(crate) anchor_defect: &'a [S],
    /// Largest allowed `|a|`.
    pub(crate) action_limit: S,
    /// Damping added to the squared residuals.
    pub(crate) damping: S,
    /// `mean sqrt(lambda) + mean sqrt(nu) + 1`, which the published solver divides residuals by.
    pub(crate) normaliser: S,
}

/// How much of the limit an action exceeds, with its sign; `None` inside the limit.
pub(crate) fn excess<S: Scalar>(action: S, limit: S) -> Option<(S, S)> {
    if action > limit {
        Some((action - limit, S::ONE))
    } else if action < -limit {
        Some((-action - limit, -S::ONE))
    } else {
        None
    }
}

/// Solves for the change of a plan. Implemented by [`crate::Reduced`] and
/// [`crate::BlockTridiagonal`].
pub trait LinearSolver {
    /// Whether the first state is a variable of the system (pinned by a heavy weight) rather than
    /// equal to the anchor.
    const MOVES_ANCHOR: bool;

    /// Elements of scratch memory that [`LinearSolver::solve`] needs.
    fn scratch_len(dims: &Dims) -> usize;

    /// Writes the change of the states `[H + 1, n]` and of the actions `[H, na]`.
    ///
    /// # Errors
    /// The stage at which the factorisation found no positive pivot.
    fn solve<S: Scalar, M: Model<S>>(
        problem: &LinearProblem<'_, S>,
        model: &mut M,
        scratch: &mut [S],
        states: &mut [S],
        actions: &mut [S],
    ) -> Result<(), usize>;
}

/// Iterates a plan with the linear solver `L` in the arena `A` (`&mut [S]`, an array, a `Vec`).
#[derive(Debug)]
pub struct Solver<S, L, A> {
    dims: Dims,
    settings: Settings,
    arena: A,
    /// The model's linearisation and this arena belong to the caller's plan.
    current: bool,
    kind: PhantomData<fn() -> (S, L)>,
}

/// The arena in parts.
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
    scratch: &'a mut [S],
}

impl<'a, S: Scalar> Work<'a, S> {
    fn len(dims: &Dims) -> usize {
        let h = dims.horizon;
        4 * h + 2 * h * dims.state() + dims.state() + 2 * (dims.states_len() + dims.actions_len())
    }

    fn split(dims: &Dims, arena: &'a mut [S]) -> Self {
        let (h, n) = (dims.horizon, dims.state());
        let mut parts = Parts::new(arena);
        let mut take = |len| parts.take(len);
        Self {
            rewards: take(h),
            dynamics_violations: take(h),
            action_violations: take(h),
            residuals: take(h),
            defects: take(h * n),
            gradients: take(h * n),
            anchor_defect: take(n),
            step_states: take(dims.states_len()),
            step_actions: take(dims.actions_len()),
            new_states: take(dims.states_len()),
            new_actions: take(dims.actions_len()),
            scratch: {
                let len = parts.len();
                parts.take(len)
            },
        }
    }
}

impl<S: Scalar, L: LinearSolver, A: AsRef<[S]> + AsMut<[S]>> Solver<S, L, A> {
    /// Elements of the arena for plans of these sizes.
    #[must_use]
    pub fn len(dims: &Dims) -> usize {
        Work::<S>::len(dims) + L::scratch_len(dims)
    }

    /// Bytes of the arena for plans of these sizes.
    #[must_use]
    pub fn bytes(dims: &Dims) -> usize {
        Self::len(dims) * size_of::<S>()
    }

    /// A solver in `arena`, which has [`Solver::len`] elements or more of any value.
    ///
    /// # Errors
    /// A size is 0, the arena is too short, or a setting is outside its range.
    pub fn new_in(dims: Dims, settings: Settings, arena: A) -> Result<Self, SetupError> {
        if !dims.is_valid() {
            return Err(SetupError::Dims(dims));
        }
        settings.validate()?;
        LayoutError::at_least("solver arena", Self::len(&dims), arena.as_ref().len())?;
        Ok(Self {
            dims,
            settings,
            arena,
            current: false,
            kind: PhantomData,
        })
    }

    /// Sizes of the plans.
    pub fn dims(&self) -> &Dims {
        &self.dims
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings from the next step on.
    ///
    /// # Errors
    /// A setting is outside its range; the old ones stay.
    pub fn set_settings(&mut self, settings: Settings) -> Result<(), SetupError> {
        settings.validate()?;
        self.settings = settings;
        Ok(())
    }

    /// Forgets the evaluated plan. Call it whenever the plan, its anchor or the model was changed
    /// (also: used for another plan) since the last call; the next one then evaluates afresh.
    pub fn reset(&mut self) {
        self.current = false;
    }

    /// Predicted rewards of `z_1..z_H`, `[H]`, at the last evaluated plan.
    pub fn rewards(&self) -> &[S] {
        &self.arena.as_ref()[..self.dims.horizon]
    }

    /// `|z_{t+1} - mu(z_t, a_t)|^2`, `[H]`, at the last evaluated plan.
    pub fn dynamics_violations(&self) -> &[S] {
        let h = self.dims.horizon;
        &self.arena.as_ref()[h..2 * h]
    }

    /// `sum_j max(0, a_j^2 - limit^2)`, `[H]`, at the last evaluated plan.
    pub fn action_violations(&self) -> &[S] {
        let h = self.dims.horizon;
        &self.arena.as_ref()[2 * h..3 * h]
    }

    /// Measures a plan without changing it (but for row 0, see [`Plan::states`]).
    ///
    /// # Errors
    /// See [`StepError`].
    ///
    /// # Real-time
    /// No allocation, no blocking; one evaluation of the model.
    pub fn evaluate<M: Model<S>>(
        &mut self,
        model: &mut M,
        plan: &mut Plan<'_, S>,
        multipliers: &Multipliers<'_, S>,
    ) -> Result<StepReport, StepError<M::Error>> {
        self.check(model, plan, multipliers)?;
        self.prepare(model, plan)?;
        Ok(self.report(multipliers, 0.0))
    }

    /// One iteration: the Levenberg-Marquardt step from the current plan (Eq. 9), the model at the
    /// new plan, the multiplier update from the violations there (Eq. 10).
    ///
    /// The model keeps the linearisation of the new plan for the next call; the first call after
    /// [`Solver::reset`] evaluates the model twice.
    ///
    /// # Errors
    /// See [`StepError`]; plan and multipliers are then unchanged.
    ///
    /// # Real-time
    /// No allocation, no blocking; the work depends on the sizes only.
    pub fn step<M: Model<S>>(
        &mut self,
        model: &mut M,
        plan: &mut Plan<'_, S>,
        multipliers: &mut Multipliers<'_, S>,
    ) -> Result<StepReport, StepError<M::Error>> {
        self.check(model, plan, multipliers)?;
        self.prepare(model, plan)?;

        let dims = self.dims;
        let work = Work::split(&dims, self.arena.as_mut());
        for ((defect, &z), &anchor) in work
            .anchor_defect
            .iter_mut()
            .zip(&*plan.states)
            .zip(plan.anchor)
        {
            *defect = z - anchor;
        }
        let normaliser = mean_sqrt(multipliers.dynamics) + mean_sqrt(multipliers.actions) + S::ONE;
        let problem = LinearProblem {
            dims,
            dynamics_multipliers: multipliers.dynamics,
            action_multipliers: multipliers.actions,
            defects: work.defects,
            residuals: work.residuals,
            gradients: work.gradients,
            actions: plan.actions,
            anchor_defect: work.anchor_defect,
            action_limit: S::from_f64(self.settings.action_limit),
            damping: S::from_f64(0.5 * self.settings.damping) * normaliser * normaliser,
            normaliser,
        };
        L::solve(
            &problem,
            model,
            work.scratch,
            work.step_states,
            work.step_actions,
        )
        .map_err(|stage| StepError::NotPositiveDefinite { stage })?;

        let mut squares = S::ZERO;
        for (new, (&old, &step)) in work
            .new_states
            .iter_mut()
            .zip(plan.states.iter().zip(&*work.step_states))
            .chain(
                work.new_actions
                    .iter_mut()
                    .zip(plan.actions.iter().zip(&*work.step_actions)),
            )
        {
            *new = old + step;
            squares += step * step;
        }
        if !squares.is_finite() {
            return Err(StepError::NonFinite(Quantity::Step));
        }
        let step_rms = libm::sqrt(
            squares.to_f64() / (work.step_states.len() + work.step_actions.len()) as f64,
        );

        self.current = false;
        self.evaluate_new(model)?;
        self.current = true;

        let settings = &self.settings;
        let work = Work::split(&dims, self.arena.as_mut());
        plan.states.copy_from_slice(work.new_states);
        plan.actions.copy_from_slice(work.new_actions);
        let rate = S::from_f64(settings.learning_rate);
        let offset = S::from_f64(settings.log_offset);
        for (multipliers, violations, tolerance) in [
            (
                &mut *multipliers.dynamics,
                work.dynamics_violations,
                settings.dynamics_tolerance,
            ),
            (
                &mut *multipliers.actions,
                work.action_violations,
                settings.action_tolerance,
            ),
        ] {
            let tolerance = S::from_f64(tolerance);
            for (multiplier, &violation) in multipliers.iter_mut().zip(&*violations) {
                *multiplier = updated(*multiplier, violation, tolerance, offset, rate);
            }
        }
        Ok(self.report(multipliers, step_rms))
    }

    fn check<M: Model<S>>(
        &self,
        model: &M,
        plan: &Plan<'_, S>,
        multipliers: &Multipliers<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        let (own, found) = (self.dims, model.dims());
        LayoutError::check("stochastic size of the model", own.stoch, found.stoch)?;
        LayoutError::check("deterministic size of the model", own.deter, found.deter)?;
        LayoutError::check("action size of the model", own.action, found.action)?;
        LayoutError::check("horizon of the model", own.horizon, found.horizon)?;
        plan.check(&own)?;
        multipliers.check(&own)?;
        if !(finite(plan.anchor) && finite(plan.states) && finite(plan.actions)) {
            return Err(StepError::NonFinite(Quantity::Plan));
        }
        for &multiplier in multipliers.dynamics.iter().chain(&*multipliers.actions) {
            if !(multiplier > S::ZERO && multiplier.is_finite()) {
                return Err(StepError::NonFinite(Quantity::Multipliers));
            }
        }
        Ok(())
    }

    /// Evaluates the caller's plan unless the last evaluation was of it.
    fn prepare<M: Model<S>>(
        &mut self,
        model: &mut M,
        plan: &mut Plan<'_, S>,
    ) -> Result<(), StepError<M::Error>> {
        if self.current {
            return Ok(());
        }
        if !L::MOVES_ANCHOR {
            plan.states[..self.dims.state()].copy_from_slice(plan.anchor);
        }
        let work = Work::split(&self.dims, self.arena.as_mut());
        work.new_states.copy_from_slice(plan.states);
        work.new_actions.copy_from_slice(plan.actions);
        self.evaluate_new(model)?;
        self.current = true;
        Ok(())
    }

    /// Evaluates the model at the arena's new plan.
    fn evaluate_new<M: Model<S>>(&mut self, model: &mut M) -> Result<(), StepError<M::Error>> {
        let dims = self.dims;
        let (h, n) = (dims.horizon, dims.state());
        let work = Work::split(&dims, self.arena.as_mut());
        let (now, next) = (&work.new_states[..h * n], &work.new_states[n..]);

        model
            .linearise(now, work.new_actions, work.defects)
            .map_err(StepError::Model)?;
        for (t, violation) in work.dynamics_violations.iter_mut().enumerate() {
            let mut squares = S::ZERO;
            for (defect, &z) in work.defects[t * n..][..n].iter_mut().zip(&next[t * n..]) {
                *defect = z - *defect;
                squares += *defect * *defect;
            }
            if !squares.is_finite() {
                return Err(StepError::NonFinite(Quantity::Means));
            }
            *violation = squares;
        }

        let limit = S::from_f64(self.settings.action_limit);
        for (t, violation) in work.action_violations.iter_mut().enumerate() {
            *violation = S::ZERO;
            for &a in &work.new_actions[t * dims.action..][..dims.action] {
                *violation += (a * a - limit * limit).maximum(S::ZERO);
            }
            if !violation.is_finite() {
                return Err(StepError::NonFinite(Quantity::Step));
            }
        }

        model
            .reward(next, work.rewards, work.gradients)
            .map_err(StepError::Model)?;
        for t in 0..h {
            // d softplus(-r) / dz = -sigmoid(-r) dr/dz
            let reward = work.rewards[t];
            work.residuals[t] = (-reward).softplus();
            let slope = -(-reward).sigmoid();
            // an infinite reward has a residual of 0
            let mut sum = work.residuals[t] + reward;
            for gradient in &mut work.gradients[t * n..][..n] {
                *gradient *= slope;
                sum += *gradient;
            }
            if !sum.is_finite() {
                return Err(StepError::NonFinite(Quantity::Rewards));
            }
        }
        Ok(())
    }

    fn report(&self, multipliers: &Multipliers<'_, S>, step_rms: f64) -> StepReport {
        let settings = &self.settings;
        let mut report = StepReport {
            step_rms,
            ..StepReport::default()
        };
        let mut cost = 0.0;
        for &reward in self.rewards() {
            let residual = (-reward).softplus().to_f64();
            report.reward_sum += reward.to_f64();
            report.reward_cost += residual * residual;
            cost += residual;
        }
        let above = |violations: &[S], tolerance: f64| {
            let (mut max, mut sum, mut above) = (0.0_f64, 0.0, 0.0);
            for violation in violations {
                let violation = violation.to_f64();
                max = max.max(violation);
                sum += violation;
                above += (violation - tolerance).max(0.0);
            }
            (max, sum / violations.len() as f64, above)
        };
        let dynamics = above(self.dynamics_violations(), settings.dynamics_tolerance);
        let actions = above(self.action_violations(), settings.action_tolerance);
        (
            report.dynamics_violation_max,
            report.dynamics_violation_mean,
        ) = (dynamics.0, dynamics.1);
        (report.action_violation_max, report.action_violation_mean) = (actions.0, actions.1);
        report.merit = cost + settings.merit_penalty * (dynamics.2 + actions.2);
        report.feasible =
            dynamics.0 <= settings.dynamics_tolerance && actions.0 <= settings.action_tolerance;
        let largest = |values: &[S]| values.iter().fold(S::ZERO, |m, &v| v.maximum(m)).to_f64();
        report.dynamics_multiplier_max = largest(multipliers.dynamics);
        report.action_multiplier_max = largest(multipliers.actions);
        report
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

fn mean_sqrt<S: Scalar>(values: &[S]) -> S {
    let mut sum = S::ZERO;
    for &value in values {
        sum += value.sqrt();
    }
    sum / S::from_f64(values.len() as f64)
}
