//! The status of a topic that the node listens to.

use std::sync::atomic::Ordering;

use latco_bag::messages::DiagnosticStatus;

use super::arrivals::Arrivals;
use super::part::Part;
use crate::managed::lifecycle::State;
use crate::middleware::peers::Peers;
use crate::middleware::stamp;

/// Number of messages with one stamp from which on a clock stands still.
const FROZEN: u64 = 5;
/// Stamps that are off by more than this, s, are of a clock that does not tell the time of day.
const OTHER_CLOCK_S: f64 = 1e6;

/// A topic that the node listens to.
pub(crate) struct Input<'a> {
    pub(crate) what: &'static str,
    /// Rate of the messages, per second.
    pub(crate) rate: f64,
    /// Age in ms at which the robot is stopped.
    pub(crate) limit_ms: f64,
    /// How far in the future a stamp may lie, ms.
    pub(crate) future_ms: f64,
    /// Name of the node's clock: `the system` or `/clock`.
    pub(crate) clock: &'static str,
    pub(crate) arrivals: &'a Arrivals,
    pub(crate) taken: u64,
    pub(crate) refused: u64,
    pub(crate) error: &'a str,
    pub(crate) peers: Option<&'a Peers>,
}

impl Input<'_> {
    pub(crate) fn part(&self, name: &'static str, state: State) -> Part {
        let now = stamp::now_ns();
        let at = self.arrivals.at_ns.load(Ordering::Relaxed);
        let silent_ms = (at > 0).then(|| (now - at) as f64 * 1e-6);
        let (level, message, fault) = self.verdict(silent_ms, state);
        let mut part = Part::new(name, level, message);
        part.fault = fault;
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        let delay_ms = self.arrivals.delay_ns.load(Ordering::Relaxed) as f64 * 1e-6;
        part.add("rate_hz", format!("{:.1}", self.rate));
        part.add("age_ms", ms(silent_ms));
        part.add("delay_ms", ms((at > 0).then_some(delay_ms)));
        part.add("limit_ms", self.limit_ms);
        part.add("received", self.arrivals.count.load(Ordering::Relaxed));
        part.add("taken", self.taken);
        part.add("refused", self.refused);
        if !self.error.is_empty() {
            part.add("last_error", self.error);
        }
        if let Some(peers) = self.peers {
            part.add("publishers", peers.known);
            for mismatch in &peers.mismatches {
                part.add("mismatch", mismatch);
            }
        }
        part
    }

    /// What is wrong with the stamps of what arrives, and its name: they are of another clock than the node's, or stand
    /// still.
    fn stamps(&self) -> Option<(&'static str, String)> {
        let stamp_ns = self.arrivals.stamp_ns.load(Ordering::Relaxed);
        let off_s = self.arrivals.delay_ns.load(Ordering::Relaxed) as f64 * 1e-9;
        let (what, clock) = (self.what, self.clock);
        if stamp_ns == 0 {
            let todo = "set the time of measurement in what publishes them";
            return Some((
                "zero stamps",
                format!("the stamps of {what} are zero: {todo}"),
            ));
        }
        let repeated = self.arrivals.repeated.load(Ordering::Relaxed);
        if repeated >= FROZEN {
            let text = format!(
                "{repeated} {what} in a row have the same stamp, {off_s:.1} s ago by {clock}: restart what publishes them"
            );
            return Some(("frozen stamps", text));
        }
        let todo = match off_s.abs() < OTHER_CLOCK_S {
            true => {
                "synchronise the clocks of both machines (chrony, PTP), or look for what delays them"
            }
            false => {
                "they are since boot or of a simulation: let what publishes them use ROS time, or set use_sim_time alike on both"
            }
        };
        if off_s < -self.future_ms * 1e-3 {
            let text = format!(
                "{what} are stamped {:.3} s in the future by {clock}: {todo}",
                -off_s
            );
            return Some(("stamps in the future", text));
        }
        if off_s > self.limit_ms * 1e-3 {
            let text =
                format!("{what} are stamped {off_s:.3} s ago by {clock} when they come: {todo}");
            return Some(("old stamps", text));
        }
        None
    }

    fn verdict(&self, silent_ms: Option<f64>, state: State) -> (u8, String, Option<&'static str>) {
        let arrives = silent_ms.is_some_and(|age| age <= self.limit_ms);
        if self.peers.is_some()
            && arrives
            && let Some((fault, message)) = self.stamps()
        {
            return (DiagnosticStatus::ERROR, message, Some(fault));
        }
        let (level, message) = self.flow(silent_ms, state);
        (level, message, None)
    }

    /// How messages flow, whatever their stamps.
    fn flow(&self, silent_ms: Option<f64>, state: State) -> (u8, String) {
        let Some(peers) = self.peers else {
            return (
                DiagnosticStatus::OK,
                format!("does not listen while {state}"),
            );
        };
        if let (Some(mismatch), true) = (
            peers.mismatches.first(),
            silent_ms.is_none() || peers.all_mismatch(),
        ) {
            return (
                DiagnosticStatus::ERROR,
                format!("a publisher of {} is not heard: {mismatch}", self.what),
            );
        }
        match silent_ms {
            None if peers.known == 0 => (
                DiagnosticStatus::STALE,
                format!("nobody publishes {}", self.what),
            ),
            None => (
                DiagnosticStatus::STALE,
                format!("a publisher is known, but no {} arrive", self.what),
            ),
            Some(age) if age > self.limit_ms => (
                DiagnosticStatus::STALE,
                format!("no {} for {:.1} s", self.what, age * 1e-3),
            ),
            Some(_) if self.refused > 0 && self.taken == 0 => (
                DiagnosticStatus::ERROR,
                format!("all {} are refused: {}", self.what, self.error),
            ),
            Some(_) if self.refused > 0 => (
                DiagnosticStatus::WARN,
                format!(
                    "{} {} were refused: {}",
                    self.refused, self.what, self.error
                ),
            ),
            Some(_) => (DiagnosticStatus::OK, format!("{} arrive", self.what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input<'a>(arrivals: &'a Arrivals, peers: Option<&'a Peers>) -> Input<'a> {
        Input {
            what: "images",
            rate: 0.0,
            limit_ms: 500.0,
            future_ms: 200.0,
            clock: "the system",
            arrivals,
            taken: 0,
            refused: 0,
            error: "",
            peers,
        }
    }

    #[test]
    fn silence_is_told_apart_by_its_cause() {
        let arrivals = Arrivals::default();
        let part = |peers| input(&arrivals, peers).part("camera", State::Inactive);
        assert_eq!(part(None).level, DiagnosticStatus::OK);
        let none = Peers::default();
        let nobody = part(Some(&none));
        assert!(nobody.message.contains("nobody"), "{}", nobody.message);
        assert_eq!(nobody.level, DiagnosticStatus::STALE);
        let deaf = Peers {
            known: 1,
            mismatches: vec!["incompatible QoS policy Reliability".into()],
        };
        let mismatch = part(Some(&deaf));
        assert!(
            mismatch.message.contains("Reliability"),
            "{}",
            mismatch.message
        );
        assert_eq!(mismatch.level, DiagnosticStatus::ERROR);
        let fine = Peers {
            known: 1,
            mismatches: vec![],
        };
        assert!(part(Some(&fine)).message.contains("is known"));
        arrivals.note(Some(stamp::now_ns()), stamp::now_ns());
        assert_eq!(part(Some(&fine)).level, DiagnosticStatus::OK);
        arrivals.at_ns.fetch_sub(3_000_000_000, Ordering::Relaxed);
        let stale = part(Some(&fine));
        assert!(stale.message.contains("3.0 s"), "{}", stale.message);
        assert_eq!(stale.level, DiagnosticStatus::STALE);
    }

    #[test]
    fn stamps_of_another_clock_are_named_with_how_far_they_are_off() {
        const S: i64 = 1_000_000_000;
        let now = 1_700_000_000 * S;
        let fine = Peers {
            known: 1,
            mismatches: vec![],
        };
        let zero = [0; 3];
        let frozen = [now - S / 10; 8];
        let boot = [40 * S, 41 * S, 42 * S];
        let ahead = [now + 3600 * S, now + 3601 * S];
        let late = [now - 5 * S, now - 5 * S + 1];
        let good = [now - S / 10, now];
        for (stamps, fault, words) in [
            (&zero[..], Some("zero stamps"), "are zero"),
            (&frozen, Some("frozen stamps"), "7 images in a row"),
            (&boot, Some("old stamps"), "since boot"),
            (
                &ahead,
                Some("stamps in the future"),
                "3601.000 s in the future",
            ),
            (&late, Some("old stamps"), "5.000 s ago"),
            (&good, None, "images arrive"),
        ] {
            let arrivals = Arrivals::default();
            stamps
                .iter()
                .for_each(|stamp| arrivals.note(Some(*stamp), now));
            let part = input(&arrivals, Some(&fine)).part("camera", State::Active);
            assert_eq!(part.fault, fault, "{}", part.message);
            assert!(part.message.contains(words), "{}", part.message);
            let is_error = part.level == DiagnosticStatus::ERROR;
            assert_eq!(is_error, fault.is_some(), "{}", part.message);
        }
    }
}
