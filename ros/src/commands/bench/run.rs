//! A plan in progress with the parts a robot uses, and the time its iterations take.

use std::time::Instant;

use latco_controller::plan::{OnnxModel, PlanSizes, Threads};
use latco_models::{Bundle, RunError};
use latco_solver::{
    Dims, GruJacobian, LinearSolver, Multipliers, Plan, Settings, Shape, Solver, StepError,
    StepReport,
};

use super::noise::Noise;
use super::timed::{Parts, Timed};
use crate::allocations;
use crate::commands::failure::Failure;
use crate::middleware::Stop;

/// Iterations after which a plan is started again from noise, so that neither a converged plan nor
/// one whose multipliers have run away is timed.
pub(super) const RESTART_EVERY: usize = 50;

/// Iterations before anything is timed.
const WARM_UP: usize = 10;

/// Plans that are iterated together, their multipliers, and what iterates them.
pub(super) struct Run<L> {
    pub(super) model: OnnxModel,
    pub(super) solver: Solver<f32, L, Vec<f32>>,
    pub(super) crew: Threads,
    pub(super) dims: Dims,
    /// Bytes of the Jacobian's arena.
    pub(super) jacobian_bytes: usize,
    /// The state that all plans start from, `[n]`
    pub(super) anchor: Vec<f32>,
    /// `[N, H + 1, n]`
    pub(super) states: Vec<f32>,
    /// `[N, H, na]`
    pub(super) actions: Vec<f32>,
    /// lambda, `[N, H]`
    pub(super) dynamics: Vec<f32>,
    /// nu, `[N, H]`
    pub(super) limits: Vec<f32>,
    noise: Noise,
}

/// Times of iterations.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Whole iterations in ms.
    pub(super) whole_ms: Vec<f64>,
    /// Parts of other iterations, which alternate with those in blocks.
    pub(super) parts: Vec<Parts>,
    /// Rust allocations in all iterations of `whole_ms`; none if the program does not count.
    pub(super) allocations: Option<u64>,
    /// Iterations that failed and were followed by a start from noise.
    pub(super) faults: usize,
}

impl<L: LinearSolver> Run<L> {
    /// Sessions and memory for one plan of these sizes on `threads` threads, from a state that is
    /// noise by `seed`.
    pub(super) fn new(
        bundle: &Bundle,
        sizes: &PlanSizes,
        settings: Settings,
        threads: usize,
        seed: u64,
    ) -> Result<Self, Failure> {
        Self::with_plans(bundle, sizes, settings, 1, threads, seed)
    }

    /// The same for `plans` plans that share every reading of the weights.
    pub(super) fn with_plans(
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
        // like a belief: the deterministic part of a GRU lies in -1..1
        let mut anchor = noise.many(dims.state());
        anchor[dims.stoch..].iter_mut().for_each(|h| *h = h.tanh());
        let jacobian_bytes = OnnxModel::gru_sizes(bundle).map_or(0, |sizes| {
            GruJacobian::<f32, Vec<f32>>::bytes(&sizes, plans, dims.horizon, shape.parts)
        });
        let mut run = Self {
            model,
            solver,
            crew,
            dims,
            jacobian_bytes,
            anchor,
            states: vec![0.0; plans * dims.states_len()],
            actions: vec![0.0; plans * dims.actions_len()],
            dynamics: vec![0.0; plans * dims.horizon],
            limits: vec![0.0; plans * dims.horizon],
            noise,
        };
        run.restart()?;
        Ok(run)
    }

    /// New plans from unit Gaussian noise, evaluated.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        self.noise.fill(&mut self.states);
        self.noise.fill(&mut self.actions);
        for states in self.states.chunks_exact_mut(self.dims.states_len()) {
            states[..self.dims.state()].copy_from_slice(&self.anchor);
        }
        let mut multipliers = Multipliers {
            dynamics: &mut self.dynamics,
            actions: &mut self.limits,
        };
        multipliers.reset(self.solver.settings());
        self.solver.reset();
        let mut plan = Plan {
            anchor: &self.anchor,
            states: &mut self.states,
            actions: &mut self.actions,
        };
        (self.solver)
            .evaluate(&mut self.model, &mut self.crew, &mut plan, &multipliers)
            .map_err(Failure::failed)?;
        Ok(())
    }

    /// One iteration of all plans; the report is the first one's.
    pub(super) fn step(&mut self) -> Result<StepReport, StepError<RunError>> {
        let mut plan = Plan {
            anchor: &self.anchor,
            states: &mut self.states,
            actions: &mut self.actions,
        };
        let mut multipliers = Multipliers {
            dynamics: &mut self.dynamics,
            actions: &mut self.limits,
        };
        (self.solver).step(&mut self.model, &mut self.crew, &mut plan, &mut multipliers)
    }

    /// One iteration and the times of its parts.
    fn step_in_parts(&mut self) -> Result<Parts, StepError<RunError>> {
        let mut plan = Plan {
            anchor: &self.anchor,
            states: &mut self.states,
            actions: &mut self.actions,
        };
        let mut multipliers = Multipliers {
            dynamics: &mut self.dynamics,
            actions: &mut self.limits,
        };
        let mut model = Timed::start(&mut self.model);
        (self.solver).step(&mut model, &mut self.crew, &mut plan, &mut multipliers)?;
        Ok(model.parts())
    }

    /// Times `count` iterations whole, and as many in parts, in alternating blocks of
    /// [`RESTART_EVERY`] that each begin with noise.
    pub(super) fn times(&mut self, count: usize, stop: &Stop) -> Result<Times, Failure> {
        let mut times = Times {
            whole_ms: Vec::with_capacity(count),
            parts: Vec::with_capacity(count),
            ..Times::default()
        };
        self.warm_up(WARM_UP.min(count), &mut times)?;
        let mut allocated = Some(0);
        while times.parts.len() < count && !stop.is_requested() {
            self.restart()?;
            let before = allocations::count();
            for _ in 0..RESTART_EVERY.min(count - times.whole_ms.len()) {
                let began = Instant::now();
                if let Err(error) = self.step() {
                    times.fault(&error)?;
                    break;
                }
                times.whole_ms.push(began.elapsed().as_secs_f64() * 1e3);
            }
            let after = allocations::count();
            allocated = allocated.and_then(|sum| Some(sum + (after? - before?)));

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
        times.allocations = allocated;
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
        let mut block = 1;
        while times.whole_ms.len() < most
            && !stop.is_requested()
            && (times.whole_ms.is_empty() || started.elapsed().as_secs_f64() < limit_s)
        {
            if block == RESTART_EVERY {
                self.restart()?;
                block = 0;
            }
            let began = Instant::now();
            if let Err(error) = self.step() {
                times.fault(&error)?;
                block = RESTART_EVERY;
                continue;
            }
            times.whole_ms.push(began.elapsed().as_secs_f64() * 1e3);
            block += 1;
        }
        Ok(times)
    }

    /// Time in ms of a plan of `iterations` from noise, its first evaluation included; none if an
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
        if self.faults > 20 {
            return Err(Failure::failed(anyhow::anyhow!(
                "more than 20 iterations failed, the last one: {error}"
            )));
        }
        Ok(())
    }
}
