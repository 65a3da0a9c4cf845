//! The `latco` command.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: latco_ros::allocations::Counting = latco_ros::allocations::Counting;

fn main() -> ExitCode {
    // Before any other thread: the middleware's threads must not see a signal.
    let stop = match latco_ros::node::Stop::install() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("error: signals cannot be handled: {error}");
            return ExitCode::FAILURE;
        }
    };
    latco_ros::commands::Cli::parse().run(&stop)
}
