//! `latco-train online`: collect with the planner, train, repeat.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use latco_controller::Config;
use latco_trainer::online::{
    self, ExchangeError, OnlineConfig, Options, RunSettings, StateError, Summary,
};

use super::shell::{BadInput, OrBadInput, print_json};

/// Number of collectors that may end by themselves before the run is given up.
const RESTARTS: u32 = 10;

/// Arguments of `latco-train online`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Task of the simulated robot, or the TOML file of a robot that others made (docs/simulators.md).
    #[arg(long)]
    task: String,
    /// Configuration, e.g. `configs/train/online-reach.toml`.
    #[arg(long)]
    config: PathBuf,
    /// Folder of the run. Running again with the same arguments goes on where it stopped.
    #[arg(long)]
    out: PathBuf,
    /// Bags to start from beside what is collected.
    #[arg(long, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Folder where collectors hand over their bags; by default the folder `exchange` of the run.
    /// `latco-train collector --exchange` collects for it, also on machines that share the folder.
    #[arg(long)]
    exchange: Option<PathBuf>,
    /// Collectors on this machine, each a process of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=256))]
    collectors: u32,
    /// Robot configuration with the planner's parameters; by default the built-in ones.
    #[arg(long)]
    planner_config: Option<PathBuf>,
    /// Seed of weights, batches and robots. As collecting and training go side by side, runs of
    /// one seed are not the same.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs to the end, or until stopped.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let config = OnlineConfig::read(&args.config).or_bad_input()?;
    if config.fit.data.image_size == 0 {
        return Err(BadInput::new(
            "data.image_size: expected the size of the pictures that collectors make, found 0",
        ));
    }
    latco_envs::make(&args.task, config.fit.data.image_size)?;
    let planner = match &args.planner_config {
        None => None,
        Some(path) => {
            // Checked here, used by the collectors.
            Config::load(path).or_bad_input()?;
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("reading {}", path.display()))?)
        }
    };
    let stop = super::shell::stop_flag()?;
    let settings = RunSettings {
        task: args.task.clone(),
        config,
        data: args.data.clone(),
        exchange: args.exchange.clone(),
        seed: args.seed,
    };
    let summary = run_here(&settings, &args.out, planner, args.collectors, &stop)?;
    tracing::info!(
        "{} episodes, {} rounds, {:.0} min; {:.2} of the last {} by the planner solved; bundle {}",
        summary.episodes,
        summary.rounds,
        summary.active_s / 60.0,
        summary.recent_success,
        summary.recent_episodes,
        summary.bundle.display()
    );
    if args.json {
        let mut value = serde_json::to_value(&summary)?;
        value["output_dir"] = args.out.display().to_string().into();
        print_json(&value);
    }
    if !summary.ended {
        tracing::warn!("stopped; the same command goes on");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs with collectors on this machine, to the end or until stopped.
pub(super) fn run_here(
    settings: &RunSettings,
    out: &Path,
    planner: Option<String>,
    collectors: u32,
    stop: &AtomicBool,
) -> Result<Summary> {
    let work = out.join("collectors");
    if work.exists() {
        // What collectors of a killed run had not finished.
        std::fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    }
    let mut collectors = Collectors {
        exchange: settings.exchange_in(out),
        work,
        running: Vec::new(),
        wanted: collectors,
        restarts: 0,
    };
    latco_trainer::memory::keep_freed();
    let options = Options {
        out: out.to_path_buf(),
        planner,
        stop,
        watch: &mut || collectors.watch(),
    };
    let summary = online::run(settings, options).map_err(|error| {
        let usage = error.is::<StateError>()
            || matches!(error.downcast_ref(), Some(ExchangeError::Location(_)));
        if usage {
            BadInput::new(error.to_string())
        } else {
            error
        }
    })?;
    collectors.end(summary.ended);
    Ok(summary)
}

/// The collectors of this machine.
struct Collectors {
    exchange: PathBuf,
    work: PathBuf,
    running: Vec<(u32, Child)>,
    wanted: u32,
    restarts: u32,
}

impl Collectors {
    /// Starts those that do not run.
    fn watch(&mut self) -> Result<()> {
        let mut ended = Vec::new();
        for (number, child) in &mut self.running {
            if let Some(status) = child.try_wait().context("looking after a collector")? {
                ended.push((*number, status));
            }
        }
        self.running
            .retain(|(number, _)| ended.iter().all(|(gone, _)| gone != number));
        for (number, status) in ended {
            self.restarts += 1;
            if self.restarts > RESTARTS {
                bail!(
                    "collectors ended {RESTARTS} times, the last with {status}; see the log above"
                );
            }
            tracing::warn!("collector {number} ended with {status}; it is started again");
        }
        for number in 0..self.wanted {
            if self.running.iter().all(|(running, _)| *running != number) {
                self.running.push((number, self.start(number)?));
            }
        }
        Ok(())
    }

    fn start(&self, number: u32) -> Result<Child> {
        let program = std::env::current_exe().context("finding this program")?;
        Command::new(program)
            .args(["collector", "--until-stdin-closes", "--exchange"])
            .arg(&self.exchange)
            .args(["--name", &format!("local{number}"), "--work"])
            .arg(&self.work)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("starting a collector")
    }

    /// Waits for the collectors; those of a run that was stopped end with their input.
    fn end(mut self, run_ended: bool) {
        for (number, child) in &mut self.running {
            if !run_ended {
                drop(child.stdin.take());
            }
            if let Err(error) = child.wait() {
                tracing::warn!("collector {number}: {error}");
            }
        }
    }
}
