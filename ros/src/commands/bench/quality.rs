//! `latco bench solver --quality`: what plans are worth, the reduced solver against the
//! block-tridiagonal one, from the same start.
//!
//! All begin with the same noise and do the same number of iterations. The **return** is that of
//! the last iterate's actions, clipped to their limit and rolled out through the model: the sum of
//! what the reward head says (of its probabilities where it gives a logit). The **violation** is
//! the largest `|z_{t+1} - mu(z_t, a_t)|^2` of the last iterate. **Equal time** is the time the
//! reduced solver took; there the block-tridiagonal plan is the last iterate it had by then, which
//! may be the noise itself. Rollouts are made between iterations and not timed.

use std::path::PathBuf;
use std::time::Instant;

use latco_models::{Bundle, LoadOptions, RewardKind, Rollout};
use latco_solver::{BlockTridiagonal, LinearSolver, Reduced, Settings};

use super::progress::Progress;
use super::quality_report;
use super::run::Run;
use super::sizes::Sizes;
use super::start_states::{learned_bundles, learned_starts, random_start};
use super::table::{Row, Table};
use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// What is compared.
pub(super) struct Quality {
    /// Random models.
    pub(super) models: usize,
    /// Start states on each learned bundle.
    pub(super) starts: usize,
    /// Folder of the learned bundles.
    pub(super) bundles: PathBuf,
    pub(super) iterations: usize,
    pub(super) seed: u64,
    /// Where the models are computed.
    pub(super) load: LoadOptions,
    /// Folder of `quality.csv` and `quality.md`.
    pub(super) out: Option<PathBuf>,
}

/// Sizes of the random models, in turn.
const RANDOM: [Sizes; 5] = [
    sizes(16, 64, 96, 3, 20),
    sizes(30, 200, 200, 4, 30),
    sizes(8, 32, 48, 2, 15),
    sizes(20, 100, 120, 4, 30),
    sizes(30, 100, 100, 6, 50),
];

const fn sizes(stoch: usize, deter: usize, width: usize, action: usize, horizon: usize) -> Sizes {
    Sizes {
        stoch,
        deter,
        hidden: width,
        units: width,
        action,
        horizon,
    }
}

/// One problem, solved by all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    /// Name of the problem.
    pub(super) problem: String,
    /// Whether the model was trained.
    pub(super) learned: bool,
    /// Of the reduced solver.
    pub(super) reduced: Plan,
    /// Of the block-tridiagonal solver at as many iterations.
    pub(super) equal_iterations: Plan,
    /// Of the block-tridiagonal solver at the time of the reduced one.
    pub(super) equal_time: Plan,
}

/// One plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) iterations: usize,
    pub(super) time_ms: f64,
    pub(super) value: f64,
    pub(super) violation: f64,
}

impl Row for Comparison {
    const COLUMNS: &'static [&'static str] = &[
        "problem",
        "learned",
        "reduced_iterations",
        "reduced_ms",
        "reduced_return",
        "reduced_violation",
        "equal_iterations",
        "equal_iterations_ms",
        "equal_iterations_return",
        "equal_iterations_violation",
        "equal_time_iterations",
        "equal_time_ms",
        "equal_time_return",
        "equal_time_violation",
    ];

    fn values(&self) -> Vec<String> {
        let mut values = vec![self.problem.clone(), self.learned.to_string()];
        let plans = [&self.reduced, &self.equal_iterations, &self.equal_time];
        for plan in plans {
            values.push(plan.iterations.to_string());
            values.extend([plan.time_ms, plan.value, plan.violation].map(|v| v.to_string()));
        }
        values
    }

    fn from_values(values: &[&str]) -> Option<Self> {
        let plan = |from: usize| {
            Some(Plan {
                iterations: values.get(from)?.parse().ok()?,
                time_ms: values.get(from + 1)?.parse().ok()?,
                value: values.get(from + 2)?.parse().ok()?,
                violation: values.get(from + 3)?.parse().ok()?,
            })
        };
        if values.len() != Self::COLUMNS.len() {
            return None;
        }
        Some(Self {
            problem: values[0].to_owned(),
            learned: values[1].parse().ok()?,
            reduced: plan(2)?,
            equal_iterations: plan(6)?,
            equal_time: plan(10)?,
        })
    }
}

/// Compares on all problems that the table in `out` does not have yet, then reports.
pub(super) fn run(quality: &Quality, json: bool, stop: &Stop) -> Result<(), Failure> {
    let about = format!(
        "latco bench solver --quality, version {}, seed {}, {} iterations",
        env!("CARGO_PKG_VERSION"),
        quality.seed,
        quality.iterations
    );
    let path = quality.out.as_ref().map(|out| out.join("quality.csv"));
    let mut table = Table::<Comparison>::open(path.as_deref(), &about).map_err(Failure::usage)?;
    let learned = learned_bundles(&quality.bundles);
    let total = quality.models + learned.len() * quality.starts;
    let mut progress = Progress::new("problems", total);
    let mut problems = Vec::new();
    let has = |table: &Table<Comparison>, name: &str| table.rows.iter().any(|r| r.problem == name);

    for (name, folder) in &learned {
        let names: Vec<String> = (0..quality.starts).map(|i| format!("{name} {i}")).collect();
        problems.extend(names.iter().cloned());
        if names.iter().all(|name| has(&table, name)) || stop.is_requested() {
            continue;
        }
        let bundle = Bundle::load(folder, &quality.load).map_err(Failure::usage)?;
        let starts = learned_starts(&bundle, quality.starts, quality.seed)?;
        for (i, (name, start)) in names.iter().zip(&starts).enumerate() {
            progress.show(table.rows.len(), name);
            if has(&table, name) || stop.is_requested() {
                continue;
            }
            let seed = quality.seed + i as u64;
            if let Some(row) = compare(&bundle, name, true, start, quality, seed, stop)? {
                table.push(row)?;
            }
        }
    }
    for i in 0..quality.models {
        let sizes = RANDOM[i % RANDOM.len()];
        let seed = quality.seed + i as u64;
        let (ns, nd, h) = (sizes.stoch, sizes.deter, sizes.horizon);
        let name = format!("random {ns}+{nd} H {h} seed {seed}");
        progress.show(table.rows.len(), &name);
        problems.push(name.clone());
        if has(&table, &name) || stop.is_requested() {
            continue;
        }
        let bundle = sizes.bundle(seed, &quality.load)?;
        let start = random_start(&bundle, seed)?;
        if let Some(row) = compare(&bundle, &name, false, &start, quality, seed, stop)? {
            table.push(row)?;
        }
    }
    let rows: Vec<&Comparison> = problems
        .iter()
        .filter_map(|name| table.rows.iter().find(|row| row.problem == *name))
        .collect();
    quality_report::write(&rows, total, quality, json)
}

/// One problem; none if it was interrupted.
fn compare(
    bundle: &Bundle,
    name: &str,
    learned: bool,
    start: &[f32],
    quality: &Quality,
    seed: u64,
    stop: &Stop,
) -> Result<Option<Comparison>, Failure> {
    let count = quality.iterations;
    let reduced = solve::<Reduced>(bundle, start, count, seed, stop)?;
    let tridiagonal = solve::<BlockTridiagonal>(bundle, start, count, seed, stop)?;
    if stop.is_requested() {
        return Ok(None);
    }
    let last = |plans: &[Plan]| plans.last().copied().unwrap_or_default();
    let reduced = last(&reduced);
    let in_time = tridiagonal.iter().rfind(|p| p.time_ms <= reduced.time_ms);
    Ok(Some(Comparison {
        problem: name.to_owned(),
        learned,
        reduced,
        equal_iterations: last(&tridiagonal),
        equal_time: in_time.copied().unwrap_or_default(),
    }))
}

/// All iterates of one plan, the noise it starts from first. It ends early where an iteration
/// fails, which leaves the plan as it was.
fn solve<L: LinearSolver>(
    bundle: &Bundle,
    start: &[f32],
    iterations: usize,
    seed: u64,
    stop: &Stop,
) -> Result<Vec<Plan>, Failure> {
    let dims = bundle.manifest().dims;
    let sizes = latco_controller::plan::PlanSizes {
        horizon: dims.horizon,
        lead: 0,
        state: dims.state(),
        action: dims.action,
    };
    let limit = bundle.manifest().action.limit;
    let settings = Settings {
        action_limit: f64::from(limit),
        ..Settings::default()
    };
    let mut run = Run::<L>::new(bundle, &sizes, settings, 2, seed)?;
    run.anchor.copy_from_slice(start);
    run.restart()?;
    let mut rollout = bundle.rollout(1).map_err(Failure::usage)?;
    let kind = bundle.manifest().reward.kind;
    let violations = run.solver.dynamics_violations(0);
    let mut plan = Plan {
        iterations: 0,
        time_ms: 0.0,
        value: value(&mut rollout, kind, start, &run.actions, limit)?,
        violation: f64::from(violations.iter().copied().fold(0.0, f32::max)),
    };
    let mut plans = vec![plan];
    while plan.iterations < iterations && !stop.is_requested() {
        let began = Instant::now();
        let stepped = run.step();
        plan.time_ms += began.elapsed().as_secs_f64() * 1e3;
        let Ok(report) = stepped else { break };
        plan.iterations += 1;
        plan.violation = report.dynamics_violation_max;
        plan.value = value(&mut rollout, kind, start, &run.actions, limit)?;
        plans.push(plan);
    }
    Ok(plans)
}

/// Return of the actions, clipped, rolled out from `start`.
fn value(
    rollout: &mut Rollout,
    kind: RewardKind,
    start: &[f32],
    actions: &[f32],
    limit: f32,
) -> Result<f64, Failure> {
    rollout.state_mut().copy_from_slice(start);
    for (to, action) in rollout.action_mut().iter_mut().zip(actions) {
        *to = action.clamp(-limit, limit);
    }
    rollout.run().map_err(Failure::failed)?;
    let rewards = rollout.rewards().iter().map(|&r| f64::from(r));
    Ok(match kind {
        RewardKind::Regression => rewards.sum(),
        RewardKind::BernoulliLogit => rewards.map(|r| 1.0 / (1.0 + (-r).exp())).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_come_back_from_their_row() {
        let plan = |iterations| Plan {
            iterations,
            time_ms: 0.125,
            value: -3.5,
            violation: 1e-5,
        };
        let row = Comparison {
            problem: "reach 3".to_owned(),
            learned: true,
            reduced: plan(100),
            equal_iterations: plan(99),
            equal_time: plan(4),
        };
        let values = row.values();
        assert_eq!(values.len(), Comparison::COLUMNS.len());
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(Comparison::from_values(&values), Some(row));
        assert_eq!(Comparison::from_values(&values[..13]), None);
    }
}
