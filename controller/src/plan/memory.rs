//! What a planner's arenas take, known from the sizes before anything is allocated.

use latco_models::{DynamicsKind, Manifest};
use latco_solver::{BlockTridiagonal, Cut, Dims, GruJacobian, GruSizes, Reduced, Shape, Solver};
use serde::{Deserialize, Serialize};

use super::first_order::FirstOrder;
use crate::config::{Config, Optimiser, SolverKind};

/// Bytes of the memory that LatCo works in; all of it is taken before the first plan.
///
/// The sessions of ONNX Runtime and the plan itself are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryBudget {
    /// Arena of the configured linear solver; the vectors of `optimiser = "adam"` instead.
    pub solver_arena_bytes: usize,
    /// Arena of the Jacobian's products: packed weights and scratch; 0 for a model that gives its
    /// Jacobians as matrices.
    pub jacobian_arena_bytes: usize,
}

impl MemoryBudget {
    /// Both together.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.solver_arena_bytes + self.jacobian_arena_bytes
    }
}

/// The memory of a LatCo planner for the bundle of this manifest: for one plan, and for all starts
/// at once where there are several.
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
    let mut budget = memory_of(Shape::of(dims), &sizes, manifest, config);
    if starts > 1 {
        let together = memory_of(Shape::of(dims).with_plans(starts), &sizes, manifest, config);
        budget.solver_arena_bytes += together.solver_arena_bytes;
        budget.jacobian_arena_bytes += together.jacobian_arena_bytes;
    }
    budget
}

fn memory_of(shape: Shape, sizes: &GruSizes, manifest: &Manifest, config: &Config) -> MemoryBudget {
    let latco = &config.planner.latco;
    let cut = match manifest.dynamics.kind {
        DynamicsKind::GruFactors => Cut::even(sizes.deter, shape.parts).after(sizes.stoch),
        DynamicsKind::Dense => Cut::even(shape.dims.state(), shape.parts),
    };
    MemoryBudget {
        solver_arena_bytes: match (latco.optimiser, latco.solver) {
            (Optimiser::Adam, _) => FirstOrder::bytes(&shape, &cut),
            (_, SolverKind::Reduced) => Solver::<f32, Reduced, Vec<f32>>::bytes(&shape),
            (_, SolverKind::BlockTridiagonal) => {
                Solver::<f32, BlockTridiagonal, Vec<f32>>::bytes(&shape)
            }
        },
        jacobian_arena_bytes: match manifest.dynamics.kind {
            DynamicsKind::GruFactors => GruJacobian::<f32, Vec<f32>>::bytes(
                sizes,
                shape.plans,
                shape.dims.horizon,
                shape.parts,
            ),
            DynamicsKind::Dense => 0,
        },
    }
}
