//! The subcommands, one file each: `Args` and `run`.
//!
//! Exit status: 0 done; 1 the run failed; 2 bad usage, configuration, bundle or bag.

mod bag_series;
mod bundles;
mod card;
mod collect;
mod collected;
mod collector;
mod config;
mod eval;
mod eval_node;
mod experiment;
mod export;
mod fit;
mod gates;
mod goals;
mod import;
mod import_lerobot;
mod label;
mod online;
mod pair;
mod report;
mod shell;
mod surprise;
mod to_lerobot;

use std::process::ExitCode;

use clap::Subcommand;

use shell::BadInput;

/// The subcommands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Drives a simulated robot with a scripted policy or the planner and records bags.
    Collect(collect::Args),
    /// Makes bags from npz episodes in the layout of PlaNet, Dreamer and LatCo, or from a LeRobot data set.
    Import(import::Args),
    /// Makes a LeRobot data set from bags.
    ToLerobot(to_lerobot::Args),
    /// Copies a bag with a reward for every image: from a topic, time ranges, or the last seconds.
    Label(label::Args),
    /// Learns a model from bags, measures its gates, and exports the bundle.
    Fit(fit::Args),
    /// Collects with the planner and trains, side by side, from nothing or from bags.
    Online(online::Args),
    /// Collects for an online run, on this machine or another.
    Collector(collector::Args),
    /// Makes a bundle from a checkpoint.
    Export(export::Args),
    /// Shows the gates of bundles as a table; measures them and writes them into the bundle.
    Gates(gates::Args),
    /// Calibrates by how much a bundle may be surprised, or tries which faults of the image its calibration sees.
    Surprise(surprise::Args),
    /// Measures closed-loop success in simulation, in process.
    Eval(eval::Args),
    /// Measures the success of planners on a robot over ROS, by its topics `episode` and `reward`.
    EvalNode(eval_node::Args),
    /// Measures plans to goal pictures in simulation, in process.
    Goals(goals::Args),
    /// Writes one HTML file that explains a training: gates, losses, what the model sees and foresees.
    Report(report::Args),
    /// Writes the model card of a bundle.
    Card(card::Args),
    /// Makes a table or a figure of the paper.
    Experiment(experiment::Args),
    /// Reports all errors of a training configuration at once, or prints all settings that there are.
    Config(config::Args),
}

impl Command {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Collect(args) => collect::run(args),
            Self::Import(args) => import::run(args),
            Self::ToLerobot(args) => to_lerobot::run(args),
            Self::Label(args) => label::run(args),
            Self::Fit(args) => fit::run(args),
            Self::Online(args) => online::run(args),
            Self::Collector(args) => collector::run(args),
            Self::Export(args) => export::run(args),
            Self::Gates(args) => gates::run(args),
            Self::Surprise(args) => surprise::run(args),
            Self::Eval(args) => eval::run(args),
            Self::EvalNode(args) => eval_node::run(args),
            Self::Goals(args) => goals::run(args),
            Self::Report(args) => report::run(args),
            Self::Card(args) => card::run(args),
            Self::Experiment(args) => experiment::run(args),
            Self::Config(args) => config::run(args),
        }
    }
}

/// Exit status for an error that ended a command.
pub(crate) fn status_of(error: &anyhow::Error) -> ExitCode {
    let bad_input = error.downcast_ref::<BadInput>().is_some()
        || error.chain().any(|cause| {
            cause.is::<BadInput>()
                || cause.is::<latco_bag::BagError>()
                || cause.is::<latco_envs::EnvError>()
                || cause.is::<latco_trainer::data::DataError>()
        });
    ExitCode::from(if bad_input { 2 } else { 1 })
}
