//! The parameters of the controller node: the keys of its configuration.
//!
//! Names of topics and of the node are no parameters: those are remapped.

use crate::managed::parameters::{Kind, Value};

/// When a new value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At once, in every state.
    Live,
    /// At the next configure, because memory and sessions are made for it there; it may not be changed while the node is
    /// active.
    NextConfigure,
}

/// Which numbers are allowed. What depends on other parameters is checked when a change is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Any value of the type.
    Any,
    /// More than 0.
    Positive,
    /// Both ends included.
    Within(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    /// Path of the key in the configuration.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Allowed numbers or texts.
    pub range: Range,
    /// Whether it may be without a value.
    pub is_optional: bool,
    /// When it may change.
    pub change: Change,
    /// For people, with the unit.
    pub description: &'static str,
}

const COUNT: f64 = u32::MAX as f64;

const fn fixed(
    name: &'static str,
    kind: Kind,
    range: Range,
    description: &'static str,
) -> Declared {
    Declared {
        name,
        kind,
        range,
        is_optional: false,
        change: Change::NextConfigure,
        description,
    }
}

impl Declared {
    const fn live(mut self) -> Self {
        self.change = Change::Live;
        self
    }

    const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// A value of this parameter's type: whole numbers also stand for doubles, and an empty list for one of every type.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn accept(&self, value: &Value) -> Result<Value, String> {
        let value = match (self.kind, value) {
            (_, Value::NotSet) if self.is_optional => Value::NotSet,
            (Kind::Double, Value::Integer(v)) => Value::Double(*v as f64),
            (Kind::Doubles, Value::Integers(v)) => {
                Value::Doubles(v.iter().map(|&v| v as f64).collect())
            }
            (Kind::Doubles, Value::Strings(v)) if v.is_empty() => Value::Doubles(Vec::new()),
            (Kind::Strings, Value::Integers(v)) if v.is_empty() => Value::Strings(Vec::new()),
            (Kind::Strings, Value::Doubles(v)) if v.is_empty() => Value::Strings(Vec::new()),
            (kind, value) if value.kind() == kind => value.clone(),
            (kind, value) => {
                return Err(format!("expected {kind}, found {} ({value})", value.kind()));
            }
        };
        let number = match &value {
            Value::Integer(v) => *v as f64,
            Value::Double(v) => *v,
            Value::String(text) => {
                return match self.range {
                    Range::OneOf(known) if !known.contains(&text.as_str()) => Err(format!(
                        "expected one of {}, found {text:?}",
                        known.join(", ")
                    )),
                    _ => Ok(value),
                };
            }
            _ => return Ok(value),
        };
        match self.range {
            Range::Positive if !(number.is_finite() && number > 0.0) => {
                Err(format!("expected more than 0, found {number}"))
            }
            Range::Within(low, high) if !(low..=high).contains(&number) => {
                Err(format!("expected {low} to {high}, found {number}"))
            }
            _ => Ok(value),
        }
    }
}

use Kind::{Bool, Double, Doubles, Integer, String as Text, Strings};
use Range::{Any, OneOf, Positive, Within};

/// All parameters that are keys of the configuration, by name.
#[rustfmt::skip] // one line each
pub const DECLARED: &[Declared] = &[
    fixed("bundle.engine_cache", Text, Any, "Folder under which TensorRT's engines are kept").optional(),
    fixed("bundle.keep_alive_ms", Double, Within(0.0, 60_000.0), "Time without an image after which an inference keeps a GPU awake, ms; 0: never").optional(),
    fixed("bundle.path", Text, Any, "Folder of the model bundle"),
    fixed("bundle.providers", Strings, Any, "Where the model is computed, in order of preference: cpu, cuda, tensorrt"),
    fixed("bundle.warm_before_image_ms", Double, Within(0.0, 1000.0), "Time before the next image is expected at which the observe graph is run for nothing, so that its weights are in the caches, ms; 0: never"),
    fixed("control.command_rate_hz", Double, Within(1.0, 2000.0), "Rate of the set-points, Hz"),
    fixed("control.lead_periods", Integer, Within(0.0, 1.0), "Control periods from an image's stamp to the first action planned on it"),
    fixed("control.max_skipped_frames", Integer, Within(0.0, 100.0), "Frames that may be missing in a row before the belief starts anew"),
    fixed("control.output", Text, OneOf(&["commands", "joint_trajectory"]), "What is published"),
    fixed("control.plan_validity_ms", Double, Positive, "How long past its start a plan may be followed, ms; not set: to its end").optional(),
    fixed("control.replan_every_periods", Integer, Within(1.0, COUNT), "A new plan is made every so many control periods"),
    fixed("planner.budget_ms", Double, Positive, "Time for one plan, ms; not set: iterations alone decide").optional().live(),
    fixed("planner.cem.elites", Integer, Within(1.0, 100_000.0), "Best sequences that the distribution is refitted to"),
    fixed("planner.cem.initial_std", Double, Positive, "Standard deviation at the start, normalised action units"),
    fixed("planner.cem.iterations", Integer, Within(1.0, COUNT), "Iterations of CEM"),
    fixed("planner.cem.min_std", Double, Within(0.0, f64::MAX), "Lowest standard deviation, normalised action units"),
    fixed("planner.cem.sampled_states", Bool, Any, "Whether sequences are valued by one sampled future each instead of by the mean states"),
    fixed("planner.cem.samples", Integer, Within(2.0, 100_000.0), "Action sequences per iteration"),
    fixed("planner.cem.warm_start", Bool, Any, "Whether the mean starts from the previous plan"),
    fixed("planner.cold_after_failures", Integer, Within(1.0, COUNT), "Failed solves in a row after which the next plan is made cold"),
    fixed("planner.dump_above_ms", Double, Positive, "A solve that takes longer is dumped, ms").optional(),
    fixed("planner.dump_dir", Text, Any, "Folder for planning problems whose solve failed or took too long").optional(),
    fixed("planner.dump_files", Integer, Within(1.0, 10_000.0), "The newest so many dumps are kept"),
    fixed("planner.gaussian_latco.action_multiplier", Double, Positive, "Initial multiplier of the action limits"),
    fixed("planner.gaussian_latco.damping", Double, Positive, "Damping of the Levenberg-Marquardt step"),
    fixed("planner.gaussian_latco.dynamics_multiplier", Double, Positive, "Initial multiplier of the dynamics"),
    fixed("planner.gaussian_latco.initial_std", Double, Within(0.0, f64::MAX), "Standard deviation of the states of a plan that starts from noise"),
    fixed("planner.gaussian_latco.iterations_cold", Integer, Within(1.0, COUNT), "Iterations of a plan made from nothing"),
    fixed("planner.gaussian_latco.iterations_warm", Integer, Within(1.0, COUNT), "Iterations of a plan that starts from the one before"),
    fixed("planner.gaussian_latco.multiplier_rate", Double, Within(0.0, f64::MAX), "Rate of the multiplier update"),
    fixed("planner.gaussian_latco.multiplier_relaxation", Double, Within(0.0, 1.0), "Factor on the multipliers at each warm start; 0: initial values"),
    fixed("planner.gaussian_latco.objective", Text, OneOf(&["expected_cost", "expected_reward"]), "What counts of a reward that is uncertain"),
    fixed("planner.gaussian_latco.reward_tolerance", Double, Within(0.0, f64::MAX), "Change of the summed reward below which a plan has converged"),
    fixed("planner.gaussian_latco.rollout_every_iterations", Integer, Within(1.0, COUNT), "Every so many iterations the plan is valued in expectation"),
    fixed("planner.gaussian_latco.sampled_starts", Integer, Within(0.0, 64.0), "Starts from sampled action sequences"),
    fixed("planner.gaussian_latco.samples", Integer, Within(2.0, 1000.0), "Samples of every state"),
    fixed("planner.gaussian_latco.sampling_elites", Integer, Within(1.0, 10_000.0), "How many of the best a round keeps"),
    fixed("planner.gaussian_latco.sampling_rounds", Integer, Within(1.0, 1000.0), "Rounds of sampling"),
    fixed("planner.gaussian_latco.sequence_samples", Integer, Within(2.0, 1000.0), "Samples of every state of a sampled sequence"),
    fixed("planner.gaussian_latco.sequences", Integer, Within(1.0, 10_000.0), "Action sequences that are sampled a round"),
    fixed("planner.gaussian_latco.stall_iterations", Integer, Within(1.0, COUNT), "Iterations without a better plan after which the solve stops"),
    fixed("planner.gaussian_latco.starts", Integer, Within(1.0, 64.0), "Plans that are started from noise and iterated together"),
    fixed("planner.gaussian_latco.starts_below_return", Double, Within(0.0, 1e6), "Fresh starts while the plan's expected return is less than this"),
    fixed("planner.gaussian_latco.std_scale", Double, Within(0.0, f64::MAX), "Factor on the standard deviations of the model; 0: plans for the mean state"),
    fixed("planner.gaussian_latco.tolerance", Double, Positive, "Violation of the dynamics that is aimed at, of means and deviations"),
    fixed("planner.gaussian_latco.warm_start", Bool, Any, "Whether plans start from the one before"),
    fixed("planner.ilqr.iterations_cold", Integer, Within(1.0, COUNT), "Iterations of a plan made from nothing"),
    fixed("planner.ilqr.iterations_warm", Integer, Within(1.0, COUNT), "Iterations of a plan that starts from the one before"),
    fixed("planner.ilqr.largest_regularisation", Double, Positive, "Regulariser of Quu above which the plan counts as stalled"),
    fixed("planner.ilqr.line_search_steps", Integer, Within(1.0, COUNT), "Step sizes that are tried: 1, 1/2, 1/4, ..."),
    fixed("planner.ilqr.regularisation", Double, Positive, "First regulariser of Quu"),
    fixed("planner.ilqr.warm_start", Bool, Any, "Whether plans start from the one before"),
    fixed("planner.kind", Text, OneOf(&["latco", "sampling_only", "gaussian_latco", "cem", "mppi", "shooting_gd", "shooting_gn", "ilqr", "grasp"]), "Which planner"),
    fixed("planner.latco.action_multiplier", Double, Positive, "Initial multiplier of the action limits"),
    fixed("planner.latco.damping", Double, Positive, "Damping of the Levenberg-Marquardt step"),
    fixed("planner.latco.dynamics_multiplier", Double, Positive, "Initial multiplier of the dynamics"),
    fixed("planner.latco.iterations_cold", Integer, Within(1.0, COUNT), "Iterations of a plan made from nothing"),
    fixed("planner.latco.iterations_warm", Integer, Within(1.0, COUNT), "Iterations of a plan that starts from the one before"),
    fixed("planner.latco.learning_rate", Double, Positive, "Step size of optimiser adam"),
    fixed("planner.latco.multiplier_every_iterations", Integer, Within(1.0, COUNT), "Iterations between updates of the multipliers"),
    fixed("planner.latco.multiplier_rate", Double, Within(0.0, f64::MAX), "Rate of the multiplier update"),
    fixed("planner.latco.multiplier_relaxation", Double, Within(0.0, 1.0), "Factor on the multipliers at each warm start; 0: initial values"),
    fixed("planner.latco.optimiser", Text, OneOf(&["levenberg_marquardt", "adam"]), "How states and actions are changed"),
    fixed("planner.latco.reward_tolerance", Double, Within(0.0, f64::MAX), "Change of the summed reward below which a plan has converged"),
    fixed("planner.latco.rollout_every_iterations", Integer, Within(1.0, COUNT), "Every so many iterations the plan is rolled out"),
    fixed("planner.latco.sampled_starts", Integer, Within(0.0, 64.0), "Starts from sampled action sequences"),
    fixed("planner.latco.samples", Integer, Within(1.0, 10_000.0), "Action sequences that are sampled a round"),
    fixed("planner.latco.sampling_elites", Integer, Within(1.0, 10_000.0), "How many of the best a round keeps"),
    fixed("planner.latco.sampling_rounds", Integer, Within(1.0, 1000.0), "Rounds of sampling"),
    fixed("planner.latco.solver", Text, OneOf(&["reduced", "block_tridiagonal"]), "Linear solver"),
    fixed("planner.latco.stall_iterations", Integer, Within(1.0, COUNT), "Iterations without a better plan after which the solve stops"),
    fixed("planner.latco.starts", Integer, Within(1.0, 64.0), "Plans that are started differently and iterated together"),
    fixed("planner.latco.starts_below_return", Double, Within(0.0, 1e6), "Fresh starts while the plan promises less than this return"),
    fixed("planner.latco.tolerance", Double, Positive, "Violation of the dynamics that is aimed at"),
    fixed("planner.latco.warm_start", Bool, Any, "Whether plans start from the one before"),
    fixed("planner.mppi.elites", Integer, Within(1.0, 100_000.0), "Best sequences that are weighted"),
    fixed("planner.mppi.gamma", Double, Positive, "Inverse temperature: a sequence weighs exp(gamma times its return)"),
    fixed("planner.mppi.initial_std", Double, Positive, "Standard deviation at the start, normalised action units"),
    fixed("planner.mppi.iterations", Integer, Within(1.0, COUNT), "Iterations of MPPI"),
    fixed("planner.mppi.min_std", Double, Within(0.0, f64::MAX), "Lowest standard deviation, normalised action units"),
    fixed("planner.mppi.sampled_states", Bool, Any, "Whether sequences are valued by one sampled future each instead of by the mean states"),
    fixed("planner.mppi.samples", Integer, Within(2.0, 100_000.0), "Action sequences per iteration"),
    fixed("planner.mppi.warm_start", Bool, Any, "Whether the mean starts from the previous plan"),
    fixed("planner.seed", Integer, Within(0.0, i64::MAX as f64), "Seed of everything random in the planner"),
    fixed("planner.shooting_gd.action_multiplier", Double, Positive, "Initial multiplier of the action limits"),
    fixed("planner.shooting_gd.iterations_cold", Integer, Within(1.0, COUNT), "Iterations of a plan made from nothing"),
    fixed("planner.shooting_gd.iterations_warm", Integer, Within(1.0, COUNT), "Iterations of a plan that starts from the one before"),
    fixed("planner.shooting_gd.learning_rate", Double, Positive, "Step size of Adam"),
    fixed("planner.shooting_gd.multiplier_every", Integer, Within(1.0, COUNT), "Iterations between updates of the multipliers"),
    fixed("planner.shooting_gd.multiplier_rate", Double, Positive, "Rate of the multiplier update"),
    fixed("planner.shooting_gd.rollout_every_iterations", Integer, Within(1.0, COUNT), "Iterations between clipped rollouts"),
    fixed("planner.shooting_gd.tolerance", Double, Positive, "Violation of the action limits that is aimed at"),
    fixed("planner.shooting_gd.warm_start", Bool, Any, "Whether plans start from the one before"),
    fixed("planner.shooting_gn.action_multiplier", Double, Positive, "Initial multiplier of the action limits"),
    fixed("planner.shooting_gn.damping", Double, Positive, "Damping on the change of the actions"),
    fixed("planner.shooting_gn.iterations_cold", Integer, Within(1.0, COUNT), "Iterations of a plan made from nothing"),
    fixed("planner.shooting_gn.iterations_warm", Integer, Within(1.0, COUNT), "Iterations of a plan that starts from the one before"),
    fixed("planner.shooting_gn.rollout_every_iterations", Integer, Within(1.0, COUNT), "Iterations between clipped rollouts"),
    fixed("planner.shooting_gn.warm_start", Bool, Any, "Whether plans start from the one before"),
    fixed("planner.stop_after_failures", Integer, Within(1.0, COUNT), "Failed solves in a row after which the robot is stopped"),
    fixed("planner.threads", Integer, Within(0.0, COUNT), "Threads that plan at the same time; 0: by the machine and the model"),
    fixed("robot.joint_names", Strings, Any, "Joints in the bundle's order; empty: as the bundle says"),
    fixed("robot.max_acceleration_rad_s2", Doubles, Any, "Highest acceleration of each joint, rad/s^2; empty: unlimited"),
    fixed("robot.max_position_rad", Doubles, Any, "Highest position of each joint, rad; empty: unlimited"),
    fixed("robot.max_velocity_rad_s", Doubles, Any, "Highest speed of each joint, rad/s; empty: the bundle's action scaling"),
    fixed("robot.min_position_rad", Doubles, Any, "Lowest position of each joint, rad; empty: unlimited"),
    fixed("robot.velocity_scale", Double, Within(0.01, 1.0), "Factor on the highest speed of every joint").live(),
    fixed("timeouts.camera_ms", Double, Positive, "Age of the newest image at which the robot is stopped, ms").live(),
    fixed("timeouts.future_stamp_ms", Double, Within(0.0, f64::MAX), "How far in the future a stamp may lie, ms"),
    fixed("timeouts.joints_ms", Double, Positive, "Age of the newest joint states at which the robot is stopped, ms").live(),
    fixed("trace.iterations", Integer, Within(1.0, 100_000.0), "Iterations of one plan of which the figures are kept"),
    fixed("trace.journal", Bool, Any, "Publish the journal from which `latco replay` repeats the run"),
];

/// The declaration of a parameter.
pub fn declared(name: &str) -> Option<&'static Declared> {
    DECLARED
        .binary_search_by(|declared| declared.name.cmp(name))
        .ok()
        .map(|index| &DECLARED[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        assert!(DECLARED.windows(2).all(|pair| pair[0].name < pair[1].name));
        for one in DECLARED {
            assert_eq!(declared(one.name), Some(one));
        }
        assert_eq!(declared("planner.budget"), None);
    }

    #[test]
    fn whole_numbers_stand_for_doubles_and_other_types_are_refused() {
        let budget = declared("planner.budget_ms").unwrap();
        assert_eq!(budget.accept(&Value::Integer(40)), Ok(Value::Double(40.0)));
        assert_eq!(budget.accept(&Value::NotSet), Ok(Value::NotSet));
        for (value, part) in [
            (Value::Double(-1.0), "more than 0"),
            (Value::Double(f64::NAN), "more than 0"),
            (
                Value::String("fast".into()),
                "expected a double, found a string (\"fast\")",
            ),
        ] {
            let reason = budget.accept(&value).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
        let kind = declared("planner.kind").unwrap();
        assert!(
            kind.accept(&Value::String("a_star".into()))
                .unwrap_err()
                .contains("latco, cem, mppi")
        );
        assert!(kind.accept(&Value::NotSet).is_err());
        let limits = declared("robot.max_velocity_rad_s").unwrap();
        assert_eq!(
            limits.accept(&Value::Strings(vec![])),
            Ok(Value::Doubles(vec![]))
        );
    }
}
