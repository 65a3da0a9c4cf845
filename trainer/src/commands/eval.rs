//! `latco-train eval`: closed-loop success of a bundle on the simulated robot, in process.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use latco_controller::config::PlannerKind;
use latco_controller::time::MonotonicClock;
use latco_controller::{Config, Time};
use latco_envs::PolicyKind;
use latco_evaluate::{
    Episode, EvaluateError, Evaluation, FaultEvaluation, KeepOut, Obstacles, Options, evaluate,
    evaluate_faults, evaluate_policy,
};
use latco_faults::Faults;
use latco_models::{Bundle, Provider, Providers};

use super::shell::{BadInput, OrBadInput, configuration, go_on, print_json, stop_flag};
use latco_trainer::progress::Progress;

/// Arguments of `latco-train eval`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the model bundle.
    #[arg(long, required_unless_present_any = ["pair", "policy"])]
    bundle: Option<PathBuf>,
    /// Simulated task, or the TOML file of a robot that others made (docs/simulators.md).
    #[arg(long, required_unless_present = "pair")]
    task: Option<String>,
    /// Compare two evaluations of the same episodes, in files of what --json printed: McNemar's exact test, and by how much more the
    /// second solves, with its 95 % interval.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["bundle", "task"])]
    pair: Vec<PathBuf>,
    /// A scripted policy in place of a bundle and its planner.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["bundle", "planner", "config", "provider", "inject", "keep_out", "pair"])]
    policy: Option<PolicyKind>,
    /// Planner; by default the one of the configuration.
    #[arg(long)]
    planner: Option<PlannerKind>,
    /// Robot configuration with the planner's parameters; by default the built-in ones.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Execution provider: cpu, cuda or tensorrt, or several in order of preference; by default the configuration's.
    #[arg(long, value_name = "LIST")]
    provider: Option<Providers>,
    /// Episodes to run.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    /// Number of the first evaluation episode, and seed of the planner.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Inject one fault of this file (docs/faults.md) into each episode, drawn by its seed as is when it begins, and run each
    /// episode again without; prints success and the highest commands for each fault.
    #[arg(long, value_name = "FILE")]
    inject: Option<PathBuf>,
    /// Put an obstacle into each episode that the robot has to keep out of: still, moving, or mixed for one that moves in every
    /// other episode. Touches are counted.
    #[arg(long, value_name = "KIND")]
    keep_out: Option<Obstacles>,
    /// Do not tell the controller of the obstacles, to see how often they would be touched.
    #[arg(long, requires = "keep_out")]
    untold: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Evaluation.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let task = match (&args.pair[..], args.task) {
        ([a, b], ..) => return super::pair::run([a, b], args.json),
        (_, Some(task)) => task,
        _ => return Err(BadInput::new("expected --bundle and --task, or --pair")),
    };
    let options = Options {
        task,
        episodes: args.episodes,
        seed: args.seed,
        expert: true,
        keep_out: args.keep_out.map(|obstacles| KeepOut {
            obstacles,
            is_told: !args.untold,
        }),
    };
    let interrupted = stop_flag()?;
    let Some(folder) = &args.bundle else {
        let policy = args.policy.context("clap asks for a bundle or a policy")?;
        let mut progress = Progress::new("episodes", u64::from(args.episodes));
        let evaluation = evaluate_policy(policy, &options, see(&mut progress, &interrupted))
            .map_err(bad_input)?;
        progress.finish();
        report(&evaluation, &options, None, args.json)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut config = configuration(args.config.as_deref())?;
    if let Some(kind) = args.planner {
        config.planner.kind = kind;
    }
    config.planner.seed = args.seed;
    if let Some(providers) = args.provider {
        config.bundle.providers = providers;
    }
    let bundle = Bundle::load(folder, &config.bundle.load_options()).or_bad_input()?;
    for shortcoming in latco_models::gates::shortcomings(bundle.manifest()) {
        tracing::warn!("{}: {shortcoming}", folder.display());
    }
    if let Some(file) = &args.inject {
        return with_faults(file, &bundle, &config, &options, &interrupted, args.json);
    }
    let mut progress = Progress::new("episodes", u64::from(args.episodes));
    let evaluation = evaluate(&bundle, &config, &options, see(&mut progress, &interrupted))
        .map_err(bad_input)?;
    progress.finish();
    report(&evaluation, &options, Some((&bundle, &config)), args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Counts the episodes, until Ctrl-C.
fn see(
    progress: &mut Progress,
    interrupted: &AtomicBool,
) -> impl FnMut(&Episode) -> ControlFlow<()> {
    let (mut done, mut solved) = (0, 0);
    move |episode| {
        done += 1;
        solved += u32::from(episode.success);
        progress.advance(1, &format!("{solved} of {done} solved"));
        go_on(interrupted)
    }
}

/// Prints what came of an evaluation; a scripted policy has no bundle.
fn report(
    evaluation: &Evaluation,
    options: &Options,
    planned: Option<(&Bundle, &Config)>,
    json: bool,
) -> anyhow::Result<()> {
    if evaluation.episodes < options.episodes as usize {
        tracing::warn!(
            "stopped after {} of {} episodes; the figures are of these",
            evaluation.episodes,
            options.episodes
        );
    }
    if json {
        let mut value = serde_json::to_value(evaluation)?;
        value
            .as_object_mut()
            .context("an evaluation is an object")?
            .extend(provenance(&options.task, planned));
        print_json(&value);
    } else {
        print_table(evaluation, planned.map(|(bundle, _)| bundle.provider()));
    }
    Ok(())
}

/// What was evaluated, by what, and where, for the JSON.
fn provenance(
    task: &str,
    planned: Option<(&Bundle, &Config)>,
) -> serde_json::Map<String, serde_json::Value> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A robot in a process of its own is named by its file.
    let is_file = Path::new(task).extension().is_some();
    let simulator = if is_file { task } else { "latco-envs" };
    let mut fields: Vec<(&str, serde_json::Value)> = vec![
        ("simulator", simulator.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("machine", format!("{}, {cores} cores", processor()).into()),
    ];
    if let Some((bundle, config)) = planned {
        let manifest = bundle.manifest();
        fields.extend([
            ("bundle", bundle.dir().display().to_string().into()),
            ("bundle_sha256", manifest.sum().into()),
            ("head", serde_json::json!(manifest.reward.kind)),
            ("provider", bundle.provider().to_string().into()),
            ("settings", serde_json::json!(config)),
        ]);
    }
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The name of the processor as the system tells it, or its architecture.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model
        .map_or(std::env::consts::ARCH, |(_, name)| name)
        .to_owned()
}

fn bad_input(error: EvaluateError) -> anyhow::Error {
    match error {
        EvaluateError::Env(error) => anyhow::Error::new(error),
        other => BadInput::new(other.to_string()),
    }
}

/// Evaluation with faults.
fn with_faults(
    file: &Path,
    bundle: &Bundle,
    config: &Config,
    options: &Options,
    interrupted: &AtomicBool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let faults = Faults::load(file).or_bad_input()?;
    let mut progress = Progress::new("episodes", u64::from(options.episodes));
    let clock = MonotonicClock::starting_at(Time(0));
    let evaluation = evaluate_faults(bundle, config, options, &faults, &clock, |episode| {
        progress.advance(1, episode.fault);
        go_on(interrupted)
    })
    .map_err(bad_input)?;
    progress.finish();
    if json {
        print_json(&serde_json::to_value(&evaluation)?);
    } else {
        print_faults(&evaluation);
    }
    let sound = evaluation.outside_limits == 0 && evaluation.non_finite == 0;
    Ok(ExitCode::from(u8::from(!sound)))
}

#[allow(clippy::print_stdout)]
fn print_faults(evaluation: &FaultEvaluation) {
    println!(
        "{} of {} episodes with a command outside the limits; success {:.2}, without faults {:.2}",
        evaluation.outside_limits,
        evaluation.episodes,
        evaluation.success,
        evaluation.success_without
    );
    println!(
        "{:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "fault",
        "episodes",
        "success",
        "without",
        "v/limit",
        "a/limit",
        "j/limit",
        "stopped",
        "rest s"
    );
    for c in &evaluation.classes {
        let rest = c.rest_s_max.map_or("-".to_owned(), |s| format!("{s:.2}"));
        println!(
            "{:<20} {:>8} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8} {rest:>8}",
            c.fault,
            c.episodes,
            c.success,
            c.success_without,
            c.max_velocity_share,
            c.max_acceleration_share,
            c.max_jerk_share,
            c.stopped
        );
    }
}

#[allow(clippy::print_stdout)]
pub(super) fn print_table(evaluation: &Evaluation, provider: Option<Provider>) {
    let e = evaluation;
    println!("task                 {}", e.task);
    println!("planner              {}", e.planner);
    if let Some(provider) = provider {
        println!("provider             {provider}");
    }
    println!("episodes             {}", e.episodes);
    println!(
        "success              {:.3}  (95 %: {:.3} to {:.3})",
        e.success, e.success_low, e.success_high
    );
    println!("success at the end   {:.3}", e.success_at_end);
    if let Some(expert) = e.expert_success {
        println!("expert's success     {expert:.3}");
    }
    println!("mean return          {:.2}", e.mean_return);
    if e.plans > 0 {
        println!(
            "planning             {:.1} ms median, {:.1} ms p99, {} iterations median",
            e.plan_ms_p50, e.plan_ms_p99, e.iterations_median
        );
    }
    if let Some(k) = &e.keep_out {
        println!(
            "obstacle touched     in {} of {} episodes ({} of {} with one that moves), {:.3} m deep at most",
            k.touched_episodes, k.episodes, k.touched_moving, k.moving, k.deepest_m
        );
        println!(
            "held back            {:.1} % of the set-points",
            100.0 * k.held_back_share
        );
    }
    for (cause, times) in &e.stop_causes {
        println!("stopped by           {cause}: {times}");
    }
    if !e.failed_seeds.is_empty() {
        println!("seeds not solved     {:?}", e.failed_seeds);
    }
}
