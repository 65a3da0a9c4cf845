//! Fault injection: what goes wrong on robots, on purpose, by a seed.
//!
//! [`Faults`] says what goes wrong, from when, for how long and how often; it is read from a file or from options of a command
//! line. An [`Injector`] carries it out through decorators of camera, joint states, clock, model, planner and commands. [`Everywhere`]
//! puts them round all that a controller node is made of; a loop in simulated time takes them one by one. Without an injector nothing of this is on the way of an image or a command.
//!
//! ```
//! use latco_faults::{Frame, Faults, Injector, Stream};
//! use latco_controller::Time;
//!
//! let faults: Faults = "seed = 7\n[[fault]]\nkind = \"drop_frames\"\nprobability = 0.5".parse()?;
//! let injector = Injector::simulated(&faults);
//! let mut camera = Stream::new(injector.clone());
//! injector.begin();
//! let mut arrived = 0;
//! for k in 0..100 {
//!     camera.put(Frame { stamp: Time(k), width: 1, height: 1, pixels: vec![0; 3] });
//!     arrived += std::iter::from_fn(|| camera.pop()).count();
//! }
//! assert!((30..70).contains(&arrived));
//! assert_eq!(injector.report(), [("drop_frames", 100 - arrived as u64)]);
//! # Ok::<(), latco_faults::FaultsError>(())
//! ```
//!
//! [`latco_controller::safety::peaks`] measures what comes out.

mod clock;
mod faults;
mod injector;
mod kind;
mod model;
mod planner;
mod ports;
mod samples;
mod sink;
mod stream;

pub use clock::FaultyClock;
pub use faults::{Fault, Faults, FaultsError};
pub use injector::{Injector, Strike};
pub use kind::{Amount, Effect, KINDS, Kind, Target};
pub use model::FaultyFilter;
pub use planner::FaultyPlanner;
pub use ports::Everywhere;
pub use samples::{Frame, JointSample};
pub use sink::FaultySink;
pub use stream::{Sample, Stream};
