//! The report of a quality comparison.

use std::fmt::Write;

use anyhow::Context;
use serde::Serialize;

use super::quality::{Comparison, Plan, Quality};
use super::statistics::{mean, median};
use crate::commands::failure::Failure;
use crate::commands::output::{print_json, print_line};

/// Names of what it is compared with.
const BLOCK_TRIDIAGONAL: &str = "block-tridiagonal";

/// Returns that differ by less than this share count as equal.
const TIE: f64 = 0.01;

/// `latco bench solver --quality --json`.
#[derive(Debug, Serialize)]
struct Summary {
    problems: usize,
    problems_wanted: usize,
    learned: usize,
    iterations: usize,
    seed: u64,
    equal_iterations: Side,
    equal_time: Side,
    reduced_ms_median: f64,
    block_tridiagonal_ms_median: f64,
}

/// The reduced solver against another one, by return.
#[derive(Debug, PartialEq, Serialize)]
struct Side {
    other: &'static str,
    reduced_wins: usize,
    other_wins: usize,
    ties: usize,
    reduced_return_mean: f64,
    other_return_mean: f64,
    reduced_violation_median: f64,
    other_violation_median: f64,
    other_iterations_median: f64,
}

fn side(rows: &[&Comparison], name: &'static str, other: fn(&Comparison) -> &Plan) -> Side {
    let (mut wins, mut losses, mut ties) = (0, 0, 0);
    for row in rows {
        let (a, b) = (row.reduced.value, other(row).value);
        if (a - b).abs() <= TIE * a.abs().max(b.abs()) {
            ties += 1;
        } else if a > b {
            wins += 1;
        } else {
            losses += 1;
        }
    }
    let of = |value: &dyn Fn(&Comparison) -> f64| -> Vec<f64> {
        rows.iter().map(|row| value(row)).collect()
    };
    Side {
        other: name,
        reduced_wins: wins,
        other_wins: losses,
        ties,
        reduced_return_mean: mean(&of(&|row| row.reduced.value)),
        other_return_mean: mean(&of(&|row| other(row).value)),
        reduced_violation_median: median(&of(&|row| row.reduced.violation)),
        other_violation_median: median(&of(&|row| other(row).violation)),
        other_iterations_median: median(&of(&|row| other(row).iterations as f64)),
    }
}

/// Prints the summary and writes `quality.md` where there is a folder for it.
pub(super) fn write(
    rows: &[&Comparison],
    wanted: usize,
    quality: &Quality,
    json: bool,
) -> Result<(), Failure> {
    let times = |plan: fn(&Comparison) -> &Plan| -> f64 {
        median(&rows.iter().map(|row| plan(row).time_ms).collect::<Vec<_>>())
    };
    let summary = Summary {
        problems: rows.len(),
        problems_wanted: wanted,
        learned: rows.iter().filter(|row| row.learned).count(),
        iterations: quality.iterations,
        seed: quality.seed,
        equal_iterations: side(rows, BLOCK_TRIDIAGONAL, |row| &row.equal_iterations),
        equal_time: side(rows, BLOCK_TRIDIAGONAL, |row| &row.equal_time),
        reduced_ms_median: times(|row| &row.reduced),
        block_tridiagonal_ms_median: times(|row| &row.equal_iterations),
    };
    let text = markdown(rows, &summary);
    if let Some(out) = &quality.out {
        let path = out.join("quality.md");
        std::fs::write(&path, &text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if json {
        return print_json(&summary);
    }
    print_line(&text)
}

fn markdown(rows: &[&Comparison], summary: &Summary) -> String {
    let mut text = String::new();
    // writing to a String does not fail
    let _ = writeln!(
        text,
        "# Quality of plans: the reduced solver against others\n\n{} of {} problems ({} on learned \
         models), {} iterations from the same noise, seed {}. Return: of the clipped actions rolled \
         out through the model; returns within {:.0} % are ties. Violation: the largest of the last \
         iterate. Equal time: what the reduced solver took.\n",
        summary.problems,
        summary.problems_wanted,
        summary.learned,
        summary.iterations,
        summary.seed,
        100.0 * TIE
    );
    let _ = writeln!(
        text,
        "| against | at equal | wins | losses | ties | mean return | of the other | median \
         violation | of the other | its iterations |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for (name, s) in [
        ("iterations", &summary.equal_iterations),
        ("time", &summary.equal_time),
    ] {
        let _ = writeln!(
            text,
            "| {} | {name} | {} | {} | {} | {:.2} | {:.2} | {:.1e} | {:.1e} | {:.0} |",
            s.other,
            s.reduced_wins,
            s.other_wins,
            s.ties,
            s.reduced_return_mean,
            s.other_return_mean,
            s.reduced_violation_median,
            s.other_violation_median,
            s.other_iterations_median,
        );
    }
    let _ = writeln!(
        text,
        "\n| problem | reduced: return | violation | ms | block-tridiagonal: return | violation | \
         ms | in equal time: return | violation | iterations |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let plan = |p: &Plan| format!("{:.2} | {:.1e} | ", p.value, p.violation);
        let _ = writeln!(
            text,
            "| {} | {}{:.0} | {}{:.0} | {}{} |",
            row.problem,
            plan(&row.reduced),
            row.reduced.time_ms,
            plan(&row.equal_iterations),
            row.equal_iterations.time_ms,
            plan(&row.equal_time),
            row.equal_time.iterations
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wins_losses_and_ties_are_told_apart() {
        let row = |reduced: f64, other: f64| Comparison {
            problem: "x".to_owned(),
            learned: false,
            reduced: Plan {
                value: reduced,
                ..Plan::default()
            },
            equal_iterations: Plan {
                value: other,
                iterations: 10,
                ..Plan::default()
            },
            equal_time: Plan::default(),
        };
        let rows = [row(2.0, 1.0), row(-1.0, 1.0), row(5.0, 5.01), row(0.0, 0.0)];
        let rows: Vec<&Comparison> = rows.iter().collect();
        let s = side(&rows, "other", |row| &row.equal_iterations);
        assert_eq!((s.reduced_wins, s.other_wins, s.ties), (1, 1, 2));
        assert_eq!(s.reduced_return_mean, 1.5);
        assert_eq!(s.other_iterations_median, 10.0);
    }
}
