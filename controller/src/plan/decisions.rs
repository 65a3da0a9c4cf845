//! What the clock decided, by which a plan can be made again.

use serde::{Deserialize, Serialize};

/// What the clock decided in a plan. With it a plan can be made again without a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Rounds of sampled action sequences that there was time for; without any, noise took the place
    /// of those wanted. Of CEM and MPPI the parts of an iteration that were rolled out before it was
    /// given up.
    pub sampling_rounds: u32,
    /// Iterations after which another one would have overrun the deadline; none when time did not
    /// end the solve.
    pub out_of_time_after: Option<u32>,
}
