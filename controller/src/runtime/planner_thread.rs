//! The planner thread: waits for an image, steps the controller, hands the plan over. While it waits, it may keep a GPU
//! awake.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::{self, RecvTimeoutError};
use crossbeam::queue::ArrayQueue;

use super::Shared;
use super::dump_thread::DumpPort;
use super::ports::{ImageBuffer, JointSample, PlanRecord, TickRecord};
use crate::config::LiveSettings;
use crate::controller::Controller;
use crate::inputs::{InputCounts, Inputs, JointVec};
use crate::journal::{Event, JournalWriter};
use crate::keep_alive::KeepAlive;
use crate::latest;
use crate::plan::Plan;
use crate::time::{Clock, Time};

pub(super) struct PlannerThread {
    pub(super) shared: Arc<Shared>,
    pub(super) controller: Controller,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    pub(super) woken: channel::Receiver<()>,
    pub(super) live: latest::Reader<LiveSettings>,
    pub(super) images: latest::Reader<ImageBuffer>,
    pub(super) joints: Arc<ArrayQueue<JointSample>>,
    pub(super) sent: Arc<ArrayQueue<(Time, JointVec)>>,
    pub(super) plans: latest::Writer<Plan>,
    pub(super) plan_ready: channel::Sender<()>,
    pub(super) plan_records: latest::Writer<PlanRecord>,
    pub(super) tick_records: Arc<ArrayQueue<TickRecord>>,
    pub(super) dumps: Option<DumpPort>,
    pub(super) journal: Option<JournalWriter>,
}

impl PlannerThread {
    pub(super) fn run(mut self) -> InputCounts {
        let mut episode = 0;
        self.note(|| Event::Reset { episode });
        let mut keep_alive = self.controller.take_keep_alive();
        while self.wait(&mut keep_alive) && !self.shared.stopping.load(Ordering::SeqCst) {
            let newest = self.shared.episodes.load(Ordering::SeqCst);
            if newest != episode {
                episode = newest;
                self.begin_episode(episode);
            }
            if self.live.update() {
                self.controller.set_budget(self.live.value().budget);
            }
            self.take_joints();
            while let Some((time, velocities)) = self.sent.pop() {
                self.controller.record_sent(time, &velocities);
                self.note(|| Event::Sent { time, velocities });
            }
            if self.images.update() && self.shared.active.load(Ordering::SeqCst) {
                self.step();
            }
        }
        *self.controller.counts()
    }

    /// Waits until there is something to do; false when there never will be.
    fn wait(&self, keep_alive: &mut Option<KeepAlive>) -> bool {
        while let Some(idle) = keep_alive {
            match self.woken.recv_timeout(idle.every()) {
                Ok(()) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
            match idle.run() {
                Ok(()) => {
                    self.shared.keep_alive_runs.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    // The next plan will meet the same failure and is what decides on the robot.
                    tracing::error!(%error, "keeping the GPU awake failed and is given up");
                    *keep_alive = None;
                }
            }
        }
        self.woken.recv().is_ok()
    }

    /// Also takes the plan away from the executor, so that nothing of the old episode is followed.
    fn begin_episode(&mut self, episode: u64) {
        self.controller.reset(episode);
        self.note(|| Event::Reset { episode });
        self.hand_over_plan();
    }

    fn take_joints(&mut self) {
        let now = self.clock.now();
        while let Some(sample) = self.joints.pop() {
            let inputs = Inputs {
                image: None,
                joints: Some(sample.input()),
            };
            // Refusals are counted by the controller and seen in the next record.
            self.controller.step(&inputs, now, self.clock.as_ref());
            self.note(|| Event::Joints {
                now,
                stamp: sample.stamp,
                positions: sample.positions,
                velocities: sample.velocities,
            });
        }
    }

    fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(journal) = &mut self.journal {
            journal.event(event());
        }
    }

    fn step(&mut self) {
        let taken = self.clock.now();
        let image = self.images.value();
        let inputs = Inputs {
            image: Some(image.input()),
            joints: None,
        };
        let tick = self.controller.step(&inputs, taken, self.clock.as_ref());
        let stamp = image.stamp;
        let new_plan = tick.new_plan;
        if new_plan {
            self.hand_over_plan();
        }
        let done = self.clock.now();
        if new_plan {
            let record = self.plan_records.value_mut();
            record.plan.copy_from(self.controller.plan());
            record.trace.copy_from(self.controller.trace());
            record.belief.copy_from_slice(self.controller.belief());
            self.plan_records.publish();
        }
        if let Some(dumps) = &mut self.dumps {
            dumps.take(&tick, &self.controller);
        }
        if let Some(journal) = &mut self.journal {
            let image = self.images.value();
            journal.image(&image.input(), taken, &tick, &self.controller);
        }
        self.tick_records.force_push(TickRecord {
            stamp,
            taken,
            done,
            plan: self.controller.plan().number,
            tick,
            counts: *self.controller.counts(),
        });
    }

    fn hand_over_plan(&mut self) {
        self.plans.value_mut().copy_from(self.controller.plan());
        self.plans.publish();
        // A full channel means that the executor is about to look.
        let _ = self.plan_ready.try_send(());
    }
}
