//! The faults that a controller survives, by their numbers, where they need the node: real DDS, real time. Those that simulated
//! time is enough for are in `trainer/evaluate/tests/faults`.

mod hostile;
mod injection;
mod middleware;
mod processes;

use std::time::Duration;

use crate::common::{Latco, start_controller as run};

const LONG: Duration = Duration::from_secs(90);

/// Resident memory of a process, kB.
fn memory_kb(process: &Latco) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}
