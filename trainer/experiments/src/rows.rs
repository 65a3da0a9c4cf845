//! Which planners and which variants of LatCo are compared, and what each may spend on a plan. The one
//! place to add another.

use latco_controller::Config;
use latco_controller::config::{Optimiser, PlannerKind, PlannerSection};

/// The planners that are compared, in the order of the tables.
pub const PLANNERS: &[PlannerKind] = &PlannerKind::ALL;

/// Iterations that no time lets happen.
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
        PlannerKind::Cem => "return of sampled action sequences, mean of the elites",
        PlannerKind::Mppi => "as CEM, elites weighted by the softmax of their returns",
        PlannerKind::ShootingGd => {
            "return of one action sequence by Adam (Eq. 3), action limits by multipliers"
        }
        PlannerKind::ShootingGn => "LatCo's residuals over the actions alone, Gauss-Newton",
        PlannerKind::Grasp => {
            "rewards of virtual states, dynamics as a penalty, no slope by the model's state input"
        }
        PlannerKind::Ilqr => "as Gauss-Newton, by a linear-quadratic regulator with line search",
    }
}

/// One thread, whose CPU time is counted.
fn alone(config: &Config, kind: PlannerKind) -> Config {
    let mut config = config.clone();
    config.planner.kind = kind;
    config.planner.threads = 1;
    config.planner.budget_ms = None;
    config
}

/// The paper's settings on Meta-World (appendices B and D): its iterations and samples, every plan made
/// from nothing, and followed to its end (`T_cache` = H). It gives none for Gauss-Newton shooting and
/// iLQR: they have as many iterations as LatCo.
#[must_use]
pub fn at_the_papers(config: &Config, kind: PlannerKind) -> Config {
    let mut config = alone(config, kind);
    sample_futures(&mut config);
    // Longer than any plan: the next one is made when it is at its end.
    config.control.replan_every_periods = MANY;
    let planner = &mut config.planner;
    let latco = &mut planner.latco;
    (latco.iterations_cold, latco.warm_start) = (200, false);
    if kind != PlannerKind::SamplingOnly {
        (latco.starts, latco.sampled_starts) = (1, 0);
    }
    (latco.damping, latco.tolerance) = (1e-3, 1e-4);
    let gaussian = &mut planner.gaussian_latco;
    (gaussian.iterations_cold, gaussian.samples) = (50, 50);
    (gaussian.starts, gaussian.sampled_starts) = (1, 0);
    gaussian.warm_start = false;
    let cem = &mut planner.cem;
    (cem.iterations, cem.samples, cem.elites) = (100, 10_000, 100);
    cem.warm_start = false;
    let mppi = &mut planner.mppi;
    (mppi.iterations, mppi.samples, mppi.elites) = (100, 1000, 100);
    (mppi.gamma, mppi.warm_start) = (10.0, false);
    let gd = &mut planner.shooting_gd;
    (gd.iterations_cold, gd.warm_start) = (500, false);
    (gd.learning_rate, gd.multiplier_every) = (0.05, 5);
    (
        planner.shooting_gn.iterations_cold,
        planner.shooting_gn.warm_start,
    ) = (200, false);
    (planner.ilqr.iterations_cold, planner.ilqr.warm_start) = (200, false);
    config
}

/// CEM and MPPI value sequences by sampled futures, as the paper's do: what the Lottery tells apart. Elsewhere mean states
/// are as good and cheaper.
fn sample_futures(config: &mut Config) {
    let planner = &mut config.planner;
    (planner.cem.sampled_states, planner.mppi.sampled_states) = (true, true);
}

/// What the Lottery's rows have in place of that: sampled futures, the paper's ten iterations of CEM and MPPI on small tasks (DM
/// Control), and for CEM its share of elites of 1 % (Meta-World). With 12 of 128 the many samples that certainly pay a little
/// outvote the few lucky ones. At the paper's settings collocation begins several times and the best is taken, as in the
/// paper's evaluation (section 5.3): a plan is followed to its end there, and half of those from one start reach no goal.
pub fn for_the_lottery(config: &mut Config) {
    sample_futures(config);
    let planner = &mut config.planner;
    let (cem, mppi) = (&mut planner.cem, &mut planner.mppi);
    if planner.budget_ms.is_some() {
        (cem.samples, cem.elites) = (512, 5);
    } else {
        (cem.iterations, mppi.iterations) = (10, 10);
        (planner.latco.starts, planner.gaussian_latco.starts) = (8, 8);
    }
}

/// As many iterations as fit into `ms` of CPU time, a new plan at every step from the one before it.
/// Of samples there are as many as let several iterations fit. LatCo keeps the iterations of the
/// configuration as its most.
#[must_use]
pub fn at_equal_time(config: &Config, kind: PlannerKind, ms: f64) -> Config {
    let mut config = alone(config, kind);
    let planner = &mut config.planner;
    planner.budget_ms = Some(ms);
    (planner.cem.iterations, planner.mppi.iterations) = (MANY, MANY);
    (planner.cem.samples, planner.mppi.samples) = (128, 128);
    (planner.cem.elites, planner.mppi.elites) = (12, 12);
    (planner.cem.warm_start, planner.mppi.warm_start) = (true, true);
    let gd = &mut planner.shooting_gd;
    (gd.iterations_cold, gd.iterations_warm) = (MANY, MANY);
    let gn = &mut planner.shooting_gn;
    (gn.iterations_cold, gn.iterations_warm) = (MANY, MANY);
    let ilqr = &mut planner.ilqr;
    (ilqr.iterations_cold, ilqr.iterations_warm) = (MANY, MANY);
    config
}

/// What a planner is told that collects for an online run, where no clock runs: a number of iterations
/// that takes about the time of LatCo's on a small model, from the plan before.
#[must_use]
pub fn collecting(config: &Config, kind: PlannerKind) -> Config {
    const ITERATIONS: u32 = 20;
    let mut config = at_equal_time(config, kind, 1.0);
    let planner = &mut config.planner;
    planner.budget_ms = None;
    (planner.cem.iterations, planner.mppi.iterations) = (4, 4);
    (
        planner.gaussian_latco.iterations_cold,
        planner.gaussian_latco.iterations_warm,
    ) = (ITERATIONS, ITERATIONS);
    let gd = &mut planner.shooting_gd;
    (gd.iterations_cold, gd.iterations_warm) = (ITERATIONS, ITERATIONS);
    let gn = &mut planner.shooting_gn;
    (gn.iterations_cold, gn.iterations_warm) = (ITERATIONS, ITERATIONS);
    let ilqr = &mut planner.ilqr;
    (ilqr.iterations_cold, ilqr.iterations_warm) = (ITERATIONS, ITERATIONS);
    config
}

/// One row of a table: a planner, or LatCo without one of its parts.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub row: &'static str,
    /// The settings.
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
        with("no_sampled_start", |config| {
            let latco = &mut config.planner.latco;
            (latco.starts, latco.sampled_starts) = (1, 0);
            latco.starts_below_return = 0.0;
        }),
        with("shooting_gn", |config| {
            config.planner.kind = PlannerKind::ShootingGn;
        }),
    ]
}

/// A bundle trained with `model.deter = 0`: a property of the model and not of the planner.
pub const NO_DETERMINISTIC: &str = "-no-deterministic";

/// Adam on the Lagrangian (appendix B): multipliers every 5 steps.
fn no_second_order(config: &mut Config) {
    let timed = config.planner.budget_ms.is_some();
    let latco = &mut config.planner.latco;
    latco.optimiser = Optimiser::Adam;
    (latco.iterations_cold, latco.iterations_warm) = match timed {
        true => (MANY, MANY),
        // As LatCo itself: two fifths where there is a plan to go on from.
        false => (5000, 2000),
    };
    (latco.learning_rate, latco.multiplier_rate) = (0.05, 1.5);
    latco.multiplier_every_iterations = 5;
    latco.rollout_every_iterations = 250;
    // The merit that a stall is judged by falls only when the multipliers are high.
    latco.stall_iterations = 5000;
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
    let samples = |iterations: u32, samples: u32, elites: u32, sampled: bool| {
        let futures = if sampled { " with sampled states" } else { "" };
        format!("{iterations} iterations of {samples} samples{futures}, {elites} elites")
    };
    let latco = &planner.latco;
    let (gd, gn, ilqr) = (&planner.shooting_gd, &planner.shooting_gn, &planner.ilqr);
    let text = most(match planner.kind {
        PlannerKind::Cem => {
            let cem = &planner.cem;
            samples(cem.iterations, cem.samples, cem.elites, cem.sampled_states)
        }
        PlannerKind::Mppi => {
            let mppi = &planner.mppi;
            samples(
                mppi.iterations,
                mppi.samples,
                mppi.elites,
                mppi.sampled_states,
            )
        }
        PlannerKind::SamplingOnly => format!(
            "{} rounds of {} samples, no iterations",
            latco.sampling_rounds, latco.samples
        ),
        PlannerKind::Grasp => match planner.budget_ms {
            Some(_) => format!("{MANY} iterations"),
            None => "500 iterations".to_owned(),
        },
        PlannerKind::ShootingGd => {
            cold_and_warm(gd.iterations_cold, gd.iterations_warm, gd.warm_start)
        }
        PlannerKind::ShootingGn => {
            cold_and_warm(gn.iterations_cold, gn.iterations_warm, gn.warm_start)
        }
        PlannerKind::Ilqr => {
            cold_and_warm(ilqr.iterations_cold, ilqr.iterations_warm, ilqr.warm_start)
        }
        PlannerKind::Latco => {
            let iterations = cold_and_warm(
                latco.iterations_cold,
                latco.iterations_warm,
                latco.warm_start,
            );
            match latco.starts {
                1 => iterations,
                starts => format!("{iterations}, {starts} starts"),
            }
        }
        PlannerKind::GaussianLatco => {
            let gaussian = &planner.gaussian_latco;
            let iterations = cold_and_warm(
                gaussian.iterations_cold,
                gaussian.iterations_warm,
                gaussian.warm_start,
            );
            format!(
                "{iterations} of {} samples, {} starts",
                gaussian.samples, gaussian.starts
            )
        }
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
        for kind in PLANNERS {
            let told = budget(&collecting(&Config::default(), *kind));
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
        assert!(PLANNERS.iter().all(|kind| !objective(*kind).is_empty()));
    }
}
