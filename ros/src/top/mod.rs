//! `latco top`: what running nodes say of themselves on `/diagnostics`, on a terminal.

mod heard;
mod screen;

pub use heard::Heard;
pub use screen::draw;
