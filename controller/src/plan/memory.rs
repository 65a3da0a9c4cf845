//! The memory of a planner's arenas, known from the sizes before anything is allocated.

use latco_models::{DynamicsKind, Manifest};
use latco_solver::{BlockTridiagonal, Dims, GruJacobian, GruSizes, Reduced, Shape, Solver};
use serde::{Deserialize, Serialize};

use crate::config::{Config, PlannerKind, SolverKind};
use crate::constraints;

/// Bytes of the memory that LatCo, or Gaussian LatCo, works in; all of it is taken before the first plan.
///
/// The sessions of ONNX Runtime and the plan itself are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryBudget {
    /// Arena of the configured linear solver; 0 for the planners that have none.
    pub solver_arena_bytes: usize,
    /// Arena of the Jacobian's products in bytes: packed weights and scratch; 0 for a model that gives its
    /// Jacobians as matrices.
    pub jacobian_arena_bytes: usize,
    /// Sampled states of Gaussian LatCo, and what is averaged over them, in bytes; 0 for LatCo.
    #[serde(default)]
    pub sample_bytes: usize,
}

impl MemoryBudget {
    /// The sum of all in bytes.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.solver_arena_bytes + self.jacobian_arena_bytes + self.sample_bytes
    }
}

/// The memory of a LatCo planner for the bundle of this manifest, or of a Gaussian one if the
/// configuration names it: for one plan, and for all starts at once where there are several.
#[must_use]
pub fn memory(manifest: &Manifest, config: &Config) -> MemoryBudget {
    let model = &manifest.dims;
    let dims = Dims {
        stoch: model.stoch,
        deter: model.deter,
        action: model.action,
        horizon: model.horizon,
    };
    let sizes = GruSizes {
        stoch: model.stoch,
        deter: model.deter,
        action: model.action,
        hidden: model.hidden,
    };
    let starts = config.planner.latco.starts as usize;
    let shape = Shape::of(dims)
        .with_inequalities(constraints::rows(config, model.action))
        .with_goal(match config.goal.weight > 0.0 {
            true => model.state(),
            false => 0,
        });
    let mut budget = memory_of(shape, &sizes, manifest, config);
    if starts > 1 {
        let together = memory_of(shape.with_plans(starts), &sizes, manifest, config);
        budget.solver_arena_bytes += together.solver_arena_bytes;
        budget.jacobian_arena_bytes += together.jacobian_arena_bytes;
        budget.sample_bytes += together.sample_bytes;
    }
    budget
}

fn memory_of(shape: Shape, sizes: &GruSizes, manifest: &Manifest, config: &Config) -> MemoryBudget {
    let planner = &config.planner;
    let is_gaussian = planner.kind == PlannerKind::GaussianLatco;
    MemoryBudget {
        solver_arena_bytes: match (planner.kind, planner.latco.solver) {
            (PlannerKind::LatcoFirstOrder, _) => 0,
            (_, SolverKind::BlockTridiagonal) if !is_gaussian => {
                Solver::<f32, BlockTridiagonal, Vec<f32>>::bytes(&shape)
            }
            _ => Solver::<f32, Reduced, Vec<f32>>::bytes(&shape),
        },
        jacobian_arena_bytes: match manifest.dynamics.kind {
            DynamicsKind::GruFactors => GruJacobian::<f32, Vec<f32>>::bytes(
                sizes,
                shape.plans,
                shape.most_rows(),
                shape.parts,
            ),
            DynamicsKind::Dense => 0,
        },
        sample_bytes: if is_gaussian {
            sample_len(&shape, manifest, planner.gaussian_latco.samples as usize) * size_of::<f32>()
        } else {
            0
        },
    }
}

/// The number of values that a Gaussian plan's samples take: the samples themselves and their noise, the
/// averaged linearisation, and means and deviations of the states in the plan and in its rollout.
fn sample_len(shape: &Shape, manifest: &Manifest, samples: usize) -> usize {
    let Shape { dims, plans, .. } = *shape;
    let (h, n) = (dims.horizon, dims.state());
    let linearisation = match manifest.dynamics.kind {
        DynamicsKind::GruFactors => manifest.dims.factors(),
        DynamicsKind::Dense => n * (n + dims.action),
    };
    h * samples * n
        + plans * (h * samples * n + h * linearisation)
        + 3 * plans * dims.states_len()
        + plans * dims.actions_len()
}
