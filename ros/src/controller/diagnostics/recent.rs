//! Latencies of the newest plans.

use std::collections::VecDeque;

/// Number of plans over which latencies are taken.
const RECENT: usize = 100;
/// Latencies of the newest plans.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pub(super) plan_ms: VecDeque<f64>,
    pub(super) latency_ms: VecDeque<f64>,
    /// Numbers and image stamps of plans whose first command has not left yet.
    waiting: VecDeque<(u64, i64)>,
}

impl Recent {
    /// Notes a plan that was made from an image.
    pub(crate) fn planned(&mut self, number: u64, stamp_ns: i64, plan_ms: f64) {
        push(&mut self.plan_ms, plan_ms);
        push(&mut self.waiting, (number, stamp_ns));
    }

    /// Notes that the first command of a plan has left.
    pub(crate) fn commanded(&mut self, number: u64, at_ns: i64) {
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
