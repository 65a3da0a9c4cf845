//! What may stand between a controller and its world.

use std::sync::Arc;

use crate::parts::Parts;
use crate::runtime::{CommandSink, ImageIntake, JointIntake};
use crate::time::Clock;

/// Puts something round the parts of a controller and the ways in and out of it, such as fault injection. Each method gives back
/// what it is given unless it is written otherwise.
pub trait Decorator: std::fmt::Debug + Send + Sync {
    /// Puts something round model and planner.
    fn parts(&self, parts: Parts) -> Parts {
        parts
    }

    /// Puts something before the port of the images.
    fn images(&self, port: Box<dyn ImageIntake>) -> Box<dyn ImageIntake> {
        port
    }

    /// Puts something before the port of the joint states.
    fn joints(&self, port: Box<dyn JointIntake>) -> Box<dyn JointIntake> {
        port
    }

    /// Puts something round the clock.
    fn clock(&self, clock: Arc<dyn Clock + Send + Sync>) -> Arc<dyn Clock + Send + Sync> {
        clock
    }

    /// Puts something round the sink of the commands.
    fn sink(&self, sink: Box<dyn CommandSink>) -> Box<dyn CommandSink> {
        sink
    }

    /// Hears that the controller becomes active.
    fn begin(&self) {}

    /// What was done, by name, and how often: it stands in every status of the node.
    fn report(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
