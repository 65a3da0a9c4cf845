//! Offline trainer: learns an RSSM from bags, measures its gates, and exports it as a bundle.
//!
//! ```no_run
//! use latco_trainer::export::export;
//! use latco_trainer::fit::{checkpoint::Checkpoint, trained::Model};
//!
//! let checkpoint = Checkpoint::load("runs/reach".as_ref())?;
//! let worst = export(&Model::of(&checkpoint), &[], "runs/reach/bundle".as_ref())?;
//! println!("largest difference between burn and ONNX Runtime: {worst:.1e}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod card;
pub mod data;
pub mod export;
pub mod fit;
pub mod gates;
pub mod label;
pub mod lerobot;
pub mod memory;
pub mod online;
pub mod page;
pub mod progress;
pub mod report;
pub mod rssm;
pub mod source;
pub mod tensorboard;
