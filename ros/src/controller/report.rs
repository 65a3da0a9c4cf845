//! The reports of the node: heartbeat and diagnostics.

use super::configured::Configured;
use super::diagnostics::{Diagnostics, Facts};
use super::manager::Manager;
use super::status::{Now, status};
use crate::middleware::middleware_alive;

impl Manager<'_> {
    pub(super) fn publish_status(&mut self, final_word: Option<&str>) {
        self.summary.count(&self.counters);
        if let Some(decorator) = &self.options.decorator {
            self.summary.injected = decorator.report().into_iter().collect();
        }
        if let Some(configured) = &self.configured {
            configured.count(&self.before, &mut self.summary);
        }
        self.ends.heartbeat.send(status(&self.now(final_word)));
    }

    pub(super) fn now<'b>(&'b self, final_word: Option<&'b str>) -> Now<'b> {
        let task = self
            .configured
            .as_ref()
            .map(|configured| &configured.bundle().manifest().task);
        Now {
            name: &self.name,
            hardware: task.map_or("", String::as_str),
            state: self.lifecycle.state(),
            failure: &self.failure,
            estopped: self.ends.estop.latch().is_latched(),
            final_word,
            motion: self.configured.as_ref().map(Configured::motion),
            executor_silence: (self.configured.as_ref()).and_then(Configured::executor_silence),
            summary: &self.summary,
        }
    }

    pub(super) fn publish_diagnostics(&mut self, final_word: Option<&str>) {
        let parameters = self.ends.parameters.now();
        let pending = match &self.configured_with {
            Some(configured) => parameters.pending(configured),
            None => Vec::new(),
        };
        let identity = &self.options.identity;
        let peers = match (&self.configured, &self.node) {
            (Some(configured), Some(node)) => Some(configured.peers(node, identity)),
            _ => None,
        };
        let mut diagnostics = std::mem::replace(&mut self.diagnostics, Diagnostics::new());
        let report = diagnostics.report(&Facts {
            now: &self.now(final_word),
            config: parameters.config(),
            counters: &self.counters,
            network: self.options.network,
            middleware_alive: middleware_alive(),
            peers: peers.as_ref(),
            clock: (self.configured.as_ref())
                .map(|configured| (configured.clock().name(), configured.clock().is_missing())),
            recent: self.configured.as_ref().map(Configured::recent),
            pending: &pending,
        });
        self.diagnostics = diagnostics;
        self.ends.diagnostics.send(report);
    }
}
