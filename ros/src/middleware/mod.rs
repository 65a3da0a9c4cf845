//! The part of a node that every node of ours shares: context, publishers, subscriptions, services, threads.
//!
//! ```text
//!  middleware threads ──▶ reactor thread (subscriptions, services) ──▶ handlers: never block
//!  any thread ──Outbox (bounded)──▶ publisher thread ──▶ middleware
//!  signals thread ──▶ Stop
//! ```

mod builder;
pub mod camera_image;
mod error;
pub mod identity;
pub mod interfaces;
pub mod names;
mod network;
pub mod offered_qos;
pub mod outbox;
pub mod peers;
pub mod qos;
pub mod raw;
mod running;
mod services;
mod signals;
pub mod stamp;

pub use builder::NodeBuilder;
pub use camera_image::{ImageSize, Transport};
pub use error::NodeError;
pub use identity::NodeIdentity;
pub use names::{expand, ros_name, wire_type};
pub use network::{MAX_DOMAIN, Network, NetworkError, Services, middleware_alive};
pub use outbox::{Outbox, OutboxCounters, Published, Receipt};
pub use running::{Group, RunningNode};
pub use services::{EmptyRequest, TriggerReply, TriggerRequest};
pub use signals::Stop;
