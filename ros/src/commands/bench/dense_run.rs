//! The dense solve as an iteration on a run's model, for comparison.

use std::time::Instant;

use latco_solver::{LinearSolver, Model, Predictions, Trajectories};

use super::dense::{Linearised, matrix_bytes, solve, unknowns};
use super::run::Run;
use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// Largest matrix that is made, bytes.
pub(super) const MAX_BYTES: usize = 1 << 30;

/// Memory of a dense iteration beside the run's.
pub(super) struct DenseRun<'a, L> {
    run: &'a mut Run<L>,
    threads: usize,
    matrix: Vec<f32>,
    x: Vec<f32>,
    state_jacobians: Vec<f32>,
    action_jacobians: Vec<f32>,
    defects: Vec<f32>,
    rewards: Vec<f32>,
    gradients: Vec<f32>,
}

impl<'a, L: LinearSolver> DenseRun<'a, L> {
    /// None if the matrix would be larger than [`MAX_BYTES`].
    pub(super) fn new(run: &'a mut Run<L>, threads: usize) -> Option<Self> {
        let dims = run.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let size = unknowns(n, na, h);
        (matrix_bytes(size) <= MAX_BYTES).then(|| Self {
            run,
            threads,
            matrix: vec![0.0; size * size],
            x: vec![0.0; size],
            state_jacobians: vec![0.0; h * n * n],
            action_jacobians: vec![0.0; h * n * na],
            defects: vec![0.0; h * n],
            rewards: vec![0.0; h],
            gradients: vec![0.0; h * n],
        })
    }

    /// The model at the run's plan.
    fn evaluate(&mut self) -> Result<(), Failure> {
        let run = &mut *self.run;
        let n = run.dims.state();
        let plans = Trajectories {
            states: &run.states,
            actions: &run.actions,
        };
        let mut predictions = Predictions {
            means: &mut self.defects,
            rewards: &mut self.rewards,
            gradients: &mut self.gradients,
        };
        (run.model)
            .evaluate(&mut run.crew, &plans, &mut predictions)
            .map_err(Failure::failed)?;
        for (defect, next) in self.defects.iter_mut().zip(&run.states[n..]) {
            *defect = next - *defect;
        }
        Ok(())
    }

    /// One iteration of the plan, which was evaluated: dense Jacobians, solve, new plan, the model
    /// there. The multipliers stay as they are.
    fn step(&mut self) -> Result<(), Failure> {
        let run = &mut *self.run;
        let (h, n, na) = (run.dims.horizon, run.dims.state(), run.dims.action);
        for t in 0..h {
            run.model.jacobian(
                0,
                t,
                &mut self.state_jacobians[t * n * n..][..n * n],
                &mut self.action_jacobians[t * n * na..][..n * na],
            );
        }
        let problem = Linearised {
            state: n,
            action: na,
            state_jacobians: &self.state_jacobians,
            action_jacobians: &self.action_jacobians,
            defects: &self.defects,
            rewards: &self.rewards,
            gradients: &self.gradients,
            actions: &run.actions,
            dynamics: &run.dynamics,
            limits: &run.limits,
        };
        let settings = *run.solver.settings();
        solve(
            &problem,
            &settings,
            self.threads,
            &mut self.matrix,
            &mut self.x,
        )
        .ok_or_else(|| {
            Failure::failed(anyhow::anyhow!("the dense system is not positive definite"))
        })?;
        for (t, x) in self.x.chunks_exact(na + n).enumerate() {
            let (da, dz) = x.split_at(na);
            add(&mut run.actions[t * na..][..na], da);
            add(&mut run.states[(t + 1) * n..][..n], dz);
        }
        self.evaluate()
    }

    /// Times in ms of first iterations from noise: `most`, or fewer when `limit_s` seconds are over.
    pub(super) fn times(
        &mut self,
        most: usize,
        limit_s: f64,
        stop: &Stop,
    ) -> Result<Vec<f64>, Failure> {
        let started = Instant::now();
        let mut times = Vec::new();
        while times.len() < most
            && !stop.is_requested()
            && (times.is_empty() || started.elapsed().as_secs_f64() < limit_s)
        {
            self.run.restart()?;
            self.evaluate()?;
            let began = Instant::now();
            self.step()?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    }
}

fn add(values: &mut [f32], changes: &[f32]) {
    for (value, change) in values.iter_mut().zip(changes) {
        *value += change;
    }
}

#[cfg(test)]
mod tests {
    use latco_solver::{BlockTridiagonal, Settings};

    use super::*;
    use crate::commands::bench::sizes::Sizes;

    #[test]
    fn a_dense_step_is_the_block_tridiagonal_step() {
        let sizes = Sizes {
            stoch: 4,
            deter: 12,
            hidden: 10,
            units: 9,
            action: 2,
            horizon: 6,
        };
        let bundle = sizes
            .bundle(3, &latco_models::LoadOptions::default())
            .unwrap();
        let mut run =
            Run::<BlockTridiagonal>::new(&bundle, &sizes.plan(), Settings::default(), 1, 5)
                .unwrap();
        let start = (run.states.clone(), run.actions.clone());
        run.step().unwrap();
        let expected = (run.states.clone(), run.actions.clone());
        (run.states, run.actions) = start;
        run.dynamics.fill(1.0);
        run.limits.fill(1.0);
        let mut dense = DenseRun::new(&mut run, 2).unwrap();
        dense.evaluate().unwrap();
        dense.step().unwrap();
        let differences = (run.states.iter().zip(&expected.0))
            .chain(run.actions.iter().zip(&expected.1))
            .map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f32::max);
        assert!(largest < 2e-3, "{largest}");
    }
}
