//! `latco run`: the controller as a managed node.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use latco_controller::{Decorator, priority};
use latco_models::BundleError;

use super::failure::Failure;
use super::network::NetworkArgs;
use super::output::{print_json, print_line};
use super::provider::ProviderArgs;
use super::ros;
use crate::controller::parameters::Parameters;
use crate::controller::{self, ControllerFault, ControllerOptions};
use crate::managed::arguments::RosArguments;
use crate::middleware::{Network, NodeError, Stop};
use crate::system::{self, Processors};

/// Run the controller node
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Another bundle than the configuration's
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Configure and activate at once, and end with an error when that fails or a fault stops the robot; without, the node
    /// waits unconfigured for ~/change_state
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t, default_missing_value = "true", action = clap::ArgAction::Set)]
    auto: bool,
    /// Keep what was decided in this file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Real-time priority (SCHED_FIFO) of the threads between an image and its command, where the system permits it; 0: the
    /// usual one [default: 50]
    #[arg(long, value_name = "1..99", value_parser = clap::value_parser!(u8).range(0..=i64::from(priority::HIGHEST)))]
    realtime_priority: Option<u8>,
    /// Keep all memory of the process in place (mlockall), where the system permits it
    #[arg(long)]
    lock_memory: bool,
    /// Numbers of the processors on which the process runs, such as 2,4-5
    #[arg(long, value_name = "LIST")]
    processors: Option<Processors>,
    /// Folder in which the emergency stop is kept over a restart: a node that was stopped, or that ended while it was active,
    /// does not move until ~/reset [default: $STATE_DIRECTORY, $XDG_STATE_HOME/latco or ~/.local/state/latco]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Publish the plan as the model imagines it on ~/imagined/image, about once a second
    #[arg(long)]
    imagined: bool,
    /// Inject the faults of this file (docs/faults.md), for tests; the log, the status and the diagnostics say so
    #[arg(long, value_name = "FILE")]
    inject: Option<PathBuf>,
    /// Print the figures of the run as JSON
    #[arg(long)]
    json: bool,
    /// End when standard input is closed (for a parent process)
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

/// Takes a real-time priority if it can be had; a refusal is worth a warning only where the priority was
/// asked for.
fn take_priority(asked: Option<u8>) -> Result<(), String> {
    let Some(wanted) = NonZeroU8::new(asked.unwrap_or(priority::USUAL)) else {
        return Ok(());
    };
    match (priority::permit(wanted), asked) {
        (Ok(()), _) => tracing::info!(priority = wanted, "real-time threads"),
        (Err(reason), None) => tracing::info!(%reason, "threads of the usual priority"),
        (Err(reason), Some(_)) => return Err(format!("threads of the usual priority: {reason}")),
    }
    Ok(())
}

/// The folder for what is kept over a restart, as systemd or the user's session says.
fn state_dir() -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_STATE_HOME").map(|home| home.join("latco")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/latco")))
}

/// Makes the injector of the faults of a file.
#[cfg(feature = "faults")]
fn inject(file: &Path) -> Result<Arc<dyn Decorator>, Failure> {
    let faults = latco_faults::Faults::load(file).map_err(Failure::usage)?;
    tracing::warn!(
        faults = faults.0.len(),
        "faults are injected on purpose: {}",
        file.display()
    );
    let injector = latco_faults::Injector::real(&faults);
    Ok(Arc::new(latco_faults::Everywhere(injector)))
}

#[cfg(not(feature = "faults"))]
fn inject(_: &Path) -> Result<Arc<dyn Decorator>, Failure> {
    Err(Failure::usage(anyhow::anyhow!(
        "--inject: not in this build of latco, which injects no faults (feature `faults` off, as in the Debian package); in the \
         repository `cargo build --release -p latco-ros` builds target/release/latco with it"
    )))
}

impl Run {
    pub(super) fn run(self, arguments: &RosArguments, stop: &Stop) -> Result<(), Failure> {
        if self.until_stdin_closes {
            stop.when_stdin_closes().map_err(Failure::failed)?;
        }
        let config = super::config::load(&self.config)?;
        let locked = if self.lock_memory {
            system::lock_memory()
        } else {
            Ok(())
        };
        let kept = self.processors.as_ref().map_or(Ok(()), system::keep_on);
        let asked = [take_priority(self.realtime_priority), locked, kept];
        let refused: Vec<String> = asked.into_iter().filter_map(Result::err).collect();
        for reason in &refused {
            tracing::warn!("{reason}");
        }
        let identity = arguments.identity(&config.node.namespace, &config.node.name);
        let parameters = ros::configured(&config, arguments, &identity)?;
        let (mut config, use_sim_time) = (parameters.config().clone(), parameters.use_sim_time());
        if let Some(bundle) = self.bundle {
            config.bundle.path = bundle.to_string_lossy().into_owned();
        }
        let network = Network::new(
            self.network.domain.or(config.node.domain_id),
            self.network.localhost || config.node.loopback_only,
        )
        .map_err(Failure::usage)?;
        self.provider.apply(&mut config.bundle);
        let options = ControllerOptions {
            network,
            identity,
            parameters: Parameters::new(config, use_sim_time),
            state_dir: self.state_dir.or_else(state_dir),
            auto: self.auto,
            trace: self.trace,
            imagined: self.imagined,
            refused,
            decorator: self.inject.as_deref().map(inject).transpose()?,
        };
        let summary = controller::run(&options, stop).map_err(|error| {
            let fault = error.downcast_ref();
            if matches!(fault, Some(ControllerFault::NewNetwork { .. })) {
                let failure = system::begin_again();
                Failure::fault(error.context(format!("the program cannot begin again: {failure}")))
            } else if fault.is_some() {
                Failure::fault(error)
            } else if error.is::<BundleError>()
                || error.is::<latco_controller::SetupError>()
                || error.is::<NodeError>()
            {
                Failure::usage(error)
            } else {
                Failure::failed(error)
            }
        })?;
        if self.json {
            return print_json(&summary);
        }
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        print_line(&format!(
            "{} images ({} refused), {} plans by {} on {} (median {} ms, p99 {} ms), {} deadline misses, {} commands sent, \
             image to command median {} ms, p99 {} ms",
            summary.images,
            summary.images_refused,
            summary.plans,
            summary.planner,
            summary.provider,
            ms(summary.figures.plan_ms_p50),
            ms(summary.figures.plan_ms_p99),
            summary.deadline_misses,
            summary.commands_sent,
            ms(summary.figures.stamp_to_command_ms_p50),
            ms(summary.figures.stamp_to_command_ms_p99),
        ))
    }
}
