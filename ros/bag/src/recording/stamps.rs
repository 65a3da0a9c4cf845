//! The times of messages with headers: one rule for every command that reads a recording.
//!
//! A stamp is the time of its message if it is of the clock of the recording: not zero, within [`SAME_CLOCK_NS`] of the time
//! of recording, and later than the stamp before (a message that was overtaken on its way may be a little older). Otherwise
//! the message has the time of its recording, less the delay that the stamps before had. A clock that goes back within a
//! recording is not believed any more.

/// Stamps and recording times further apart than this are of different clocks, ns.
const SAME_CLOCK_NS: i64 = 10_000_000_000;
/// A stamp that is older than the one before by more than this is of a clock that went back, ns.
const OVERTAKEN_NS: i64 = 1_000_000_000;

/// The times of the messages of one publisher, in the order of their recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    newest_ns: Option<i64>,
    /// Time from the newest stamp that was used to its recording, ns.
    delay_ns: i64,
    went_back: bool,
    messages: u64,
    foreign: u64,
    /// Time of recording less stamp of the first foreign one, ns; `None` where the stamp is zero.
    first_off_ns: Option<i64>,
    repeated: u64,
    back: u64,
}

impl Stamps {
    /// The time of a message, ns, by its stamp and the time of its recording.
    pub fn time_ns(&mut self, stamp_ns: i64, recorded_ns: i64) -> i64 {
        self.messages += 1;
        let off_ns = recorded_ns.saturating_sub(stamp_ns);
        let is_set = stamp_ns > 0 || stamp_ns == recorded_ns;
        let newest_ns = self.newest_ns.unwrap_or(i64::MIN);
        let kind = if !is_set || off_ns.saturating_abs() >= SAME_CLOCK_NS {
            if self.foreign == 0 {
                self.first_off_ns = (stamp_ns != 0).then_some(off_ns);
            }
            &mut self.foreign
        } else if self.went_back || stamp_ns < newest_ns.saturating_sub(OVERTAKEN_NS) {
            self.went_back = true;
            &mut self.back
        } else if stamp_ns == newest_ns {
            &mut self.repeated
        } else {
            self.newest_ns = Some(stamp_ns.max(newest_ns));
            self.delay_ns = off_ns;
            return stamp_ns;
        };
        *kind += 1;
        recorded_ns.saturating_sub(self.delay_ns)
    }

    /// What was done with the stamps of `topic`; `None` where all were used.
    pub fn remark(&self, topic: &str) -> Option<String> {
        let off = match self.first_off_ns {
            None => "zero".to_owned(),
            Some(off) if off > 0 => format!("{:.3} s before their recording", off as f64 * 1e-9),
            Some(off) => format!("{:.3} s after their recording", off as f64 * -1e-9),
        };
        let kinds = [
            (
                self.foreign,
                format!("are of another clock (the first is {off})"),
            ),
            (self.repeated, "repeat the one before".to_owned()),
            (self.back, "come after their clock went back".to_owned()),
        ];
        let said: Vec<String> = (kinds.into_iter())
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!said.is_empty()).then(|| {
            format!(
                "`{topic}`: of {} stamps {}: for these the times of recording are used",
                self.messages,
                said.join(", ")
            )
        })
    }

    /// Takes over the counts of another publisher of the same topic.
    pub(super) fn add(&mut self, other: &Self) {
        if self.foreign == 0 {
            self.first_off_ns = other.first_off_ns;
        }
        self.messages += other.messages;
        self.foreign += other.foreign;
        self.repeated += other.repeated;
        self.back += other.back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    /// Times in tenths of a second that stamps get which are recorded once a second from 1000 s on.
    fn times(stamps_ds: &[i64]) -> (Vec<i64>, Option<String>) {
        let mut stamps = Stamps::default();
        let times = (stamps_ds.iter().enumerate())
            .map(|(at, stamp)| stamps.time_ns(stamp * S / 10, (1000 + at as i64) * S) / (S / 10))
            .collect();
        (times, stamps.remark("/image"))
    }

    #[test]
    fn stamps_of_the_clock_of_the_recording_are_used() {
        let good = [9_998, 10_008, 10_018];
        assert_eq!(times(&good), (good.to_vec(), None));
        // The second was overtaken; a delay of some seconds is one.
        assert_eq!(times(&[9_998, 9_992, 10_018]).0, [9_998, 9_992, 10_018]);
        assert_eq!(times(&[9_998, 9_999, 10_000]).1, None);
    }

    #[test]
    fn other_stamps_give_way_to_the_times_of_recording() {
        let recorded = [10_000, 10_010, 10_020];
        for (name, stamps, word) in [
            ("zero", [0, 0, 0], "zero"),
            ("since boot", [50, 60, 70], "995.000 s before"),
            ("ahead", [46_000, 46_010, 46_020], "3600.000 s after"),
        ] {
            let (found, remark) = times(&stamps);
            assert_eq!(found, recorded, "{name}");
            let remark = remark.unwrap();
            assert!(
                remark.contains(word) && remark.contains("of 3 stamps 3"),
                "{remark}"
            );
        }
        // The delay of those before is kept.
        let (frozen, remark) = times(&[9_998, 9_998, 9_998]);
        assert_eq!(frozen, [9_998, 10_008, 10_018]);
        assert!(remark.unwrap().contains("2 repeat"));
        let (back, remark) = times(&[9_998, 10_008, 9_968, 9_978, 9_988, 9_998, 10_008, 10_018]);
        assert_eq!(
            back,
            [
                9_998, 10_008, 10_018, 10_028, 10_038, 10_048, 10_058, 10_068
            ]
        );
        assert!(
            remark
                .unwrap()
                .contains("6 come after their clock went back")
        );
        // One zero among good ones costs one.
        assert_eq!(times(&[9_998, 0, 10_018]).0, [9_998, 10_008, 10_018]);
    }
}
