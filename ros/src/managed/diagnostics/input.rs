//! The status of a topic that the node listens to.

use std::sync::atomic::Ordering;

use latco_bag::messages::DiagnosticStatus;

use super::arrivals::Arrivals;
use super::part::Part;
use crate::managed::lifecycle::State;
use crate::middleware::peers::Peers;
use crate::middleware::stamp;

/// A topic that the node listens to.
pub(crate) struct Input<'a> {
    pub(crate) what: &'static str,
    /// Rate of the messages, per second.
    pub(crate) rate: f64,
    /// Age in ms at which the robot is stopped.
    pub(crate) limit_ms: f64,
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
        let (level, message) = self.verdict(silent_ms, state);
        let mut part = Part::new(name, level, message);
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        let delay = self.arrivals.stamp_ns.load(Ordering::Relaxed);
        part.add("rate_hz", format!("{:.1}", self.rate));
        part.add("age_ms", ms(silent_ms));
        part.add(
            "delay_ms",
            ms((at > 0 && delay > 0).then(|| (at - delay) as f64 * 1e-6)),
        );
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

    fn verdict(&self, silent_ms: Option<f64>, state: State) -> (u8, String) {
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
        arrivals.note(Some(stamp::now_ns()));
        assert_eq!(part(Some(&fine)).level, DiagnosticStatus::OK);
        arrivals.at_ns.fetch_sub(3_000_000_000, Ordering::Relaxed);
        let stale = part(Some(&fine));
        assert!(stale.message.contains("3.0 s"), "{}", stale.message);
        assert_eq!(stale.level, DiagnosticStatus::STALE);
    }
}
