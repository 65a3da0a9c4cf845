//! `latco bench`: figures of the planner on this machine.
//!
//! Everything is measured through the parts a robot uses: a bundle that was written, loaded and
//! verified, ONNX Runtime, the controller's model and the solver. `solver` times iterations
//! ([`figures`]), their growth with the sizes ([`growth`]) and what the plans are worth
//! ([`quality`]); `tick` times whole ticks of a controller, `loop` the way through the node, `soak`
//! looks for what only shows after long. How a figure is made stands in the command's `--help`.

mod arithmetic;
mod camera;
mod control_loop;
mod dense;
mod dense_run;
mod figures;
mod growth;
mod growth_report;
mod loop_camera;
mod machine;
mod noise;
mod progress;
mod quality;
mod quality_report;
mod run;
mod sizes;
mod soak;
mod solver;
mod start_states;
mod statistics;
mod table;
mod tick;
mod timed;

use clap::{Args, Subcommand};

use super::failure::Failure;
use crate::middleware::Stop;

/// Figures of the planner on this machine
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
}

impl Bench {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        match self.what {
            What::Solver(command) => command.run(stop),
            What::Tick(command) => command.run(stop),
            What::Loop(command) => command.run(stop),
            What::Soak(command) => command.run(stop),
        }
    }
}
