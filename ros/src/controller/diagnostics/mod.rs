//! `/diagnostics` by REP-107: one status a subject, once a second.

mod facts;
mod recent;
mod report;
mod subjects;

pub(crate) use facts::Facts;
pub(crate) use recent::Recent;
pub(crate) use report::Diagnostics;
