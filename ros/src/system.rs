//! What a node asks of the system beside the priority of its threads: memory that stays in place, processors of its own, and a
//! watchdog that looks after it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::str::FromStr;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::Pid;

/// Keeps all memory of the process in place from now on, so that no page fault delays a thread.
///
/// # Errors
/// The reason for which the system refuses, with what to do. A limit is a refusal: memory that is wanted later would not be given.
pub fn lock_memory() -> Result<(), String> {
    let advice = "set LimitMEMLOCK=infinity of the systemd unit, or `ulimit -l unlimited`";
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(|e| e.to_string())?;
    if limit != RLIM_INFINITY {
        return Err(format!(
            "memory is not locked: the system allows {} kB of it: {advice}",
            limit / 1024
        ));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|e| format!("memory is not locked: {e}: {advice}"))
}

/// Begins this program again in this process, with the same arguments; returns only where that fails.
pub fn begin_again() -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    match std::env::current_exe() {
        Ok(program) => {
            let arguments = std::env::args_os().skip(1);
            std::process::Command::new(program).args(arguments).exec()
        }
        Err(error) => error,
    }
}

/// Numbers of processors, written as `2,4-5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processors(Vec<usize>);

impl FromStr for Processors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last && last < CpuSet::count()).then_some(first..=last)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let ranges = ranges.ok_or_else(|| {
            format!(
                "expected numbers of processors below {}, such as 2,4-5, found {text:?}",
                CpuSet::count()
            )
        })?;
        Ok(Self(ranges.into_iter().flatten().collect()))
    }
}

/// Keeps the calling thread, and those that it starts from now on, on these processors.
///
/// # Errors
/// The reason for which the system refuses.
pub fn keep_on(processors: &Processors) -> Result<(), String> {
    let mut set = CpuSet::new();
    let refused = |error| {
        format!(
            "the process runs on any processor: {:?} are refused: {error}; `nproc --all` says how many there are",
            processors.0
        )
    };
    for &processor in &processors.0 {
        set.set(processor).map_err(refused)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).map_err(refused)
}

/// Tells the service manager how it is (`sd_notify`), where there is one that listens: `READY=1`, `WATCHDOG=1`, `STOPPING=1`.
pub(crate) fn notify(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(Path::new(&name)),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        // Its thread looks after the robot, and waits for nobody.
        socket.set_nonblocking(true)?;
        socket.send_to_addr(state.as_bytes(), &address)
    });
    if let Err(error) = sent {
        tracing::debug!(%error, state, "the service manager was not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_numbers_and_ranges() {
        assert_eq!("2,4-6".parse(), Ok(Processors(vec![2, 4, 5, 6])));
        assert_eq!("0".parse(), Ok(Processors(vec![0])));
        for wrong in ["", "a", "3-1", "1,,2", "-1", "100000"] {
            let why = wrong.parse::<Processors>().unwrap_err();
            assert!(why.contains("such as 2,4-5"), "{why}");
        }
    }
}
