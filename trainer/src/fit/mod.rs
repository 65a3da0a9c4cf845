//! Training: from episodes to weights.

pub mod adam;
pub mod autoencoder;
pub mod checkpoint;
pub mod config;
pub mod dataset;
pub mod ensemble;
pub mod error;
pub mod image_file;
pub mod log;
pub mod moments;
pub mod objective;
mod optimise;
pub mod pictures;
pub mod planet;
pub mod rows;
pub mod run;
pub mod sections;
pub mod sequences;
pub mod shards;
pub mod trained;
pub mod whitening;
pub mod world;
