//! The report of a sweep: Markdown, a picture, fitted exponents.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use latco_pictures::{Curves, Panel};
use serde::Serialize;

use super::growth::{Point, SOLVERS};
use super::machine::{self, Cpu};
use super::statistics::{Growth, growth};
use crate::commands::failure::Failure;
use crate::commands::output::{print_json, print_line};

/// `latco bench solver --sweep --json`.
#[derive(Debug, Serialize)]
struct Summary {
    points: usize,
    points_wanted: usize,
    skipped: usize,
    fits: Vec<Fit>,
    cpu: Cpu,
    table: String,
    markdown: String,
    picture: Option<String>,
}

/// Exponents of one solver on one number of threads.
#[derive(Debug, Serialize)]
struct Fit {
    solver: String,
    threads: usize,
    #[serde(flatten)]
    growth: Growth,
}

/// Writes `sweep.md` and `sweep.png` to `out` and prints the exponents.
pub(super) fn write(
    points: &[Point],
    wanted: usize,
    out: &Path,
    json: bool,
) -> Result<(), Failure> {
    let fits = fits(points);
    let cpu = machine::cpu();
    let text = markdown(points, wanted, &fits, &cpu);
    let markdown = out.join("sweep.md");
    std::fs::write(&markdown, &text)
        .with_context(|| format!("{} cannot be written", markdown.display()))?;
    let picture = out.join("sweep.png");
    let drawn = points.iter().any(|point| point.iteration_ms.is_some());
    if drawn {
        curves(points).save(&picture).map_err(Failure::failed)?;
    }
    if json {
        return print_json(&Summary {
            points: points.len(),
            points_wanted: wanted,
            skipped: points.iter().filter(|p| p.iteration_ms.is_none()).count(),
            fits,
            cpu,
            table: out.join("sweep.csv").display().to_string(),
            markdown: markdown.display().to_string(),
            picture: drawn.then(|| picture.display().to_string()),
        });
    }
    print_line(&text)
}

/// The series in their order.
fn series(points: &[Point]) -> Vec<(&'static str, usize)> {
    let threads: BTreeSet<usize> = points.iter().map(|p| p.threads).collect();
    let pairs = SOLVERS
        .iter()
        .flat_map(|solver| threads.iter().map(move |&threads| (*solver, threads)));
    let has_points = |&(solver, threads): &(&str, usize)| {
        let mut points = points.iter();
        points.any(|p| p.solver == solver && p.threads == threads)
    };
    pairs.filter(has_points).collect()
}

fn fits(points: &[Point]) -> Vec<Fit> {
    let of = |(solver, threads): (&str, usize)| {
        let measured: Vec<(f64, f64, f64)> = points
            .iter()
            .filter(|p| p.solver == solver && p.threads == threads)
            .filter_map(|p| Some((p.horizon as f64, p.state as f64, p.iteration_ms?)))
            .collect();
        Some(Fit {
            solver: solver.to_owned(),
            threads,
            growth: growth(&measured)?,
        })
    };
    series(points).into_iter().filter_map(of).collect()
}

fn markdown(points: &[Point], wanted: usize, fits: &[Fit], cpu: &Cpu) -> String {
    let mut text = String::new();
    // writing to a String does not fail
    let _ = writeln!(
        text,
        "# Growth of one iteration\n\nMedian time of one LatCo iteration in ms: model on ONNX \
         Runtime, linear solve, multipliers; random models with n/8 of the state stochastic, dense \
         layers as wide as the deterministic part, 4 actions. {} ({}), {} of {wanted} points.\n",
        cpu.model.as_deref().unwrap_or("unknown processor"),
        cpu.features.join(" "),
        points.len(),
    );
    let _ = writeln!(text, "## Fitted exponents: time ~ H^a n^b\n");
    let _ = writeln!(
        text,
        "| solver | threads | a (horizon) | b (state) | error of the fit | points |\n\
         |---|---|---|---|---|---|"
    );
    for fit in fits {
        let g = &fit.growth;
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {:.0} % | {} |",
            fit.solver,
            fit.threads,
            g.horizon_exponent,
            g.state_exponent,
            100.0 * g.relative_error_rms,
            g.points
        );
    }
    let horizons: BTreeSet<usize> = points.iter().map(|p| p.horizon).collect();
    let states: BTreeSet<usize> = points.iter().map(|p| p.state).collect();
    let mut reasons = BTreeSet::new();
    for (solver, threads) in series(points) {
        let _ = write!(text, "\n## {solver}, threads: {threads}\n\n| n \\ H |");
        for horizon in &horizons {
            let _ = write!(text, " {horizon} |");
        }
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(horizons.len()));
        for &state in &states {
            let _ = write!(text, "| {state} |");
            for &horizon in &horizons {
                let point = points.iter().find(|p| {
                    p.solver == solver
                        && p.threads == threads
                        && p.horizon == horizon
                        && p.state == state
                });
                let cell = match point {
                    None => String::new(),
                    Some(point) => point.iteration_ms.map_or_else(
                        || {
                            let size = format!("{solver} at H {horizon}, n {state}");
                            reasons.insert(format!("- {size}: {}", point.skipped));
                            "left out".to_owned()
                        },
                        |time| format!("{time:.3}"),
                    ),
                };
                let _ = write!(text, " {cell} |");
            }
            let _ = writeln!(text);
        }
    }
    if !reasons.is_empty() {
        let _ = writeln!(text, "\n## Left out\n");
        for reason in reasons {
            let _ = writeln!(text, "{reason}");
        }
    }
    text
}

/// Time over the horizon at the middle state size, and over the state size at the middle horizon.
fn curves(points: &[Point]) -> Curves {
    let middle = |values: BTreeSet<usize>| {
        let values: Vec<usize> = values.into_iter().collect();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    let state = middle(points.iter().map(|p| p.state).collect());
    let horizon = middle(points.iter().map(|p| p.horizon).collect());
    let panel =
        |title: String, x_title: &str, x: fn(&Point) -> usize, shown: &dyn Fn(&Point) -> bool| {
            let mut panel = Panel::new(title, x_title).log_x().log_y();
            for (solver, threads) in series(points) {
                let mut line: Vec<(f64, f64)> = points
                    .iter()
                    .filter(|p| p.solver == solver && p.threads == threads && shown(p))
                    .filter_map(|p| Some((x(p) as f64, p.iteration_ms?)))
                    .collect();
                line.sort_by(|a, b| a.0.total_cmp(&b.0));
                if !line.is_empty() {
                    panel = panel.points(label(solver, threads), &line);
                }
            }
            panel
        };
    Curves::new("Time of one LatCo iteration")
        .panel(panel(
            format!("ms an iteration, states of {state}"),
            "horizon H",
            |p| p.horizon,
            &|p| p.state == state,
        ))
        .panel(panel(
            format!("ms an iteration, horizon {horizon}"),
            "size of a state, n",
            |p| p.state,
            &|p| p.horizon == horizon,
        ))
}

fn label(solver: &str, threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("{}, {threads} thread{plural}", solver.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(solver: &str, horizon: usize, state: usize, time: Option<f64>) -> Point {
        Point {
            solver: solver.to_owned(),
            threads: 1,
            horizon,
            state,
            iteration_ms: time,
            repetitions: 3,
            skipped: if time.is_some() { "" } else { "too large" }.to_owned(),
        }
    }

    #[test]
    fn the_report_has_exponents_times_and_reasons() {
        let mut points = Vec::new();
        for h in [10, 20, 40] {
            for n in [64, 128] {
                let time = 1e-5 * (h * h * n) as f64;
                points.push(point("reduced", h, n, Some(time)));
                points.push(point("dense", h, n, None));
            }
        }
        let text = markdown(&points, 12, &fits(&points), &machine::cpu());
        assert!(
            text.contains("| reduced | 1 | 2.00 | 1.00 | 0 % | 6 |"),
            "{text}"
        );
        assert!(text.contains("| 128 | 0.128 | 0.512 | 2.048 |"), "{text}");
        assert!(text.contains("- dense at H 40, n 128: too large"), "{text}");
        let folder = tempfile::tempdir().unwrap();
        write(&points, 12, folder.path(), true).unwrap();
        assert!(folder.path().join("sweep.png").exists());
    }
}
