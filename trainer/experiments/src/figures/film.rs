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
use latco_evaluate::{check_fit, with_iterations};
use latco_models::Bundle;
use latco_pictures::{FilmStrip, Frame, columns};
use serde::Serialize;

use super::first::First;
use crate::options::Common;
use crate::table::{Table, Value, count, exponent, fixed, text};
use crate::{ExperimentError, Progress, rows};

/// Iterations of the rows of a quick run and of a full one.
const ITERATIONS: (&[u32], &[u32]) = (&[1, 5, 20, 60], &[1, 3, 10, 30, 100, 200]);

/// Arguments of `latco-train experiment film-strip`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take.
    #[command(flatten)]
    pub common: Common,
    /// Simulated task.
    #[arg(long, default_value = "stick")]
    pub task: String,
    /// Folder of the model bundle [default: models/bundles/TASK].
    #[arg(long)]
    pub bundle: Option<PathBuf>,
    /// Robot configuration [default: configs/TASK.toml].
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Planners, each with its rows; by default those of the paper's figure 1.
    #[arg(long, value_delimiter = ',', default_value = "latco,cem")]
    pub planners: Vec<PlannerKind>,
    /// Iterations of the plans [default: 1,3,10,30,100,200, quick 1,5,20,60].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub iterations: Vec<u32>,
    /// Action sequences that CEM and MPPI sample [default: 10000 as the paper's, quick 1000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub samples: Option<u32>,
}

/// One plan of the strip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Name of the planner.
    pub planner: &'static str,
    /// Number of iterations of the plan.
    pub iterations: u32,
    /// Largest squared dynamics violation of the planned states; none where states follow from actions.
    pub violation: Option<f64>,
    /// Reward to expect in the planned states; none where states follow from actions.
    pub planned_reward: Option<f64>,
    /// Predicted return of the actions.
    pub predicted_return: f64,
    /// Sum of the true rewards when the plan is executed without looking.
    pub true_return: f64,
    /// Whether the task was solved on the way.
    pub solved: bool,
}

/// Makes the plans and writes `film_strip.png`, `.csv` and `.md`; nothing is written if `progress` asks for an end.
///
/// # Errors
/// [`ExperimentError`].
pub fn run(
    args: &Args,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<Vec<Row>>, ExperimentError> {
    let Args {
        common,
        task,
        planners,
        ..
    } = args;
    let usual = PathBuf::from("models/bundles").join(task);
    let bundle = &Bundle::load(args.bundle.as_ref().unwrap_or(&usual), &Default::default())?;
    let usual = PathBuf::from(format!("configs/{task}.toml"));
    let config = Config::load(args.config.as_ref().unwrap_or(&usual))?;
    let (quick, full) = ITERATIONS;
    let given = Some(args.iterations.clone()).filter(|iterations| !iterations.is_empty());
    let mut iterations = common.or(given, quick.to_vec(), full.to_vec());
    iterations.sort_unstable();
    let samples = common.or(args.samples, 1000, 10_000);
    let side = bundle.manifest().image.width;
    let mut robot = latco_envs::make(task, side)?;
    check_fit(bundle, robot.as_ref())?;
    let seed = EVALUATION_SEED + common.seed;
    let shown = columns(bundle.manifest().dims.horizon);
    let mut strip = FilmStrip::new(format!(
        "{}, evaluation episode {}: plans after so many iterations, and the last executed",
        task, common.seed
    ));
    let mut state = Progress {
        done: 0,
        total: (planners.len() * iterations.len()) as u64,
        cell: String::new(),
    };
    let mut made = Vec::new();
    for kind in planners {
        for (number, &times) in iterations.iter().enumerate() {
            state.cell = format!("{}, {times} iterations", kind.name());
            if progress(&state).is_break() {
                return Ok(None);
            }
            let mut first = First::new(bundle, &configured(&config, *kind, (times, samples)))?;
            robot.reset(seed);
            let report = first.plan(robot.as_ref(), common.seed)?;
            let is_relaxed = *kind == PlannerKind::Latco;
            let states = match is_relaxed {
                true => first.last_states(),
                false => first.solution.states.clone(),
            };
            if made.is_empty() {
                let pixels = first.pixels().to_vec();
                strip = strip.row("camera", &[Frame::new(side, side, pixels)?]);
            }
            let plural = if times == 1 { "" } else { "s" };
            let title = format!("{}, {times} iteration{plural}", kind.name());
            strip = strip.row(title, &decoded(bundle, &states, &shown)?);
            let executed = execute(robot.as_mut(), &first.solution.actions)?;
            if number + 1 == iterations.len() {
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
                iterations: times,
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
        task, common.seed, samples
    );
    let out = common.out("film-strip");
    told().write(&out, "film_strip", &made, (&before, ""))?;
    strip.save(&out.join("film_strip.png"))?;
    Ok(Some(made))
}

fn configured(config: &Config, kind: PlannerKind, (iterations, samples): (u32, u32)) -> Config {
    let mut config = with_iterations(&rows::at_the_papers(config, kind), iterations);
    let planner = &mut config.planner;
    // The answer is the last iterate, and not the best of those before it.
    planner.latco.rollout_every_iterations = u32::MAX;
    planner.cem.samples = samples;
    planner.cem.elites = (samples / 10).max(1);
    config
}

pub(crate) fn decoded(
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
    for action in actions.chunks_exact(robot.actions()) {
        robot.step(action);
        seen.push(look(robot)?);
    }
    Ok(seen)
}

fn told<'a>() -> Table<'a, &'a Row> {
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
