//! Golden, interop, allocation and end-to-end tests, and the programs `golden` and `world`.
//!
//! ```no_run
//! use latco_tests::record::Sizes;
//!
//! let sizes = Sizes { stoch: 30, deter: 200, hidden: 200, units: 300, action: 4, horizon: 30, iterations: 10 };
//! for (name, shape) in sizes.inputs() {
//!     println!("{name}: {shape:?}");
//! }
//! ```

pub mod record;
