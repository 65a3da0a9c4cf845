//! Parameters of CEM and MPPI: appendices B and D of the paper.

crate::settings! {
    /// `[planner.cem]`; by default the figures of the DM Control runs.
    pub struct CemSection {
        /// Iterations.
        iterations: u32 = 10, at_least(1.0);
        /// Action sequences per iteration.
        samples: u32 = 1000, within(2.0, 100_000.0);
        /// Best sequences, to which the distribution is refitted.
        elites: u32 = 100, within(1.0, 100_000.0);
        /// Inverse temperature of `mppi`, gamma: the weight of a sequence is exp(gamma times its return).
        gamma: f64 = 10.0, above(0.0);
        /// Whether the noise of the sequences is correlated from step to step, differently from sequence to sequence, as that
        /// of the sequences which `latco` starts from; otherwise it is white.
        correlated_noise: bool;
        /// Lowest standard deviation; it begins with 1.
        min_std: f64, at_least(0.0), unit_of("of the normalised action");
        /// Whether the mean starts from the shifted previous plan (the paper starts at zero).
        warm_start: bool;
        /// Whether sequences are valued by one sampled future each, as in PlaNet, instead of by the mean states. It plans for
        /// luck: the elites are those whose futures turned out well.
        sampled_states: bool;
    }
}
