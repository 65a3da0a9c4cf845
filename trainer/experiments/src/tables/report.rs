//! CSV file, Markdown file and plot of a table.

use std::path::Path;

use latco_evaluate::wilson_interval;
use latco_pictures::{Curves, Interval, Intervals, Panel};

use super::grid::Cell;
use super::kind::{Setting, Table};
use crate::table::{self, Value, count, fixed, interval, text};
use crate::{ExperimentError, paper, rows};

/// The columns that all comparisons of planners have, with what the paper found for a cell.
pub fn columns<'a>(found: impl Fn(&Cell) -> Option<String> + 'a) -> table::Table<'a, &'a Cell> {
    table::Table::new()
        .column("task", "task", |c: &&Cell| text(&c.task))
        .column("row", "row", |c| text(&c.row))
        .column("setting", "setting", |c| text(&c.setting))
        .column("budget", "a plan's budget", |c| text(&c.budget))
        .column("episodes", "", |c| count(c.episodes.len()))
        .column("success,success_low,success_high", "success (95 %)", |c| {
            interval([c.success, c.success_low, c.success_high])
        })
        .column("mean_return", "return", |c| fixed(c.mean_return, 2))
        .column("promised", "promised", |c| fixed(c.promised, 2))
        .column("iterations", "iterations, median", |c| {
            fixed(c.iterations, 0)
        })
        .column("plans", "", |c| count(c.plans))
        .column("plan_ms_p50,plan_ms_p99", "plan ms, median (99 %)", |c| {
            fixed(c.measured.plan_ms_p50, 1).with(fixed(c.measured.plan_ms_p99, 1))
        })
        .column("plans_per_s", "plans/s", |c| {
            fixed(c.measured.plans_per_s, 1)
        })
        .column("paper", "the paper's", move |c| {
            Value::or_none(found(c).map(text))
        })
}

/// Writes CSV, Markdown and plot of the cells that are done: of so many milliseconds a plan at equal time, so many
/// episodes from a seed on.
pub(super) fn write(
    table: &Table,
    (equal_ms, episodes, seed): (f64, u32, u64),
    cells: &[Cell],
    out: &Path,
) -> Result<(), ExperimentError> {
    let Table { name, title, .. } = table;
    let mut before = format!(
        "# {title}\n\n{episodes} episodes a cell from seed {seed}, the same for all. Success: solved after any step, with its \
         95 % Wilson interval. All planners have the same bundle, belief and lead, and are judged by the true reward; promised \
         is the predicted return of the plans. Times and plans per second are by CPU time of the one planning thread, so that \
         other work on the machine does not count; so is the budget at equal time.\n"
    );
    let settings = distinct(cells, |c| &c.setting);
    if settings.contains(&Setting::EqualTime.name()) {
        before += &format!(
            "\n- `equal_time`: every plan may take {equal_ms} ms; a new one at every step, from the one before it."
        );
    }
    if settings.contains(&Setting::Paper.name()) {
        before += &format!(
            "\n- `paper`: the paper's iterations and samples on {} (appendix D); every plan is made from nothing and \
             followed to its end. The horizon is the bundle's.",
            table.suite
        );
    }
    let after = format!(
        "\n{} A plan of 30 steps took it 12 s (CEM), 14 s (Shooting GD) and 14 s (LatCo) on an RTX 2080 Ti (appendix D).\n{}",
        paper::TASKS_DIFFER,
        (table.closing)()
    );
    let mut all = columns(|cell| (table.found)(cell).map(|figure| figure.to_string()));
    if *name == "lottery" {
        all = all
            .column("", "Top / Bottom / none", |c| {
                text(choices(c).map(|times| times.to_string()).join(" / "))
            })
            .column("", "mean reward of the choice", |c| {
                let rewards = c.episodes.iter().map(|e| e.first_reward);
                fixed(rewards.sum::<f64>() / c.episodes.len().max(1) as f64, 2)
            });
    }
    all.write(out, name, cells, (&before, &after))?;
    let title = format!("{title}, {episodes} episodes");
    Ok((table.plot)(
        title,
        cells,
        &out.join(format!("{name}.png")),
    )?)
}

/// What the rows of planners optimise.
pub(super) fn objectives() -> String {
    let lines =
        rows::planners().map(|kind| format!("- {}: {}.\n", kind.name(), rows::objective(kind)));
    "\nWhat is optimised:\n".to_owned() + &lines.collect::<String>()
}

/// Which rows of the paper's table 3 are there only sometimes, or not at all.
pub(super) fn left_out() -> String {
    format!(
        "\n`no_deterministic` is a property of the model: its row is there for tasks with a bundle `TASK{}` (trained \
         with `model.deter = 0`) beside the task's. The paper's last row, image collocation ({}), is not measured: \
         only version 0.1.0 has that planner, and docs/experiments.md keeps what it did.\n",
        rows::NO_DETERMINISTIC,
        paper::ablation("image_collocation").map_or("none", |figure| figure.value)
    )
}

/// Success in each quarter of the episodes by how far from solved they begin.
pub(super) fn by_difficulty(title: String, cells: &[Cell]) -> Curves {
    let mut curves = Curves::new(title);
    for task in distinct(cells, |c| &c.task) {
        for setting in distinct(cells, |c| &c.setting) {
            let of_panel = |c: &&Cell| c.task == task && c.setting == setting;
            let panel = Panel::new(
                format!("{task}, {setting}: share solved"),
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

/// Episodes that chose Top, Bottom, and neither.
fn choices(cell: &Cell) -> [usize; 3] {
    let is: [fn(f64) -> bool; 3] = [|r| r == 1.0, |r| r != 1.0 && r != 0.0, |r| r == 0.0];
    is.map(|is| cell.episodes.iter().filter(|e| is(e.first_reward)).count())
}

/// Values of a column in the order in which they come.
fn distinct<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    of: impl Fn(&'a Cell) -> &'a str,
) -> Vec<&'a str> {
    let mut found = Vec::new();
    for cell in cells {
        if !found.contains(&of(cell)) {
            found.push(of(cell));
        }
    }
    found
}

/// Success by task, row and setting.
pub fn successes<'a>(
    title: String,
    cells: impl IntoIterator<Item = &'a Cell> + Clone,
) -> Intervals {
    let all = || cells.clone().into_iter();
    let settings = distinct(all(), |c| &c.setting);
    let x_title = "share of episodes solved, 95 % Wilson interval";
    let mut picture = Intervals::new(title, x_title, settings.iter().copied());
    for task in distinct(all(), |c| &c.task) {
        let rows = distinct(all(), |c| &c.row).into_iter().map(|row| {
            let of_row = all().filter(|c| c.task == task && c.row == row);
            let values = of_row.map(|c| Interval {
                series: settings.iter().position(|s| *s == c.setting).unwrap_or(0),
                value: c.success,
                low: c.success_low,
                high: c.success_high,
            });
            (row.to_owned(), values.collect())
        });
        picture = picture.panel(task, rows.collect());
    }
    picture
}

/// Shares of the choices in the Lottery.
pub(super) fn chosen(title: String, cells: &[Cell]) -> Intervals {
    let x_title = "share of episodes, 95 % Wilson interval";
    let names = [
        "Top, pays 1",
        "Bottom, pays 20 or costs 40: -1 on the mean",
        "none",
    ];
    let mut picture = Intervals::new(title, x_title, names);
    for setting in distinct(cells, |c| &c.setting) {
        let rows = cells.iter().filter(|c| c.setting == setting).map(|c| {
            let values = choices(c).into_iter().enumerate().map(|(series, times)| {
                let episodes = c.episodes.len();
                let (low, high) = wilson_interval(times, episodes);
                Interval {
                    series,
                    value: times as f64 / episodes.max(1) as f64,
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
