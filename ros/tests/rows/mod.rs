//! The faults that a controller survives, by their numbers, where they need the node: real DDS, real time.

mod injection;
