//! `latco plan`: one plan, from a simulated robot or a bag.

mod command;
#[cfg(feature = "sim")]
mod film;
#[cfg(feature = "sim")]
mod simulated;
#[cfg_attr(not(feature = "sim"), allow(dead_code))] // pictures use the rest
mod situation;
#[cfg_attr(not(feature = "sim"), allow(dead_code))]
mod source;
mod table;

pub(super) use command::Plan;
