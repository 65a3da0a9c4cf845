//! `latco-train eval`: closed-loop success of a bundle on the simulated robot, in process.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_evaluate::{EvaluateError, Evaluation, KeepOut, Obstacles, Options, evaluate};
use latco_models::{Bundle, Provider, Providers};

use super::shell::{BadInput, print_json};
use latco_trainer::progress::Progress;

/// Arguments of `latco-train eval`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the model bundle.
    #[arg(long)]
    bundle: PathBuf,
    /// Simulated task.
    #[arg(long)]
    task: String,
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
    let mut config = match &args.config {
        Some(path) => Config::load(path).map_err(|e| BadInput::new(e.to_string()))?,
        None => Config::default(),
    };
    if let Some(kind) = args.planner {
        config.planner.kind = kind;
    }
    config.planner.seed = args.seed;
    if let Some(providers) = args.provider {
        config.bundle.providers = providers;
    }
    let bundle = Bundle::load(&args.bundle, &config.bundle.load_options())
        .map_err(|e| BadInput::new(e.to_string()))?;
    for shortcoming in latco_models::gates::shortcomings(bundle.manifest()) {
        tracing::warn!("{}: {shortcoming}", args.bundle.display());
    }
    let options = Options {
        task: args.task,
        episodes: args.episodes,
        seed: args.seed,
        expert: true,
        keep_out: args.keep_out.map(|obstacles| KeepOut {
            obstacles,
            is_told: !args.untold,
        }),
    };

    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
        .context("cannot take Ctrl-C")?;
    let mut progress = Progress::new("episodes", u64::from(args.episodes));
    let (mut done, mut solved) = (0, 0);
    let evaluation = evaluate(&bundle, &config, &options, |episode| {
        done += 1;
        solved += u32::from(episode.success);
        progress.advance(1, &format!("{solved} of {done} solved"));
        if interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .map_err(|error| match error {
        EvaluateError::Env(error) => anyhow::Error::new(error),
        other => BadInput::new(other.to_string()),
    })?;
    progress.finish();
    if evaluation.episodes < args.episodes as usize {
        tracing::warn!(
            "stopped after {} of {} episodes; the figures are of these",
            evaluation.episodes,
            args.episodes
        );
    }
    if args.json {
        let mut value = serde_json::to_value(&evaluation)?;
        value["provider"] = bundle.provider().to_string().into();
        print_json(&value);
    } else {
        print_table(&evaluation, bundle.provider());
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout)]
fn print_table(evaluation: &Evaluation, provider: Provider) {
    let e = evaluation;
    println!("task                 {}", e.task);
    println!("planner              {}", e.planner);
    println!("provider             {provider}");
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
    println!(
        "planning             {:.1} ms median, {:.1} ms p99, {} iterations median",
        e.plan_ms_p50, e.plan_ms_p99, e.iterations_median
    );
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
