use core::fmt;

use crate::{InvalidSetting, Scalar, Settings};

/// The state of a plan after one iteration, measured at the new plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Largest dynamics violation `|z_{t+1} - mu(z_t, a_t)|^2` over the steps.
    pub dynamics_violation_max: f64,
    /// Mean dynamics violation over the steps.
    pub dynamics_violation_mean: f64,
    /// Largest action violation `sum_j max(0, a_j^2 - limit^2)` over the steps.
    pub action_violation_max: f64,
    /// Mean action violation over the steps.
    pub action_violation_mean: f64,
    /// Largest value of an inequality over the steps; 0 where all are satisfied.
    pub inequality_violation_max: f64,
    /// Sum of the rewards that the model predicts for the planned states, `sum_t r(z_t)`, `t = 1..H`; with a goal times its
    /// `reward_weight`, less its cost.
    pub reward_sum: f64,
    /// Reward part of the minimised cost, `sum_t softplus(-r(z_t))^2`, with a goal times its `reward_weight` and
    /// with its cost.
    pub reward_cost: f64,
    /// Root mean square of the change of states and actions; 0 in an evaluation without a step.
    pub step_rms: f64,
    /// Largest dynamics multiplier after the update.
    pub dynamics_multiplier_max: f64,
    /// Largest action multiplier after the update.
    pub action_multiplier_max: f64,
    /// Largest inequality multiplier after the update.
    pub inequality_multiplier_max: f64,
    /// Whether all largest violations are within their tolerances.
    pub feasible: bool,
}

impl StepReport {
    /// Sets everything that follows from the rewards and violations of one plan, all `[H]`, and from the values of its
    /// inequalities `[H, m]`; meant for iterations of another kind than the solver's.
    pub fn measure<S: Scalar>(
        &mut self,
        settings: &Settings,
        rewards: &[S],
        dynamics_violations: &[S],
        action_violations: &[S],
        inequalities: &[S],
    ) {
        (self.reward_sum, self.reward_cost) = (0.0, 0.0);
        for &reward in rewards {
            let residual = (-reward).softplus().to_f64();
            self.reward_sum += reward.to_f64();
            self.reward_cost += residual * residual;
        }
        (self.dynamics_violation_max, self.dynamics_violation_mean) =
            largest_and_mean(dynamics_violations);
        (self.action_violation_max, self.action_violation_mean) =
            largest_and_mean(action_violations);
        (self.inequality_violation_max, _) = largest_and_mean(inequalities);
        self.feasible = self.dynamics_violation_max <= settings.dynamics_tolerance
            && self.action_violation_max <= settings.action_tolerance
            && self.inequality_violation_max <= settings.inequality_tolerance;
    }
}

/// The largest and the mean of the violations of one plan; both 0 where there are none.
fn largest_and_mean<S: Scalar>(violations: &[S]) -> (f64, f64) {
    let (mut max, mut sum) = (0.0_f64, 0.0);
    for violation in violations {
        let violation = violation.to_f64();
        max = max.max(violation);
        sum += violation;
    }
    (max, sum / violations.len().max(1) as f64)
}

/// The reason why one plan could not be iterated. It and its multipliers are then as before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// The linear system lost positive definiteness (rounding, or extreme multipliers). For the reduced
    /// solver `stage` is the row of the H x H system, for the block-tridiagonal one the time step.
    NotPositiveDefinite {
        /// Stage at which the factorisation stopped.
        stage: usize,
    },
    /// A value is infinite or NaN.
    NonFinite(Quantity),
}

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPositiveDefinite { stage } => write!(
                f,
                "the linear system is not positive definite at stage {stage}; drop the warm start \
                 or raise the damping"
            ),
            Self::NonFinite(quantity) => write!(
                f,
                "{quantity} holds an infinite or undefined value; plan again from cold"
            ),
        }
    }
}

impl core::error::Error for PlanFault {}

/// The reason why an iteration failed. Plans and multipliers are then as before the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepError<E> {
    /// The model could not be evaluated.
    Model(E),
    /// An array of the caller has the wrong length.
    Layout(LayoutError),
    /// The plan could not be iterated.
    Plan(PlanFault),
}

/// The quantity in which a value was not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The plan or its anchor, as handed in.
    Plan,
    /// The multipliers, as handed in (also: not positive).
    Multipliers,
    /// The prior means of the model.
    Means,
    /// The rewards or their gradients.
    Rewards,
    /// The inequalities or their slopes.
    Inequalities,
    /// The computed change of the plan.
    Step,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plan => "the plan",
            Self::Multipliers => "the multipliers",
            Self::Means => "the model's prior means",
            Self::Rewards => "the model's rewards",
            Self::Inequalities => "the inequalities of the plan",
            Self::Step => "the computed step",
        })
    }
}

impl<E: fmt::Display> fmt::Display for StepError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => write!(f, "the model could not be evaluated: {error}"),
            Self::Layout(error) => error.fmt(f),
            Self::Plan(fault) => fault.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for StepError<E> {}

impl<E> From<LayoutError> for StepError<E> {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

impl<E> From<PlanFault> for StepError<E> {
    fn from(fault: PlanFault) -> Self {
        Self::Plan(fault)
    }
}

/// An array of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutError {
    /// Name of the array.
    pub what: &'static str,
    /// Number of elements that it should have.
    pub expected: usize,
    /// Number of elements that it has.
    pub found: usize,
}

impl LayoutError {
    pub(crate) fn check(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found {
            Ok(())
        } else {
            Err(Self {
                what,
                expected,
                found,
            })
        }
    }

    pub(crate) fn at_least(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected <= found {
            Ok(())
        } else {
            Err(Self {
                what,
                expected,
                found,
            })
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {} elements, found {}",
            self.what, self.expected, self.found
        )
    }
}

impl core::error::Error for LayoutError {}

/// The reason why a solver or model could not be set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SetupError {
    /// A size is 0 where at least 1 is needed.
    Dims(crate::Dims),
    /// There are more plans or parts than a solver takes, or none.
    Shape(crate::Shape),
    /// The linear solver takes no inequalities.
    Inequalities,
    /// Memory or weights have the wrong length.
    Layout(LayoutError),
    /// A setting is outside its range.
    Setting(InvalidSetting),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dims(dims) => write!(
                f,
                "a plan needs a state, an action and a step at least, found {dims:?}"
            ),
            Self::Shape(shape) => write!(
                f,
                "a solver takes 1 to {} plans in 1 to {} parts, found {} and {}",
                crate::MAX_PLANS,
                crate::MAX_PARTS,
                shape.plans,
                shape.parts
            ),
            Self::Inequalities => f.write_str(
                "the block-tridiagonal solver takes no inequalities; use the reduced one",
            ),
            Self::Layout(error) => error.fmt(f),
            Self::Setting(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SetupError {}

impl From<LayoutError> for SetupError {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

impl From<InvalidSetting> for SetupError {
    fn from(error: InvalidSetting) -> Self {
        Self::Setting(error)
    }
}
