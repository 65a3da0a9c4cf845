//! One declaration of each setting, from which everything else comes: the field of a struct and its default, the reading of TOML
//! with every mistake at once, the parameters of a ROS node and the table of a document.
//!
//! ```
//! use latco_controller::settings::{Settings, FieldError};
//!
//! latco_controller::settings! {
//!     /// How a lamp blinks.
//!     pub struct Lamp {
//!         /// Time between two flashes.
//!         pause_ms: f64 = 500.0, above(0.0), at_most(60_000.0), live;
//!         /// Flashes in a row.
//!         flashes: u32 = 3, within(1.0, 10.0);
//!     }
//! }
//!
//! impl Settings for Lamp {}
//!
//! let lamp = Lamp::read("flashes = 5", &Lamp::default(), &|_| None).expect("valid");
//! assert_eq!((lamp.pause_ms, lamp.flashes), (500.0, 5));
//! let refused = Lamp::read("flashes = 11\npause = 1", &Lamp::default(), &|_| None).unwrap_err().to_string();
//! assert!(refused.contains("flashes: expected a whole number from 1 to 10, found 11"), "{refused}");
//! assert!(refused.contains("pause: unknown key, expected one of pause_ms, flashes"), "{refused}");
//! ```

mod choices;
mod declare;
mod document;
mod error;
mod kinds;
pub mod path;
mod read;
mod setting;
mod unit;

pub use choices::UnknownChoice;
pub use document::{count, document};
pub use error::{ConfigError, FieldError};
pub use kinds::SettingType;
pub use read::{Gone, Settings};
pub use setting::{Change, Choice, Kind, Range, Setting};
pub use unit::DAY_MS;
