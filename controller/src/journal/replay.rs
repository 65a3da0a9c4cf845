//! Repeating a run from its journal and images.

use std::time::Duration;

use latco_models::Bundle;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::step::{Event, ImageMark, Outcome, Step, sum_of};
use crate::config::Config;
use crate::controller::{Controller, Tick};
use crate::error::SetupError;
use crate::inputs::{ImageInput, Inputs, JointInput};
use crate::time::{FrozenClock, Time};

latco_models::named! {
    /// The part of a step in which a replay first differs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Stage {
        /// The image is missing or another one.
        Image => "image",
        /// The posterior differs.
        Belief => "belief",
        /// The plan differs.
        Plan => "plan",
    }
}

/// The first difference from the recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Number of the step.
    pub tick: u64,
    /// Stamp of its image in ns.
    pub stamp_ns: i64,
    /// The part of the step that differs.
    pub stage: Stage,
    /// Description of the difference.
    pub detail: String,
}

/// The findings of a replay, of one part or of several in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplayReport {
    /// Number of images that were repeated.
    pub ticks: u64,
    /// Number of images that could not be repeated: before the first reset, or after a gap or a missing image
    /// until the next reset.
    pub skipped: u64,
    /// The first difference, if there is one.
    pub first_difference: Option<Difference>,
    /// Largest difference of a number of a belief or an action.
    pub largest_difference: f32,
    /// SHA-256 over all beliefs and plans of each part that had any.
    pub sums: Vec<[u8; 32]>,
    /// Sum of the times between the stamps of images that were repeated one after the other.
    pub span: Duration,
}

impl ReplayReport {
    /// Adds the findings of a later part.
    pub fn append(&mut self, later: Self) {
        self.ticks += later.ticks;
        self.skipped += later.skipped;
        if self.first_difference.is_none() {
            self.first_difference = later.first_difference;
        }
        // Not comparable stays so.
        let is_more =
            later.largest_difference.is_nan() || later.largest_difference > self.largest_difference;
        if is_more {
            self.largest_difference = later.largest_difference;
        }
        self.sums.extend(later.sums);
        self.span += later.span;
    }

    /// SHA-256 over the sums of all parts, in hexadecimal; equal decisions give an equal sum.
    #[must_use]
    pub fn decisions_sha256(&self) -> String {
        let sum = Sha256::digest(self.sums.concat());
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One image as it was repeated, for an onlooker.
pub struct Repeated<'a> {
    /// The recorded step.
    pub step: &'a Step,
    /// The mark of its image.
    pub mark: ImageMark,
    /// Pixels of the image, `[height, width, 3]`.
    pub pixels: &'a [u8],
    /// The outcome.
    pub tick: &'a Tick,
    /// The core after it.
    pub controller: &'a Controller,
}

/// A function that is told of every image that was repeated.
pub type Onlooker = Box<dyn FnMut(&Repeated<'_>) + Send>;

/// Repeats the steps of a journal, part by part. What follows a reset does not depend on what was before it,
/// so parts that begin with one can be repeated side by side, by several of these.
pub struct Replay {
    controller: Controller,
    tolerance: Option<f32>,
    /// Whether the core is in the state in which the next step was made.
    in_step: bool,
    last_stamp: Option<Time>,
    sum: Sha256,
    report: ReplayReport,
    onlooker: Option<Onlooker>,
}

impl Replay {
    /// Makes a replay with this configuration and bundle. Without a `tolerance` every number has to be the
    /// same bit for bit; with one, no number of a belief or action may differ by more.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(
        config: &Config,
        bundle: &Bundle,
        tolerance: Option<f32>,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            controller: Controller::new(config, bundle)?,
            tolerance,
            in_step: false,
            last_stamp: None,
            sum: Sha256::new(),
            report: ReplayReport::default(),
            onlooker: None,
        })
    }

    /// Tells `onlooker` of every image that is repeated.
    #[must_use]
    pub fn watched_by(mut self, onlooker: Onlooker) -> Self {
        self.onlooker = Some(onlooker);
        self
    }

    /// Columns and rows of the images that the replay takes.
    #[must_use]
    pub fn image_size(&self) -> (usize, usize) {
        self.controller.image_size()
    }

    /// Repeats one step and compares the outcome with `expected`. `pixels` are those of the image that the
    /// step names, `[height, width, 3]`, or the reason why they are not there.
    pub fn step(&mut self, step: &Step, pixels: Result<&[u8], &str>, expected: &Outcome) {
        if step.gap {
            self.in_step = false;
        }
        for event in &step.events {
            self.tell(event);
        }
        let Some(mark) = step.image else { return };
        if !self.in_step {
            self.report.skipped += 1;
            self.last_stamp = None;
            return;
        }
        let pixels = match pixels {
            Ok(pixels) => pixels,
            Err(reason) => {
                self.differs(step, &mark, Stage::Image, || reason.to_owned());
                self.report.skipped += 1;
                self.in_step = false;
                return;
            }
        };
        if ImageMark::sum(pixels) != mark.crc32c {
            self.differs(step, &mark, Stage::Image, || {
                "its pixels are not those that the controller saw".to_owned()
            });
        }
        let (width, height) = self.controller.image_size();
        let image = ImageInput {
            stamp: mark.stamp,
            width,
            height,
            pixels,
        };
        let inputs = Inputs {
            image: Some(image),
            joints: None,
        };
        let tick = self.controller.repeat(&inputs, mark.now, step.decisions);
        if let Some(onlooker) = &mut self.onlooker {
            onlooker(&Repeated {
                step,
                mark,
                pixels,
                tick: &tick,
                controller: &self.controller,
            });
        }
        let plan = self.controller.plan();
        let found = Outcome {
            observed: matches!(tick.image, Some(Ok(_))),
            belief: self.controller.belief().to_vec(),
            report: tick.plan,
            new_plan: tick.new_plan,
            actions: plan.actions.clone(),
            states_crc32c: sum_of([&plan.states, &plan.rewards]),
        };
        self.compare(step, &mark, &found, expected);
        self.digest(&mark, &found);
        if let Some(last) = self.last_stamp {
            self.report.span += mark.stamp.saturating_since(last);
        }
        self.last_stamp = Some(mark.stamp);
        self.report.ticks += 1;
    }

    /// Ends a part: the next step does not follow the last one.
    pub fn end_part(&mut self) -> ReplayReport {
        self.in_step = false;
        self.last_stamp = None;
        let sum = self.sum.finalize_reset();
        let mut report = std::mem::take(&mut self.report);
        if report.ticks > 0 {
            report.sums.push(sum.into());
        }
        report
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Reset { episode } => {
                self.controller.reset(*episode);
                self.in_step = true;
                self.last_stamp = None;
            }
            Event::Joints {
                now,
                stamp,
                positions,
                velocities,
            } => {
                let joints = JointInput {
                    stamp: *stamp,
                    positions,
                    velocities,
                };
                let inputs = Inputs {
                    image: None,
                    joints: Some(joints),
                };
                self.controller.step(&inputs, *now, &FrozenClock(*now));
            }
            Event::Sent { time, velocities } => self.controller.record_sent(*time, velocities),
            Event::Decided { .. } => {}
            Event::Regions { middles } => self.controller.move_regions(middles),
            Event::Goal { belief } => self.controller.set_goal(Some(belief)),
        }
    }

    fn compare(&mut self, step: &Step, mark: &ImageMark, found: &Outcome, expected: &Outcome) {
        let word = |taken: bool| if taken { "taken" } else { "refused" };
        if found.observed != expected.observed {
            self.differs(step, mark, Stage::Belief, || {
                format!(
                    "expected the image to be {}, it was {}",
                    word(expected.observed),
                    word(found.observed)
                )
            });
        }
        self.numbers(
            step,
            mark,
            (Stage::Belief, "belief"),
            &found.belief,
            &expected.belief,
        );
        let made = |outcome: &Outcome| if outcome.new_plan { "a" } else { "no" };
        if found.new_plan != expected.new_plan {
            self.differs(step, mark, Stage::Plan, || {
                format!(
                    "expected {} new plan, found {} one",
                    made(expected),
                    made(found)
                )
            });
        }
        if !found.new_plan || !expected.new_plan {
            return;
        }
        self.numbers(
            step,
            mark,
            (Stage::Plan, "action"),
            &found.actions,
            &expected.actions,
        );
        if self.tolerance.is_some() {
            return;
        }
        if found.report != expected.report {
            self.differs(step, mark, Stage::Plan, || {
                format!(
                    "expected the report {:?}, found {:?}",
                    expected.report, found.report
                )
            });
        }
        if found.states_crc32c != expected.states_crc32c {
            self.differs(step, mark, Stage::Plan, || {
                "the planned states or rewards are others".to_owned()
            });
        }
    }

    fn numbers(
        &mut self,
        step: &Step,
        mark: &ImageMark,
        (stage, name): (Stage, &str),
        found: &[f32],
        expected: &[f32],
    ) {
        if found.len() != expected.len() {
            self.differs(step, mark, stage, || {
                format!(
                    "expected {} numbers of the {name}, found {}",
                    expected.len(),
                    found.len()
                )
            });
            return;
        }
        for (index, (a, b)) in found.iter().zip(expected).enumerate() {
            if a.to_bits() == b.to_bits() {
                continue;
            }
            let difference = (a - b).abs();
            // Not comparable is different.
            let is_more = |limit: f32| difference.is_nan() || difference > limit;
            if is_more(self.report.largest_difference) {
                self.report.largest_difference = difference;
            }
            if self.tolerance.is_none_or(is_more) {
                self.differs(step, mark, stage, || {
                    format!("{name}[{index}]: expected {b:e}, found {a:e}")
                });
            }
        }
    }

    fn differs(
        &mut self,
        step: &Step,
        mark: &ImageMark,
        stage: Stage,
        detail: impl FnOnce() -> String,
    ) {
        if self.report.first_difference.is_none() {
            self.report.first_difference = Some(Difference {
                tick: step.number,
                stamp_ns: mark.stamp.0,
                stage,
                detail: detail(),
            });
        }
    }

    fn digest(&mut self, mark: &ImageMark, found: &Outcome) {
        let sum = &mut self.sum;
        sum.update(mark.stamp.0.to_le_bytes());
        sum.update([u8::from(found.observed), u8::from(found.new_plan)]);
        for value in &found.belief {
            sum.update(value.to_le_bytes());
        }
        if found.new_plan {
            for value in &found.actions {
                sum.update(value.to_le_bytes());
            }
            sum.update(found.states_crc32c.to_le_bytes());
        }
    }
}
