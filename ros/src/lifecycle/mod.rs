//! The life of a managed node: states, transitions and which of them may follow which. No middleware, no time.
//!
//! Source: [Managed nodes](https://design.ros2.org/articles/node_lifecycle.html); ids and labels are those of
//! `lifecycle_msgs/msg/State` and `lifecycle_msgs/msg/Transition`, and labels of `rcl_lifecycle` where the messages have
//! none.
//!
//! ```
//! use latco_ros::lifecycle::{Machine, Outcome, State};
//! let mut machine = Machine::new();
//! let edge = machine.request(1, "configure").unwrap();
//! machine.begin(edge).unwrap();
//! assert_eq!(machine.state(), State::Configuring);
//! machine.finish(Outcome::Success).unwrap();
//! assert_eq!(machine.state(), State::Inactive);
//! ```

mod edge;
mod machine;
mod state;

pub use edge::{EDGES, Edge, Trigger, graph};
pub use machine::{Machine, Misplaced, Outcome, Refused};
pub use state::State;
