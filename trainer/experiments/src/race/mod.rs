//! The race: one episode of every planner from the same start, side by side on one page, what each imagined beside what
//! happened.

use std::ops::ControlFlow;
use std::path::PathBuf;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_envs::{EVALUATION_SEED, undisturbed};
use latco_evaluate::{ClosedLoop, EvaluateError, ThreadClock, check_fit};
use latco_models::Bundle;

use crate::options::{Common, positive};
use crate::table::{Table, Value, count, fixed, text};
use crate::{ExperimentError, Progress, rows, write_file};

mod lane;
mod page;

pub use lane::Lane;
use lane::drive;

/// Arguments of `latco-train experiment race`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take.
    #[command(flatten)]
    pub common: Common,
    /// Simulated task, or the file of a robot that others made.
    #[arg(long, default_value = "reach")]
    pub task: String,
    /// Folder of the model bundle [default: models/bundles/TASK].
    #[arg(long)]
    pub bundle: Option<PathBuf>,
    /// Robot configuration [default: configs/TASK.toml].
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Planners, each with a lane [default: all of table1, quick latco,sampling_only,cem,shooting_gd].
    #[arg(long, value_delimiter = ',')]
    pub planners: Vec<PlannerKind>,
    /// CPU time of a plan, ms.
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    pub equal_ms: f64,
}

/// Runs the race and writes `race.html`, `.csv` and `.md`; nothing is written if `progress` asks for an end.
///
/// # Errors
/// [`ExperimentError`].
pub fn run(
    args: &Args,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<Vec<Lane>>, ExperimentError> {
    let common = &args.common;
    let usual = PathBuf::from("models/bundles").join(&args.task);
    let bundle = &Bundle::load(args.bundle.as_ref().unwrap_or(&usual), &Default::default())?;
    let usual = PathBuf::from(format!("configs/{}.toml", args.task));
    let config = Config::load(args.config.as_ref().unwrap_or(&usual))?;
    let given = Some(args.planners.clone()).filter(|planners| !planners.is_empty());
    let planners = common.or(given, QUICK.to_vec(), rows::planners().collect());
    let mut robot = latco_envs::make(&args.task, bundle.manifest().image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let mut state = Progress {
        done: 0,
        total: planners.len() as u64,
        cell: String::new(),
    };
    let (mut lanes, mut runs) = (Vec::new(), Vec::new());
    for kind in planners {
        state.cell = kind.name().to_owned();
        if progress(&state).is_break() {
            return Ok(None);
        }
        let mut config = rows::at_equal_time(&config, kind, args.equal_ms);
        config.planner.seed = common.seed;
        let mut closed_loop = ClosedLoop::new(&config, bundle)?;
        closed_loop.learn_times(&ThreadClock);
        let seed = EVALUATION_SEED + common.seed;
        let run = undisturbed(robot.as_mut(), |robot| drive(&mut closed_loop, robot, seed))
            .map_err(EvaluateError::from)??;
        lanes.push(run.lane(kind, &config, bundle));
        runs.push(run);
        state.done += 1;
    }
    let out = common.out("race");
    let facts = [
        ("task", args.task.clone()),
        ("evaluation episode", common.seed.to_string()),
        ("bundle", bundle.dir().display().to_string()),
        (
            "sum of the bundle's files (SHA-256)",
            bundle.manifest().sum(),
        ),
        ("CPU time of a plan", format!("{} ms", args.equal_ms)),
        (
            "page made by",
            format!("latco-train {}", env!("CARGO_PKG_VERSION")),
        ),
    ];
    let html = page::render(bundle, &lanes, &runs, &facts)?;
    write_file(&out.join("race.html"), &html)?;
    let before = format!(
        "# A race\n\nTask {}, evaluation episode {}: every planner from the same start with {} ms of CPU time a plan. `race.html` shows \
         it; open it in a browser. One episode says little: `latco-train experiment table1` has many.",
        args.task, common.seed, args.equal_ms
    );
    columns().write(&out, "race", &lanes, (&before, ""))?;
    Ok(Some(lanes))
}

/// The planners of a quick race: collocation, what it starts from, sampling, and descent on the actions.
const QUICK: [PlannerKind; 4] = [
    PlannerKind::Latco,
    PlannerKind::SamplingOnly,
    PlannerKind::Cem,
    PlannerKind::ShootingGd,
];

fn columns<'a>() -> Table<'a, &'a Lane> {
    let optional = |value: Option<f64>| Value::or_none(value.map(|value| fixed(value, 2)));
    Table::new()
        .column("planner", "planner", |l: &&Lane| text(l.planner))
        .column("solved", "solved", |l| count(usize::from(l.solved)))
        .column("solved_after_s", "after s", move |l| {
            optional(l.solved_after_s)
        })
        .column("episode_return", "return", |l| fixed(l.episode_return, 2))
        .column("promised", "plans promise", move |l| optional(l.promised))
        .column("got", "and get", move |l| optional(l.got))
        .column("plan_ms_p50,plan_ms_p99", "ms a plan (p99)", |l| {
            fixed(l.plan_ms_p50, 1).with(fixed(l.plan_ms_p99, 1))
        })
        .column("iterations_median", "iterations", |l| {
            fixed(l.iterations_median, 0)
        })
        .column("budget", "budget", |l| text(&l.budget))
}
