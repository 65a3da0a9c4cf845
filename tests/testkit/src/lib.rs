//! What the tests of several crates share: the processes of a test ([`program`]), the `latco` program ([`latco`]), taking
//! turns and waiting ([`time`]), and Python environments with software that we did not write ([`python`]).

#![allow(
    clippy::panic,
    reason = "what a test needs and does not get fails the test"
)]

pub mod latco;
pub mod paths;
pub mod program;
pub mod python;
pub mod run;
pub mod time;
