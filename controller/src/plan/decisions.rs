//! The clock's decisions, by which a plan can be made again.

use serde::{Deserialize, Serialize};

/// The clock's decisions in a plan. With them the plan can be made again without a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Decisions {
    /// Rounds of sampled action sequences before the first iteration for which there was time: the number of full ones, and
    /// 1024 times that of small ones, which came after them. Without any, noise took their place. It is 0 for a planner
    /// without such rounds.
    pub sampling_rounds: u32,
    /// Number of parts that were done of the iteration that there was no time to complete. It is 0 for a
    /// planner whose iterations have one part.
    pub parts: u32,
    /// Number of iterations after which another one would have overrun the deadline; `None` when time did not
    /// end the solve.
    pub out_of_time_after: Option<u32>,
}

/// Number of small rounds is counted in these units ([`Decisions::sampling_rounds`]): there are at most 1000 rounds.
const SMALL: u32 = 1024;

/// Number of rounds of sampling of either size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundCounts {
    pub(super) full: u32,
    pub(super) small: u32,
}

impl RoundCounts {
    /// Both as one number ([`Decisions::sampling_rounds`]).
    pub(super) const fn packed(self) -> u32 {
        self.full + SMALL * self.small
    }
}

impl Decisions {
    /// The rounds of sampling by their size.
    pub(super) const fn rounds(self) -> RoundCounts {
        RoundCounts {
            full: self.sampling_rounds % SMALL,
            small: self.sampling_rounds / SMALL,
        }
    }
}

/// Decisions as journals and dumps have them, with one number for rounds and parts: no planner has
/// both, and each reads its own.
#[derive(Serialize, Deserialize)]
struct Recorded {
    sampling_rounds: u32,
    out_of_time_after: Option<u32>,
}

impl From<Recorded> for Decisions {
    fn from(recorded: Recorded) -> Self {
        Self {
            sampling_rounds: recorded.sampling_rounds,
            parts: recorded.sampling_rounds,
            out_of_time_after: recorded.out_of_time_after,
        }
    }
}

impl From<Decisions> for Recorded {
    fn from(decisions: Decisions) -> Self {
        Self {
            sampling_rounds: decisions.sampling_rounds.max(decisions.parts),
            out_of_time_after: decisions.out_of_time_after,
        }
    }
}
