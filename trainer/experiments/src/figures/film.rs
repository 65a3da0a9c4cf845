//! Plans along the iterations, decoded into pictures, and what became of the last one when it was
//! executed (figures 1 and 5 of the paper).
//!
//! Every row is a plan of its own that was given so many iterations from the same random numbers: the
//! state in which the optimisation was then.

use std::ops::ControlFlow;
use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_envs::{EVALUATION_SEED, Robot};
use latco_evaluate::check_fit;
use latco_models::Bundle;
use latco_pictures::{FilmStrip, Frame};
use serde::Serialize;

use super::first::First;
use crate::table::{Table, Value, count, exponent, fixed, text};
use crate::{ExperimentError, Progress, rows};

/// Planners that are shown: those of the paper's figure 1.
pub const PLANNERS: [PlannerKind; 2] = [PlannerKind::Latco, PlannerKind::Cem];
/// Iterations of the rows.
pub const ITERATIONS: [u32; 6] = [1, 3, 10, 30, 100, 200];
/// Iterations of a quick run.
pub const QUICK_ITERATIONS: [u32; 4] = [1, 5, 20, 60];
/// Columns of the strip.
const COLUMNS: usize = 9;

/// What is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Simulated task.
    pub task: String,
    /// Robot configuration.
    pub config: Config,
    /// Planners, each with its rows.
    pub planners: Vec<PlannerKind>,
    /// Iterations of the rows, rising.
    pub iterations: Vec<u32>,
    /// Action sequences that CEM and MPPI sample.
    pub samples: u32,
    /// Evaluation episode, and seed of the planners.
    pub seed: u64,
    /// Folder of the results.
    pub out: PathBuf,
}

/// One plan of the strip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Planner.
    pub planner: &'static str,
    /// Iterations.
    pub iterations: u32,
    /// Largest squared dynamics violation of the planned states; none where states follow from actions.
    pub violation: Option<f64>,
    /// Reward to expect in the planned states; none where states follow from actions.
    pub planned_reward: Option<f64>,
    /// Predicted return of the actions.
    pub predicted_return: f64,
    /// Sum of the true rewards, executed without looking.
    pub true_return: f64,
    /// Whether the task was solved on the way.
    pub solved: bool,
}

/// Makes the plans and writes `film_strip.png`, `.csv` and `.md`.
///
/// # Errors
/// [`ExperimentError`].
pub fn run(
    bundle: &Bundle,
    options: &Options,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Row>, ExperimentError> {
    let side = bundle.manifest().image.width;
    let mut robot = latco_envs::make(&options.task, side)?;
    check_fit(bundle, robot.as_ref())?;
    let seed = EVALUATION_SEED + options.seed;
    let horizon = bundle.manifest().dims.horizon;
    let shown: Vec<usize> = (0..COLUMNS.min(horizon + 1))
        .map(|k| (k * horizon) / (COLUMNS.min(horizon + 1) - 1).max(1))
        .collect();
    let mut strip = FilmStrip::new(format!(
        "{}, evaluation episode {}: plans after so many iterations, and the last executed",
        options.task, options.seed
    ));
    let mut state = Progress {
        done: 0,
        total: (options.planners.len() * options.iterations.len()) as u64,
        cell: String::new(),
    };
    let mut made = Vec::new();
    for kind in &options.planners {
        for (number, iterations) in options.iterations.iter().enumerate() {
            state.cell = format!("{}, {iterations} iterations", kind.name());
            if progress(&state).is_break() {
                return Ok(made);
            }
            let mut first = First::new(bundle, &configured(options, *kind, *iterations))?;
            robot.reset(seed);
            let report = first.plan(robot.as_ref(), options.seed)?;
            let is_relaxed = *kind == PlannerKind::Latco;
            let states = match is_relaxed {
                true => first.last_states(),
                false => first.solution.states.clone(),
            };
            if made.is_empty() {
                let pixels = first.pixels().to_vec();
                strip = strip.row("camera", &[Frame::new(side, side, pixels)?]);
            }
            let plural = if *iterations == 1 { "" } else { "s" };
            let title = format!("{}, {iterations} iteration{plural}", kind.name());
            strip = strip.row(title, &decoded(bundle, &states, &shown)?);
            let executed = execute(robot.as_mut(), &first.solution.actions)?;
            if number + 1 == options.iterations.len() {
                let frames: Vec<(Frame, String)> = (shown.iter())
                    .map(|&step| {
                        let (frame, reward) = &executed[step];
                        (frame.clone(), format!("reward {reward:.0}"))
                    })
                    .collect();
                strip = strip.captioned_row(format!("{}, executed", kind.name()), &frames);
            }
            let planned = first.trace.iterations().last().map(|i| i.planned_reward);
            made.push(Row {
                planner: kind.name(),
                iterations: *iterations,
                violation: is_relaxed.then_some(f64::from(report.dynamics_violation)),
                planned_reward: planned.filter(|_| is_relaxed).map(f64::from),
                predicted_return: f64::from(report.predicted_return),
                true_return: executed[1..].iter().map(|(_, reward)| reward).sum(),
                solved: executed[1..].iter().any(|(_, reward)| *reward > 0.5),
            });
            state.done += 1;
        }
    }
    let period_s = bundle.manifest().control_period_s;
    let strip = strip.columns(
        (shown.iter()).map(|step| format!("step {step}, {:.1} s", *step as f64 * period_s)),
    );
    let before = format!(
        "# Plans along the iterations (figures 1 and 5 of the paper)\n\nTask {}, evaluation episode {}: the first plan, from \
         nothing, given so many iterations from the same random numbers (CEM: {} samples each). `film_strip.png` shows the \
         plans decoded, and the last of each planner executed without looking. The paper's are of Thermos and Hammer in \
         Meta-World.",
        options.task, options.seed, options.samples
    );
    columns().write(&options.out, "film_strip", &made, (&before, ""))?;
    strip.save(&options.out.join("film_strip.png"))?;
    Ok(made)
}

fn configured(options: &Options, kind: PlannerKind, iterations: u32) -> Config {
    let mut config = rows::at_the_papers(&options.config, kind);
    let planner = &mut config.planner;
    planner.latco.iterations_cold = iterations;
    // The answer is the last iterate, and not the best of those before it.
    planner.latco.rollout_every_iterations = u32::MAX;
    (planner.cem.iterations, planner.mppi.iterations) = (iterations, iterations);
    (planner.cem.samples, planner.mppi.samples) = (options.samples, options.samples);
    let elites = (options.samples / 10).max(1);
    (planner.cem.elites, planner.mppi.elites) = (elites, elites);
    planner.shooting_gd.iterations_cold = iterations;
    planner.shooting_gn.iterations_cold = iterations;
    planner.ilqr.iterations_cold = iterations;
    config
}

fn decoded(
    bundle: &Bundle,
    states: &[f32],
    steps: &[usize],
) -> Result<Vec<Frame>, ExperimentError> {
    let manifest = bundle.manifest();
    let (n, image) = (manifest.dims.state(), &manifest.image);
    let mut decode = bundle.decode(1)?;
    (steps.iter())
        .map(|&step| {
            decode.state_mut().copy_from_slice(&states[step * n..][..n]);
            decode.run()?;
            Ok(Frame::from_unit(image.width, image.height, decode.image())?)
        })
        .collect()
}

/// Picture and reward before and after every action.
fn execute(robot: &mut dyn Robot, actions: &[f32]) -> Result<Vec<(Frame, f64)>, ExperimentError> {
    let side = robot.image_size();
    let look = |robot: &dyn Robot| -> Result<(Frame, f64), ExperimentError> {
        let mut pixels = vec![0; side * side * 3];
        robot.render(&mut pixels);
        Ok((Frame::new(side, side, pixels)?, robot.reward()))
    };
    let mut seen = vec![look(robot)?];
    for action in actions.chunks_exact(robot.joints()) {
        robot.step(action);
        seen.push(look(robot)?);
    }
    Ok(seen)
}

fn columns<'a>() -> Table<'a, &'a Row> {
    Table::new()
        .column("planner", "planner", |r: &&Row| text(r.planner))
        .column("iterations", "iterations", |r| count(r.iterations as usize))
        .column("violation", "violation, largest", |r| {
            Value::or_none(r.violation.map(exponent))
        })
        .column("planned_reward", "reward of the planned states", |r| {
            Value::or_none(r.planned_reward.map(|v| fixed(v, 2)))
        })
        .column("predicted_return", "predicted return of the actions", |r| {
            fixed(r.predicted_return, 2)
        })
        .column("true_return", "true return", |r| fixed(r.true_return, 2))
        .column("solved", "solved", |r| count(usize::from(r.solved)))
}
