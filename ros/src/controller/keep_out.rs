//! Regions to keep out of that somebody moves: `~/keep_out`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use latco_bag::messages::Float64MultiArray;
use latco_controller::runtime::RegionPort;

use super::intake::{Complaints, Counters};
use crate::middleware::{NodeBuilder, NodeError, qos};

/// The topic: three numbers a region.
const TOPIC: &str = "~/keep_out";

/// Adds the subscription, whose messages move the regions from now on. What is wrong is counted and told, and moves nothing.
///
/// # Errors
/// [`NodeError`].
pub(super) fn listen(
    node: &mut NodeBuilder,
    mut port: RegionPort,
    counters: Arc<Counters>,
) -> Result<(), NodeError> {
    let mut complaints = Complaints::new("place of regions to keep out of");
    node.subscribe::<Float64MultiArray>(TOPIC, qos::commands(), move |message| {
        let numbers = message.ok_or_else(|| {
            "expected a std_msgs/msg/Float64MultiArray, found bytes that do not decode".to_owned()
        });
        let moved = numbers.and_then(|m| port.send(&m.data).map_err(|e| e.to_string()));
        match moved {
            Ok(()) => {
                counters.regions_moved.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => complaints.refuse(
                &counters.regions_refused,
                &counters.last_keep_out_error,
                reason,
            ),
        }
    })
}
