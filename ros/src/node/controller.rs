//! The controller as a node.
//!
//! ```text
//!  camera, joint_states ─▶ reactor thread: checks (intake) ─▶ ports ─▶ planner thread ─▶ plan ─▶ executor thread
//!  commands or joint_trajectory ◀─ publisher thread ◀─ Outbox ◀─ Sink ◀──────────────────────────────┘
//!  episode, ~/reset, ~/estop ─▶ requests ─▶ this thread ─▶ Runtime        ~/plan, ~/status ◀─ this thread
//! ```
//!
//! Nothing is decided here.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam::channel::{Receiver, Sender, bounded, never, tick};
use latco_bag::messages::{
    DiagnosticStatus, Float64MultiArray, Image, Int64, JointState, MultiArrayDimension,
    MultiArrayLayout,
};
use latco_controller::config::OutputKind;
use latco_controller::runtime::{Ports, Runtime, TickRecord};
use latco_controller::time::MonotonicClock;
use latco_controller::{Config, Controller, Rehearsal};
use latco_models::Bundle;

use super::camera::CameraInbox;
use super::imagined::Imagined;
use super::intake::{Counters, Joints};
use super::journal::JournalTopic;
use super::outbox::Published;
use super::sink::{CommandOutbox, Doing, Sink, trajectory_message, velocities_message};
use super::status::{State, status};
use super::trace::{PlanTraced, RunTrace, TickTrace, quantile};
use super::{
    Network, NodeBuilder, NodeError, Outbox, RunningNode, Services, Stop, TriggerReply,
    middleware_alive, qos,
};

use crate::arguments::Place;

pub use super::status::RunSummary;

/// How often records of the planner are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often the heartbeat goes out.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// How often the middleware's threads are looked for.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// Time for the last messages to leave before the middleware is taken down.
const LINGER: Duration = Duration::from_millis(100);

/// How a controller node is run.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Where it talks.
    pub network: Network,
    /// Its name, and what its topics and services are called.
    pub place: Place,
    /// Its configuration.
    pub config: Config,
    /// Where to keep what was decided.
    pub trace: Option<PathBuf>,
    /// Publish `~/imagined/image`.
    pub imagined: bool,
}

/// Why a controller node ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ControllerFault {
    /// A thread of the runtime is gone.
    #[error(
        "the planner or executor thread ended: the robot was stopped; see the log for its panic"
    )]
    ThreadDied,
    /// The middleware's threads are gone.
    #[error(
        "the DDS threads of this process ended (a debugger or SIGSTOP does that): nothing arrives any more; restart the \
         controller"
    )]
    MiddlewareDied,
}

enum Request {
    Estop,
    Reset,
    Episode(i64),
}

/// Runs the node until a stop is asked for; the robot is then braked to rest, and the last status published.
///
/// # Errors
/// [`ControllerFault`] inside when the node stopped by itself; otherwise the node could not be made, or the trace not
/// written.
pub fn run(
    bundle: &Bundle,
    options: &ControllerOptions,
    stop: &Stop,
) -> anyhow::Result<RunSummary> {
    let config = &options.config;
    if let Some(rehearsal) = Rehearsal::of_stand_in(config, bundle)? {
        tracing::warn!(
            provider = %rehearsal.provider,
            plan_ms = rehearsal.median_ms,
            allowed_ms = rehearsal.allowed_ms,
            "stands in for the preferred providers, fast enough"
        );
    }
    let controller = Controller::new(config, bundle)?;
    let mut node = NodeBuilder::open_at(options.network, options.place.clone())?;
    let name = node.node().fully_qualified_name();
    let planner = controller.planner_name().to_owned();
    let joints = controller.robot().names().to_vec();

    let commands = command_outbox(&mut node, config, &controller)?;
    let plans = node.publisher::<Float64MultiArray>("~/plan", qos::commands(), 4)?;
    let heartbeat = node.publisher::<DiagnosticStatus>("~/status", qos::commands(), 4)?;
    let imagined = if options.imagined {
        let outbox = node.publisher::<Image>("~/imagined/image", qos::images(), 2)?;
        Some(Imagined::start(bundle, outbox)?)
    } else {
        None
    };
    let journal_topic = JournalTopic::new(&mut node, config, bundle)?;
    let doing = Arc::new(Doing::default());
    let counters = Arc::new(Counters::default());
    let (published_sender, published) = bounded(1024);
    let sink = Sink::new(commands.clone(), doing.clone(), published_sender);
    let scale: Vec<f64> = (0..controller.robot().joints())
        .map(|j| controller.robot().action_scale(j))
        .collect();
    let lead = i64::from(config.control.lead_periods);
    let period_ns = i64::try_from(controller.period().as_nanos()).unwrap_or(i64::MAX);
    let state_size = controller.empty_plan().state_size();

    let clock = Arc::new(MonotonicClock::system());
    let (runtime, ports) = Runtime::start(config, controller, clock, Box::new(sink))
        .context("the controller's threads")?;
    let Ports {
        images,
        joints: joint_port,
        plans: plan_records,
        ticks,
        journal,
    } = ports;

    CameraInbox::start(images, counters.clone())?.listen(&mut node, &config.topics)?;
    if !joints.is_empty() {
        let mut intake = Joints::new(joint_port, &joints, counters.clone());
        node.subscribe::<JointState>(&config.topics.joint_states, qos::sensors(10), move |m| {
            intake.take(m)
        })?;
    }
    let requests = serve(&mut node)?;
    let node = node.start()?;
    tracing::info!(
        node = %name,
        domain = options.network.domain,
        localhost = options.network.localhost,
        services = Services::from_environment().name(),
        bundle = %config.bundle.path,
        provider = %bundle.provider(),
        %planner,
        "waiting for images"
    );

    let trace = RunTrace::new(&config.bundle.path, &planner, period_ns, state_size);
    let mut reporter = Reporter {
        name,
        hardware: bundle.manifest().task.clone(),
        runtime: Some(runtime),
        plan_records,
        ticks,
        published,
        commands,
        plans,
        imagined,
        journal: journal.map(journal_topic),
        heartbeat,
        doing,
        counters,
        summary: RunSummary {
            planner,
            provider: bundle.provider().to_string(),
            providers_declined: bundle.declined().to_vec(),
            ..RunSummary::default()
        },
        trace,
        keep_states: options.trace.is_some(),
        scale,
        lead_ns: lead * period_ns,
        episode: None,
        episode_began_ns: i64::MIN,
        previous_episode: None,
        first_words: true,
    };
    let fault = reporter.watch(&requests, stop);
    reporter.end(node, options, fault)
}

fn command_outbox(
    node: &mut NodeBuilder,
    config: &Config,
    controller: &Controller,
) -> Result<CommandOutbox, NodeError> {
    match config.control.output {
        OutputKind::Commands => {
            let topic = &config.topics.commands;
            Ok(CommandOutbox::Velocities(node.publisher_of(
                topic,
                qos::commands(),
                64,
                velocities_message,
            )?))
        }
        OutputKind::JointTrajectory => {
            if controller.robot().names().is_empty() {
                return Err(NodeError::NoJoints);
            }
            let topic = &config.topics.joint_trajectory;
            let outbox = node.publisher_of(topic, qos::commands(), 8, trajectory_message)?;
            let steps = controller.empty_plan().steps();
            Ok(CommandOutbox::trajectories(
                outbox,
                controller.robot().names(),
                steps,
            ))
        }
    }
}

fn serve(node: &mut NodeBuilder) -> Result<Receiver<Request>, NodeError> {
    let (sender, requests) = bounded(64);
    let reply = |sender: &Sender<Request>, request, done: &str| match sender.try_send(request) {
        Ok(()) => TriggerReply {
            success: true,
            message: done.into(),
        },
        Err(_) => TriggerReply {
            success: false,
            message: "the node is busy; call again".into(),
        },
    };
    let estop = sender.clone();
    node.serve_trigger("~/estop", move || {
        reply(
            &estop,
            Request::Estop,
            "emergency stop latched; ~/reset releases it",
        )
    })?;
    let reset = sender.clone();
    node.serve_trigger("~/reset", move || {
        reply(
            &reset,
            Request::Reset,
            "belief and plan forgotten, stop released",
        )
    })?;
    node.subscribe::<Int64>("episode", qos::commands(), move |message| {
        if let Some(message) = message {
            let _ = sender.try_send(Request::Episode(message.data));
        }
    })?;
    Ok(requests)
}

struct Reporter {
    name: String,
    hardware: String,
    /// Until the end.
    runtime: Option<Runtime>,
    plan_records: latco_controller::latest::Reader<latco_controller::runtime::PlanRecord>,
    ticks: Arc<crossbeam::queue::ArrayQueue<TickRecord>>,
    published: Receiver<Published>,
    commands: CommandOutbox,
    plans: Outbox<Float64MultiArray>,
    imagined: Option<Imagined>,
    journal: Option<JournalTopic>,
    heartbeat: Outbox<DiagnosticStatus>,
    doing: Arc<Doing>,
    counters: Arc<Counters>,
    summary: RunSummary,
    trace: RunTrace,
    keep_states: bool,
    scale: Vec<f64>,
    /// From an image's stamp to the first new action of its plan, ns.
    lead_ns: i64,
    episode: Option<i64>,
    /// When it began, ns, and the one before: an image from before belongs to that.
    episode_began_ns: i64,
    previous_episode: Option<i64>,
    first_words: bool,
}

impl Reporter {
    /// Until a stop is asked for, or a fault.
    fn watch(&mut self, requests: &Receiver<Request>, stop: &Stop) -> Option<ControllerFault> {
        let look = tick(LOOK_EVERY);
        let beat = tick(STATUS_EVERY);
        let watch = tick(WATCH_EVERY);
        let requests = requests.clone();
        let never = never::<Request>();
        let mut requests = &requests;
        while !stop.is_requested() {
            crossbeam::select! {
                recv(requests) -> request => match request {
                    Ok(request) => self.obey(&request),
                    Err(_) => requests = &never,
                },
                recv(look) -> _ => self.look(),
                recv(beat) -> _ => self.beat(None),
                recv(watch) -> _ => {
                    if !self.runtime.as_ref().is_some_and(Runtime::is_alive) {
                        return Some(ControllerFault::ThreadDied);
                    }
                    if !middleware_alive() {
                        return Some(ControllerFault::MiddlewareDied);
                    }
                }
                recv(stop.channel()) -> _ => {}
            }
        }
        None
    }

    fn obey(&mut self, request: &Request) {
        if matches!(request, Request::Episode(_)) {
            self.look();
        }
        let Some(runtime) = &self.runtime else { return };
        match request {
            Request::Estop => runtime.estop(),
            Request::Reset => {
                runtime.new_episode();
                runtime.reset_estop();
                self.summary.resets += 1;
            }
            Request::Episode(episode) => {
                runtime.new_episode();
                self.previous_episode = self.episode.replace(*episode);
                // A mark may come a little after the image that it belongs to.
                self.episode_began_ns = super::stamp::now_ns() - self.trace.period_ns / 2;
                self.summary.resets += 1;
                tracing::info!(episode, "episode begins");
            }
        }
    }

    /// Takes what the planner thread noted.
    fn look(&mut self) {
        let newer = self.plan_records.update();
        while let Some(record) = self.ticks.pop() {
            self.note(&record);
        }
        if newer {
            self.publish_plan();
            let plan = &self.plan_records.value().plan;
            if let Some(imagined) = &mut self.imagined {
                imagined.show(plan.stamp.0, &plan.states);
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.publish();
        }
        for published in self.published.try_iter() {
            if let Ok(number) = u64::try_from(published.id) {
                self.trace.command_sent(number, published.at_ns);
            }
        }
    }

    fn note(&mut self, record: &TickRecord) {
        if let Some(Err(error)) = &record.tick.image {
            tracing::debug!(%error, "an image was not used");
        }
        if !matches!(record.tick.image, Some(Ok(_))) {
            return;
        }
        let plan = record.tick.plan.map(|report| {
            self.summary.plans += 1;
            *self
                .summary
                .stop_causes
                .entry(report.stop.name())
                .or_default() += 1;
            self.summary.failed_plans += u64::from(!report.stop.was_successful());
            let missed =
                record.done.0 > record.stamp.0.saturating_add(self.lead_ns) && self.lead_ns > 0;
            self.summary.deadline_misses += u64::from(missed);
            let known = self.plan_records.value();
            let same = known.plan.number == record.plan && record.tick.new_plan;
            PlanTraced {
                number: record.plan,
                plan_ms: record.tick.plan_time.as_secs_f64() * 1e3,
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

    /// The planned joint velocities, rad/s, one row a control period.
    fn publish_plan(&self) {
        let plan = &self.plan_records.value().plan;
        let joints = self.scale.len();
        let dimension = |label: &str, size: usize, stride: usize| MultiArrayDimension {
            label: label.into(),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            stride: u32::try_from(stride).unwrap_or(u32::MAX),
        };
        let data: Vec<f64> = plan
            .actions
            .iter()
            .enumerate()
            .map(|(i, &a)| f64::from(a) * self.scale[i % joints.max(1)])
            .collect();
        let layout = MultiArrayLayout {
            dim: vec![
                dimension("step", plan.steps(), data.len()),
                dimension("joint", joints, joints),
            ],
            data_offset: 0,
        };
        self.plans.send(Float64MultiArray { layout, data });
    }

    fn beat(&mut self, final_word: Option<&str>) {
        self.summary.count(&self.counters);
        self.summary.commands_sent = self.commands.sent();
        self.summary.commands_lost = self.commands.lost();
        self.summary.limited = self.doing.limited();
        if let Some(runtime) = &self.runtime {
            self.summary.late_ticks = runtime.late_ticks();
            self.summary.keep_alive_runs = runtime.keep_alive_runs();
        }
        self.heartbeat.send(status(&State {
            name: &self.name,
            hardware: &self.hardware,
            stop: self.doing.stop_reason(),
            final_word,
            doing: &self.doing,
            counters: &self.counters,
            summary: &self.summary,
        }));
    }

    fn end(
        mut self,
        node: RunningNode,
        options: &ControllerOptions,
        fault: Option<ControllerFault>,
    ) -> anyhow::Result<RunSummary> {
        // While the runtime brakes, its commands still leave through the publisher thread.
        let began = Instant::now();
        if let Some(runtime) = self.runtime.take() {
            self.summary.keep_alive_runs = runtime.keep_alive_runs();
            self.summary.late_ticks = runtime.stop().late_ticks;
        }
        self.look();
        tracing::info!(
            ms = began.elapsed().as_secs_f64() * 1e3,
            "the robot is at rest"
        );
        self.beat(Some(if fault.is_some() {
            "ended by a fault"
        } else {
            "ended"
        }));
        let idle = Stop::new();
        idle.wait(LINGER);
        self.beat_counts();
        drop(node);
        self.figures();
        if let Some(file) = &options.trace {
            self.trace.write(file)?;
        }
        match fault {
            Some(fault) => Err(fault.into()),
            None => Ok(self.summary),
        }
    }

    fn beat_counts(&mut self) {
        self.summary.commands_sent = self.commands.sent();
        self.summary.commands_lost = self.commands.lost();
        self.look();
    }

    fn figures(&mut self) {
        let plans: Vec<_> = self.trace.plans().collect();
        let plan_ms: Vec<f64> = plans.iter().map(|(_, p)| p.plan_ms).collect();
        let iterations: Vec<f64> = plans
            .iter()
            .map(|(_, p)| f64::from(p.report.iterations))
            .collect();
        let latency: Vec<f64> = plans
            .iter()
            .filter_map(|(t, p)| stamp_to_command_ms(t, p))
            .collect();
        let s = &mut self.summary;
        s.plan_ms_p50 = quantile(&plan_ms, 0.5);
        s.plan_ms_p99 = quantile(&plan_ms, 0.99);
        s.iterations_p50 = quantile(&iterations, 0.5);
        s.stamp_to_command_ms_p50 = quantile(&latency, 0.5);
        s.stamp_to_command_ms_p99 = quantile(&latency, 0.99);
        let newest = self.counters.newest_image_ns.load(Ordering::Relaxed);
        tracing::debug!(newest_image_ns = newest, "the node is down");
    }
}

/// From the stamp of an image to the first command that follows its plan, ms.
pub fn stamp_to_command_ms(tick: &TickTrace, plan: &PlanTraced) -> Option<f64> {
    plan.command_sent_ns
        .map(|sent| (sent - tick.stamp_ns) as f64 * 1e-6)
}
