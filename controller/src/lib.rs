//! Sans-io controller core: belief filter, planners, plan hand-over, executor and safety gate.
//!
//! The way of a camera frame: [`Controller::step`] checks it and steps the [`belief`], a
//! [`plan::Planner`] plans from there, the [`plan::Plan`] goes through [`latest::channel`] to the
//! [`Executor`], whose [`Executor::tick`] gives the joint set-points at the command rate.
//! Time is always an argument. [`runtime`] puts threads round the core; it is the only place that
//! waits.
//!
//! ```no_run
//! use latco_controller::inputs::{ImageInput, Inputs, JointInput};
//! use latco_controller::time::{FrozenClock, Time};
//! use latco_controller::{Config, Controller, Executor, latest};
//!
//! let config = Config::load("configs/reach.toml".as_ref())?;
//! let bundle = latco_models::Bundle::load(&config.bundle.path, &Default::default())?;
//! let mut controller = Controller::new(&config, &bundle)?;
//! let (mut plans, reader) = latest::channel(|| controller.empty_plan());
//! let mut executor = Executor::new(&config, controller.robot(), reader);
//!
//! let now = Time(0);
//! let pixels = vec![0; 32 * 32 * 3];
//! let joints = JointInput { stamp: now, positions: &[0.0; 3], velocities: &[0.0; 3] };
//! let image = ImageInput { stamp: now, width: 32, height: 32, pixels: &pixels };
//! let inputs = Inputs { image: Some(image), joints: Some(joints) };
//! let tick = controller.step(&inputs, now, &FrozenClock(now));
//! if tick.new_plan {
//!     plans.value_mut().copy_from(controller.plan());
//!     plans.publish();
//! }
//! executor.joints(&joints, now)?;
//! let set_point = executor.tick(now);
//! controller.record_sent(set_point.time, &set_point.commands);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
pub mod belief;
pub mod config;
pub mod constraints;
mod controller;
mod decorate;
mod error;
pub mod execute;
pub mod inputs;
pub mod journal;
mod keep_alive;
pub mod latest;
mod parts;
pub mod plan;
pub mod priority;
mod rehearsal;
pub mod robot;
pub mod runtime;
pub mod safety;
pub mod settings;
pub mod time;
pub mod trace;

// What `choices!` is made of.
pub use axis::Axis;
pub use belief::model;
pub use config::Config;
pub use controller::{Controller, Tick};
pub use decorate::Decorator;
pub use error::{Rehearsal, SetupError, TooSlow};
pub use execute::{Executor, SetPoint};
pub use keep_alive::KeepAlive;
#[doc(hidden)]
pub use latco_models::named;
pub use parts::Parts;
pub use robot::Robot;
pub use settings::ConfigError;
pub use time::{Clock, Time};
