//! Samples on their way, some of which are lost, late, doubled or spoiled.

use std::sync::Arc;

use latco_controller::Time;

use crate::injector::{Injector, Strike};
use crate::kind::{Effect, Target};

/// An image or a joint state.
pub trait Sample: Clone {
    /// What faults of these samples strike.
    const TARGET: Target;

    /// The stamp, which may be set.
    fn stamp_mut(&mut self) -> &mut Time;
    /// Takes the content of another sample; the stamp stays.
    fn take_content(&mut self, other: &Self);
    /// Spoils the content.
    fn spoil(&mut self, strike: &Strike);
}

/// Samples go in by [`Stream::put`] and come out by [`Stream::pop`], as the faults of an [`Injector`] let them.
#[derive(Debug)]
pub struct Stream<S> {
    injector: Arc<Injector>,
    /// Samples on their way with the times at which they arrive, s, in that order.
    waiting: Vec<(f64, S)>,
    /// A sample that arrives after the next one.
    held: Option<S>,
    /// The last sample before it froze.
    last: Option<S>,
}

impl<S: Sample> Stream<S> {
    /// A stream on which nothing is under way.
    #[must_use]
    pub fn new(injector: Arc<Injector>) -> Self {
        Self {
            injector,
            waiting: Vec::new(),
            held: None,
            last: None,
        }
    }

    /// Takes a sample that was made now.
    pub fn put(&mut self, mut sample: S) {
        let (mut copies, mut delay_s, mut swap, mut frozen) = (1, 0.0, false, false);
        for strike in self.injector.strike(S::TARGET) {
            match strike.effect {
                Effect::Drop => copies = 0,
                Effect::Repeat => copies = copies.min(1) * 2,
                Effect::Delay => delay_s += strike.amount * 1e-3,
                Effect::Swap => swap = true,
                Effect::ShiftStamp => {
                    let stamp = sample.stamp_mut();
                    stamp.0 = stamp.0.saturating_add((strike.amount * 1e6) as i64);
                }
                Effect::Freeze => {
                    frozen = true;
                    if let Some(last) = &self.last {
                        sample.take_content(last);
                    }
                }
                _ => sample.spoil(&strike),
            }
        }
        if !frozen || self.last.is_none() {
            self.last = Some(sample.clone());
        }
        let due_s = self.injector.now_s() + delay_s;
        let before = self.held.take();
        if swap && copies > 0 && before.is_none() {
            self.held = Some(sample);
            return;
        }
        for _ in 0..copies {
            self.wait(due_s, sample.clone());
        }
        if let Some(before) = before {
            self.wait(due_s, before);
        }
    }

    fn wait(&mut self, due_s: f64, sample: S) {
        let place = self.waiting.partition_point(|(other, _)| *other <= due_s);
        self.waiting.insert(place, (due_s, sample));
    }

    /// The next sample that has arrived by now.
    pub fn pop(&mut self) -> Option<S> {
        let (due_s, _) = self.waiting.first()?;
        (*due_s <= self.injector.now_s()).then(|| self.waiting.remove(0).1)
    }

    /// The time at which the next sample arrives, s, as [`Injector::now_s`] shows it.
    #[must_use]
    pub fn next_s(&self) -> Option<f64> {
        self.waiting.first().map(|(due_s, _)| *due_s)
    }

    /// Forgets what is under way.
    pub fn reset(&mut self) {
        self.waiting.clear();
        (self.held, self.last) = (None, None);
    }
}
