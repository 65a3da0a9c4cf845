//! Simulated robots with cameras
