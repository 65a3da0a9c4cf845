//! The reports of the node: heartbeat and diagnostics.

use super::diagnostics::{Diagnostics, Facts};
use super::manager::Manager;
use super::status::{Now, status};
use super::work::Work;
use crate::middleware::middleware_alive;

impl Manager<'_> {
    pub(super) fn beat(&mut self, final_word: Option<&str>) {
        self.summary.count(&self.counters);
        if let Some(work) = &self.work {
            work.count(&self.before, &mut self.summary);
        }
        self.ends.heartbeat.send(status(&self.now(final_word)));
    }

    pub(super) fn now<'b>(&'b self, final_word: Option<&'b str>) -> Now<'b> {
        let task = self
            .work
            .as_ref()
            .map(|work| &work.bundle().manifest().task);
        Now {
            name: &self.name,
            hardware: task.map_or("", String::as_str),
            state: self.lifecycle.state(),
            failure: &self.failure,
            estopped: self.estopped,
            final_word,
            doing: self.work.as_ref().map(Work::doing),
            summary: &self.summary,
        }
    }

    pub(super) fn diagnose(&mut self, final_word: Option<&str>) {
        let parameters = self.ends.parameters.now();
        let pending = match &self.configured {
            Some(configured) => parameters.pending(configured),
            None => Vec::new(),
        };
        let place = &self.options.place;
        let peers = match (&self.work, &self.node) {
            (Some(work), Some(node)) => Some(work.peers(node, place)),
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
            recent: self.work.as_ref().map(Work::recent),
            pending: &pending,
        });
        self.diagnostics = diagnostics;
        self.ends.diagnostics.send(report);
    }
}
