//! The program under test, for tests of crates that do not build it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::paths::{target, workspace};
use crate::program::Program;
use crate::run::run;

/// The program `latco`: the one that `LATCO_PROGRAM` names, else built by Cargo if need be.
///
/// # Panics
/// When it cannot be built.
pub fn latco() -> &'static Path {
    static LATCO: OnceLock<PathBuf> = OnceLock::new();
    LATCO.get_or_init(|| match std::env::var_os("LATCO_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => built("latco"),
    })
}

/// The program `latco-train`: the one beside [`latco`], else built by Cargo.
///
/// # Panics
/// When it cannot be built.
pub fn latco_train() -> PathBuf {
    let beside = latco().with_file_name("latco-train");
    if beside.exists() {
        beside
    } else {
        built("latco-train")
    }
}

/// Builds a program of the workspace, with the features that it has in a build of the whole workspace.
fn built(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--release", "--locked", "--workspace"])
        .args(["--bin", name, "--target-dir"])
        .arg(target());
    if let Err(why) = run(&mut command) {
        panic!("{name} is not built: {why}");
    }
    target().join("release").join(name)
}

/// `latco ARGUMENTS`, run in the workspace, with no settings of ROS in its environment.
pub fn latco_command(arguments: &[&str]) -> Command {
    command(latco(), arguments)
}

/// A program with these arguments, run in the workspace, with no settings of ROS in its environment.
pub fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).args(arguments);
    without_ros(&mut command);
    command
}

/// `nsenter` into the namespaces of user and network of a process; it becomes the program whose arguments follow.
pub fn in_network_of(process: &Program) -> Command {
    let target = process.id().to_string();
    let enter = [
        "--preserve-credentials",
        "--user",
        "--net",
        "--target",
        &target,
        "--",
    ];
    command(Path::new("nsenter"), &enter)
}

/// `PYTHON SCRIPT ARGUMENTS` with this DDS domain, on the loopback interface only.
pub fn python_command(python: &Path, script: &Path, arguments: &[&str], domain: u16) -> Command {
    let mut command = Command::new(python);
    command.arg("-u").arg(script).args(arguments);
    without_ros(&mut command);
    command
        .env("ROS_DOMAIN_ID", domain.to_string())
        .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
    command
}

fn without_ros(command: &mut Command) {
    for name in [
        "ROS_DOMAIN_ID",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
        "RMW_IMPLEMENTATION",
        "CYCLONEDDS_URI",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    // A process that a test kills must not stop the one of another test.
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let name = format!("latco-state-{}-{number}", std::process::id());
    command.env("STATE_DIRECTORY", std::env::temp_dir().join(name));
}
