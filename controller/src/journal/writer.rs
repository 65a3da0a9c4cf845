//! The way from the planner thread to the reader of the journal, without waiting and without allocating.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::step::{Event, ImageMark, Outcome, Step, sum_of};
use crate::controller::{Controller, Tick};
use crate::inputs::ImageInput;
use crate::time::Time;

/// Number of steps that may wait to be taken.
const STEPS: usize = 24;
/// Number of events of one step; more events make another step.
const EVENTS: usize = 128;

/// The reader's side of the journal.
pub struct JournalReader {
    full: Arc<ArrayQueue<Box<Step>>>,
    free: Arc<ArrayQueue<Box<Step>>>,
}

impl JournalReader {
    /// Gives every step that is there to `take`, the oldest first. Steps that are taken too late are
    /// missing: the next one says so in [`Step::gap`].
    pub fn drain(&mut self, mut take: impl FnMut(&Step)) {
        while let Some(step) = self.full.pop() {
            take(&step);
            // The pool has room for all of its steps.
            let _ = self.free.push(step);
        }
    }
}

/// The planner thread's side of the journal.
pub(crate) struct JournalWriter {
    full: Arc<ArrayQueue<Box<Step>>>,
    free: Arc<ArrayQueue<Box<Step>>>,
    open: Option<Box<Step>>,
    number: u64,
    gap: bool,
}

/// Makes both sides, with memory for the steps of this controller.
pub(crate) fn pool(controller: &Controller) -> (JournalWriter, JournalReader) {
    let full = Arc::new(ArrayQueue::new(STEPS));
    let free = Arc::new(ArrayQueue::new(STEPS));
    for _ in 0..STEPS {
        let step = Step {
            events: Vec::with_capacity(EVENTS),
            outcome: Outcome {
                belief: vec![0.0; controller.belief().len()],
                actions: vec![0.0; controller.plan().actions.len()],
                ..Outcome::default()
            },
            ..Step::default()
        };
        let _ = free.push(Box::new(step));
    }
    let reader = JournalReader {
        full: Arc::clone(&full),
        free: Arc::clone(&free),
    };
    let writer = JournalWriter {
        full,
        free,
        open: None,
        number: 0,
        gap: false,
    };
    (writer, reader)
}

impl JournalWriter {
    /// Notes an event that the core is told of.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub(crate) fn event(&mut self, event: Event) {
        if (self.open.as_ref()).is_some_and(|step| step.events.len() == EVENTS) {
            self.close();
        }
        match self.open() {
            Some(step) => step.events.push(event),
            None => self.gap = true,
        }
    }

    /// Notes an image and its outcome, and hands the step over.
    ///
    /// # Real-time
    /// Copies the plan's actions and reads its states; no allocation, no waiting.
    pub(crate) fn image(
        &mut self,
        image: &ImageInput<'_>,
        now: Time,
        tick: &Tick,
        controller: &Controller,
    ) {
        let Some(step) = self.open() else {
            self.gap = true;
            return;
        };
        let plan = controller.plan();
        step.image = Some(ImageMark {
            stamp: image.stamp,
            now,
            crc32c: ImageMark::sum(image.pixels),
        });
        step.decisions = controller.decisions();
        let outcome = &mut step.outcome;
        outcome.observed = matches!(tick.image, Some(Ok(_)));
        outcome.belief.copy_from_slice(controller.belief());
        outcome.report = tick.plan;
        outcome.new_plan = tick.new_plan;
        outcome.actions.copy_from_slice(&plan.actions);
        outcome.states_crc32c = sum_of([&plan.states, &plan.rewards]);
        self.close();
    }

    /// The step being written, begun if there is none and there is memory for it.
    fn open(&mut self) -> Option<&mut Step> {
        if self.open.is_none() {
            let mut step = self.free.pop()?;
            self.number += 1;
            step.number = self.number;
            step.gap = std::mem::take(&mut self.gap);
            step.events.clear();
            step.image = None;
            step.outcome.observed = false;
            step.outcome.report = None;
            step.outcome.new_plan = false;
            self.open = Some(step);
        }
        self.open.as_deref_mut()
    }

    fn close(&mut self) {
        if let Some(step) = self.open.take() {
            // There are as many places as steps.
            let _ = self.full.push(step);
        }
    }
}
