//! The demonstration: simulated robot and controller as two processes that talk over DDS on the loopback interface,
//! a recording of everything they say, and what can be seen of it afterwards.

mod error;
mod options;
mod pictures;
mod report;
mod run;

pub use error::DemoError;
pub use options::{BAG, CURVES, DemoOptions, FILM, HISTOGRAM, REPORT, REPORT_JSON};
pub use report::Report;
pub use run::run;
