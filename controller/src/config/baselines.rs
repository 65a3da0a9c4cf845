//! Parameters of the planners that LatCo is compared with: appendices B and D of the paper.

crate::settings! {
    /// `[planner.cem]`; by default the figures of the DM Control runs.
    pub struct CemSection {
        /// Iterations.
        iterations: u32 = 10, at_least(1.0);
        /// Action sequences per iteration.
        samples: u32 = 1000, within(2.0, 100_000.0);
        /// Best sequences that the distribution is refitted to.
        elites: u32 = 100, within(1.0, 100_000.0);
        /// Standard deviation at the start.
        initial_std: f64 = 1.0, above(0.0), unit_of("of the normalised action");
        /// Lowest standard deviation.
        min_std: f64, at_least(0.0), unit_of("of the normalised action");
        /// Whether the mean starts from the shifted previous plan (the paper starts at zero).
        warm_start: bool;
        /// Whether sequences are valued by one sampled future each, as in PlaNet, instead of by the mean states. It plans for
        /// luck: the elites are those whose futures turned out well.
        sampled_states: bool;
    }
}

crate::settings! {
    /// `[planner.mppi]`: as CEM, with elites weighted by the softmax of their returns.
    pub struct MppiSection {
        /// Iterations.
        iterations: u32 = 10, at_least(1.0);
        /// Action sequences per iteration.
        samples: u32 = 1000, within(2.0, 100_000.0);
        /// Best sequences that are weighted.
        elites: u32 = 100, within(1.0, 100_000.0);
        /// Inverse temperature, gamma: the weight of a sequence is exp(gamma times its return).
        gamma: f64 = 10.0, above(0.0);
        /// Standard deviation at the start.
        initial_std: f64 = 1.0, above(0.0), unit_of("of the normalised action");
        /// Lowest standard deviation.
        min_std: f64, at_least(0.0), unit_of("of the normalised action");
        /// Whether the mean starts from the shifted previous plan (the paper starts at zero).
        warm_start: bool;
        /// Whether sequences are valued by one sampled future each, as in PlaNet, instead of by the mean states. It plans for
        /// luck: the elites are those whose futures turned out well.
        sampled_states: bool;
    }
}

crate::settings! {
    /// `[planner.shooting_gd]`: Adam on the actions, with multipliers for their limits.
    pub struct ShootingGdSection {
        /// Iterations of a plan made from nothing (the paper: 500 on Meta-World, 100 on DM Control).
        iterations_cold: u32 = 100, at_least(1.0);
        /// Iterations of a plan that starts from the previous one.
        iterations_warm: u32 = 100, at_least(1.0);
        /// Whether plans start from the shifted previous plan.
        warm_start: bool = true;
        /// Step size of Adam.
        learning_rate: f64 = 0.05, above(0.0);
        /// Initial multiplier of the action limits.
        action_multiplier: f64 = 1.0, above(0.0);
        /// Rate of the multiplier update.
        multiplier_rate: f64 = 0.1, above(0.0);
        /// Iterations between updates of the multipliers.
        multiplier_every: u32 = 5, at_least(1.0);
        /// Violation of the action limits that is aimed at.
        tolerance: f64 = 1e-4, above(0.0);
        /// Every so many iterations (and at the last) the actions are clipped and rolled out; the best by that return is
        /// executed.
        rollout_every_iterations: u32 = 10, at_least(1.0);
    }
}

crate::settings! {
    /// `[planner.shooting_gn]`: Gauss-Newton on the actions, for LatCo's sum of squares.
    pub struct ShootingGnSection {
        /// Iterations of a plan made from nothing.
        iterations_cold: u32 = 50, at_least(1.0);
        /// Iterations of a plan that starts from the previous one.
        iterations_warm: u32 = 20, at_least(1.0);
        /// Whether plans start from the shifted previous plan.
        warm_start: bool = true;
        /// Damping on the change of the actions, in their units.
        damping: f64 = 0.1, above(0.0);
        /// Initial multiplier of the action limits.
        action_multiplier: f64 = 1.0, above(0.0);
        /// Every so many iterations (and at the last) the actions are clipped and rolled out.
        rollout_every_iterations: u32 = 5, at_least(1.0);
    }
}

crate::settings! {
    /// `[planner.ilqr]`: Tassa et al. 2012 with Gauss-Newton cost, line search, and a regulariser of Quu that doubles where it is
    /// not positive definite.
    pub struct IlqrSection {
        /// Iterations of a plan made from nothing.
        iterations_cold: u32 = 50, at_least(1.0);
        /// Iterations of a plan that starts from the previous one.
        iterations_warm: u32 = 20, at_least(1.0);
        /// Whether plans start from the shifted previous plan.
        warm_start: bool = true;
        /// First regulariser of Quu.
        regularisation: f64 = 1e-3, above(0.0);
        /// Largest; above it the plan counts as stalled.
        largest_regularisation: f64 = 1e6, above(0.0), at_most(1e12);
        /// Step sizes that are tried: 1, 1/2, 1/4, ...
        line_search_steps: u32 = 8, at_least(1.0);
    }
}
