//! Golden, interop, allocation and end-to-end tests, and the programs `golden` and `world`.

pub mod record;
