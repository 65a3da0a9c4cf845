//! The episodes of a run.

use serde::Serialize;

use super::heard::Heard;
use super::seen::Seen;

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Episode {
    /// Number, as the topic announced it; `None` for a recording without marks.
    pub(super) number: Option<i64>,
    /// Begin and end in s from the first image.
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    /// Sum of the rewards; `None` without any.
    pub(super) paid: Option<f64>,
    /// Time of the first reward above 0, in s from the begin.
    pub(super) solved_after_s: Option<f64>,
    pub(super) plans: usize,
}

/// Finds the episodes: from one mark to the next, or the whole run.
pub(super) fn find(seen: &[Seen], heard: &Heard) -> Vec<Episode> {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        return Vec::new();
    };
    let (begin, end) = (first.stamp_ns, last.stamp_ns + 1);
    let mut marks: Vec<(i64, Option<i64>)> = (heard.episodes.iter())
        .map(|&(time, number)| (time.max(begin), Some(number)))
        .collect();
    if marks.is_empty() {
        marks.push((begin, None));
    }
    let ends: Vec<i64> = (marks.iter().skip(1).map(|mark| mark.0))
        .chain([end.max(heard.rewards.last().map_or(end, |r| r.0 + 1))])
        .collect();
    let seconds = |ns: i64| (ns - begin) as f64 * 1e-9;
    let episodes = marks.into_iter().zip(ends).map(|((from, number), to)| {
        let inside = |time: i64| (from..to).contains(&time);
        let rewards: Vec<_> = heard.rewards.iter().filter(|r| inside(r.0)).collect();
        Episode {
            number,
            from_s: seconds(from),
            to_s: seconds(to),
            paid: (!rewards.is_empty()).then(|| rewards.iter().map(|r| r.1).sum()),
            solved_after_s: rewards
                .iter()
                .find(|r| r.1 > 0.0)
                .map(|r| (r.0 - from) as f64 * 1e-9),
            plans: (seen.iter())
                .filter(|s| inside(s.stamp_ns) && s.plan.is_some())
                .count(),
        }
    });
    // A mark at the very end begins an episode that nobody saw.
    episodes
        .filter(|e| e.plans > 0 || e.paid.is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_lie_between_the_marks_and_know_what_was_paid() {
        let s = 1_000_000_000;
        let seen: Vec<Seen> = (0..6).map(|i| image(i * s)).collect();
        let heard = Heard {
            episodes: vec![(0, 7), (3 * s, 8), (100 * s, 9)],
            rewards: vec![(s, 0.0), (2 * s, 1.0), (4 * s, 0.0)],
            ..Heard::default()
        };
        let found = find(&seen, &heard);
        let short: Vec<_> = (found.iter())
            .map(|e| (e.number, e.paid, e.solved_after_s))
            .collect();
        assert_eq!(
            short,
            [(Some(7), Some(1.0), Some(2.0)), (Some(8), Some(0.0), None)]
        );
    }

    fn image(stamp_ns: i64) -> Seen {
        Seen {
            stamp_ns,
            taken_ns: stamp_ns,
            pixels: Vec::new(),
            refused: None,
            belief: Vec::new(),
            plan: None,
        }
    }
}
