//! Offline trainer: RSSM, data from bags, evaluation, export

pub mod data;
pub mod export;
pub mod fit;
pub mod gates;
pub mod label;
pub mod lerobot;
pub mod memory;
pub mod online;
pub mod progress;
pub mod report;
pub mod rssm;
pub mod source;
pub mod tensorboard;
