//! The ports of the runtime: images and joint states in, reports out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel;
use crossbeam::queue::ArrayQueue;

use super::goal_port::{self, GoalPort};
use super::region_port::{self, RegionPort};
use super::shared::Shared;
use crate::config::Config;
use crate::constraints::Middles;
use crate::controller::{Controller, Tick};
use crate::inputs::{ImageInput, InputCounts, InputError, JointInput, JointVec, MAX_JOINTS};
use crate::journal::{self, JournalReader, JournalWriter};
use crate::latest;
use crate::plan::{GoalSlot, Plan};
use crate::safety::frozen::Unchanged;
use crate::safety::measurement::MeasurementGate;
use crate::time::{Clock, Time};
use crate::trace::PlanTrace;

/// The outer sides of all ports, each to be given to its user.
pub struct Ports {
    /// Port of the images that come in.
    pub images: ImagePort,
    /// Port of the joint states that come in.
    pub joints: JointPort,
    /// Port of the regions to keep out of; `None` for a configuration without any.
    pub regions: Option<RegionPort>,
    /// Port of the goals; `None` for a configuration without `goal.weight`.
    pub goals: Option<GoalPort>,
    /// Port of the newest plan with its iterations.
    pub plans: latest::Reader<PlanRecord>,
    /// Port of the records of the images' steps; the oldest are dropped when nobody takes them.
    pub ticks: Arc<ArrayQueue<TickRecord>>,
    /// Port of the journal, which repeats the run; `None` with `trace.journal = false`.
    pub journal: Option<JournalReader>,
}

/// A plan with what is known about how it was made.
#[derive(Clone, Debug)]
pub struct PlanRecord {
    /// The plan.
    pub plan: Plan,
    /// Figures of its iterations.
    pub trace: PlanTrace,
    /// The belief it is based on, `[n]`.
    pub belief: Vec<f32>,
}

/// The record of one image's step.
#[derive(Clone, Debug, PartialEq)]
pub struct TickRecord {
    /// Stamp of the image.
    pub stamp: Time,
    /// Time at which the planner thread took the image.
    pub taken: Time,
    /// Time at which the step was done and the plan, if any, handed over.
    pub done: Time,
    /// Number of the newest plan.
    pub plan: u64,
    /// The report of the step.
    pub tick: Tick,
    /// Counts of all inputs so far.
    pub counts: InputCounts,
}

impl TickRecord {
    /// Time from the image's stamp to the moment at which the plan was handed over.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.done.saturating_since(self.stamp)
    }
}

/// An image on its way to the planner thread.
pub(super) struct ImageBuffer {
    /// [`Shared::beginnings`] when it came.
    pub(super) begun: u64,
    pub(super) stamp: Time,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl ImageBuffer {
    pub(super) fn input(&self) -> ImageInput<'_> {
        ImageInput {
            stamp: self.stamp,
            width: self.width,
            height: self.height,
            pixels: &self.pixels,
        }
    }
}

/// Joint states on their way to a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct JointSample {
    /// [`Shared::beginnings`] when they came.
    pub(super) begun: u64,
    pub(super) stamp: Time,
    pub(super) positions: JointVec,
    pub(super) velocities: JointVec,
}

impl JointSample {
    pub(super) fn input(&self) -> JointInput<'_> {
        JointInput {
            stamp: self.stamp,
            positions: &self.positions,
            velocities: &self.velocities,
        }
    }
}

/// What was sent to the robot, on its way to the planner thread.
pub(super) struct SentCommands {
    /// [`Shared::beginnings`] as the executor knew it then.
    pub(super) begun: u64,
    pub(super) time: Time,
    pub(super) commands: JointVec,
}

/// Where images go in: the planner thread's port, or what stands before it.
pub trait ImageIntake: Send {
    /// Takes a tightly packed rgb8 image.
    ///
    /// # Errors
    /// [`InputError`] for an image that is refused at once.
    fn send(
        &mut self,
        stamp: Time,
        width: usize,
        height: usize,
        pixels: &[u8],
    ) -> Result<(), InputError>;

    /// Columns and rows of the images that the bundle takes.
    fn size(&self) -> (usize, usize);
}

/// Where joint states go in: the port of both threads, or what stands before it.
pub trait JointIntake: Send {
    /// Takes joint states in the bundle's order: positions in rad and velocities in rad/s, one a joint.
    ///
    /// # Errors
    /// [`InputError`] for samples that are refused at once.
    fn send(
        &mut self,
        stamp: Time,
        positions: &[f64],
        velocities: &[f64],
    ) -> Result<(), InputError>;
}

/// The port through which images go in.
pub struct ImagePort {
    buffer: latest::Writer<ImageBuffer>,
    wake: channel::Sender<()>,
    width: usize,
    height: usize,
    shared: Arc<Shared>,
    unchanged: Unchanged,
}

impl ImageIntake for ImagePort {
    /// Hands a tightly packed rgb8 image to the planner thread, which takes the newest.
    ///
    /// # Errors
    /// [`InputError::ImageSize`] for an image that is not of the bundle's size.
    ///
    /// # Real-time
    /// Copies and sums the pixels; no allocation, no waiting.
    fn send(
        &mut self,
        stamp: Time,
        width: usize,
        height: usize,
        pixels: &[u8],
    ) -> Result<(), InputError> {
        let expected_bytes = self.width * self.height * 3;
        if (width, height, pixels.len()) != (self.width, self.height, expected_bytes) {
            return Err(InputError::ImageSize {
                expected_width: self.width,
                expected_height: self.height,
                expected_bytes,
                width,
                height,
                bytes: pixels.len(),
            });
        }
        let buffer = self.buffer.value_mut();
        buffer.begun = self.shared.beginnings();
        buffer.stamp = stamp;
        buffer.width = width;
        buffer.height = height;
        buffer.pixels.copy_from_slice(pixels);
        self.buffer.publish();
        let same_since = self.unchanged.since(stamp, pixels);
        (self.shared.same_since_ns).store(same_since.0, Ordering::SeqCst);
        self.shared.camera_ns.store(stamp.0, Ordering::SeqCst);
        let waits = &self.shared.waiting_ns;
        // Where one waits already, that one counts.
        let _ = waits.compare_exchange(
            0,
            self.shared.machine_ns(),
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        // A full channel means that the planner thread is awake or about to be.
        let _ = self.wake.try_send(());
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }
}

/// The port through which joint states go in.
pub struct JointPort {
    planner: Arc<ArrayQueue<JointSample>>,
    executor: latest::Writer<JointSample>,
    gate: MeasurementGate,
    clock: Arc<dyn Clock + Send + Sync>,
    shared: Arc<Shared>,
    /// Episodes and time lines that were begun at the last sample.
    begun: u64,
}

impl JointIntake for JointPort {
    /// Hands joint states, in the bundle's order, to both threads.
    ///
    /// # Errors
    /// [`InputError`] for samples that [`MeasurementGate::admit`] refuses; nothing is handed on then.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    fn send(
        &mut self,
        stamp: Time,
        positions: &[f64],
        velocities: &[f64],
    ) -> Result<(), InputError> {
        let input = JointInput {
            stamp,
            positions,
            velocities,
        };
        let begun = self.shared.beginnings();
        if begun != self.begun {
            self.begun = begun;
            self.gate.forget();
        }
        self.gate.admit(&input, self.clock.now())?;
        let vec = |values: &[f64]| {
            values
                .iter()
                .copied()
                .take(MAX_JOINTS)
                .collect::<JointVec>()
        };
        let sample = JointSample {
            begun,
            stamp,
            positions: vec(positions),
            velocities: vec(velocities),
        };
        self.executor.value_mut().clone_from(&sample);
        self.executor.publish();
        self.planner.force_push(sample);
        Ok(())
    }
}

/// Both sides of all ports.
pub(super) struct Made {
    pub(super) ports: Ports,
    pub(super) images: latest::Reader<ImageBuffer>,
    pub(super) planner_joints: Arc<ArrayQueue<JointSample>>,
    pub(super) executor_joints: latest::Reader<JointSample>,
    pub(super) plan_records: latest::Writer<PlanRecord>,
    pub(super) tick_records: Arc<ArrayQueue<TickRecord>>,
    pub(super) journal: Option<JournalWriter>,
    /// What plans shall end in, for the planner.
    pub(super) goals: latest::Reader<GoalSlot>,
    /// Where the regions are, for the planner and for the executor.
    pub(super) regions: [latest::Reader<Middles>; 2],
}

pub(super) fn make(
    config: &Config,
    controller: &Controller,
    wake: channel::Sender<()>,
    shared: &Arc<Shared>,
    clock: &Arc<dyn Clock + Send + Sync>,
) -> Made {
    let (width, height) = controller.image_size();
    let (image_writer, images) = latest::channel(|| ImageBuffer {
        begun: 0,
        stamp: Time(0),
        width,
        height,
        pixels: vec![0; width * height * 3],
    });
    let planner_joints = Arc::new(ArrayQueue::new(1024));
    let (joint_writer, executor_joints) = latest::channel(JointSample::default);
    let (plan_records, plans) = latest::channel(|| PlanRecord {
        plan: controller.empty_plan(),
        trace: PlanTrace::new(config),
        belief: vec![0.0; controller.belief().len()],
    });
    let tick_records = Arc::new(ArrayQueue::new(1024));
    let middles = (controller.constraints()).map_or_else(Middles::new, |c| c.middles());
    let (region_port, regions) = region_port::make(&middles);
    let (goal_port, goals) = goal_port::make(controller.goal_slot(), config.goal.weight as f32);
    let (journal_writer, journal_reader) = (config.trace.journal)
        .then(|| journal::pool(controller))
        .unzip();
    Made {
        ports: Ports {
            images: ImagePort {
                buffer: image_writer,
                wake,
                width,
                height,
                shared: Arc::clone(shared),
                unchanged: Unchanged::default(),
            },
            joints: JointPort {
                planner: Arc::clone(&planner_joints),
                executor: joint_writer,
                gate: controller.robot().gate(),
                clock: Arc::clone(clock),
                shared: Arc::clone(shared),
                begun: 0,
            },
            regions: (!middles.is_empty()).then_some(region_port),
            goals: (config.goal.weight > 0.0).then_some(goal_port),
            plans,
            ticks: Arc::clone(&tick_records),
            journal: journal_reader,
        },
        images,
        planner_joints,
        executor_joints,
        plan_records,
        tick_records,
        journal: journal_writer,
        goals,
        regions,
    }
}
