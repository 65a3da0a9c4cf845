//! What plans promise, and what is paid in closed loop.

use serde::Serialize;

use crate::Episode;

/// What plans promised whose steps all lie within their episodes, and the rewards that were paid in these steps, under replanning.
///
/// ```
/// use latco_evaluate::{Episode, Promises};
///
/// let episode = Episode {
///     plan_steps: vec![0, 1, 2],
///     promised: vec![1.0, 2.0, 9.0],
///     rewards: vec![0.0, 0.0, 1.0, 1.0],
///     ..Episode::default()
/// };
/// // The third plan reaches beyond the end of the episode.
/// let promises = Promises::of(&[episode], 1, 2);
/// assert_eq!((promises.plans, promises.promised, promises.paid), (2, 1.5, 1.5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Promises {
    /// Number of these plans.
    pub plans: usize,
    /// Mean predicted return.
    pub promised: f64,
    /// Mean sum of rewards.
    pub paid: f64,
}

impl Promises {
    /// Counts the plans of episodes whose first own action comes `lead` control periods after their image, and which promise
    /// the rewards of `horizon` periods.
    #[must_use]
    pub fn of(episodes: &[Episode], lead: usize, horizon: usize) -> Self {
        let (mut plans, mut promised, mut paid) = (0, 0.0, 0.0);
        for episode in episodes {
            for (&step, promise) in episode.plan_steps.iter().zip(&episode.promised) {
                let begin = step + lead;
                if let Some(rewards) = episode.rewards.get(begin..begin + horizon) {
                    plans += 1;
                    promised += promise;
                    paid += rewards.iter().sum::<f64>();
                }
            }
        }
        let count = plans.max(1) as f64;
        Self {
            plans,
            promised: promised / count,
            paid: paid / count,
        }
    }
}
