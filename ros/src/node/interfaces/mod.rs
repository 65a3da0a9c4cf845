//! Messages and services that bags have no use for: `lifecycle_msgs` and `rcl_interfaces`.

pub mod lifecycle;
pub mod parameters;
