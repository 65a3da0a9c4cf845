//! Runs the solver from the file's first plan and measures how far it is from the record.

use anyhow::{Context as _, Result};
use latco_reference::SolverModel;
use latco_reference::reward::head;
use latco_solver::{Alone, BlockTridiagonal, Dims, Multipliers, Plan, Settings, Shape, Solver};
use ndarray::ArrayView2;
use serde_json::{Value, json};

use crate::file::Golden;

/// Errors, of one iteration or the largest of all. Each is the largest difference within an array
/// relative to the largest number recorded in it: the authors computed in f32, whose rounding of a
/// large element is no smaller for its small neighbours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    pub(crate) plans: f64,
    pub(crate) rewards: f64,
    /// `lam`.
    pub(crate) dynamics_multipliers: f64,
    /// `nu`.
    pub(crate) action_multipliers: f64,
    /// A dynamics violation is a squared distance of states: difference of the distances, relative
    /// to the largest number in the recorded plan.
    pub(crate) dynamics_violations: f64,
    /// An action violation is a difference of squares from the limit's, 1: relative to the largest
    /// recorded one, or to 1 where that is larger.
    pub(crate) action_violations: f64,
}

impl Errors {
    /// Names of the fields in the JSON object.
    pub(crate) const NAMES: [&str; 6] = [
        "plans",
        "rewards",
        "dynamics_multipliers",
        "action_multipliers",
        "dynamics_violations",
        "action_violations",
    ];

    /// In the order of [`Errors::NAMES`].
    pub(crate) fn values(&self) -> [f64; 6] {
        [
            self.plans,
            self.rewards,
            self.dynamics_multipliers,
            self.action_multipliers,
            self.dynamics_violations,
            self.action_violations,
        ]
    }

    /// An error is above its tolerance, or undefined.
    fn outside(&self, tolerances: &[f64; 6]) -> bool {
        let mut pairs = self.values().into_iter().zip(tolerances);
        !pairs.all(|(error, &tolerance)| error <= tolerance)
    }

    fn include(&mut self, other: &Self) {
        self.plans = self.plans.max(other.plans);
        self.rewards = self.rewards.max(other.rewards);
        self.dynamics_multipliers = self.dynamics_multipliers.max(other.dynamics_multipliers);
        self.action_multipliers = self.action_multipliers.max(other.action_multipliers);
        self.dynamics_violations = self.dynamics_violations.max(other.dynamics_violations);
        self.action_violations = self.action_violations.max(other.action_violations);
    }

    pub(crate) fn json(&self) -> Value {
        let fields = Self::NAMES.iter().zip(self.values());
        fields
            .map(|(&name, value)| (name.to_owned(), json!(value)))
            .collect()
    }
}

/// One iteration against its record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iteration {
    pub(crate) errors: Errors,
    /// The errors of the free run, where it had left the tolerance and the iteration was therefore
    /// repeated from the iterate recorded before it.
    pub(crate) restarted_after: Option<Errors>,
}

/// All iterations against the record.
pub(crate) struct Comparison {
    pub(crate) iterations: Vec<Iteration>,
    pub(crate) largest: Errors,
    /// First iteration with an error above its tolerance, restarted or not.
    pub(crate) first_outside: Option<usize>,
}

impl Comparison {
    /// Iterations that began at the record instead of the run's own last plan.
    pub(crate) fn restarts(&self) -> impl Iterator<Item = usize> {
        let iterations = self.iterations.iter().enumerate();
        iterations.filter_map(|(i, iteration)| iteration.restarted_after.map(|_| i))
    }
}

/// Plan and multipliers of the run.
struct Iterate {
    states: Vec<f64>,
    actions: Vec<f64>,
    /// The action after the last state, which is in no residual.
    last_action: Vec<f64>,
    dynamics_multipliers: Vec<f64>,
    action_multipliers: Vec<f64>,
}

impl Iterate {
    /// From a recorded plan `[H + 1, n + na]`.
    fn new(golden: &Golden, plan: &[f64], dynamics: &[f64], actions: &[f64]) -> Self {
        let dims = golden.meta.dims();
        let n = dims.state();
        let rows = plan.chunks_exact(n + dims.action);
        let states = rows.clone().flat_map(|row| &row[..n]).copied().collect();
        let mut all: Vec<f64> = rows.flat_map(|row| &row[n..]).copied().collect();
        let last_action = all.split_off(dims.actions_len());
        Self {
            states,
            actions: all,
            last_action,
            dynamics_multipliers: dynamics.to_vec(),
            action_multipliers: actions.to_vec(),
        }
    }

    /// As recorded after an iteration.
    fn recorded(golden: &Golden, iteration: usize) -> Self {
        let record = |name| golden.iteration(name, iteration);
        Self::new(golden, record("plans"), record("lam"), record("nu"))
    }

    /// `[H + 1, n + na]`.
    fn plan(&self, dims: &Dims) -> Vec<f64> {
        let actions = self.actions.chunks_exact(dims.action);
        self.states
            .chunks_exact(dims.state())
            .zip(actions.chain([&self.last_action[..]]))
            .flat_map(|(state, action)| state.iter().chain(action))
            .copied()
            .collect()
    }
}

/// Model and solver of a file.
struct Run<'a> {
    golden: &'a Golden,
    model: SolverModel<f64>,
    solver: Solver<f64, BlockTridiagonal, Vec<f64>>,
}

impl Run<'_> {
    /// One step, and its distance from the record.
    fn step(&mut self, iterate: &mut Iterate, iteration: usize) -> Result<Errors> {
        let dims = self.golden.meta.dims();
        let mut plan = Plan {
            anchor: self.golden.array("z0"),
            states: &mut iterate.states,
            actions: &mut iterate.actions,
            inequalities: None,
            goal: None,
        };
        let mut multipliers = Multipliers {
            dynamics: &mut iterate.dynamics_multipliers,
            actions: &mut iterate.action_multipliers,
        };
        self.solver
            .step(&mut self.model, &mut Alone, &mut plan, &mut multipliers)
            .with_context(|| format!("iteration {iteration}"))?;

        // The record has the reward of the first state too, which no residual uses.
        let first = ArrayView2::from_shape((1, dims.state()), &iterate.states[..dims.state()])?;
        let mut rewards = head(&self.golden.model().1, first).0.to_vec();
        rewards.extend_from_slice(self.solver.rewards(0));

        let record = |name| self.golden.iteration(name, iteration);
        Ok(Errors {
            plans: relative(&iterate.plan(&dims), record("plans")),
            rewards: relative(&rewards, record("reward")),
            dynamics_multipliers: relative(&iterate.dynamics_multipliers, record("lam")),
            action_multipliers: relative(&iterate.action_multipliers, record("nu")),
            dynamics_violations: largest_difference(
                &roots(self.solver.dynamics_violations(0)),
                &roots(record("dyn_viol")),
            ) / nonzero(largest(record("plans"))),
            action_violations: largest_difference(
                self.solver.action_violations(0),
                record("act_viol"),
            ) / largest(record("act_viol")).max(1.0),
        })
    }
}

/// Runs all iterations of the file from its first plan.
///
/// The record holds f32 numbers. Near an action limit of 1 that is 0.2 % of a violation of 1e-4,
/// and an action on the limit may be taken as inside or outside; over many iterations both grow
/// beyond any tolerance without an error in the solver. An iteration of the free run that leaves
/// the tolerance is therefore repeated from the recorded iterate before it, and only an iteration
/// that is outside even then counts.
///
/// # Errors
/// A solver step failed.
pub(crate) fn compare(golden: &Golden, tolerances: &[f64; 6]) -> Result<Comparison> {
    let meta = &golden.meta;
    let dims = meta.dims();
    let settings = Settings {
        dynamics_tolerance: golden.epsilon,
        action_tolerance: golden.epsilon,
        damping: golden.damping,
        ..Settings::default()
    };
    let shape = Shape::of(dims);
    let (step, reward) = golden.model();
    let solver_arena = vec![0.0; Solver::<f64, BlockTridiagonal, Vec<f64>>::len(&shape)];
    let mut run = Run {
        golden,
        model: SolverModel::new(step, reward, &shape)?,
        solver: Solver::new_in(shape, settings, solver_arena)?,
    };

    let plan0 = golden.array("plan0");
    let ones = vec![1.0; meta.horizon];
    let mut iterate = Iterate::new(golden, plan0, &ones, &ones);
    let mut comparison = Comparison {
        iterations: Vec::with_capacity(meta.iterations),
        largest: Errors::default(),
        first_outside: None,
    };
    for iteration in 0..meta.iterations {
        let mut result = Iteration {
            errors: run.step(&mut iterate, iteration)?,
            restarted_after: None,
        };
        if result.errors.outside(tolerances) && iteration > 0 {
            iterate = Iterate::recorded(golden, iteration - 1);
            run.solver.reset();
            result = Iteration {
                errors: run.step(&mut iterate, iteration)?,
                restarted_after: Some(result.errors),
            };
        }
        if comparison.first_outside.is_none() && result.errors.outside(tolerances) {
            comparison.first_outside = Some(iteration);
        }
        comparison.largest.include(&result.errors);
        comparison.iterations.push(result);
    }
    Ok(comparison)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, value| max.max(value.abs()))
}

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f64::max)
}

/// Largest difference relative to the largest recorded number.
fn relative(found: &[f64], expected: &[f64]) -> f64 {
    largest_difference(found, expected) / nonzero(largest(expected))
}

fn roots(violations: &[f64]) -> Vec<f64> {
    violations.iter().map(|v| v.max(0.0).sqrt()).collect()
}

/// A divisor: all zeros are compared absolutely.
fn nonzero(scale: f64) -> f64 {
    if scale > 0.0 { scale } else { 1.0 }
}
