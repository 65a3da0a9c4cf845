//! Threads round the core.
