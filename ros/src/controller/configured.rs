//! What there is between `configure` and `cleanup`: bundle, threads, and the topics that need them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use crossbeam::channel::{Receiver, bounded};
use latco_bag::messages::{Float64MultiArray, Image, JointState};
use latco_controller::inputs::InputError;
use latco_controller::runtime::{
    CommandSink, ImageIntake, JointIntake, PlanRecord, Ports, Runtime, TickRecord,
};
use latco_controller::safety::StopLatch;
use latco_controller::time::Clock;
use latco_controller::{Config, Decorator};
use latco_models::Bundle;

use super::camera::CameraInbox;
use super::diagnostics::Recent;
use super::goal_image;
use super::imagined::Imagined;
use super::intake::{Counters, Joints};
use super::journal::JournalTopic;
use super::keep_out;
use super::load::Loaded;
use super::ros_clock::RosClock;
use super::sink::{CommandOutbox, MotionStatus, Sink};
use super::status::{FEW_PLANS, GoalFigures, RunSummary, SurpriseFigures};
use super::topics;
use super::trace::{PlanTraced, RunTrace, TickTrace};
use crate::middleware::peers::Peers;
use crate::middleware::{Group, NodeBuilder, NodeIdentity, Outbox, Published, RunningNode, qos};

/// A configured controller, inactive at first.
pub(super) struct Configured {
    /// The bundle, which is freed last.
    bundle: Bundle,
    group: Option<Group>,
    /// The threads of the controller; `None` once they have ended.
    runtime: Option<Runtime>,
    /// Whether images and joint states are handed on.
    open: Arc<AtomicBool>,
    plan_records: latco_controller::latest::Reader<PlanRecord>,
    ticks: Arc<crossbeam::queue::ArrayQueue<TickRecord>>,
    published: Receiver<Published>,
    commands: CommandOutbox,
    plans: Outbox<Float64MultiArray>,
    imagined: Option<Imagined>,
    journal: Option<JournalTopic>,
    motion: Arc<MotionStatus>,
    clock: Arc<RosClock>,
    config: Config,
    counters: Arc<Counters>,
    recent: Recent,
    trace: RunTrace,
    keep_states: bool,
    scale: Vec<f64>,
    /// Whether the commands are twists.
    is_twist: bool,
    /// Time from an image's stamp to the first new action of its plan, in ns.
    lead_ns: i64,
    episode: Option<i64>,
    /// Times at which the present episode and the one before began, in ns: an image from before the former
    /// belongs to the latter.
    episode_began_ns: i64,
    previous_episode: Option<i64>,
    first_words: bool,
    decorator: Option<Arc<dyn Decorator>>,
}

impl Configured {
    /// Adds the topics to the node and starts the threads.
    ///
    /// # Errors
    /// An error when the configuration's output is not possible with the bundle, a name is wrong, or the
    /// system gives no thread.
    pub(super) fn start(
        node: &mut RunningNode,
        loaded: Loaded,
        counters: &Arc<Counters>,
        estop: &StopLatch,
        use_sim_time: bool,
        keep_states: bool,
    ) -> anyhow::Result<Self> {
        let (mut work, group) = node
            .extend(|node| Self::add(node, loaded, counters, estop, use_sim_time, keep_states))?;
        work.group = Some(group);
        Ok(work)
    }

    fn add(
        node: &mut NodeBuilder,
        loaded: Loaded,
        counters: &Arc<Counters>,
        estop: &StopLatch,
        use_sim_time: bool,
        keep_states: bool,
    ) -> anyhow::Result<Self> {
        let Loaded {
            config,
            bundle,
            controller,
            decode,
            decorator,
            goals: goal_pictures,
        } = loaded;
        let planner = controller.planner_name();
        let joints = controller.robot().names().to_vec();
        let commands = topics::command_outbox(node, &config, &controller)?;
        let plans = node.publisher::<Float64MultiArray>("~/plan", qos::commands(), 4)?;
        let imagined = match decode {
            Some(decode) => {
                let outbox = node.publisher::<Image>("~/imagined/image", qos::images(), 2)?;
                Some(Imagined::start(&bundle, decode, outbox)?)
            }
            None => None,
        };
        let journal_topic = JournalTopic::new(node, &config, &bundle)?;
        let motion = Arc::new(MotionStatus::default());
        let (published_sender, published) = bounded(1024);
        let mut sink: Box<dyn CommandSink> = Box::new(Sink::new(
            commands.clone(),
            motion.clone(),
            published_sender,
        ));
        let robot = controller.robot();
        let scale: Vec<f64> = robot.axes().iter().map(|axis| axis.command(1.0)).collect();
        let is_twist = !topics::twist_axes(robot).is_empty();
        let lead = i64::from(config.control.lead_periods);
        let period_ns = i64::try_from(controller.period().as_nanos()).unwrap_or(i64::MAX);
        let state_size = controller.empty_plan().state_size();

        let clock = RosClock::new(node, use_sim_time)?;
        let mut core_clock: Arc<dyn Clock + Send + Sync> = clock.clone();
        if let Some(decorator) = &decorator {
            sink = decorator.sink(sink);
            core_clock = decorator.clock(core_clock);
        }
        let (runtime, ports) =
            Runtime::start_with(&config, controller, core_clock, sink, estop.clone())
                .context("the controller's threads")?;
        runtime.set_active(false);
        let Ports {
            images,
            joints: joint_port,
            regions,
            goals,
            plans: plan_records,
            ticks,
            journal,
        } = ports;

        if let Some(port) = regions {
            keep_out::listen(node, port, counters.clone())?;
        }
        if let Some((port, pictures)) = goals.zip(goal_pictures) {
            goal_image::listen(node, port, pictures, counters.clone())?;
        }
        let mut images: Box<dyn ImageIntake> = Box::new(images);
        let mut joint_port: Box<dyn JointIntake> = Box::new(joint_port);
        if let Some(decorator) = &decorator {
            images = decorator.images(images);
            joint_port = decorator.joints(joint_port);
        }
        let open = Arc::new(AtomicBool::new(false));
        CameraInbox::start(images, open.clone(), clock.clone(), counters.clone())?
            .listen(node, &config.topics)?;
        if !joints.is_empty() {
            let mut intake = Joints::new(
                joint_port,
                &joints,
                config.timeouts.joints_ms,
                open.clone(),
                clock.clone(),
                counters.clone(),
            );
            node.subscribe::<JointState>(
                &config.topics.joint_states,
                qos::sensors(10),
                move |m| intake.take(m),
            )?;
        }
        Ok(Self {
            group: None,
            runtime: Some(runtime),
            open,
            plan_records,
            ticks,
            published,
            commands,
            plans,
            imagined,
            journal: journal.map(journal_topic),
            motion,
            clock,
            counters: counters.clone(),
            recent: Recent::default(),
            trace: RunTrace::new(&config.bundle.path, planner, period_ns, state_size),
            keep_states,
            scale,
            is_twist,
            lead_ns: lead * period_ns,
            episode: None,
            episode_began_ns: i64::MIN,
            previous_episode: None,
            first_words: true,
            decorator,
            config,
            bundle,
        })
    }

    pub(super) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    pub(super) fn motion(&self) -> &MotionStatus {
        &self.motion
    }

    pub(super) fn clock(&self) -> &RosClock {
        &self.clock
    }

    pub(super) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Takes over the settings that may change while it runs.
    pub(super) fn set_live(&mut self, config: &Config) {
        if let Some(runtime) = &mut self.runtime {
            runtime.set_live(config);
        }
    }

    /// The publishers of images and of joint states, and the subscriptions of the commands.
    pub(super) fn peers(&self, node: &RunningNode, identity: &NodeIdentity) -> [Peers; 5] {
        topics::peers(node, identity, &self.config, self.is_twist)
    }

    pub(super) fn trace(&self) -> &RunTrace {
        &self.trace
    }

    /// Makes the controller plan and move, or brake to rest and hold.
    pub(super) fn set_active(&self, active: bool) {
        self.open.store(active, Ordering::SeqCst);
        if let Some(runtime) = &self.runtime {
            runtime.set_active(active);
        }
        if let Some(decorator) = self.decorator.as_ref().filter(|_| active) {
            decorator.begin();
        }
    }

    /// Whether the robot has come to rest after the controller was made inactive.
    pub(super) fn is_at_rest(&self) -> bool {
        self.runtime.as_ref().is_none_or(Runtime::is_at_rest)
    }

    /// Whether the controller's threads run.
    pub(super) fn is_alive(&self) -> bool {
        self.runtime.as_ref().is_none_or(Runtime::is_alive)
    }

    /// A person makes the controller forget belief and plan, and releases what is latched but the emergency stop.
    pub(super) fn reset(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.reset();
        }
    }

    /// Time since the executor's last set-point, where it should make some.
    pub(super) fn executor_silence(&self) -> Option<Duration> {
        self.runtime.as_ref().and_then(Runtime::executor_silence)
    }

    /// Begins the episode that was announced.
    pub(super) fn begin_episode(&mut self, episode: i64, summary: &mut RunSummary) {
        self.poll(summary);
        if let Some(runtime) = &self.runtime {
            runtime.new_episode();
        }
        self.previous_episode = self.episode.replace(episode);
        // A mark may come a little after the image that it belongs to.
        self.episode_began_ns = self.clock.now().0 - self.trace.period_ns / 2;
    }

    /// Takes what the planner thread noted.
    pub(super) fn poll(&mut self, summary: &mut RunSummary) {
        let newer = self.plan_records.update();
        while let Some(record) = self.ticks.pop() {
            self.note(&record, summary);
        }
        if newer {
            let plan = &self.plan_records.value().plan;
            self.plans.send(topics::plan_message(plan, &self.scale));
            if let Some(imagined) = &mut self.imagined {
                imagined.show(plan.stamp.0, &plan.states);
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.publish();
        }
        let ahead_ns = self.clock.ahead_ns();
        for published in self.published.try_iter() {
            if let Ok(number) = u64::try_from(published.id) {
                let at_ns = published.at_ns.saturating_add(ahead_ns);
                self.trace.command_sent(number, at_ns);
                self.recent.commanded(number, at_ns);
            }
        }
    }

    fn note(&mut self, record: &TickRecord, summary: &mut RunSummary) {
        if let Some(Err(error)) = &record.tick.image {
            tracing::debug!(%error, "an image was not used");
            // One between two model steps is no fault.
            if !matches!(error, InputError::NotDue { .. }) {
                self.counters.belief_refused(&error.to_string());
            }
        }
        let Some(Ok(observed)) = &record.tick.image else {
            return;
        };
        summary.surprise = SurpriseFigures::after(
            summary.surprise.as_ref(),
            (&self.config, self.bundle.manifest()),
            observed.surprise,
            record.tick.surprise,
        );
        summary.goal = record.tick.goal_distance.map(|distance| {
            let figures = GoalFigures::after(summary.goal, distance);
            if figures.reached && !summary.goal.is_some_and(|before| before.reached) {
                tracing::info!(distance, "the goal is reached, as far as the model sees");
            }
            figures
        });
        let plan = record.tick.plan.map(|report| {
            summary.plans += 1;
            *summary.stop_causes.entry(report.stop.name()).or_default() += 1;
            summary.failed_plans += u64::from(!report.stop.was_successful());
            summary.plans_without_iteration += u64::from(report.iterations == 0);
            if summary.plans == FEW_PLANS
                && let Some(text) = summary.no_iteration()
            {
                tracing::warn!("{text}");
            }
            let missed =
                record.done.0 > record.stamp.0.saturating_add(self.lead_ns) && self.lead_ns > 0;
            summary.deadline_misses += u64::from(missed);
            let plan_ms = record.tick.plan_time.as_secs_f64() * 1e3;
            self.recent.planned(record.plan, record.stamp.0, plan_ms);
            let known = self.plan_records.value();
            let same = known.plan.number == record.plan && record.tick.new_plan;
            PlanTraced {
                number: record.plan,
                plan_ms,
                ready_ns: record.done.0,
                missed,
                report,
                iterations: if same {
                    known.trace.iterations().to_vec()
                } else {
                    Vec::new()
                },
                states: if same && self.keep_states {
                    known.plan.states.clone()
                } else {
                    Vec::new()
                },
                command_sent_ns: None,
            }
        });
        if self.first_words && plan.is_some() {
            self.first_words = false;
            tracing::info!("the first plan is made");
        }
        self.trace.push(TickTrace {
            episode: if record.stamp.0 >= self.episode_began_ns {
                self.episode
            } else {
                self.previous_episode
            },
            stamp_ns: record.stamp.0,
            received_ns: record.taken.0,
            belief_ms: record.tick.belief_time.as_secs_f64() * 1e3,
            plan,
        });
    }

    /// Puts the counts of this work so far on top of `before`.
    pub(super) fn count(&self, before: &RunSummary, summary: &mut RunSummary) {
        summary.commands_sent = before.commands_sent + self.commands.sent();
        summary.commands_lost = before.commands_lost + self.commands.lost();
        summary.limited = before.limited + self.motion.limited();
        if let Some(runtime) = &self.runtime {
            summary.late_ticks = before.late_ticks + runtime.late_ticks();
            summary.clock_jumps = before.clock_jumps + runtime.clock_jumps();
            summary.executor_refused = before.executor_refused + runtime.refused_joints();
            let [refused, saturated, jumps] = runtime.plan_findings();
            summary.plans_refused = before.plans_refused + refused;
            summary.plans_saturated = before.plans_saturated + saturated;
            summary.plan_jumps = before.plan_jumps + jumps;
            summary.keep_alive_runs = before.keep_alive_runs + runtime.keep_alive_runs();
        }
    }

    /// Brakes to rest and ends the threads. The last commands still leave through the publisher thread.
    pub(super) fn stop(&mut self, summary: &mut RunSummary) {
        self.open.store(false, Ordering::SeqCst);
        if let Some(runtime) = self.runtime.take() {
            runtime.stop();
        }
        self.poll(summary);
    }

    /// The topics of the work, to be taken down.
    pub(super) fn take_group(&mut self) -> Option<Group> {
        self.group.take()
    }
}
