//! Python environments with the software that we test against, made by the tests themselves.
//!
//! Each is a virtual environment under the target folder with the packages that a file in `tests/python/` pins. It is made
//! once; a changed file makes it anew.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages, and a Python that can run them.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// What a person calls it; `NAME-venv` in the target folder.
    pub name: &'static str,
    /// File in `tests/python/`.
    pub requirements: &'static str,
    /// Names a Python that has the packages already; nothing is installed then.
    pub variable: &'static str,
    /// The only minor version of Python 3 that the packages exist for; none: any.
    pub only: Option<u32>,
}

/// Reads and writes bags.
pub const ROSBAGS: Environment = Environment {
    name: "rosbags",
    requirements: "requirements.txt",
    variable: "LATCO_PYTHON",
    only: None,
};

/// Real ROS 2 Jazzy: rclpy on rmw_fastrtps, the common interfaces, lifecycle messages. About 300 MB.
pub const ROS_JAZZY: Environment = Environment {
    name: "ros-jazzy",
    requirements: "ros-jazzy.txt",
    variable: "LATCO_PYTHON_ROS",
    only: Some(11),
};

/// The release after it, the same packages.
pub const ROS_KILTED: Environment = Environment {
    name: "ros-kilted",
    requirements: "ros-kilted.txt",
    variable: "LATCO_PYTHON_ROS_KILTED",
    only: Some(11),
};

/// CycloneDDS with its Python API.
pub const CYCLONEDDS: Environment = Environment {
    name: "cyclonedds",
    requirements: "cyclonedds.txt",
    variable: "LATCO_PYTHON_CYCLONEDDS",
    only: None,
};

/// Why there is no environment.
#[derive(Debug)]
enum Missing {
    /// This machine has no such Python and cannot get one.
    Python(String),
    /// The packages could not be installed.
    Packages(String),
}

impl Environment {
    /// The Python of this environment, which is made if need be; none when it cannot be, after one line on standard error
    /// that says why the test skips.
    ///
    /// # Panics
    /// When `CI=true` and the packages could not be installed although there is a Python for them: CI must run these tests.
    pub fn or_skip(&self) -> Option<PathBuf> {
        match self.python() {
            Ok(python) => Some(python),
            Err(Missing::Packages(why)) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                panic!("no {}, which CI must have: {why}", self.name)
            }
            Err(Missing::Python(why) | Missing::Packages(why)) => {
                skip(&format!("no {}: {why}", self.name));
                None
            }
        }
    }

    fn python(&self) -> Result<PathBuf, Missing> {
        if let Some(python) = std::env::var_os(self.variable) {
            return Ok(PathBuf::from(python));
        }
        let packages = |e: std::io::Error| Missing::Packages(e.to_string());
        let requirements = scripts().join(self.requirements);
        let wanted = fs::read_to_string(&requirements).map_err(packages)?;
        let folder = scratch().join(format!("{}-venv", self.name));
        let python = folder.join("bin/python3");
        let installed = folder.join("installed.txt");
        // One test at a time makes it, also when tests are processes.
        fs::create_dir_all(scratch()).map_err(packages)?;
        let lock = File::create(scratch().join(format!("{}.lock", self.name))).map_err(packages)?;
        lock.lock().map_err(packages)?;
        if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && python.exists() {
            return Ok(python);
        }
        let base = self.base()?;
        run(Command::new(base)
            .args(["-m", "venv", "--clear"])
            .arg(&folder))
        .map_err(Missing::Packages)?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(&requirements))
        .map_err(Missing::Packages)?;
        fs::write(&installed, wanted).map_err(packages)?;
        Ok(python)
    }

    /// A Python of the wanted version that can make virtual environments.
    fn base(&self) -> Result<String, Missing> {
        let versioned = self.only.map(|minor| format!("python3.{minor}"));
        let candidates: Vec<String> = versioned.into_iter().chain(["python3".into()]).collect();
        let usable = || candidates.iter().find(|name| self.is_usable(name)).cloned();
        if let Some(name) = usable() {
            return Ok(name);
        }
        let package = match self.only {
            Some(minor) => format!("python3.{minor}-venv"),
            None => "python3-venv".to_owned(),
        };
        let installed = install(&package);
        usable().ok_or_else(|| {
            let why = installed.err().unwrap_or_default();
            Missing::Python(format!(
                "expected {} that can make virtual environments, found none ({why}); install {package}, or name a Python \
                 with tests/python/{} installed in {}",
                candidates.join(" or "),
                self.requirements,
                self.variable
            ))
        })
    }

    fn is_usable(&self, python: &str) -> bool {
        let test = match self.only {
            Some(minor) => format!("sys.version_info[:2] == (3, {minor})"),
            None => "True".to_owned(),
        };
        let script = format!("import sys, venv, ensurepip; sys.exit(not ({test}))");
        run(Command::new(python).args(["-c", &script])).is_ok()
    }
}

/// Installs a Debian package where that needs nobody's word: as root, with apt-get.
fn install(package: &str) -> Result<(), String> {
    let root = run(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root {
        return Err("not root, so nothing was installed".to_owned());
    }
    note(&format!("installing {package} with apt-get"));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends", package]))?;
    Ok(())
}

/// The folder of Python programs and requirements.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// A folder under the target folder that stays between runs.
fn scratch() -> PathBuf {
    crate::program::target().join("tmp")
}

/// Runs a program to its end: its standard output, or all that it said.
///
/// # Errors
/// The command, its status and its output, where it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "{command:?} ended with {}:\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

/// Says why a test skips, past the capture of the test harness.
pub fn skip(why: &str) {
    note(&format!("SKIPPED: {why}"));
}

/// A line on standard error, past the capture of the test harness.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
