//! `latco bench`: figures of the planner on this machine.
//!
//! Everything is measured through the parts a robot uses: a bundle that was written, loaded and
//! verified, ONNX Runtime, the controller's model and the solver. `solver` times iterations, `tick`
//! whole ticks of a controller, `loop` the way through the node, `soak` looks for what only shows
//! after long. How a figure is made stands in the command's `--help`.

#[cfg(feature = "sim")]
mod arithmetic;
mod bundle;
mod busy;
mod commands;
mod control_loop;
mod histogram;
mod loop_camera;
#[cfg(feature = "sim")]
mod machine;
#[cfg_attr(not(feature = "sim"), allow(dead_code))] // the solver's benchmark uses the rest
mod noise;
#[cfg(feature = "sim")]
mod run;
mod scene;
#[cfg(feature = "sim")]
mod sizes;
mod soak;
#[cfg(feature = "sim")]
mod solver;
mod tick;
#[cfg(feature = "sim")]
mod timed;

use clap::{Args, Subcommand};

use super::failure::Failure;
#[cfg(not(feature = "sim"))]
use super::without_sim as solver;
use crate::middleware::Stop;

/// Measure the planner on this machine
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Solver(Box<solver::SolverBench>),
    Tick(tick::TickBench),
    Loop(control_loop::LoopBench),
    Soak(soak::SoakBench),
    #[command(hide = true)]
    KeepBusy(busy::KeepBusy),
}

impl Bench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        match self.what {
            What::Solver(command) => command.run(stop),
            What::Tick(command) => command.run(stop),
            What::Loop(command) => command.run(stop),
            What::Soak(command) => command.run(stop),
            What::KeepBusy(command) => command.run(stop),
        }
    }
}
