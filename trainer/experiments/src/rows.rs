//! Which planners and which variants of LatCo are compared, and what each may spend on a plan. The one
//! place to add another.

use latco_controller::Config;
use latco_controller::config::{PlannerKind, PlannerSection};

/// The planners that are compared, in the order of the tables: all but the ablation of LatCo among them.
pub fn planners() -> impl Iterator<Item = PlannerKind> {
    let all = PlannerKind::ALL.into_iter();
    all.filter(|kind| *kind != PlannerKind::LatcoFirstOrder)
}

/// Number of iterations that no budget of time lets happen.
const MANY: u32 = 1_000_000;

/// What each planner optimises, in words.
#[must_use]
pub fn objective(kind: PlannerKind) -> &'static str {
    match kind {
        PlannerKind::Latco => {
            "rewards of the planned states as softplus residuals, dynamics and action limits by multipliers (Eq. 8)"
        }
        PlannerKind::SamplingOnly => "return of the starts of LatCo, which no iteration improves",
        PlannerKind::GaussianLatco => {
            "the same in expectation over samples of the states, whose means and deviations are planned (Algorithm 2)"
        }
        PlannerKind::LatcoFirstOrder => "the same as LatCo by Adam on the Lagrangian",
        PlannerKind::Cem => "return of sampled action sequences, mean of the elites",
        PlannerKind::Mppi => "as CEM, elites weighted by the softmax of their returns",
        PlannerKind::ShootingGd => {
            "return of one action sequence by Adam (Eq. 3), action limits by multipliers"
        }
        PlannerKind::ShootingGn => "LatCo's residuals over the actions alone, Gauss-Newton",
        PlannerKind::SampledGn => "the same from the starts of LatCo",
        PlannerKind::Grasp => {
            "rewards of virtual states, dynamics as a penalty, no slope by the model's state input"
        }
        PlannerKind::Ilqr => "as Gauss-Newton, by a linear-quadratic regulator with line search",
    }
}

/// Lets the planner of a kind plan on one thread, whose CPU time is counted.
fn alone(config: &Config, kind: PlannerKind) -> Config {
    let mut config = config.clone();
    config.planner.kind = kind;
    config.planner.threads = 1;
    config.planner.budget_ms = None;
    config
}

/// The paper's settings on Meta-World (appendices B and D): its iterations and samples, every plan made
/// from nothing, and followed to its end (`T_cache` = H). It gives none for Gauss-Newton shooting and
/// iLQR, which have as many iterations as LatCo, and none for GRASP, which has those of gradient descent.
#[must_use]
pub fn at_the_papers(config: &Config, kind: PlannerKind) -> Config {
    let mut config = alone(config, kind);
    sample_futures(&mut config);
    // Longer than any plan: the next one is made when it is at its end.
    config.control.replan_every_periods = MANY;
    let planner = &mut config.planner;
    let latco = &mut planner.latco;
    latco.warm_start = false;
    latco.iterations_cold = match kind {
        PlannerKind::GaussianLatco => 50,
        PlannerKind::ShootingGd | PlannerKind::Grasp => 500,
        _ => 200,
    };
    if !matches!(kind, PlannerKind::SamplingOnly | PlannerKind::SampledGn) {
        (latco.starts, latco.sampled_starts) = (1, 0);
    }
    (latco.damping, latco.tolerance) = (1e-3, 1e-4);
    planner.gaussian_latco.samples = 50;
    let cem = &mut planner.cem;
    cem.samples = match kind {
        PlannerKind::Mppi => 1000,
        _ => 10_000,
    };
    (cem.iterations, cem.elites) = (100, 100);
    (cem.gamma, cem.warm_start) = (10.0, false);
    config
}

/// CEM and MPPI value sequences by sampled futures, as the paper's do: what the Lottery tells apart. Elsewhere mean states
/// are as good and cheaper.
fn sample_futures(config: &mut Config) {
    config.planner.cem.sampled_states = true;
}

/// What the Lottery's rows have in place of that: sampled futures, the paper's ten iterations of CEM and MPPI on small tasks (DM
/// Control), and for CEM its share of elites of 1 % (Meta-World). With 12 of 128 the many samples that certainly pay a little
/// outvote the few lucky ones. At the paper's settings collocation begins several times and the best is taken, as in the
/// paper's evaluation (section 5.3): a plan is followed to its end there, and half of those from one start reach no goal. At equal time
/// Gaussian LatCo, whose plans are short and whose model is small here, looks at many sequences and looks again while the plan
/// promises little.
pub fn for_the_lottery(config: &mut Config) {
    sample_futures(config);
    let planner = &mut config.planner;
    let (latco, cem) = (&mut planner.latco, &mut planner.cem);
    let is_timed = planner.budget_ms.is_some();
    match planner.kind {
        PlannerKind::Latco if !is_timed => latco.starts = 8,
        PlannerKind::GaussianLatco if !is_timed => latco.starts = 8,
        PlannerKind::GaussianLatco => {
            (latco.sampled_starts, latco.sampling_rounds) = (2, 6);
            latco.starts_below_return = 5.0;
        }
        PlannerKind::Cem if is_timed => (cem.samples, cem.elites) = (512, 5),
        PlannerKind::Cem | PlannerKind::Mppi if !is_timed => cem.iterations = 10,
        _ => {}
    }
}

/// Sets as many iterations as fit into `ms` of CPU time, and a new plan at every step from the one before it.
/// There are as many samples as let several iterations fit. LatCo keeps the iterations of the
/// configuration as its most.
#[must_use]
pub fn at_equal_time(config: &Config, kind: PlannerKind, ms: f64) -> Config {
    let mut config = alone(config, kind);
    let planner = &mut config.planner;
    planner.budget_ms = Some(ms);
    let cem = &mut planner.cem;
    (cem.samples, cem.elites) = (128, 12);
    cem.warm_start = true;
    set_iterations(planner, MANY, MANY);
    config
}

/// Sets the iterations of planners that are not latent collocation: this has those of the configuration.
fn set_iterations(planner: &mut PlannerSection, of_samples: u32, of_plans: u32) {
    use PlannerKind::{GaussianLatco, Latco, SamplingOnly};
    planner.cem.iterations = of_samples;
    if !matches!(planner.kind, Latco | SamplingOnly | GaussianLatco) {
        let latco = &mut planner.latco;
        (latco.iterations_cold, latco.iterations_warm) = (of_plans, of_plans);
    }
}

/// What a planner is told that collects for an online run, where no clock runs: a number of iterations
/// that takes about the time of LatCo's on a small model, from the plan before.
#[must_use]
pub fn collecting(config: &Config, kind: PlannerKind) -> Config {
    const ITERATIONS: u32 = 20;
    let mut config = at_equal_time(config, kind, 1.0);
    let planner = &mut config.planner;
    planner.budget_ms = None;
    set_iterations(planner, 4, ITERATIONS);
    if kind == PlannerKind::GaussianLatco {
        let latco = &mut planner.latco;
        (latco.iterations_cold, latco.iterations_warm) = (ITERATIONS, ITERATIONS);
    }
    config
}

/// One row of a table: a planner, or LatCo without one of its parts.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of the row.
    pub row: &'static str,
    /// Settings of the controller.
    pub config: Config,
    /// What follows the task in the name of the bundle's folder: nothing, or what the model lacks.
    pub bundle: &'static str,
}

/// LatCo, and LatCo without one of its parts each, from the same settings. `configs/ablations` has them as
/// files for a robot.
#[must_use]
pub fn ablations(config: &Config) -> Vec<Row> {
    let with = |row, change: fn(&mut Config)| {
        let mut config = Config {
            planner: PlannerSection {
                kind: PlannerKind::Latco,
                ..config.planner.clone()
            },
            ..config.clone()
        };
        change(&mut config);
        Row {
            row,
            config,
            bundle: "",
        }
    };
    vec![
        with("latco", |_| ()),
        with("no_relaxation", no_relaxation),
        with("no_constrained", |config| {
            let latco = &mut config.planner.latco;
            (latco.dynamics_multiplier, latco.action_multiplier) = (8.0, 16.0);
            latco.multiplier_rate = 0.0;
        }),
        Row {
            bundle: NO_DETERMINISTIC,
            ..with("no_deterministic", |_| ())
        },
        with("no_second_order", no_second_order),
        with("no_sampled_start", no_sampled_start),
        with("shooting_gn", |config| {
            config.planner.kind = PlannerKind::ShootingGn;
            if config.planner.budget_ms.is_some() {
                set_iterations(&mut config.planner, MANY, MANY);
            }
        }),
    ]
}

/// What the sampled candidates do for a planner, and what a planner does for them: sampling alone, improved by Gauss-Newton and
/// by collocation, collocation without, and other planners, of samples with white and with correlated noise.
#[must_use]
pub fn candidates(of: &dyn Fn(PlannerKind) -> Config) -> Vec<Row> {
    let row = |row, kind, change: fn(&mut Config)| {
        let mut config = of(kind);
        change(&mut config);
        Row {
            row,
            config,
            bundle: "",
        }
    };
    let correlated = |config: &mut Config| config.planner.cem.correlated_noise = true;
    vec![
        // Every plan is sampled anew around the shifted one, whatever that promises.
        row("sampling", PlannerKind::SamplingOnly, |config| {
            config.planner.latco.starts_below_return = 1e6;
        }),
        row("sampling_only", PlannerKind::SamplingOnly, |_| ()),
        row("sampled_gn", PlannerKind::SampledGn, |_| ()),
        row("latco", PlannerKind::Latco, |_| ()),
        row("no_sampled_start", PlannerKind::Latco, no_sampled_start),
        row("shooting_gn", PlannerKind::ShootingGn, |_| ()),
        row("grasp", PlannerKind::Grasp, |_| ()),
        row("cem", PlannerKind::Cem, |_| ()),
        row("cem_correlated", PlannerKind::Cem, correlated),
        row("mppi", PlannerKind::Mppi, |_| ()),
        row("mppi_correlated", PlannerKind::Mppi, correlated),
    ]
}

/// Collocation from noise alone, from which a plan has a long way to go: with the paper's damping.
fn no_sampled_start(config: &mut Config) {
    let latco = &mut config.planner.latco;
    (latco.starts, latco.sampled_starts) = (1, 0);
    latco.starts_below_return = 0.0;
    latco.damping = 1e-3;
}

/// A bundle trained with `model.deter = 0`: a property of the model and not of the planner.
pub const NO_DETERMINISTIC: &str = "-no-deterministic";

/// Adam on the Lagrangian (appendix B): multipliers every 5 steps.
fn no_second_order(config: &mut Config) {
    let timed = config.planner.budget_ms.is_some();
    config.planner.kind = PlannerKind::LatcoFirstOrder;
    let latco = &mut config.planner.latco;
    (latco.iterations_cold, latco.iterations_warm) = match timed {
        true => (MANY, MANY),
        // As LatCo itself: two fifths where there is a plan to go on from.
        false => (5000, 2000),
    };
    (latco.multiplier_rate, latco.rollout_every_iterations) = (1.5, 250);
}

/// The dynamics are enforced from the first iteration on.
fn no_relaxation(config: &mut Config) {
    config.planner.latco.dynamics_multiplier = 1e8;
}

/// LatCo and LatCo without relaxation, each one cold plan of so many iterations from one start: figures
/// 6 and 11.
#[must_use]
pub fn relaxations(config: &Config, iterations: u32) -> Vec<(&'static str, Config)> {
    let mut latco = at_the_papers(config, PlannerKind::Latco);
    latco.planner.latco.iterations_cold = iterations;
    let mut enforced = latco.clone();
    no_relaxation(&mut enforced);
    vec![("latco", latco), ("no_relaxation", enforced)]
}

/// What a planner may spend on one plan, in words.
#[must_use]
pub fn budget(config: &Config) -> String {
    let planner = &config.planner;
    let most = |text: String| text.replace(&MANY.to_string(), "any number of");
    let cold_and_warm = |cold: u32, warm: u32, warms: bool| {
        if warms && warm != cold {
            format!("{cold} iterations, warm {warm}")
        } else {
            format!("{cold} iterations")
        }
    };
    let (latco, cem) = (&planner.latco, &planner.cem);
    let iterations = cold_and_warm(
        latco.iterations_cold,
        latco.iterations_warm,
        latco.warm_start,
    );
    let text = most(match planner.kind {
        PlannerKind::Cem | PlannerKind::Mppi => {
            let futures = if cem.sampled_states {
                " with sampled states"
            } else {
                ""
            };
            format!(
                "{} iterations of {} samples{futures}, {} elites",
                cem.iterations, cem.samples, cem.elites
            )
        }
        PlannerKind::SamplingOnly => format!(
            "{} rounds of {} samples, no iterations",
            latco.sampling_rounds, latco.samples
        ),
        PlannerKind::GaussianLatco => format!(
            "{iterations} of {} samples, {} starts",
            planner.gaussian_latco.samples, latco.starts
        ),
        PlannerKind::Latco | PlannerKind::LatcoFirstOrder if latco.starts > 1 => {
            format!("{iterations}, {} starts", latco.starts)
        }
        _ => iterations,
    });
    match planner.budget_ms {
        Some(ms) => format!("{ms} ms; {text}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_told_in_words() {
        let config = Config::default();
        let told = |kind, equal| {
            budget(&match equal {
                true => at_equal_time(&config, kind, 30.0),
                false => at_the_papers(&config, kind),
            })
        };
        assert_eq!(told(PlannerKind::Latco, false), "200 iterations");
        assert_eq!(
            told(PlannerKind::Cem, false),
            "100 iterations of 10000 samples with sampled states, 100 elites"
        );
        let mut lottery = at_the_papers(&config, PlannerKind::Cem);
        for_the_lottery(&mut lottery);
        assert_eq!(
            budget(&lottery),
            "10 iterations of 10000 samples with sampled states, 100 elites"
        );
        assert_eq!(
            told(PlannerKind::ShootingGd, true),
            "30 ms; any number of iterations"
        );
        assert_eq!(
            told(PlannerKind::Latco, true),
            "30 ms; 50 iterations, warm 20, 2 starts"
        );
    }

    #[test]
    fn collectors_need_no_clock() {
        for kind in PlannerKind::ALL {
            let told = budget(&collecting(&Config::default(), kind));
            assert!(!told.contains("any number"), "{kind}: {told}");
        }
    }

    #[test]
    fn planners_and_variants_have_names_of_their_own() {
        let ablations = ablations(&Config::default());
        let mut names: Vec<&str> = ablations.iter().map(|ablation| ablation.row).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(planners().all(|kind| !objective(kind).is_empty()));
        let candidates = candidates(&|kind| alone(&Config::default(), kind));
        let told: std::collections::BTreeSet<_> = (candidates.iter())
            .map(|row| format!("{:?}", row.config.planner))
            .collect();
        assert_eq!(told.len(), candidates.len(), "two rows are the same");
    }
}
