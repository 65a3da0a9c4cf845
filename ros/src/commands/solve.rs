//! `latco solve`: a dumped planning problem, solved again and compared bit for bit.

use std::path::PathBuf;

use clap::Args;
use latco_controller::plan::{Dump, DumpError, PlanReport};
use latco_controller::trace::IterationTrace;
use latco_models::{Bundle, LoadOptions};
use serde::Serialize;

use super::failure::Failure;
use super::output::{print_json, print_line};

/// Solve a dumped planning problem again and compare bit for bit
///
/// It is solved by the iterations that were recorded, not by the clock. Exit status 1 when the result differs (another
/// processor or ONNX Runtime may round differently), 2 when the file is damaged or no dump.
#[derive(Debug, Args)]
pub(super) struct Solve {
    /// The dump
    #[arg(value_name = "DUMP")]
    file: PathBuf,
    /// Folder of the bundle [default: where it was then]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Comparison<'a> {
    file: &'a PathBuf,
    program: &'a str,
    bundle: String,
    task: &'a str,
    equal: bool,
    first_difference: Option<&'a str>,
    recorded: &'a PlanReport,
    solved: &'a PlanReport,
    iterations: &'a [IterationTrace],
}

impl Solve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let of_file =
            |error: DumpError| Failure::usage(anyhow::anyhow!("{}: {error}", self.file.display()));
        let dump = Dump::read(&self.file).map_err(|error| match error {
            error @ DumpError::Io { .. } => Failure::usage(error),
            error => of_file(error),
        })?;
        let folder = self
            .bundle
            .clone()
            .unwrap_or_else(|| PathBuf::from(&dump.header.bundle));
        let bundle = Bundle::load(&folder, &LoadOptions::default()).map_err(Failure::usage)?;
        let solved = dump.solve(&bundle).map_err(of_file)?;
        let problem = &solved.problem;
        if self.json {
            print_json(&Comparison {
                file: &self.file,
                program: &dump.header.program,
                bundle: folder.display().to_string(),
                task: &dump.header.task,
                equal: solved.difference.is_none(),
                first_difference: solved.difference.as_deref(),
                recorded: &dump.problem.report,
                solved: &problem.report,
                iterations: &problem.iterations,
            })?;
        } else {
            print_line(&table(&problem.iterations))?;
            let report = &problem.report;
            print_line(&format!(
                "{} after {} iterations of {} plans; predicted return {:.3}, from a {} start",
                report.stop.name(),
                report.iterations,
                report.plans,
                report.predicted_return,
                report.best_start.name()
            ))?;
        }
        match solved.difference {
            None => {
                if !self.json {
                    print_line("equal to the record, bit for bit")?;
                }
                Ok(())
            }
            Some(difference) => Err(Failure::failed(anyhow::anyhow!(
                "{} differs from the record, first in: {difference}",
                self.file.display()
            ))),
        }
    }
}

/// The table of the iterations, a line for each iteration of each plan.
fn table(iterations: &[IterationTrace]) -> String {
    let mut lines = vec![format!(
        "{:>9} {:>5} {:>12} {:>12} {:>12} {:>11} {:>11} {:>9} {:>9}",
        "iteration",
        "plan",
        "dyn. largest",
        "dyn. mean",
        "act. largest",
        "lambda max",
        "nu mean",
        "planned",
        "rollout"
    )];
    lines.extend(iterations.iter().map(|i| {
        let rollout = if i.rollout_return.is_finite() {
            format!("{:.3}", i.rollout_return)
        } else {
            "-".to_owned()
        };
        format!(
            "{:>9} {:>5} {:>12.3e} {:>12.3e} {:>12.3e} {:>11.3e} {:>11.3e} {:>9.3} {rollout:>9}",
            i.iteration,
            i.start,
            i.dynamics_violation_max,
            i.dynamics_violation_mean,
            i.action_violation_max,
            i.dynamics_multiplier_max,
            i.action_multiplier_mean,
            i.planned_reward,
        )
    }));
    lines.join("\n")
}
