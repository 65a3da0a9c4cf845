//! The demonstration from start to end: simulated robot and controller as two processes that talk over DDS on the loopback interface,
//! a recording of everything they say, and what can be seen of it afterwards.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use latco_bag::messages::{RosMessage as _, TwistStamped};
use latco_models::Bundle;

use super::error::DemoError;
use super::options::{
    BAG, CONTROLLER_LOG, CURVES, DemoOptions, FILM, HISTOGRAM, PAGE, REPORT, REPORT_JSON,
    ROBOT_LOG, TRACE,
};
use super::pictures;
use super::report::Report;
use crate::child::Child;
use crate::controller::trace::RunTrace;
use crate::middleware::Stop;
use crate::recorder::{RecordError, RecordOptions, Recorder, standard_topics};
use crate::report::{self as page, ReportOptions};

/// Longest time for both processes to find each other and for the first plan.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longest time from the start of one episode to the next.
const EPISODE_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for a process to end when it is asked to.
const END_LIMIT: Duration = Duration::from_secs(15);

/// The messages that the recorder sees pass.
#[derive(Debug, Default)]
struct Seen {
    /// Number of the episode that runs; -1 before the first.
    episode: AtomicI64,
    commands: AtomicU64,
}

/// Runs the demonstration and writes its folder.
///
/// # Errors
/// [`DemoError`]; no process is left behind.
pub fn run(options: &DemoOptions, stop: &Stop) -> Result<Report, DemoError> {
    // A missing library or a bad bundle is said at once, and not by a child that dies.
    let section = &options.config.bundle;
    let bundle = Bundle::load(&section.path, &section.load_options())?;
    prepare(&options.out)?;
    tracing::info!(domain = options.network.domain, out = %options.out.display(), "two processes on the loopback interface");

    let seen = Arc::new(Seen {
        episode: AtomicI64::new(-1),
        ..Seen::default()
    });
    let tap = {
        let seen = seen.clone();
        move |topic: &str, payload: &[u8]| watch(&seen, topic, payload)
    };
    let node = Recorder::node(options.network, "/")?;
    let mut topics = standard_topics();
    let kinds = bundle.manifest().action.kinds();
    if kinds.iter().any(|kind| kind.twist_axis().is_some()) {
        let commands = topics.iter_mut().filter(|topic| topic.name == "commands");
        commands.for_each(|topic| topic.ty = TwistStamped::TYPE.to_owned());
    }
    let recorder = Recorder::start(
        node,
        &options.out.join(BAG),
        &topics,
        &RecordOptions::default(),
        tap,
    )?;
    let (robot, controller) = start(options, bundle.manifest().image.width)?;
    let done = follow(options, stop, &seen, robot, controller);
    // In any case the bag is completed.
    let recorded = recorder.finish().map_err(RecordError::from)?;
    let (robot, controller) = done?;

    let trace = RunTrace::read(&options.out.join(TRACE))?;
    let _ = std::fs::remove_file(options.out.join(TRACE));
    let report = Report::new(options, &robot, &controller, &trace, &recorded)?;
    let drawn = pictures::draw(&options.out, &bundle, &trace, &report)?;
    report.write(&options.out, &drawn)?;
    page::write(&ReportOptions {
        bag: options.out.join(BAG),
        journal: None,
        bundle: Some(bundle.dir().into()),
        out: options.out.join(PAGE),
    })?;
    Ok(report)
}

/// Makes the folder, and clears away what an earlier demonstration left in it. Nothing else is touched.
fn prepare(folder: &Path) -> Result<(), DemoError> {
    let failed = |e: std::io::Error| DemoError::Folder {
        folder: folder.into(),
        reason: e.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for name in [
        FILM,
        CURVES,
        HISTOGRAM,
        REPORT,
        REPORT_JSON,
        PAGE,
        TRACE,
        ROBOT_LOG,
        CONTROLLER_LOG,
    ] {
        match std::fs::remove_file(folder.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    let bag = folder.join(BAG);
    if bag.exists() {
        if !bag.join(format!("{BAG}_0.mcap")).is_file() {
            let reason = format!(
                "{} is there and is no bag of an earlier demonstration; remove it",
                bag.display()
            );
            return Err(DemoError::Folder {
                folder: folder.into(),
                reason,
            });
        }
        std::fs::remove_dir_all(&bag).map_err(failed)?;
    }
    Ok(())
}

fn start(options: &DemoOptions, image_size: usize) -> Result<(Child, Child), DemoError> {
    let out = &options.out;
    let domain = options.network.domain.to_string();
    let common = [
        "--domain",
        &domain,
        "--localhost",
        "--json",
        "--until-stdin-closes",
    ]
    .map(String::from);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let seed = latco_envs::EVALUATION_SEED.wrapping_add(options.seed);
    let mut robot = vec!["sim".to_owned(), "--task".into(), options.task.clone()];
    robot.extend([
        "--seed".into(),
        seed.to_string(),
        "--episodes".into(),
        options.episodes.to_string(),
    ]);
    robot.extend(["--image-size".into(), image_size.to_string()]);
    robot.extend(common.clone());
    let mut controller = vec![
        "run".to_owned(),
        "--auto".to_owned(),
        "--config".into(),
        text(&options.config_file),
        // A demo that was broken off says nothing about the next one.
        "--state-dir".into(),
        text(&out.join("state")),
    ];
    let _ = std::fs::remove_dir_all(out.join("state"));
    let bundle = &options.config.bundle;
    controller.extend(["--bundle".into(), bundle.path.clone()]);
    controller.extend(["--provider".into(), bundle.providers.to_string()]);
    if let Some(folder) = &bundle.engine_cache {
        controller.extend(["--engine-cache".into(), folder.clone()]);
    }
    controller.extend(["--trace".into(), text(&out.join(TRACE))]);
    controller.extend(common);
    let controller = Child::start("controller", &controller, &out.join(CONTROLLER_LOG))?;
    let robot = Child::start("simulated robot", &robot, &out.join(ROBOT_LOG))?;
    Ok((robot, controller))
}

/// Waits for the episodes; returns what the robot and the controller printed.
fn follow(
    options: &DemoOptions,
    stop: &Stop,
    seen: &Seen,
    mut robot: Child,
    mut controller: Child,
) -> Result<(String, String), DemoError> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} episodes  {elapsed}  {msg}");
    let bar = ProgressBar::new(options.episodes);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let began = Instant::now();
    let mut said = Instant::now();
    let limit = START_LIMIT + EPISODE_LIMIT * u32::try_from(options.episodes).unwrap_or(u32::MAX);
    let robot_printed = loop {
        if let Some(ended) = controller.ended()? {
            return Err(controller.failure(ended).into());
        }
        if let Some(ended) = robot.ended()? {
            if ended.success() {
                break robot.printed()?;
            }
            return Err(robot.failure(ended).into());
        }
        let episode = seen.episode.load(Ordering::Relaxed);
        let commands = seen.commands.load(Ordering::Relaxed);
        bar.set_position(u64::try_from(episode).unwrap_or(0));
        bar.set_message(if episode < 0 {
            "starting".to_owned()
        } else {
            format!("{commands} commands")
        });
        if bar.is_hidden() && said.elapsed() >= Duration::from_secs(10) {
            said = Instant::now();
            let of = options.episodes;
            tracing::info!(
                "{} of {of} episodes done, {commands} commands seen",
                episode.max(0)
            );
        }
        let too_long = |what: &str, limit: Duration| DemoError::TimeLimit {
            what: what.into(),
            seconds: limit.as_secs(),
            folder: options.out.clone(),
        };
        if episode < 0 && began.elapsed() > START_LIMIT {
            return Err(too_long(
                "no episode began: robot and controller did not hear each other",
                START_LIMIT,
            ));
        }
        if began.elapsed() > limit {
            return Err(too_long("the episodes did not end", limit));
        }
        if stop.wait(Duration::from_millis(100)) {
            let episodes = u64::try_from(episode).unwrap_or(0);
            return Err(DemoError::Interrupted {
                episodes,
                bag: options.out.join(BAG),
            });
        }
    };
    bar.finish_and_clear();
    controller.ask_to_end();
    let ended = controller.wait(END_LIMIT)?;
    if !ended.success() {
        return Err(controller.failure(ended).into());
    }
    Ok((robot_printed, controller.printed()?))
}

/// Notes a message; called on the recorder's reactor thread.
fn watch(seen: &Seen, topic: &str, payload: &[u8]) {
    match topic {
        latco_bag::topics::EPISODE => {
            if let Ok(mark) = latco_bag::cdr::decode::<latco_bag::messages::Int64>(payload) {
                seen.episode.store(mark.data, Ordering::Relaxed);
            }
        }
        latco_bag::topics::COMMANDS | latco_bag::topics::JOINT_TRAJECTORY => {
            seen.commands.fetch_add(1, Ordering::Relaxed);
        }
        _ => {}
    }
}
