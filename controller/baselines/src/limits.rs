//! Action limits and multipliers, as the planners of first order share them.

/// The amount by which an action is beyond its limit.
pub(crate) fn excess(action: f32, limit: f32) -> f32 {
    (action.abs() - limit).max(0.0)
}

/// The slope of `nu max(0, |a| - limit)^2` by the action a.
pub(crate) fn pull(action: f32, limit: f32, nu: f32) -> f32 {
    2.0 * nu * excess(action, limit) * action.signum()
}

/// The amount by which the actions of a step violate the limit, as the solver measures it, so that figures
/// can be compared.
pub(crate) fn violation(actions: &[f32], limit: f32) -> f32 {
    let limit = limit * limit;
    actions.iter().map(|a| (a * a - limit).max(0.0)).sum()
}

/// The sum of `max(0, |a| - limit)^2` over the actions of a step.
pub(crate) fn squared_excess(actions: &[f32], limit: f32) -> f32 {
    actions.iter().map(|a| excess(*a, limit).powi(2)).sum()
}

/// Raises a multiplier by gradient ascent; it stays at 0 or above.
pub(crate) fn raise(multiplier: &mut f32, violation: f32, tolerance: f32, rate: f32) {
    *multiplier = (*multiplier + rate * (violation - tolerance)).max(0.0);
}
