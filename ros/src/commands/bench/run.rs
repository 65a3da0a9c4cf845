//! Plans that are iterated with the parts a robot uses, and the time of their iterations.

use std::time::Instant;

use latco_controller::plan::{OnnxModel, PlanSizes, Threads};
use latco_models::{Bundle, RunError};
use latco_solver::{
    Dims, GruJacobian, LinearSolver, Multipliers, Plan, Settings, Shape, Solver, StepError,
};

use super::noise::Noise;
use super::timed::{Parts, Timed};
use crate::allocations;
use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// Number of iterations after which a plan is started again from noise, so that neither a converged plan nor
/// one whose multipliers have run away is timed.
pub(super) const RESTART_EVERY: usize = 50;

/// Number of iterations before anything is timed.
const WARM_UP: usize = 10;

/// Number of failed iterations at which the measurement fails.
const MOST_FAULTS: usize = 20;

/// Plans that are iterated together, with the solver and model that iterate them.
pub(super) struct Run<L> {
    model: OnnxModel,
    pub(super) solver: Solver<f32, L, Vec<f32>>,
    crew: Threads,
    dims: Dims,
    /// Number of bytes of the Jacobian's arena.
    pub(super) jacobian_bytes: usize,
    variables: Variables,
    noise: Noise,
}

/// The plans and their multipliers.
struct Variables {
    /// The state that all plans start from, `[n]`.
    anchor: Vec<f32>,
    /// States of the plans, shape `[N, H + 1, n]`.
    states: Vec<f32>,
    /// Actions of the plans, shape `[N, H, na]`.
    actions: Vec<f32>,
    /// Multipliers of the dynamics, lambda, shape `[N, H]`.
    dynamics: Vec<f32>,
    /// Multipliers of the action limits, nu, shape `[N, H]`.
    limits: Vec<f32>,
}

impl Variables {
    fn split(&mut self) -> (Plan<'_, f32>, Multipliers<'_, f32>) {
        let plan = Plan {
            anchor: &self.anchor,
            states: &mut self.states,
            actions: &mut self.actions,
            inequalities: None,
            goal: None,
        };
        let multipliers = Multipliers {
            dynamics: &mut self.dynamics,
            actions: &mut self.limits,
        };
        (plan, multipliers)
    }
}

/// Measured times of iterations.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Times of whole iterations in ms.
    pub(super) whole_ms: Vec<f64>,
    /// Times of the parts of other iterations, which alternate with those in blocks.
    pub(super) parts: Vec<Parts>,
    /// Number of Rust allocations in all iterations of `whole_ms`; `None` if the program does not count.
    pub(super) allocations: Option<u64>,
    /// Number of iterations that failed and were followed by a start from noise.
    pub(super) faults: usize,
}

impl<L: LinearSolver> Run<L> {
    /// Makes sessions and memory for `plans` plans of these sizes that share every reading of the weights, on
    /// `threads` threads, from a state that is noise by `seed`.
    ///
    /// # Errors
    /// [`Failure::usage`] when the bundle does not fit the sizes, [`Failure::failed`] when the first evaluation fails.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        settings: Settings,
        plans: usize,
        threads: usize,
        seed: u64,
    ) -> Result<Self, Failure> {
        let dims = Dims {
            stoch: bundle.manifest().dims.stoch,
            deter: bundle.manifest().dims.deter,
            action: sizes.action,
            horizon: sizes.horizon,
        };
        let shape = Shape::of(dims).with_plans(plans);
        let model = OnnxModel::new(bundle, shape).map_err(Failure::usage)?;
        let arena = vec![0.0; Solver::<f32, L, Vec<f32>>::len(&shape)];
        let solver = Solver::new_in(shape, settings, arena).map_err(Failure::usage)?;
        let crew = Threads::new(threads).map_err(Failure::failed)?;
        let mut noise = Noise::new(seed);
        // Like a belief: the deterministic part of a GRU lies in -1..1.
        let mut anchor = noise.many(dims.state());
        anchor[dims.stoch..].iter_mut().for_each(|h| *h = h.tanh());
        let jacobian_bytes = latco_controller::plan::gru_sizes(bundle).map_or(0, |sizes| {
            GruJacobian::<f32, Vec<f32>>::bytes(&sizes, plans, dims.horizon, shape.parts)
        });
        let variables = Variables {
            anchor,
            states: vec![0.0; plans * dims.states_len()],
            actions: vec![0.0; plans * dims.actions_len()],
            dynamics: vec![0.0; plans * dims.horizon],
            limits: vec![0.0; plans * dims.horizon],
        };
        let mut run = Self {
            model,
            solver,
            crew,
            dims,
            jacobian_bytes,
            variables,
            noise,
        };
        run.restart()?;
        Ok(run)
    }

    /// Makes new plans from unit Gaussian noise and evaluates them.
    fn restart(&mut self) -> Result<(), Failure> {
        let (n, len) = (self.dims.state(), self.dims.states_len());
        self.noise.fill(&mut self.variables.states);
        self.noise.fill(&mut self.variables.actions);
        for states in self.variables.states.chunks_exact_mut(len) {
            states[..n].copy_from_slice(&self.variables.anchor);
        }
        let (mut plan, mut multipliers) = self.variables.split();
        multipliers.reset(self.solver.settings());
        self.solver.reset();
        (self.solver)
            .evaluate(&mut self.model, &mut self.crew, &mut plan, &multipliers)
            .map_err(Failure::failed)?;
        Ok(())
    }

    /// Does one iteration of all plans.
    fn step(&mut self) -> Result<(), StepError<RunError>> {
        let (mut plan, mut multipliers) = self.variables.split();
        (self.solver)
            .step(&mut self.model, &mut self.crew, &mut plan, &mut multipliers)
            .map(|_| ())
    }

    /// Does one iteration and times its parts.
    fn step_in_parts(&mut self) -> Result<Parts, StepError<RunError>> {
        let (mut plan, mut multipliers) = self.variables.split();
        let mut model = Timed::start(&mut self.model);
        (self.solver).step(&mut model, &mut self.crew, &mut plan, &mut multipliers)?;
        Ok(model.parts())
    }

    /// Does one iteration and returns its time in ms.
    fn timed_step(&mut self) -> Result<f64, StepError<RunError>> {
        let began = Instant::now();
        self.step()?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }

    /// Times `count` iterations whole, and as many in parts, in alternating blocks of
    /// [`RESTART_EVERY`] that each begin with noise.
    pub(super) fn times(&mut self, count: usize, stop: &Stop) -> Result<Times, Failure> {
        let mut times = Times {
            whole_ms: Vec::with_capacity(count),
            parts: Vec::with_capacity(count),
            allocations: Some(0),
            faults: 0,
        };
        self.warm_up(WARM_UP.min(count), &mut times)?;
        while times.parts.len() < count && !stop.is_requested() {
            self.restart()?;
            let before = allocations::count();
            for _ in 0..RESTART_EVERY.min(count - times.whole_ms.len()) {
                match self.timed_step() {
                    Ok(ms) => times.whole_ms.push(ms),
                    Err(error) => {
                        times.fault(&error)?;
                        break;
                    }
                }
            }
            let after = allocations::count();
            times.allocations = (times.allocations).and_then(|sum| Some(sum + (after? - before?)));
            self.restart()?;
            for _ in 0..RESTART_EVERY.min(count - times.parts.len()) {
                match self.step_in_parts() {
                    Ok(parts) => times.parts.push(parts),
                    Err(error) => {
                        times.fault(&error)?;
                        break;
                    }
                }
            }
        }
        Ok(times)
    }

    /// Times iterations whole until there are `most`, or `limit_s` seconds are over and there is
    /// one at least.
    pub(super) fn whole_times(
        &mut self,
        most: usize,
        limit_s: f64,
        stop: &Stop,
    ) -> Result<Times, Failure> {
        let mut times = Times::default();
        let started = Instant::now();
        self.warm_up(1, &mut times)?;
        while times.whole_ms.len() < most
            && !stop.is_requested()
            && (times.whole_ms.is_empty() || started.elapsed().as_secs_f64() < limit_s)
        {
            match self.timed_step() {
                Ok(ms) => times.whole_ms.push(ms),
                Err(error) => {
                    times.fault(&error)?;
                    self.restart()?;
                }
            }
        }
        Ok(times)
    }

    /// The time in ms of a plan of `iterations` from noise, its first evaluation included; `None` if an
    /// iteration fails.
    pub(super) fn cold_plan_ms(&mut self, iterations: usize) -> Result<Option<f64>, Failure> {
        let began = Instant::now();
        self.restart()?;
        for _ in 0..iterations {
            if self.step().is_err() {
                return Ok(None);
            }
        }
        Ok(Some(began.elapsed().as_secs_f64() * 1e3))
    }

    fn warm_up(&mut self, iterations: usize, times: &mut Times) -> Result<(), Failure> {
        for _ in 0..iterations {
            if let Err(error) = self.step() {
                times.fault(&error)?;
                self.restart()?;
            }
        }
        Ok(())
    }
}

impl Times {
    /// Counts a failed iteration; too many of them are a failure of the run.
    fn fault(&mut self, error: &StepError<RunError>) -> Result<(), Failure> {
        self.faults += 1;
        if self.faults > MOST_FAULTS {
            return Err(Failure::failed(anyhow::anyhow!(
                "more than {MOST_FAULTS} iterations failed, the last one: {error}"
            )));
        }
        Ok(())
    }
}
