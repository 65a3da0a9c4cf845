//! `latco bench loop`: from an image's stamp to the command, through the node and DDS.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use latco_controller::Config;
use latco_controller::config::SurpriseAction;
use latco_models::Bundle;
use serde::Serialize;

use super::bundle::BundleArgs;
use super::loop_camera::LoopCamera;
use crate::child::Child;
use crate::commands::failure::Failure;
use crate::commands::network::NetworkArgs;
use crate::commands::output::print_figures;
use crate::controller::trace::{RunTrace, TickTrace, stamp_to_command_ms};
use crate::middleware::{ImageSize, Network, Stop, Transport};
use crate::quantile::quantile;

/// Number of images before any counts: the two processes find each other, caches and branch predictors warm
/// up.
const WARM_UP: u64 = 20;
/// Longest time for the controller to start and to be found.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Time for the last command to leave.
const LINGER: Duration = Duration::from_millis(500);

/// Time from an image's stamp to the command made from it, without planning
///
/// Two processes over DDS on the loopback interface: a camera, and the controller node exactly as
/// `latco run` starts it. The time is from the stamp of an image, taken just before it is published,
/// to the moment at which the middleware has accepted the first command that follows the plan made
/// from it: transport, decoding, belief, hand-over to the executor, publishing. The time of planning is
/// measured by the node and subtracted; the planner is set to one iteration. Images come at the control
/// period of the bundle.
#[derive(Debug, Args)]
pub(super) struct LoopBench {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Images to time
    #[arg(long, value_name = "N", default_value_t = 300)]
    frames: u64,
    /// Size of the camera image, such as 640x480
    #[arg(long, value_name = "PIXELS", default_value = "64x64")]
    image_size: ImageSize,
    /// How the camera image is published; jpegs are made before their stamp is taken
    #[arg(long, value_enum, default_value_t)]
    image_transport: Transport,
    /// Rate of the executor, Hz
    #[arg(long, value_name = "HZ", default_value_t = 100.0)]
    command_rate_hz: f64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

/// The figures; the field names are those of `latco bench loop --json`.
#[derive(Debug, Serialize)]
struct Figures {
    bundle: String,
    image_size: String,
    image_transport: &'static str,
    command_rate_hz: f64,
    period_ms: f64,
    frames: usize,
    /// Number of images from which no command came.
    lost: usize,
    stamp_to_command_ms_p50: Option<f64>,
    stamp_to_command_ms_p99: Option<f64>,
    stamp_to_command_ms_max: Option<f64>,
    /// Median time from the stamp to the planner's thread: transport and decoding.
    stamp_to_planner_ms_p50: Option<f64>,
    stamp_to_planner_ms_p99: Option<f64>,
    belief_ms_p50: Option<f64>,
    belief_ms_p99: Option<f64>,
    /// Median time from the plan to the command that the middleware has taken.
    plan_to_command_ms_p50: Option<f64>,
    plan_to_command_ms_p99: Option<f64>,
    /// Median time of planning, which is subtracted.
    plan_ms_p50: Option<f64>,
    plan_ms_p99: Option<f64>,
    /// Number of commands that arrived at the camera's process, in all.
    commands_received: u64,
}

impl LoopBench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        if self.frames == 0 {
            return Err(Failure::usage(anyhow::anyhow!(
                "--frames: expected 1 or more, found 0"
            )));
        }
        let folder = tempfile::tempdir().map_err(Failure::failed)?;
        let bundle = self.bundle.folder(folder.path())?;
        print_figures(&self.measure(&bundle, folder.path(), stop)?, self.json)
    }

    /// The configuration of the controller's process.
    fn configure(&self, bundle: &Path) -> Config {
        let mut config = Config::default();
        config.bundle.path = bundle.to_string_lossy().into_owned();
        config.control.command_rate_hz = self.command_rate_hz;
        config.planner.threads = 1;
        config.planner.latco.iterations_cold = 1;
        config.planner.latco.iterations_warm = 1;
        config.trace.journal = false;
        // Its pictures are noise, which no model knows.
        config.control.surprise = SurpriseAction::Warn;
        config
    }

    fn measure(&self, bundle: &Path, folder: &Path, stop: &Stop) -> Result<Figures, Failure> {
        let config = self.configure(bundle);
        let manifest = Bundle::load(bundle, &config.bundle.load_options())
            .map_err(Failure::usage)?
            .manifest()
            .clone();
        let network = Network {
            localhost: true,
            ..self.network.network()?
        };
        let (file, trace) = (folder.join("controller.toml"), folder.join("trace"));
        let text = toml::to_string(&config).map_err(Failure::failed)?;
        std::fs::write(&file, text).map_err(Failure::failed)?;
        let arguments = [
            "run".to_owned(),
            "--auto".to_owned(),
            "--config".to_owned(),
            file.to_string_lossy().into_owned(),
            "--trace".to_owned(),
            trace.to_string_lossy().into_owned(),
            "--domain".to_owned(),
            network.domain.to_string(),
            "--localhost".to_owned(),
            "--json".to_owned(),
            "--until-stdin-closes".to_owned(),
            "--state-dir".to_owned(),
            folder.to_string_lossy().into_owned(),
        ];
        let camera = LoopCamera::start(network, self.image_size, self.image_transport, &manifest)?;
        let mut controller = Child::start("controller", &arguments, &folder.join("run.log"))?;
        let period = latco_controller::time::span(manifest.control_period_s);
        let stamps = self.show(&camera, &mut controller, period, stop)?;
        controller.ask_to_end();
        let status = controller.wait(START_LIMIT).map_err(Failure::failed)?;
        if !status.success() {
            return Err(Failure::failed(controller.failure(status)));
        }
        let trace = RunTrace::read(&trace)?;
        Ok(self.figures(&stamps, &trace, period, &config, camera.commands()))
    }

    /// Shows all images; returns the stamps of those that count.
    fn show(
        &self,
        camera: &LoopCamera,
        controller: &mut Child,
        period: Duration,
        stop: &Stop,
    ) -> Result<Vec<i64>, Failure> {
        let started = Instant::now();
        let mut stamps = Vec::new();
        let (mut next, mut number, mut met) = (Instant::now(), 0, None);
        while (stamps.len() as u64) < self.frames {
            if stop.wait_until(next) {
                return Err(Failure::failed(anyhow::anyhow!("interrupted")));
            }
            if let Some(status) = controller.ended()? {
                return Err(Failure::failed(controller.failure(status)));
            }
            let stamp_ns = camera.show(number)?;
            if met.is_none() && camera.commands() > 0 {
                met = Some(number);
            }
            match met {
                None if started.elapsed() > START_LIMIT => {
                    return Err(Failure::failed(anyhow::anyhow!(
                        "expected a command within {} s, found none",
                        START_LIMIT.as_secs()
                    )));
                }
                Some(met) if number >= met + WARM_UP => stamps.push(stamp_ns),
                _ => {}
            }
            number += 1;
            next += period;
        }
        stop.wait(LINGER);
        Ok(stamps)
    }

    fn figures(
        &self,
        stamps: &[i64],
        trace: &RunTrace,
        period: Duration,
        config: &Config,
        commands_received: u64,
    ) -> Figures {
        let by_stamp: HashMap<i64, &TickTrace> = trace
            .plans()
            .map(|(tick, _)| (tick.stamp_ns, tick))
            .collect();
        let ticks: Vec<&TickTrace> = stamps
            .iter()
            .filter_map(|stamp| by_stamp.get(stamp).copied())
            .collect();
        let plans = || {
            ticks
                .iter()
                .filter_map(|tick| Some((*tick, tick.plan.as_ref()?)))
        };
        // Without planning: the whole, and what follows the plan.
        let (times, left): (Vec<f64>, Vec<f64>) = plans()
            .filter_map(|(tick, plan)| {
                let time = stamp_to_command_ms(tick, plan)? - plan.plan_ms;
                Some((time, time - reached_ms(tick) - tick.belief_ms))
            })
            .unzip();
        let plan_ms: Vec<f64> = plans().map(|(_, plan)| plan.plan_ms).collect();
        let belief_ms: Vec<f64> = ticks.iter().map(|tick| tick.belief_ms).collect();
        let reached: Vec<f64> = ticks.iter().map(|tick| reached_ms(tick)).collect();
        Figures {
            bundle: self.bundle.name(),
            image_size: self.image_size.to_string(),
            image_transport: self.image_transport.name(),
            command_rate_hz: config.control.command_rate_hz,
            period_ms: period.as_secs_f64() * 1e3,
            frames: stamps.len(),
            lost: stamps.len() - times.len(),
            stamp_to_command_ms_p50: quantile(&times, 0.5),
            stamp_to_command_ms_p99: quantile(&times, 0.99),
            stamp_to_command_ms_max: quantile(&times, 1.0),
            stamp_to_planner_ms_p50: quantile(&reached, 0.5),
            stamp_to_planner_ms_p99: quantile(&reached, 0.99),
            belief_ms_p50: quantile(&belief_ms, 0.5),
            belief_ms_p99: quantile(&belief_ms, 0.99),
            plan_to_command_ms_p50: quantile(&left, 0.5),
            plan_to_command_ms_p99: quantile(&left, 0.99),
            plan_ms_p50: quantile(&plan_ms, 0.5),
            plan_ms_p99: quantile(&plan_ms, 0.99),
            commands_received,
        }
    }
}

/// Time in ms from an image's stamp to the planner's thread.
fn reached_ms(tick: &TickTrace) -> f64 {
    (tick.received_ns - tick.stamp_ns) as f64 * 1e-6
}
