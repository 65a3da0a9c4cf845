//! `/diagnostics` by REP-107: one status a subject, once a second.

mod input;
mod part;
mod subjects;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Instant;

use latco_bag::messages::{DiagnosticArray, DiagnosticStatus, Header};
use latco_controller::Config;

use self::input::Input;
use super::status::Now;
use crate::node::intake::{Arrivals, Counters};
use crate::node::peers::Peers;
use crate::node::{Network, stamp};

/// Plans over which latencies are taken.
const RECENT: usize = 100;
/// A message rate counts from this many seconds on.
const LEAST_SPAN_S: f64 = 0.2;

/// Latencies of the newest plans.
#[derive(Debug, Default)]
pub(super) struct Recent {
    plan_ms: VecDeque<f64>,
    latency_ms: VecDeque<f64>,
    /// Number and image stamp of plans whose first command has not left.
    waiting: VecDeque<(u64, i64)>,
}

impl Recent {
    /// A plan was made from an image.
    pub(super) fn planned(&mut self, number: u64, stamp_ns: i64, plan_ms: f64) {
        push(&mut self.plan_ms, plan_ms);
        push(&mut self.waiting, (number, stamp_ns));
    }

    /// The first command of a plan has left.
    pub(super) fn commanded(&mut self, number: u64, at_ns: i64) {
        let found = self.waiting.iter().position(|(n, _)| *n == number);
        if let Some((_, stamp_ns)) = found.and_then(|index| self.waiting.remove(index)) {
            push(&mut self.latency_ms, (at_ns - stamp_ns) as f64 * 1e-6);
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, value: T) {
    if queue.len() == RECENT {
        queue.pop_front();
    }
    queue.push_back(value);
}

/// What a report is made from, beside the counters.
pub(super) struct Facts<'a> {
    pub(super) now: &'a Now<'a>,
    pub(super) config: &'a Config,
    pub(super) counters: &'a Counters,
    pub(super) network: Network,
    pub(super) middleware_alive: bool,
    /// Publishers of images and joint states, subscriptions of commands; none while we do not listen.
    pub(super) peers: Option<&'a [Peers; 3]>,
    pub(super) recent: Option<&'a Recent>,
    /// Parameters that wait for the next configure.
    pub(super) pending: &'a [&'static str],
}

/// Counts at the report before, for rates.
#[derive(Clone, Copy)]
struct Before {
    at: Instant,
    images: u64,
    joints: u64,
    plans: u64,
    misses: u64,
    failed: u64,
    lost: u64,
}

/// Makes the reports.
pub(super) struct Diagnostics {
    before: Option<Before>,
}

impl Diagnostics {
    pub(super) fn new() -> Self {
        Self { before: None }
    }

    /// The report now.
    pub(super) fn report(&mut self, facts: &Facts<'_>) -> DiagnosticArray {
        let summary = facts.now.summary;
        let present = Before {
            at: Instant::now(),
            images: count(&facts.counters.image_arrivals),
            joints: count(&facts.counters.joint_arrivals),
            plans: summary.plans,
            misses: summary.deadline_misses,
            failed: summary.failed_plans,
            lost: summary.commands_lost,
        };
        let before = self.before.replace(present).unwrap_or(present);
        let span = present.at.duration_since(before.at).as_secs_f64();
        let rate = |now: u64, then: u64| {
            if span < LEAST_SPAN_S {
                0.0
            } else {
                now.saturating_sub(then) as f64 / span
            }
        };
        let peers = |index: usize| facts.peers.map(|peers| &peers[index]);
        let timeouts = &facts.config.timeouts;
        let camera = Input {
            what: "images",
            rate: rate(present.images, before.images),
            limit_ms: timeouts.camera_ms,
            arrivals: &facts.counters.image_arrivals,
            taken: summary.images,
            refused: summary.images_refused,
            error: &summary.last_image_error,
            peers: peers(0),
        };
        let joints = Input {
            what: "joint states",
            rate: rate(present.joints, before.joints),
            limit_ms: timeouts.joints_ms,
            arrivals: &facts.counters.joint_arrivals,
            taken: summary.joint_states,
            refused: summary.joint_states_refused,
            error: &summary.last_joints_error,
            peers: peers(1),
        };
        let mut camera_part = camera.part("camera", facts.now.state);
        camera_part.add("overtaken", summary.images_overtaken);
        let fresh = Fresh {
            plan_rate: rate(present.plans, before.plans),
            misses: present.misses.saturating_sub(before.misses),
            failed: present.failed.saturating_sub(before.failed),
            lost: present.lost.saturating_sub(before.lost),
        };
        let parts = [
            subjects::lifecycle(facts),
            camera_part,
            joints.part("joint states", facts.now.state),
            subjects::planner(facts, &fresh),
            subjects::executor(facts, &fresh),
            subjects::middleware(facts),
        ];
        let name = facts.now.name.trim_start_matches('/');
        let status = parts.into_iter().map(|part| DiagnosticStatus {
            level: part.level,
            name: format!("{name}: {}", part.name),
            message: part.message,
            hardware_id: facts.now.hardware.to_owned(),
            values: part.values,
        });
        DiagnosticArray {
            header: Header::new(stamp::now_ns(), ""),
            status: status.collect(),
        }
    }
}

fn count(arrivals: &Arrivals) -> u64 {
    arrivals.count.load(Ordering::Relaxed)
}

/// What happened since the report before.
struct Fresh {
    plan_rate: f64,
    misses: u64,
    failed: u64,
    lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_of_the_newest_plans() {
        let mut recent = Recent::default();
        for number in 0..1000 {
            recent.planned(number, 0, 5.0);
            recent.commanded(number, 20_000_000);
        }
        recent.commanded(7, 1);
        assert_eq!(recent.plan_ms.len(), RECENT);
        assert!(recent.latency_ms.iter().all(|ms| (ms - 20.0).abs() < 1e-9));
    }
}
