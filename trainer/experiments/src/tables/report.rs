//! CSV, Markdown and plot of a table.

use std::fmt::Write as _;
use std::path::Path;

use latco_pictures::{Curves, Interval, Intervals, Panel};

use super::grid::Cell;
use super::{Options, Setting, Table};
use crate::{ExperimentError, csv, paper, rows, write_file};

/// Writes all three into the folder of the results.
pub(super) fn write(options: &Options, cells: &[Cell]) -> Result<(), ExperimentError> {
    let name = options.table.name();
    let path = |end: &str| options.out.join(format!("{name}.{end}"));
    write_file(&path("csv"), &csv_of(options.table, cells))?;
    write_file(&path("md"), &markdown(options, cells))?;
    plot(options, &path("png"), cells)
}

fn csv_of(table: Table, cells: &[Cell]) -> String {
    let head = "task,row,setting,budget,episodes,success,success_low,success_high,mean_return,promised,\
                iterations,plans,paper,plan_ms_p50,plan_ms_p99,plans_per_s";
    let row = |c: &Cell| {
        format!(
            "{},{},{},\"{}\",{},{},{},{},{},{},{},{},\"{}\",{},{},{}",
            c.task,
            c.row,
            c.setting,
            c.budget,
            c.episodes.len(),
            c.success,
            c.success_low,
            c.success_high,
            c.mean_return,
            c.promised,
            c.iterations,
            c.plans,
            of_the_paper(table, c).map_or(String::new(), |f| f.to_string()),
            c.measured.plan_ms_p50,
            c.measured.plan_ms_p99,
            c.measured.plans_per_s
        )
    };
    csv(head, cells.iter().map(row))
}

fn of_the_paper(table: Table, cell: &Cell) -> Option<paper::Figure> {
    match table {
        Table::Ablations => paper::ablation(&cell.row),
        Table::Lottery => paper::lottery(&cell.row),
        Table::Planners | Table::Difficulty => paper::success(&cell.task, &cell.row),
    }
}

/// What the table is about.
fn title(table: Table) -> &'static str {
    match table {
        Table::Planners => "Planners on tasks (table 1 of the paper)",
        Table::Ablations => "LatCo without its parts (table 3 of the paper)",
        Table::Difficulty => "Success by difficulty (figure 4 of the paper)",
        Table::Lottery => "Choices in the Lottery (figure 7 of the paper)",
    }
}

pub(super) fn markdown(options: &Options, cells: &[Cell]) -> String {
    let mut text = format!(
        "# {}\n\n{} episodes a cell from seed {}, the same for all. Success: solved after any step, with its 95 % Wilson \
         interval. All planners have the same bundle, belief and lead, and are judged by the true reward; promised is the \
         predicted return of the plans. Times and plans per second are by CPU time of the one planning thread, so that other \
         work on the machine does not count; so is the budget at equal time.\n",
        title(options.table),
        options.episodes,
        options.seed
    );
    if options.settings.contains(&Setting::EqualTime) {
        let _ = write!(
            text,
            "\n- `equal_time`: every plan may take {} ms; a new one at every step, from the one before it.",
            options.equal_ms
        );
    }
    if options.settings.contains(&Setting::Paper) {
        let suite = match options.table {
            Table::Lottery => "Meta-World, of CEM and MPPI the iterations on DM Control",
            _ => "Meta-World",
        };
        let _ = write!(
            text,
            "\n- `paper`: the paper's iterations and samples on {suite} (appendix D); every plan is made from nothing and \
             followed to its end. The horizon is the bundle's.",
        );
    }
    text.push_str("\n\n");
    let lottery = options.table == Table::Lottery;
    let mut columns = vec![
        "task",
        "row",
        "setting",
        "a plan's budget",
        "success (95 %)",
        "return",
        "promised",
        "iterations, median",
        "plan ms, median (99 %)",
        "plans/s",
    ];
    if lottery {
        columns.extend(["Top / Bottom / none", "mean reward of the choice"]);
    }
    columns.push("the paper's");
    let _ = writeln!(
        text,
        "| {} |\n|{}",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    for c in cells {
        let _ = write!(
            text,
            "| {} | {} | {} | {} | {:.2} ({:.2} to {:.2}) | {:.2} | {:.2} | {:.0} | {:.1} ({:.1}) | {:.1} |",
            c.task,
            c.row,
            c.setting,
            c.budget,
            c.success,
            c.success_low,
            c.success_high,
            c.mean_return,
            c.promised,
            c.iterations,
            c.measured.plan_ms_p50,
            c.measured.plan_ms_p99,
            c.measured.plans_per_s
        );
        if lottery {
            let (top, bottom, none) = choices(c);
            let rewards = c.episodes.iter().map(|e| e.first_reward);
            let mean = rewards.sum::<f64>() / c.episodes.len().max(1) as f64;
            let _ = write!(text, " {top} / {bottom} / {none} | {mean:.2} |");
        }
        let figure = of_the_paper(options.table, c);
        let _ = writeln!(
            text,
            " {} |",
            figure.map_or("none".to_owned(), |f| f.to_string())
        );
    }
    let _ = writeln!(
        text,
        "\n{} A plan of 30 steps took it 12 s (CEM), 14 s (Shooting GD) and 14 s (LatCo) on an RTX 2080 Ti (appendix D).",
        paper::TASKS_DIFFER
    );
    if options.table == Table::Ablations {
        let _ = writeln!(
            text,
            "\n`no_deterministic` is a property of the model: its row is there for tasks with a bundle `TASK{}` (trained with \
             `model.deter = 0`) beside the task's.",
            rows::NO_DETERMINISTIC
        );
    } else {
        text.push_str("\nWhat is optimised:\n");
        for kind in rows::PLANNERS {
            let _ = writeln!(text, "- {}: {}.", kind.name(), rows::objective(*kind));
        }
    }
    text
}

/// Episodes that chose Top, Bottom, and neither.
fn choices(cell: &Cell) -> (usize, usize, usize) {
    let count = |is: fn(f64) -> bool| {
        let mut rewards = cell.episodes.iter().map(|e| e.first_reward);
        rewards.by_ref().filter(|r| is(*r)).count()
    };
    (
        count(|r| r == 1.0),
        count(|r| r != 1.0 && r != 0.0),
        count(|r| r == 0.0),
    )
}

/// Values of a column in the order in which they come.
fn distinct<'a>(cells: &'a [Cell], of: impl Fn(&'a Cell) -> &'a str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for cell in cells {
        if !found.contains(&of(cell)) {
            found.push(of(cell));
        }
    }
    found
}

fn plot(options: &Options, file: &Path, cells: &[Cell]) -> Result<(), ExperimentError> {
    let tasks = distinct(cells, |c| &c.task);
    let title = format!("{}, {} episodes", title(options.table), options.episodes);
    match options.table {
        Table::Difficulty => by_difficulty(options, title, &tasks, cells).save(file)?,
        Table::Lottery => chosen(title, cells).save(file)?,
        Table::Planners | Table::Ablations => successes(title, &tasks, cells).save(file)?,
    }
    Ok(())
}

fn successes(title: String, tasks: &[&str], cells: &[Cell]) -> Intervals {
    let settings = distinct(cells, |c| &c.setting);
    let x_title = "share of episodes solved, 95 % Wilson interval";
    let mut picture = Intervals::new(title, x_title, settings.iter().copied());
    for task in tasks {
        let of_task = |c: &&Cell| c.task == *task;
        let rows = distinct(cells, |c| &c.row).into_iter().map(|row| {
            let of_row = cells.iter().filter(of_task).filter(|c| c.row == row);
            let values = of_row.map(|c| Interval {
                series: settings.iter().position(|s| *s == c.setting).unwrap_or(0),
                value: c.success,
                low: c.success_low,
                high: c.success_high,
            });
            (row.to_owned(), values.collect())
        });
        picture = picture.panel(*task, rows.collect());
    }
    picture
}

/// Shares of the choices.
fn chosen(title: String, cells: &[Cell]) -> Intervals {
    let x_title = "share of episodes, 95 % Wilson interval";
    let names = [
        "Top, pays 1",
        "Bottom, pays 20 or costs 40: -1 on the mean",
        "none",
    ];
    let mut picture = Intervals::new(title, x_title, names);
    for setting in distinct(cells, |c| &c.setting) {
        let rows = cells.iter().filter(|c| c.setting == setting).map(|c| {
            let (top, bottom, none) = choices(c);
            let count = c.episodes.len();
            let values = [top, bottom, none].into_iter().enumerate();
            let values = values.map(|(series, times)| {
                let (low, high) = latco_evaluate::wilson_interval(times, count);
                Interval {
                    series,
                    value: times as f64 / count.max(1) as f64,
                    low,
                    high,
                }
            });
            (c.row.clone(), values.collect())
        });
        picture = picture.panel(setting, rows.collect());
    }
    picture
}

fn by_difficulty(options: &Options, title: String, tasks: &[&str], cells: &[Cell]) -> Curves {
    let mut curves = Curves::new(title);
    for task in tasks {
        for setting in &options.settings {
            let of_panel = |c: &&Cell| c.task == *task && c.setting == setting.name();
            let panel = Panel::new(
                format!("{task}, {}: share solved", setting.name()),
                "way to go at the start, m (mean of each quarter of the episodes)",
            );
            let panel = (cells.iter().filter(of_panel)).fold(panel, |panel, cell| {
                panel.points(&cell.row, &quarters(cell))
            });
            curves = curves.panel(panel);
        }
    }
    curves
}

/// Success in each quarter of the episodes by difficulty, at its mean.
fn quarters(cell: &Cell) -> Vec<(f64, f64)> {
    let mut episodes = cell.episodes.clone();
    episodes.sort_by(|a, b| a.difficulty.total_cmp(&b.difficulty));
    let size = episodes.len().div_ceil(4).max(1);
    (episodes.chunks(size))
        .map(|quarter| {
            let count = quarter.len() as f64;
            let solved = quarter.iter().filter(|e| e.success).count();
            let mean = quarter.iter().map(|e| e.difficulty).sum::<f64>() / count;
            (mean, solved as f64 / count)
        })
        .collect()
}
