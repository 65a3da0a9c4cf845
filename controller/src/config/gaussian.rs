//! Parameters of Gaussian LatCo: section 3.4, appendices B and C of the paper.

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
    /// `[planner.gaussian_latco]`: as `[planner.latco]`, with a Gaussian for every state.
    pub struct GaussianLatcoSection {
        /// Iterations of a plan made from nothing, and of one with fresh starts.
        iterations_cold: u32 = 50, at_least(1.0);
        /// Whether plans start from the previous one; without, each is made from nothing.
        warm_start: bool = true;
        /// Iterations of a plan that starts from the previous one.
        iterations_warm: u32 = 20, at_least(1.0);
        /// What counts of a reward that is uncertain. With a logit as reward head it is the mean probability, whatever this
        /// says.
        objective: Objective;
        /// Samples of every state, K of Algorithm 3; in pairs that mirror each other.
        samples: u32 = 50, within(2.0, 1000.0);
        /// Plans that are started and iterated together when there is no previous plan, or it promises too little; the best
        /// by expected return is kept. With a previous plan one of them is that plan, shifted.
        starts: u32 = 2, within(1.0, 64.0);
        /// So many of the fresh starts are the best of sampled action sequences by expected return, the others noise.
        sampled_starts: u32 = 1, at_most(64.0);
        /// Action sequences that are sampled a round.
        sequences: u32 = 64, within(1.0, 10_000.0);
        /// Samples of every state of a sampled sequence; in pairs that mirror each other.
        sequence_samples: u32 = 10, within(2.0, 1000.0);
        /// Rounds of sampling, each around the best of the one before, as far as half of the budget allows.
        sampling_rounds: u32 = 4, within(1.0, 1000.0);
        /// How many of the best a round keeps.
        sampling_elites: u32 = 12, within(1.0, 10_000.0);
        /// While the shifted plan's expected return is below this, fresh starts are made beside it.
        starts_below_return: f64 = 1.0, within(0.0, 1e6);
        /// Standard deviation of every state of a plan that starts from noise.
        initial_std: f64 = 1.0, at_least(0.0);
        /// Factor on the standard deviations that the model predicts: 0 plans for the mean state as `latco` does.
        std_scale: f64 = 1.0, at_least(0.0);
        /// Initial multiplier of the dynamics, lambda_0.
        dynamics_multiplier: f64 = 1.0, above(0.0);
        /// Initial multiplier of the action limits, nu_0.
        action_multiplier: f64 = 1.0, above(0.0);
        /// Violation that is aimed at, epsilon; of the means and of the deviations.
        tolerance: f64 = 1e-2, above(0.0);
        /// Rate of the multiplier update, alpha of Eq. 10.
        multiplier_rate: f64 = 0.1, at_least(0.0);
        /// Damping of the Levenberg-Marquardt step.
        damping: f64 = 1e-3, above(0.0);
        /// Factor on the multipliers at each warm start, as in `[planner.latco]`.
        multiplier_relaxation: f64 = 1.0, within(0.0, 1.0);
        /// A plan counts as converged when the violations are below the tolerance and the summed expected reward changes by
        /// less than this between iterations.
        reward_tolerance: f64 = 1e-4, at_least(0.0);
        /// Iterations without a better plan after which the solve stops as stalled.
        stall_iterations: u32 = 1000, at_least(1.0);
        /// Every so many iterations (and at the last) the plan's clipped actions are valued in expectation; the best by that
        /// return is executed.
        rollout_every_iterations: u32 = 10, at_least(1.0);
    }
}
