//! Planners that LatCo is compared with. A robot needs none of them: a program that wants them calls
//! [`add`] when it starts, and then they are found by `planner.kind` as the controller's own are.
//!
//! A planner on actions alone is a [`Method`] in a file of its own, and a line in the table below.

mod adam;
mod descent;
mod first_order;
mod gauss_newton;
mod grasp;
mod ilqr;
mod limits;
mod method;
mod unrolled;

use latco_controller::plan::{Anytime, FIRST_ORDER, MakePlanner, PlanSizes, Planner, add_planners};
use latco_controller::{Config, SetupError};
use latco_models::Bundle;

pub use descent::Descent;
pub use first_order::FirstOrder;
pub use gauss_newton::GaussNewton;
pub use ilqr::Ilqr;
pub use method::{ActionSearch, Method};
pub use unrolled::Unrolled;

/// The planners by their names in configurations.
static PLANNERS: &[(&str, MakePlanner)] = &[
    ("shooting_gd", planner::<Descent>),
    ("shooting_gn", planner::<GaussNewton>),
    ("ilqr", planner::<Ilqr>),
    ("grasp", planner::<grasp::Grasp>),
    (FIRST_ORDER, first_order::make),
];

/// Lets configurations name these planners, from now on in the whole program.
pub fn add() {
    add_planners(PLANNERS);
}

/// Makes the planner of a method.
fn planner<M: Method + 'static>(
    config: &Config,
    bundle: &Bundle,
    sizes: &PlanSizes,
) -> Result<Box<dyn Planner>, SetupError> {
    let search = ActionSearch::<M>::new(config, bundle, sizes)?;
    Ok(Box::new(Anytime::new(config, bundle, sizes, search)?))
}
