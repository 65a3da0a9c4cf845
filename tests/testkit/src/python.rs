//! Python environments with the software that we test against, made by the tests themselves.
//!
//! Each is a virtual environment under the target folder with the packages that a file in `tests/python/` pins. It is made
//! once; a changed file makes it anew.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::paths::{scratch, workspace};
use crate::run::{note, run};

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

impl Environment {
    /// The Python of this environment, which is made if need be.
    ///
    /// # Panics
    /// When it cannot be made; with the reason.
    pub fn python(&self) -> PathBuf {
        self.made()
            .unwrap_or_else(|why| panic!("no {}: {why}", self.name))
    }

    fn made(&self) -> Result<PathBuf, String> {
        if let Some(python) = std::env::var_os(self.variable) {
            return Ok(PathBuf::from(python));
        }
        let error = |e: std::io::Error| e.to_string();
        let requirements = scripts().join(self.requirements);
        let wanted = fs::read_to_string(&requirements).map_err(error)?;
        let folder = scratch().join(format!("{}-venv", self.name));
        let python = folder.join("bin/python3");
        let installed = folder.join("installed.txt");
        // One test at a time makes it, also when tests are processes.
        fs::create_dir_all(scratch()).map_err(error)?;
        let lock = File::create(scratch().join(format!("{}.lock", self.name))).map_err(error)?;
        lock.lock().map_err(error)?;
        if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && python.exists() {
            return Ok(python);
        }
        let base = self.base()?;
        run(Command::new(base)
            .args(["-m", "venv", "--clear"])
            .arg(&folder))?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(&requirements))?;
        fs::write(&installed, wanted).map_err(error)?;
        Ok(python)
    }

    /// A Python of the wanted version that can make virtual environments.
    fn base(&self) -> Result<String, String> {
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
            format!(
                "expected {} that can make virtual environments, found none ({why}); install {package}, or name a Python \
                 with tests/python/{} installed in {}",
                candidates.join(" or "),
                self.requirements,
                self.variable
            )
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
    workspace().join("tests/python")
}
