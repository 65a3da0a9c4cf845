//! Parameters of LatCo; the symbols as in appendix B of the paper.

crate::choices! {
    /// Which linear solver inside LatCo.
    pub enum SolverKind {
        /// The H x H system; damping on defect changes and actions.
        Reduced = "reduced",
        /// The paper's block-tridiagonal Cholesky; damping on states and actions.
        BlockTridiagonal = "block_tridiagonal",
    }
}

crate::settings! {
    /// `[planner.latco]`: Eq. 8-10 of the paper; the symbols as in its appendix B.
    pub struct LatcoSection {
        /// Linear solver of the Levenberg-Marquardt step; that of `gaussian_latco` is always `reduced`.
        solver: SolverKind;
        /// Most iterations of a plan made from nothing, and of one with fresh starts.
        iterations_cold: u32 = 50, at_least(1.0);
        /// Whether plans start from the previous one; without, each is made from nothing.
        warm_start: bool = true;
        /// Most iterations of a plan that starts from the previous one.
        iterations_warm: u32 = 20, at_least(1.0);
        /// Plans that are started differently and iterated together when there is no previous plan, or it promises too
        /// little; the best by clipped rollout return is kept. With a previous plan one of them is that plan, shifted; the
        /// others are noise and sampled sequences.
        starts: u32 = 2, within(1.0, 64.0);
        /// How many of these start from the best of the sampled action sequences.
        sampled_starts: u32 = 1, at_most(64.0);
        /// Action sequences that are sampled for them a round and rolled through the model.
        samples: u32 = 128, within(1.0, 10_000.0);
        /// Rounds of this sampling, of which as many are done as fit into half of the budget: each after the first draws
        /// around the best of those before it.
        sampling_rounds: u32 = 4, within(1.0, 1000.0);
        /// Whether the first of these rounds is done for a plan that starts from the previous one as well, half of it around that
        /// plan: the best sequence takes its place, with its multipliers, where it promises more (decision 14).
        warm_sampling: bool = true;
        /// While the shifted plan's predicted return is below this, fresh starts are made beside it: a sparse reward that
        /// the first plan missed is found by a later one. With 0 only plans made from nothing have several starts.
        starts_below_return: f64 = 1.0, within(0.0, 1e6);
        /// Initial multiplier of the dynamics, lambda_0.
        dynamics_multiplier: f64 = 1.0, above(0.0);
        /// Initial multiplier of the action limits, nu_0.
        action_multiplier: f64 = 1.0, above(0.0);
        /// Violation that is aimed at, epsilon.
        tolerance: f64 = 1e-4, above(0.0);
        /// Rate of the multiplier update, alpha of Eq. 10; with `latco_first_order` what is added to a multiplier for each
        /// unit of violation above the tolerance. With 0 they stay, and the constraints are penalties.
        multiplier_rate: f64 = 0.1, at_least(0.0);
        /// Damping of the Levenberg-Marquardt step: more of it keeps the iterates nearer to where they started, which is
        /// where a sampled or shifted plan believes the model rightly (decision 13).
        damping: f64 = 1e-1, above(0.0);
        /// A plan counts as converged when the largest dynamics violation is below the tolerance and the summed predicted
        /// reward changes by less than this between iterations; with 0 none does.
        reward_tolerance: f64 = 1e-4, at_least(0.0);
        /// Every so many iterations (and at the last) the plan's actions are clipped and rolled out through the model; the best
        /// by that return is executed.
        rollout_every_iterations: u32 = 10, at_least(1.0);
    }
}
