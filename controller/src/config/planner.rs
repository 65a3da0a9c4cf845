//! Which planner, and what planners share.

use super::gaussian::GaussianLatcoSection;
use super::latco::LatcoSection;
use super::sampling::CemSection;
use crate::settings::DAY_MS;

crate::choices! {
    /// Which planner; the methods are those of Rybkin et al. 2021, appendix D.
    pub enum PlannerKind {
        /// Latent collocation.
        Latco = "latco",
        /// What latent collocation starts from, which no iteration improves.
        SamplingOnly = "sampling_only",
        /// Latent collocation of Gaussians: plans in expectation.
        GaussianLatco = "gaussian_latco",
        /// Latent collocation by steps of first order, Adam on the Lagrangian of Eq. 8: the ablation "no second order".
        LatcoFirstOrder = "latco_first_order",
        /// Cross-entropy method over action sequences.
        Cem = "cem",
        /// The cross-entropy method with elites weighted by their returns.
        Mppi = "mppi",
        /// Gradient descent on the actions through the model.
        ShootingGd = "shooting_gd",
        /// Gauss-Newton on the actions through the model.
        ShootingGn = "shooting_gn",
        /// Gauss-Newton on the actions through the model, from what latent collocation starts from.
        SampledGn = "sampled_gn",
        /// Iterative linear-quadratic regulator.
        Ilqr = "ilqr",
        /// Gradient steps on virtual states and actions without the model's slope by the state (arXiv 2602.00475).
        Grasp = "grasp",
    }
}

crate::settings! {
    /// `[planner]`
    pub struct PlannerSection {
        /// Which planner.
        kind: PlannerKind;
        /// Seed of everything random in the planner.
        seed: u64;
        /// Threads that plan at the same time; 0 stands for two, or one on a machine with one core or for states of 128
        /// elements or fewer. Plans do not depend on it.
        threads: u32;
        /// Time for one plan, from the arrival of the image; without a value iterations alone decide.
        budget_ms: Option<f64>, above(0.0), at_most(DAY_MS), live;
        /// Folder for planning problems whose solve failed or took too long, one file each, for `latco solve`; the
        /// newest 20 are kept. Without a value nothing is written. LatCo only.
        dump_dir: Option<String>, filled;
        /// A solve that takes longer than this is dumped as well.
        dump_above_ms: Option<f64>, above(0.0), at_most(DAY_MS);
        /// Parameters of latent collocation, Eq. 8 to 10 of the paper: of all planners whose name has `latco` in it, and, as far
        /// as starts go, of `sampling_only` and `sampled_gn`. The iterations and the warm start are those of shooting, iLQR and `grasp` as well.
        latco: LatcoSection;
        /// Parameters of `kind = "gaussian_latco"` (section 3.4, appendices B and C of the paper) beside those of
        /// `[planner.latco]`.
        gaussian_latco: GaussianLatcoSection;
        /// Parameters of `kind = "cem"`, and of `kind = "mppi"`, where elites are weighted by the softmax of their returns; by
        /// default those of the paper's DM Control runs.
        cem: CemSection;
    }
}
