//! The report of the controller node.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use latco_bag::messages::{DiagnosticArray, DiagnosticStatus, Header};
use latco_controller::inputs::FUTURE_STAMP_S;

use super::facts::{Facts, Fresh};
use super::subjects;
use crate::managed::diagnostics::{Arrivals, Input};
use crate::middleware::stamp;

/// Least time in seconds over which a message rate is computed.
const LEAST_SPAN_S: f64 = 0.2;

/// Counts at the previous report, for rates.
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
pub(crate) struct Diagnostics {
    before: Option<Before>,
    /// What is wrong with each part by the last report, so that the log says it once.
    faults: BTreeMap<&'static str, &'static str>,
}

impl Diagnostics {
    pub(crate) fn new() -> Self {
        Self {
            before: None,
            faults: BTreeMap::new(),
        }
    }

    /// Makes the report of this moment.
    pub(crate) fn report(&mut self, facts: &Facts<'_>) -> DiagnosticArray {
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
        let (clock, no_clock) = facts.clock.unwrap_or(("the clock of this machine", false));
        let camera = Input {
            what: "images",
            rate: rate(present.images, before.images),
            limit_ms: timeouts.camera_ms,
            future_ms: 1e3 * FUTURE_STAMP_S,
            clock,
            arrivals: &facts.counters.image_arrivals,
            taken: summary.images,
            refused: summary.images_refused + summary.images_unused,
            error: &summary.last_image_error,
            peers: peers(0),
        };
        let joints = Input {
            what: "joint states",
            rate: rate(present.joints, before.joints),
            limit_ms: timeouts.joints_ms,
            future_ms: 1e3 * FUTURE_STAMP_S,
            clock,
            arrivals: &facts.counters.joint_arrivals,
            taken: summary.joint_states,
            refused: summary.joint_states_refused + summary.executor_refused,
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
        let mut joints_part = joints.part("joint states", facts.now.state);
        if no_clock {
            for part in [&mut camera_part, &mut joints_part] {
                part.no_clock();
            }
        }
        let parts = [
            subjects::lifecycle(facts),
            camera_part,
            subjects::scene(summary),
            joints_part,
            subjects::planner(facts, &fresh),
            subjects::executor(facts, &fresh),
            subjects::middleware(facts),
        ];
        for part in &parts {
            let known = match part.fault {
                Some(fault) => self.faults.insert(part.name, fault),
                None => self.faults.remove(part.name),
            };
            if part.fault.is_some() && part.fault != known {
                tracing::warn!("{}: {}", part.name, part.message);
            }
        }
        let name = facts.now.name.trim_start_matches('/');
        let more = [subjects::refused(summary), subjects::injected(summary)];
        let status = parts
            .into_iter()
            .chain(more.into_iter().flatten())
            .map(|part| DiagnosticStatus {
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
