//! What the tests of several crates share: the processes of a test ([`program`]), the `latco` program ([`latco`]), the documents
//! and their commands ([`documents`]), taking turns and waiting ([`time`]), and Python environments with software that we did not
//! write ([`python`]).
//!
//! ```no_run
//! use std::time::Duration;
//! use latco_testkit::{latco::latco_command, program::Program};
//!
//! let ended = Program::start(&mut latco_command(&["--help"])).end(Duration::from_secs(10));
//! assert!(ended.assert_code(0).stdout.contains("demo"));
//! ```

#![allow(
    clippy::panic,
    reason = "what a test needs and does not get fails the test"
)]

pub mod documents;
pub mod latco;
pub mod paths;
pub mod program;
pub mod python;
pub mod run;
pub mod time;
