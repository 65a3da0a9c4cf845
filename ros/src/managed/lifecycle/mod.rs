//! The life of a managed node: states, transitions and which of them may follow which. The machine itself knows no
//! middleware and no time; [`messages`] and the services stand beside it.
//!
//! Source: [Managed nodes](https://design.ros2.org/articles/node_lifecycle.html); ids and labels are those of
//! `lifecycle_msgs/msg/State` and `lifecycle_msgs/msg/Transition`, and labels of `rcl_lifecycle` where the messages have
//! none.
//!
//! ```
//! use latco_ros::managed::lifecycle::{Machine, Outcome, State};
//! let mut machine = Machine::new();
//! let edge = machine.request(1, "configure").unwrap();
//! machine.begin(edge).unwrap();
//! assert_eq!(machine.state(), State::Configuring);
//! machine.finish(Outcome::Success).unwrap();
//! assert_eq!(machine.state(), State::Inactive);
//! ```

mod edge;
mod machine;
pub mod messages;
mod server;
mod state;

pub use edge::{EDGES, Edge, Outcome, Trigger, graph};
pub use machine::{Machine, Misplaced, Refused};
pub(crate) use server::{Change, Lifecycle};
pub use state::State;
