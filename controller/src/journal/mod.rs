//! The journal: every input of the core with the time at which it was looked at, what the clock
//! decided, and what came of it. With the images, which it only names, a run can be repeated bit
//! for bit without a clock: [`Replay`].
//!
//! The planner thread writes a [`Step`] for every image into preallocated memory; whoever wants it
//! takes it from the [`JournalReader`]. In a bag or a file each step is a [`Record`], and a
//! [`Header`] stands before every step in which the core forgot everything, from where a replay can
//! begin. Records are chained by sums ([`ChainWriter`]).

mod chain;
mod record;
mod replay;
mod step;
mod writer;

pub use chain::{ChainBreak, ChainReader, ChainWriter};
pub use record::{Header, JournalError, Record};
pub use replay::{Difference, Onlooker, Repeated, Replay, ReplayReport, Stage};
pub use step::{Event, ImageMark, Outcome, Step};
pub use writer::JournalReader;
pub(crate) use writer::{JournalWriter, pool};
