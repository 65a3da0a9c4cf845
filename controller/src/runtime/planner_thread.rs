//! The planner thread: waits for an image, steps the controller, hands the plan over. While it waits, it may keep a GPU
//! awake, and it prepares for the next image shortly before that is due.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::{self as channel, RecvTimeoutError};
use crossbeam::queue::ArrayQueue;

use super::dump_thread::DumpPort;
use super::ports::{ImageBuffer, JointSample, PlanRecord, SentCommands, TickRecord};
use super::shared::Shared;
use crate::config::LiveSettings;
use crate::constraints::Middles;
use crate::controller::Controller;
use crate::inputs::{InputCounts, Inputs};
use crate::journal::{Event, JournalWriter};
use crate::keep_alive::KeepAlive;
use crate::latest;
use crate::plan::{GoalSlot, Plan};
use crate::priority;
use crate::safety::Decision;
use crate::time::{Clock, Time};

/// Time before the next image is expected at which the `observe` graph is run and its result dropped, so that the belief does not
/// begin with weights that have left the processor's caches meanwhile: several times as long as that takes.
const WARM_BEFORE: Duration = Duration::from_millis(4);

pub(super) struct PlannerThread {
    pub(super) shared: Arc<Shared>,
    pub(super) controller: Controller,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    pub(super) woken: channel::Receiver<()>,
    pub(super) live: latest::Reader<LiveSettings>,
    pub(super) images: latest::Reader<ImageBuffer>,
    pub(super) joints: Arc<ArrayQueue<JointSample>>,
    pub(super) sent: Arc<ArrayQueue<SentCommands>>,
    /// Queue of what the executor decided about faults.
    pub(super) decisions: Arc<ArrayQueue<(Time, Decision)>>,
    pub(super) plans: latest::Writer<Plan>,
    pub(super) plan_ready: channel::Sender<()>,
    pub(super) plan_records: latest::Writer<PlanRecord>,
    pub(super) tick_records: Arc<ArrayQueue<TickRecord>>,
    pub(super) dumps: Option<DumpPort>,
    pub(super) journal: Option<JournalWriter>,
    /// Whether the belief of an image is prepared before it is expected.
    pub(super) warms: bool,
    /// Time at which that is to be done next.
    pub(super) warm_at: Option<Instant>,
    /// Number of the clock's time line that the belief is of.
    pub(super) timeline: u64,
    /// Where the regions are that plans keep out of.
    pub(super) regions: latest::Reader<Middles>,
    /// What plans shall end in.
    pub(super) goals: latest::Reader<GoalSlot>,
}

impl PlannerThread {
    pub(super) fn run(mut self) -> InputCounts {
        priority::raise();
        let mut episode = 0;
        self.note_reset(episode);
        let mut keep_alive = self.controller.take_keep_alive();
        while self.wait(&mut keep_alive) && !self.shared.stopping.load(Ordering::SeqCst) {
            let newest = self.shared.episodes.load(Ordering::SeqCst);
            let timeline = self.shared.timeline.load(Ordering::SeqCst);
            if timeline != self.timeline {
                let jumped_ms = self.shared.jumped_ms.load(Ordering::SeqCst);
                tracing::warn!(jumped_ms, "the clock jumped: belief and plan begin anew");
            }
            if newest != episode || timeline != self.timeline {
                (episode, self.timeline) = (newest, timeline);
                self.begin_episode(episode);
            }
            if self.live.update() {
                self.controller.set_budget(self.live.value().budget);
            }
            if self.regions.update() {
                self.controller.move_regions(self.regions.value());
                self.note_regions();
            }
            if self.goals.update() {
                let goal = self.goals.value().get();
                self.controller.set_goal(goal.map(|goal| &*goal.belief));
                self.note_goal();
            }
            let begun = episode + self.timeline;
            self.take_joints(begun);
            self.take_sent(begun);
            while let Some((time, decision)) = self.decisions.pop() {
                self.note(|| Event::decided(time, decision));
            }
            let is_new = self.images.update() && self.images.value().begun >= begun;
            if is_new && self.shared.active.load(Ordering::SeqCst) {
                self.step();
            }
            self.shared.waiting_ns.store(0, Ordering::SeqCst);
        }
        *self.controller.counts()
    }

    /// Waits until there is something to do; returns false when there never will be.
    fn wait(&mut self, keep_alive: &mut Option<KeepAlive>) -> bool {
        loop {
            let idle_until = keep_alive.as_ref().map(|k| Instant::now() + k.every());
            let Some(until) = idle_until.into_iter().chain(self.warm_at).min() else {
                return self.woken.recv().is_ok();
            };
            match self.woken.recv_deadline(until) {
                Ok(()) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.warm_at == Some(until) {
                self.warm();
                continue;
            }
            let Some(Err(error)) = keep_alive.as_mut().map(KeepAlive::run) else {
                self.shared.keep_alive_runs.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            // The next plan will meet the same failure and is what decides on the robot.
            tracing::error!(%error, "keeping the GPU awake failed and is given up");
            *keep_alive = None;
        }
    }

    /// Prepares for the image that is expected, if it is not late already.
    fn warm(&mut self) {
        let Some(at) = self.warm_at.take() else {
            return;
        };
        if at.elapsed() > WARM_BEFORE {
            return;
        }
        match self.controller.warm() {
            Ok(()) => {
                self.shared.warm_ups.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                // The image will meet the same failure.
                tracing::error!(%error, "preparing for an image failed and is given up");
                self.warms = false;
            }
        }
    }

    /// Begins an episode, and takes the plan away from the executor, so that nothing of the old episode is
    /// followed.
    fn begin_episode(&mut self, episode: u64) {
        self.controller.reset(episode);
        self.note_surprise();
        self.note_reset(episode);
        self.hand_over_plan();
    }

    /// Notes that everything is forgotten but where the regions are and what the goal is: a replay that begins here does not know
    /// of them.
    fn note_reset(&mut self, episode: u64) {
        self.note(|| Event::Reset { episode });
        self.note_regions();
        self.note_goal();
    }

    /// Notes the goal, for which memory is allocated where there is one.
    fn note_goal(&mut self) {
        let belief = self.controller.goal().map(|goal| goal.belief.clone());
        if let Some(belief) = belief {
            self.note(|| Event::Goal { belief });
        }
    }

    fn note_regions(&mut self) {
        let middles = self.regions.value().clone();
        if !middles.is_empty() {
            self.note(|| Event::Regions { middles });
        }
    }

    /// Takes what was sent to the robot since the beginning `begun`.
    fn take_sent(&mut self, begun: u64) {
        while let Some(sent) = self.sent.pop() {
            if sent.begun < begun {
                continue;
            }
            self.controller.record_sent(sent.time, &sent.commands);
            self.note(|| Event::Sent {
                time: sent.time,
                velocities: sent.commands,
            });
        }
    }

    /// Takes the joint states that waited. Those from before the beginning `begun` are left: a robot may be put elsewhere between
    /// two episodes, and what it then measures could not be believed beside them.
    fn take_joints(&mut self, begun: u64) {
        let now = self.clock.now();
        while let Some(sample) = self.joints.pop() {
            if sample.begun < begun {
                continue;
            }
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
        let arrived = Instant::now();
        let taken = self.clock.now();
        let image = self.images.value();
        let inputs = Inputs {
            image: Some(image.input()),
            joints: None,
        };
        let tick = self.controller.step(&inputs, taken, self.clock.as_ref());
        let stamp = image.stamp;
        let new_plan = tick.new_plan;
        self.note_surprise();
        if matches!(tick.image, Some(Ok(_))) {
            if self.shared.timeline.load(Ordering::SeqCst) == self.timeline {
                self.shared.image_ns.store(stamp.0, Ordering::SeqCst);
            }
            let period = self.controller.period();
            self.warm_at = (self.warms).then(|| arrived + period.saturating_sub(WARM_BEFORE));
        }
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

    /// Tells the executor what the newest images ask for.
    fn note_surprise(&self) {
        let surprise = self.controller.surprise() as u8;
        self.shared.surprise.store(surprise, Ordering::SeqCst);
    }

    fn hand_over_plan(&mut self) {
        let plan = self.plans.value_mut();
        plan.copy_from(self.controller.plan());
        plan.timeline = self.timeline;
        self.plans.publish();
        // A full channel means that the executor is about to look.
        let _ = self.plan_ready.try_send(());
    }
}
