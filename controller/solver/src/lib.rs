#![no_std]
//! Levenberg-Marquardt solvers for latent collocation: no_std, no allocator, memory handed in
