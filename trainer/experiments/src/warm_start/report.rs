//! CSV, Markdown and plot of the cells.

use std::fmt::Write as _;
use std::path::Path;

use latco_pictures::{Curves, Panel};

use super::{Cell, Options, STARTS};
use crate::{ExperimentError, write_file};

/// Writes all three into the folder of the results.
pub(super) fn write(options: &Options, cells: &[Cell]) -> Result<(), ExperimentError> {
    write_file(&options.out.join("warm_start.csv"), &csv(cells))?;
    write_file(
        &options.out.join("warm_start.md"),
        &markdown(options, cells),
    )?;
    plot(&options.out.join("warm_start.png"), options, cells)
}

fn csv(cells: &[Cell]) -> String {
    let mut text = String::from(
        "start,iterations,episodes,success,success_low,success_high,success_at_end,mean_return,\
         predicted_return,real_return,violation_median,violation_p90,plan_ms_p50,plan_ms_p99\n",
    );
    for c in cells {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            c.start,
            c.iterations,
            c.episodes,
            c.success,
            c.success_low,
            c.success_high,
            c.success_at_end,
            c.mean_return,
            c.predicted_return,
            c.real_return,
            c.violation_median,
            c.violation_p90,
            c.measured.plan_ms_p50,
            c.measured.plan_ms_p99
        );
    }
    text
}

fn markdown(options: &Options, cells: &[Cell]) -> String {
    let mut text = format!(
        "# Warm start\n\nTask {}, {} episodes each from seed {}, one Gaussian start, the same iterations for every plan.\n\n\
         | iterations | start | success (95 %) | at the end | return | predicted | real | violation, median (90 %) | plan CPU ms, median (99 %) |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        options.task, options.episodes, options.seed
    );
    for c in cells {
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} ({:.2} to {:.2}) | {:.2} | {:.1} | {:.2} | {:.2} | {:.1e} ({:.1e}) | {:.1} ({:.1}) |",
            c.iterations,
            c.start,
            c.success,
            c.success_low,
            c.success_high,
            c.success_at_end,
            c.mean_return,
            c.predicted_return,
            c.real_return,
            c.violation_median,
            c.violation_p90,
            c.measured.plan_ms_p50,
            c.measured.plan_ms_p99
        );
    }
    text.push_str(
        "\nPredicted: mean of the clipped rollout returns of the plans. Real: the rewards in the steps that these plans \
         were about, under replanning.\n",
    );
    text
}

fn plot(file: &Path, options: &Options, cells: &[Cell]) -> Result<(), ExperimentError> {
    let panel = |title: &str| Panel::new(title, "iterations of each plan").log_x();
    let lines = |panel: Panel, value: fn(&Cell) -> f64| {
        STARTS.iter().fold(panel, |panel, start| {
            let name = start.name();
            let of_start = cells.iter().filter(|cell| cell.start == name);
            let points: Vec<(f64, f64)> = of_start
                .map(|cell| (f64::from(cell.iterations), value(cell)))
                .collect();
            panel.points(name, &points)
        })
    };
    let title = format!(
        "warm start on {}, {} episodes",
        options.task, options.episodes
    );
    Curves::new(title)
        .panel(lines(panel("episodes solved"), |c| c.success))
        .panel(lines(panel("dynamics violation, median").log_y(), |c| {
            c.violation_median
        }))
        .panel(lines(panel("predicted return of a plan"), |c| {
            c.predicted_return
        }))
        .panel(lines(panel("real return in the same steps"), |c| {
            c.real_return
        }))
        .save(file)?;
    Ok(())
}
