//! A model that notes when the solver calls it: the parts of an iteration, without a clock in the
//! solver.

use std::time::{Duration, Instant};

use latco_solver::{Crew, Cut, Dims, Model, Predictions, Slab, Trajectories};

/// Times of the parts of one iteration in ms. They add up to the whole iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// Time of the model's graphs: prior means, gate factors, rewards and their gradients.
    pub(super) model_ms: f64,
    /// Time of the adjoint products with the linearised model: the recursion of the reward gradients.
    pub(super) linearise_ms: f64,
    /// Time of the system's matrix, its factorisation, the tangent pass, the new plan.
    pub(super) solve_ms: f64,
    /// Time of what follows the model's last call: residuals, new multipliers, the report.
    pub(super) multipliers_ms: f64,
}

/// A model that passes everything on to the one inside and notes the times.
pub(super) struct Timed<'a, M> {
    inner: &'a mut M,
    started: Instant,
    model: Duration,
    adjoint: Duration,
    evaluated: Instant,
}

impl<'a, M> Timed<'a, M> {
    /// Starts the times of an iteration.
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

    /// Ends the times of the iteration and returns its parts.
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

    fn plans(&self) -> usize {
        self.inner.plans()
    }

    fn cut(&self, parts: usize) -> Cut {
        self.inner.cut(parts)
    }

    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, f32>,
        predictions: &mut Predictions<'_, f32>,
    ) -> Result<(), M::Error> {
        let began = Instant::now();
        let done = self.inner.evaluate(crew, plans, predictions);
        self.evaluated = Instant::now();
        self.model += self.evaluated - began;
        done
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, f32>],
        actions: &mut [f32],
    ) {
        let began = Instant::now();
        self.inner.transpose_product(crew, t, slabs, actions);
        self.adjoint += began.elapsed();
    }

    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[f32],
        actions: &[f32],
        out: &mut [f32],
    ) {
        self.inner.product(crew, t, states, actions, out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [f32], action: &mut [f32]) {
        self.inner.jacobian(b, t, state, action);
    }
}
