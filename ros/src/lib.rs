//! The ROS 2 shell of the controller: nodes, and the `latco` command.
//!
//! ```no_run
//! use latco_ros::recorder::{RecordOptions, Recorder, standard_topics};
//!
//! // Records what a robot says into a bag, until it is finished.
//! let network = latco_ros::middleware::Network::new(Some(0), true)?;
//! let (topics, options) = (standard_topics(), RecordOptions::default());
//! let recorder = Recorder::start(Recorder::node(network, "/")?, "my-bag".as_ref(), &topics, &options, |_, _| {})?;
//! std::io::stdin().read_line(&mut String::new())?;
//! recorder.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A camera frame comes in at [`controller`], goes through `latco_controller`, and leaves as a joint command at
//! [`controller`] again. Nothing is decided here: whatever a replay of a bag must be able to repeat is in `latco-controller`.

pub mod allocations;
#[cfg_attr(not(feature = "sim"), allow(dead_code))] // the demonstration uses the rest
pub mod child;
pub mod commands;
pub mod controller;
#[cfg(feature = "sim")]
pub mod demo;
mod error_text;
mod goal;
mod log;
pub mod managed;
pub mod middleware;
pub mod obedient;
#[cfg(feature = "sim")]
mod pictures;
pub mod player;
mod quantile;
pub mod recorder;
pub mod replay;
#[cfg(feature = "sim")]
pub mod report;
#[cfg(feature = "sim")]
pub mod sim;
pub mod system;
pub mod top;
