//! Commands that are lost, late, or end their thread.

use std::sync::Arc;

use latco_controller::execute::{Chunk, SetPoint};
use latco_controller::runtime::CommandSink;

use crate::injector::{Injector, panic_here};
use crate::kind::{Effect, Target};

/// A sink that does what the faults of an injector make of another one.
pub struct FaultySink {
    inner: Box<dyn CommandSink>,
    injector: Arc<Injector>,
}

impl FaultySink {
    /// Puts faults round a sink.
    #[must_use]
    pub fn new(inner: Box<dyn CommandSink>, injector: Arc<Injector>) -> Self {
        Self { inner, injector }
    }

    /// Whether a command gets through.
    fn passes(&self) -> bool {
        let mut passes = true;
        for strike in self.injector.strike(Target::Commands) {
            match strike.effect {
                Effect::Slow => self.injector.wait(strike.amount),
                Effect::Panic => panic_here("panic_commands"),
                _ => passes = false,
            }
        }
        passes
    }
}

impl CommandSink for FaultySink {
    fn set_point(&mut self, point: &SetPoint) {
        if self.passes() {
            self.inner.set_point(point);
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        if self.passes() {
            self.inner.chunk(chunk);
        }
    }
}
