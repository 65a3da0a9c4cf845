//! A model that notes when the solver calls it: the parts of an iteration, without a clock in the
//! solver.

use std::time::{Duration, Instant};

use latco_solver::{Dims, Model};

/// Times of the parts of one iteration in ms. They add up to the whole iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// The model's graphs: prior means, gate factors, rewards and their gradients.
    pub(super) model_ms: f64,
    /// The adjoint products with the linearised model: the recursion of the reward gradients.
    pub(super) linearise_ms: f64,
    /// The system's matrix, its factorisation, the tangent pass, the new plan.
    pub(super) solve_ms: f64,
    /// What follows the model's last call: residuals, new multipliers, the report.
    pub(super) multipliers_ms: f64,
}

/// Passes everything on to the model inside.
pub(super) struct Timed<'a, M> {
    inner: &'a mut M,
    started: Instant,
    model: Duration,
    adjoint: Duration,
    evaluated: Instant,
}

impl<'a, M> Timed<'a, M> {
    /// An iteration begins now.
    pub(super) fn start(inner: &'a mut M) -> Self {
        let now = Instant::now();
        Self {
            inner,
            started: now,
            model: Duration::ZERO,
            adjoint: Duration::ZERO,
            evaluated: now,
        }
    }

    /// It has ended.
    pub(super) fn parts(&self) -> Parts {
        let ended = Instant::now();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let whole_ms = ms(ended - self.started);
        let (model_ms, linearise_ms) = (ms(self.model), ms(self.adjoint));
        let multipliers_ms = ms(ended - self.evaluated);
        Parts {
            model_ms,
            linearise_ms,
            solve_ms: whole_ms - model_ms - linearise_ms - multipliers_ms,
            multipliers_ms,
        }
    }
}

impl<M: Model<f32>> Model<f32> for Timed<'_, M> {
    type Error = M::Error;

    fn dims(&self) -> Dims {
        self.inner.dims()
    }

    fn linearise(
        &mut self,
        states: &[f32],
        actions: &[f32],
        means: &mut [f32],
    ) -> Result<(), M::Error> {
        let began = Instant::now();
        let done = self.inner.linearise(states, actions, means);
        self.model += began.elapsed();
        done
    }

    fn reward(
        &mut self,
        states: &[f32],
        rewards: &mut [f32],
        gradients: &mut [f32],
    ) -> Result<(), M::Error> {
        let began = Instant::now();
        let done = self.inner.reward(states, rewards, gradients);
        self.evaluated = Instant::now();
        self.model += self.evaluated - began;
        done
    }

    fn transpose_product(
        &mut self,
        t: usize,
        rows: &[f32],
        states: &mut [f32],
        actions: &mut [f32],
    ) {
        let began = Instant::now();
        self.inner.transpose_product(t, rows, states, actions);
        self.adjoint += began.elapsed();
    }

    fn product(&mut self, t: usize, dz: &[f32], da: &[f32], out: &mut [f32]) {
        self.inner.product(t, dz, da, out);
    }

    fn jacobian(&mut self, t: usize, state: &mut [f32], action: &mut [f32]) {
        self.inner.jacobian(t, state, action);
    }
}
