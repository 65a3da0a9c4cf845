//! Planners that LatCo is compared with. A robot needs none of them: a program that wants them calls
//! [`add`] when it starts, and then they are found by `planner.kind` as the controller's own are.
//!
//! ```no_run
//! use latco_controller::{Config, Controller};
//!
//! latco_baselines::add();
//! let mut config = Config::load("configs/reach.toml".as_ref())?;
//! config.planner.kind = "shooting_gn".parse()?;
//! let bundle = latco_models::Bundle::load(&config.bundle.path, &Default::default())?;
//! let controller = Controller::new(&config, &bundle)?;
//! assert_eq!(controller.planner_name(), "shooting_gn");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A planner on actions alone is a [`Method`] in a file of its own, and a line in the table below.

mod adam;
mod limits;
mod method;
mod unrolled;

use latco_controller::config::PlannerKind;
use latco_controller::plan::{Anytime, MakePlanner, PlanSizes, Planner, add_planners};
use latco_controller::{Config, SetupError};
use latco_models::Bundle;

pub use descent::Descent;
pub use first_order::FirstOrder;
pub use gauss_newton::GaussNewton;
pub use ilqr::Ilqr;
pub use method::{ActionSearch, Method};
pub use unrolled::Unrolled;

/// Declares the module of each planner and the table of what makes them.
macro_rules! planners {
    ($($module:ident: $($kind:ident = $make:expr),+;)*) => {
        $(mod $module;)*

        static PLANNERS: &[(PlannerKind, MakePlanner)] = &[$($((PlannerKind::$kind, $make)),+),*];
    };
}

planners! {
    descent: ShootingGd = planner::<Descent>;
    first_order: LatcoFirstOrder = first_order::make;
    gauss_newton: ShootingGn = planner::<GaussNewton>, SampledGn = gauss_newton::sampled;
    grasp: Grasp = planner::<grasp::Grasp>;
    ilqr: Ilqr = planner::<Ilqr>;
}

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
