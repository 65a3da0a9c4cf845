//! Film strips, curves, histograms, intervals and heat maps as PNG pictures, and [pages](page) of HTML that hold all they show.
//!
//! ```
//! # fn main() -> Result<(), latco_pictures::PictureError> {
//! use latco_pictures::{Curves, FilmStrip, Frame, Histogram, Panel};
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let folder = folder.path();
//!
//! let frame = Frame::new(32, 32, vec![128; 32 * 32 * 3])?;
//! FilmStrip::new("episode 3")
//!     .row("camera", &[frame.clone(), frame.clone()])
//!     .row("imagined", &[frame])
//!     .save(&folder.join("film.png"))?;
//!
//! Curves::new("one plan")
//!     .panel(Panel::new("dynamics violation", "iteration").log_y().line("largest", &[1.0, 0.1]))
//!     .panel(Panel::new("predicted reward", "iteration").line("sum", &[0.0, 3.5]))
//!     .save(&folder.join("curves.png"))?;
//!
//! Histogram::new("latency", "ms")
//!     .samples("planning", &[41.0, 43.5, 42.1])
//!     .save(&folder.join("latency.png"))?;
//! # Ok(())
//! # }
//! ```
//!
//! Text is set in a font that the program carries, so pictures look the same on every machine.
//! Values that cannot be drawn (not finite, or not positive on a logarithmic axis) are left out,
//! and the picture says how many. A picture without anything to draw is an error.

mod axis;
mod chart;
mod curves;
mod error;
mod film_strip;
mod frame;
mod heat_map;
mod histogram;
mod intervals;
pub mod page;
mod sheet;

pub use curves::{Curves, Panel};
pub use error::PictureError;
pub use film_strip::{FilmStrip, columns};
pub use frame::Frame;
pub use heat_map::{HeatMaps, Map};
pub use histogram::Histogram;
pub use intervals::{Interval, Intervals};
