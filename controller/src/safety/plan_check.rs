//! The check of a plan as a whole, before it is followed.

use super::limits::Limits;
use crate::plan::Plan;

/// A planned velocity may be so many times as high as the highest that the joint or the model's actions have. Below, it is
/// saturated and counted; above, something is broken, and the plan is refused.
const HARD_MARGIN: f64 = 1.5;

/// The reason why a plan is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// An action, a state or a reward is not finite.
    #[error("a number of the plan is not finite")]
    NotFinite,
    /// A velocity is beyond the hard margin.
    #[error(
        "step {step} of the plan moves joint {joint} more than {HARD_MARGIN} times as fast as it can"
    )]
    TooFast {
        /// Number of the first such step.
        step: usize,
        /// Index of the joint.
        joint: usize,
    },
}

/// What was found in a plan that may be followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanFindings {
    /// Whether a velocity beyond the limits will be saturated.
    pub is_saturated: bool,
    /// Whether its first velocity is more than the joint's highest speed away from the one that is commanded: the limits of
    /// acceleration and jerk make the way there continuous.
    pub is_jump: bool,
}

/// Checks a plan of which the actions from `step` on are to be followed, from velocities in rad/s. A plan that was taken away
/// passes, as nothing of it is followed.
///
/// # Errors
/// [`PlanFault`] for a plan that must not be followed.
///
/// # Real-time
/// No allocation, no waiting; linear in the numbers of the plan.
pub fn check_plan(
    plan: &Plan,
    step: Option<usize>,
    velocities: &[f64],
    limits: &Limits,
) -> Result<PlanFindings, PlanFault> {
    let mut findings = PlanFindings::default();
    if plan.number == 0 || plan.valid_until <= plan.start {
        return Ok(findings);
    }
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    if !(finite(&plan.actions) && finite(&plan.states) && finite(&plan.rewards)) {
        return Err(PlanFault::NotFinite);
    }
    for number in 0..plan.steps() {
        for (joint, action) in plan.action(number).iter().enumerate() {
            let scale = limits.scale(joint);
            let (wanted, highest) = (f64::from(*action) * scale, limits.max_velocity(joint));
            if wanted.abs() > HARD_MARGIN * highest.max(scale.abs()) {
                let step = number;
                return Err(PlanFault::TooFast { step, joint });
            }
            // Rounding of the action 1 is no excess.
            let highest = highest * (1.0 + 1e-6);
            findings.is_saturated |= wanted.abs() > highest;
            let first = step == Some(number);
            findings.is_jump |= first && (wanted - velocities[joint]).abs() > highest;
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::PlanSizes;
    use crate::safety::limits::tests::limits;

    fn plan(actions: [f32; 2]) -> Plan {
        let sizes = PlanSizes {
            horizon: 3,
            lead: 0,
            state: 2,
            action: 2,
            goal: 0,
        };
        let mut plan = Plan::new(&sizes, Duration::from_millis(100));
        plan.number = 1;
        plan.valid_until = plan.end();
        plan.actions[2..4].copy_from_slice(&actions);
        plan
    }

    #[test]
    fn a_plan_is_refused_saturated_or_followed_as_a_whole() {
        // 0.5 and 0.8 rad/s; the action 1 is 0.5 and 1 rad/s.
        let limits = limits();
        let check = |plan: &Plan| check_plan(plan, Some(1), &[0.0; 2], &limits);
        let fine = |is_saturated, is_jump| {
            Ok(PlanFindings {
                is_saturated,
                is_jump,
            })
        };
        assert_eq!(check(&plan([1.0, 0.8])), fine(false, false));
        assert_eq!(check(&plan([1.0, 1.0])), fine(true, true));
        assert_eq!(check(&plan([1.4, 1.4])), fine(true, true));
        let (step, joint) = (1, 1);
        let refused = Err(PlanFault::TooFast { step, joint });
        assert_eq!(check(&plan([1.0, -1.6])), refused);
        assert_eq!(check(&plan([f32::NAN, 0.0])), Err(PlanFault::NotFinite));
        let mut states = plan([0.0; 2]);
        states.states[1] = f32::INFINITY;
        assert_eq!(check(&states), Err(PlanFault::NotFinite));
        let back = check_plan(&plan([-1.0, 0.0]), Some(1), &[0.5, 0.0], &limits);
        assert_eq!(back, fine(false, true));
        states.valid_until = states.start;
        assert_eq!(check(&states), fine(false, false), "taken away");
    }
}
