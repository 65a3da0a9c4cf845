//! The world model in burn: recurrent state-space model, encoders, decoders and heads.

pub mod activation;
mod composed;
pub mod conv;
pub mod device;
pub mod ensemble;
pub mod fused;
pub mod geometry;
pub mod keypoint;
pub mod layers;
mod operation;
pub mod overshooting;
pub mod params;
pub mod recurrent;
pub mod spatial;
pub mod world;
