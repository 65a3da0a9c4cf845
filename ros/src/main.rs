//! The `latco` command.

use std::process::ExitCode;

use clap::Parser;
use latco_ros::managed::arguments::RosArguments;

#[global_allocator]
static ALLOCATOR: latco_ros::allocations::Counting = latco_ros::allocations::Counting;

fn main() -> ExitCode {
    #[cfg(feature = "baselines")]
    latco_baselines::add();
    // Before any other thread: the middleware's threads must not see a signal.
    let stop = match latco_ros::middleware::Stop::install() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("error: signals cannot be handled: {error}");
            return ExitCode::FAILURE;
        }
    };
    let split = RosArguments::split(std::env::args_os(), |file| std::fs::read_to_string(file));
    match split {
        Ok((line, ros)) => latco_ros::commands::Cli::parse_from(line).run(&ros, &stop),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
