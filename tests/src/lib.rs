//! Golden, interop, allocation and end-to-end tests.
//!
//! The library has what tests of several files share: [`python`] makes the environments of the programs that we did not
//! write, [`program`] starts and stops the processes of a test.

pub mod program;
pub mod python;
