//! Parameters of Gaussian LatCo alone: section 3.4, appendices B and C of the paper.

crate::choices! {
    /// What counts of a reward that is uncertain.
    pub enum Objective {
        /// The mean over the samples of the cost that the solver minimises, the squared softplus residual of section 4: the
        /// reward that is certain and costs as much stands for it. Losses count, large wins hardly do, so that a small error
        /// in how likely a win is changes little.
        ExpectedCost = "expected_cost",
        /// The mean reward.
        ExpectedReward = "expected_reward",
    }
}

crate::settings! {
    /// `[planner.gaussian_latco]`: what it has in place of, or beside, `[planner.latco]`.
    pub struct GaussianLatcoSection {
        /// What counts of a reward that is uncertain. With a logit as reward head it is the mean probability, whatever this
        /// says.
        objective: Objective;
        /// Samples of every state, K of Algorithm 3; in pairs that mirror each other.
        samples: u32 = 50, within(2.0, 1000.0);
        /// Action sequences that are sampled a round, in place of `latco.samples`.
        sequences: u32 = 64, within(1.0, 10_000.0);
        /// Samples of every state of a sampled sequence; in pairs that mirror each other.
        sequence_samples: u32 = 10, within(2.0, 1000.0);
        /// Violation that is aimed at, epsilon, of the means and of the deviations, in place of `latco.tolerance`: sampled
        /// constraints are met less closely.
        tolerance: f64 = 1e-2, above(0.0);
    }
}
