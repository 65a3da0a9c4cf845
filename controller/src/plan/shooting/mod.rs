//! Planners that optimise the actions alone and get the states by rolling them through the model.
//!
//! [`ShootingPlanner`] is what they share, and image collocation with them: warm start, deadline, and the best actions by clipped return,
//! as the other planners keep them, so that all are compared alike. A [`Method`] makes one iteration;
//! [`Unrolled`] rolls actions out for it and linearises the model there.

mod descent;
mod gauss_newton;
mod ilqr;
mod method;
mod unrolled;

use descent::Descent;
use gauss_newton::GaussNewton;
use ilqr::Ilqr;

use method::ShootingPlanner;

/// A planner of `kind = "shooting_gd"`.
pub(in crate::plan) type DescentPlanner = ShootingPlanner<Descent>;
/// A planner of `kind = "shooting_gn"`.
pub(in crate::plan) type GaussNewtonPlanner = ShootingPlanner<GaussNewton>;
/// A planner of `kind = "ilqr"`.
pub(in crate::plan) type IlqrPlanner = ShootingPlanner<Ilqr>;
