//! Compares the block-tridiagonal solver with a record of the published one.

mod compare;
mod file;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use crate::compare::{Comparison, Errors, compare};
use crate::file::{Faults, Golden};

/// Tolerance of plans, rewards and violations.
const TOLERANCE: f64 = 1e-5;
/// Tolerance of the multipliers, which accumulate the logarithms of small violations.
const MULTIPLIER_TOLERANCE: f64 = 1e-4;
/// In the order of [`Errors::NAMES`].
const TOLERANCES: [f64; 6] = [
    TOLERANCE,
    TOLERANCE,
    MULTIPLIER_TOLERANCE,
    MULTIPLIER_TOLERANCE,
    TOLERANCE,
    TOLERANCE,
];

/// Runs the block-tridiagonal solver in f64 from the first plan of a golden file and compares every
/// iteration with the file: plans and rewards within 1e-5, multipliers within 1e-4.
///
/// Exit status: 0 within, 1 outside, 2 the file cannot be used.
#[derive(Parser)]
#[command(name = "golden")]
struct Arguments {
    /// A file of the format `rssm/.., reward/.., z0, plan0, plans, lam, nu, .., meta, eps, damping`.
    file: PathBuf,
    /// One JSON object on standard output instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let path = arguments.file.display().to_string();

    let golden = match Golden::read(&arguments.file) {
        Ok(golden) => golden,
        Err(Faults(faults)) => {
            for fault in &faults {
                eprintln!("error: {path}: {fault}");
            }
            if arguments.json {
                let _ = writeln!(out, "{}", json!({ "file": path, "errors": faults }));
            }
            return ExitCode::from(2);
        }
    };
    let comparison = match compare(&golden, &TOLERANCES) {
        Ok(comparison) => comparison,
        Err(error) => {
            eprintln!("error: {path}: {error:#}");
            if arguments.json {
                let errors = [format!("{error:#}")];
                let _ = writeln!(out, "{}", json!({ "file": path, "errors": errors }));
            }
            return ExitCode::from(1);
        }
    };

    let outside = comparison.first_outside;
    // A closed pipe is the reader's choice, and the exit status still tells the result.
    let _ = if arguments.json {
        let object = json_report(&path, &golden, &comparison);
        writeln!(out, "{object}")
    } else {
        table(&mut out, &path, &golden, &comparison)
    };
    ExitCode::from(u8::from(outside.is_some()))
}

fn json_report(path: &str, golden: &Golden, comparison: &Comparison) -> serde_json::Value {
    let meta = &golden.meta;
    let restarts: Vec<usize> = comparison.restarts().collect();
    let iterations = comparison.iterations.iter();
    let iterations: Vec<_> = iterations
        .map(|iteration| iteration.errors.json())
        .collect();
    let tolerances: serde_json::Map<_, _> = Errors::NAMES
        .iter()
        .zip(TOLERANCES)
        .map(|(&name, tolerance)| (name.to_owned(), json!(tolerance)))
        .collect();
    json!({
        "file": path,
        "within": comparison.first_outside.is_none(),
        "first_iteration_outside": comparison.first_outside,
        "restarted_iterations": restarts,
        "iterations": meta.iterations,
        "horizon": meta.horizon,
        "stoch": meta.stoch,
        "deter": meta.deter,
        "action": meta.action,
        "tolerances": tolerances,
        "largest": comparison.largest.json(),
        "per_iteration": iterations,
    })
}

fn table(
    out: &mut impl std::io::Write,
    path: &str,
    golden: &Golden,
    comparison: &Comparison,
) -> std::io::Result<()> {
    let meta = &golden.meta;
    writeln!(
        out,
        "{path}: stochastic {}, deterministic {}, actions {}, horizon {}, {} iterations",
        meta.stoch, meta.deter, meta.action, meta.horizon, meta.iterations
    )?;
    writeln!(out, "largest relative error of each iteration")?;
    let headings = ["plans", "rewards", "lambda", "nu", "dyn viol", "act viol"];
    write!(out, "{:>9}", "iteration")?;
    for heading in headings {
        write!(out, " {heading:>9}")?;
    }
    writeln!(out)?;
    let mut line = |name: &str, errors: [f64; 6]| {
        write!(out, "{name:>9}")?;
        for error in errors {
            write!(out, " {error:>9.1e}")?;
        }
        writeln!(out)
    };
    for (i, iteration) in comparison.iterations.iter().enumerate() {
        if let Some(errors) = iteration.restarted_after {
            line(&format!("free {i}"), errors.values())?;
        }
        line(&i.to_string(), iteration.errors.values())?;
    }
    line("largest", comparison.largest.values())?;
    line("tolerance", TOLERANCES)?;
    let restarts = comparison.restarts().count();
    if restarts > 0 {
        writeln!(
            out,
            "the free run left the tolerance {restarts} times (lines `free`): those iterations were \
             repeated from the recorded one before"
        )?;
    }
    match comparison.first_outside {
        None => writeln!(out, "within tolerance"),
        Some(iteration) => writeln!(
            out,
            "OUTSIDE tolerance, first at iteration {iteration}: the solver does not reproduce this file"
        ),
    }
}
