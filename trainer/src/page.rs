//! The page of a training: one HTML file with gates, losses and what the model sees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use latco_models::gates::RULES;
use latco_pictures::page::{Answer, Page, base64, context};
use serde::Serialize;

use crate::fit::log::{LOSSES_FILE, PICTURES_FOLDER};
use crate::gates::Gate;
use crate::report::Report;
use curve::Curve;
pub use curve::measure_exploitation;

mod curve;

/// Name of the page in the folder of a run.
pub const PAGE_FILE: &str = "report.html";
const SECTIONS: [(&str, &str); 5] = [
    ("gates", "gates"),
    ("exploitation", "plans"),
    ("pictures", "pictures"),
    ("losses", "losses"),
    ("data-problems", "recordings"),
];
/// Most points of a line: more cannot be told apart, and make the file large.
const MOST_POINTS: usize = 400;

/// One loss of one stage, by step.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Chart {
    id: String,
    name: String,
    learned: Vec<(f64, f64)>,
    held_out: Vec<(f64, f64)>,
}

/// The data for the script.
#[derive(Serialize)]
struct Data<'a> {
    losses: Vec<&'a Chart>,
    exploitation: Option<&'a Curve>,
}

#[derive(Serialize)]
struct Stage<'a> {
    name: &'a str,
    charts: Vec<&'a Chart>,
}

#[derive(Serialize)]
struct Row<'a> {
    class: &'a str,
    name: &'a str,
    value: String,
    needed: String,
    passed: &'a str,
    failing_means: &'a str,
    note: &'a str,
}

#[derive(Serialize)]
struct Picture {
    name: String,
    png: String,
}

/// Writes `report.html` into the folder of a run of `latco-train fit`: its path.
///
/// # Errors
/// An error when the folder has no report or no losses, or the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf> {
    let report = Report::read(folder)?;
    let file = folder.join(LOSSES_FILE);
    let losses = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "expected the losses of a training, cannot read {}",
            file.display()
        )
    })?;
    let charts = charts(&losses).with_context(|| file.display().to_string())?;
    let pictures = pictures(&folder.join(PICTURES_FOLDER))?;
    let curve = Curve::read(folder)?;
    let mut stages: Vec<Stage> = Vec::new();
    for (stage, chart) in &charts {
        match stages.last_mut().filter(|last| last.name == stage) {
            Some(last) => last.charts.push(chart),
            None => stages.push(Stage {
                name: stage,
                charts: vec![chart],
            }),
        }
    }
    let data = Data {
        losses: charts.iter().map(|(_, chart)| chart).collect(),
        exploitation: curve.as_ref(),
    };
    let page = Page {
        title: &format!("training: {}", report.task),
        answers: &answers(&report, &charts, curve.as_ref()),
        sections: &SECTIONS,
        body: include_str!("page/page.html"),
        script: include_str!("page/page.js"),
        data: &serde_json::to_string(&data)?,
        facts: &facts(folder, &report),
        configuration: None,
    };
    let html = page.render(context! {
        gates => report.gates.iter().map(row).collect::<Vec<_>>(),
        pictures,
        stages,
        problems => report.problems,
        curve,
    })?;
    let out = folder.join(PAGE_FILE);
    std::fs::write(&out, html).with_context(|| format!("writing {}", out.display()))?;
    Ok(out)
}

/// The charts in `losses.csv`, each with its stage, in the order in which they first come.
fn charts(losses: &str) -> Result<Vec<(String, Chart)>> {
    let (mut order, mut found) = (Vec::new(), BTreeMap::<(String, String), Chart>::new());
    for (number, line) in losses.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [stage, step, name, value] = fields[..] else {
            bail!(
                "line {}: expected stage,step,name,value, found {line:?}",
                number + 1
            );
        };
        let (Ok(step), Ok(value)) = (step.parse::<f64>(), value.parse::<f64>()) else {
            bail!("line {}: expected numbers, found {line:?}", number + 1);
        };
        let held_out = name.strip_prefix("held_out_");
        let key = (stage.to_owned(), held_out.unwrap_or(name).to_owned());
        let chart = found.entry(key.clone()).or_insert_with(|| {
            order.push(key.clone());
            Chart {
                id: format!("chart-{}", order.len()),
                name: key.1.replace('_', " "),
                ..Chart::default()
            }
        });
        let points = match held_out {
            Some(_) => &mut chart.held_out,
            None => &mut chart.learned,
        };
        if value.is_finite() {
            points.push((step, value));
        }
    }
    let take = |key: (String, String)| {
        let mut chart = found.remove(&key).unwrap_or_default();
        thin(&mut chart.learned);
        thin(&mut chart.held_out);
        (key.0, chart)
    };
    Ok(order.into_iter().map(take).collect())
}

/// Leaves every so manieth point, and the last.
fn thin(points: &mut Vec<(f64, f64)>) {
    let (count, stride) = (points.len(), points.len().div_ceil(MOST_POINTS).max(1));
    let mut number = 0_usize;
    points.retain(|_| {
        number += 1;
        (number - 1).is_multiple_of(stride) || number == count
    });
}

/// The pictures in a folder, by name; none without the folder.
fn pictures(folder: &Path) -> Result<Vec<Picture>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "png"));
    files.sort();
    let picture = |file: PathBuf| {
        let png = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Picture {
            name: name.replace('-', ": ").replace('_', " "),
            png: base64(&png),
        })
    };
    files.into_iter().map(picture).collect()
}

fn row(gate: &Gate) -> Row<'_> {
    let sign = if gate.higher_is_better { ">=" } else { "<=" };
    let rule = RULES.iter().find(|rule| rule.name == gate.name);
    let (class, passed) = match gate.passed() {
        Some(true) => ("ok", "yes"),
        Some(false) => ("error", "no"),
        None => ("warning", "not measured"),
    };
    Row {
        class,
        name: &gate.name,
        value: gate.value.map_or("-".into(), |value| format!("{value:.4}")),
        needed: format!("{sign} {}", gate.threshold),
        passed,
        failing_means: rule.map_or("", |rule| rule.failing_means),
        note: &gate.note,
    }
}

fn answers(report: &Report, charts: &[(String, Chart)], curve: Option<&Curve>) -> Vec<Answer> {
    let failing: Vec<String> = (report.gates.iter())
        .filter(|gate| gate.passed() == Some(false))
        .map(|gate| {
            let rule = RULES.iter().find(|rule| rule.name == gate.name);
            format!(
                "{} ({})",
                gate.name,
                rule.map_or("", |rule| rule.failing_means)
            )
        })
        .collect();
    let open = (report.gates.iter())
        .filter(|gate| gate.passed().is_none())
        .count();
    let fit = match (report.gates.is_empty(), failing.is_empty(), open) {
        (true, ..) => "No gates were measured, so nobody knows.".into(),
        (_, true, 0) => "All gates passed.".into(),
        (_, true, open) => format!("No gate failed, and {open} were not measured."),
        _ => format!("Not in every way: it fails {}.", failing.join(", ")),
    };
    let last = |points: &[(f64, f64)]| points.last().map(|point| point.1);
    let total = charts.iter().rev().find(|(_, chart)| chart.name == "loss");
    let heart = match total.map(|(_, chart)| (last(&chart.learned), last(&chart.held_out))) {
        Some((Some(learned), Some(held_out))) => format!(
            "At the end the loss is {learned:.4} on episodes that it learned from and {held_out:.4} on held-out ones: the further apart, \
             the more was learned by heart."
        ),
        _ => "There is no loss on held-out episodes to tell.".into(),
    };
    let same = match report.export_worst_difference {
        Some(worst) => format!(
            "The bundle's graphs give what the trained model gives, to {worst:.1e} at worst."
        ),
        None => "There is no bundle yet.".into(),
    };
    let surprise = match &report.surprise {
        Some(surprise) => format!(
            "It slows the robot above a score of {:.2} and stops it above {:.2}, calibrated on {} episodes.",
            surprise.slow, surprise.stop, surprise.episodes
        ),
        None => "That was not calibrated: a robot does not stop for what the model does not know."
            .into(),
    };
    let problems = match report.problems.len() {
        0 => "Nothing was found.".into(),
        count => format!("Remarks, each with the name of its bag: {count}."),
    };
    let plans = curve.map_or_else(
        || "That was not measured: latco-train report RUN --planner latco does.".to_owned(),
        Curve::told,
    );
    let answer = |question, answer, place| Answer {
        question,
        answer,
        place,
    };
    vec![
        answer("Is it fit to plan with?", fit, "gates"),
        answer("Do plans get what they promise?", plans, "exploitation"),
        answer("Did it learn, or learn by heart?", heart, "losses"),
        answer("Is what runs what was trained?", same, "facts"),
        answer("What happens where it knows nothing?", surprise, "facts"),
        answer("What was wrong with the data?", problems, "data-problems"),
    ]
}

fn facts(folder: &Path, report: &Report) -> Vec<(&'static str, String)> {
    vec![
        ("folder", folder.display().to_string()),
        ("recipe", report.recipe.to_string()),
        ("seed", report.seed.to_string()),
        (
            "episodes, frames learned from",
            format!("{}, {}", report.train_episodes, report.train_frames),
        ),
        ("episodes held out", report.held_out_episodes.to_string()),
        ("parameters", report.parameters.to_string()),
        ("training", format!("{:.0} s", report.training_s)),
        ("data (SHA-256)", report.data_hash.clone()),
        (
            "page made by",
            format!("latco-train {}", env!("CARGO_PKG_VERSION")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_become_charts_in_their_order_with_held_out_beside_learned() {
        let text = "stage,step,name,value\nworld,10,loss,2\nworld,10,image,1\nworld,20,loss,1.5\nworld,20,held_out_loss,NaN\n\
                    world,30,held_out_loss,3\n";
        let charts = charts(text).unwrap();
        let names: Vec<_> = charts
            .iter()
            .map(|(s, c)| (s.as_str(), c.name.as_str()))
            .collect();
        assert_eq!(names, [("world", "loss"), ("world", "image")]);
        assert_eq!(charts[0].1.learned, [(10.0, 2.0), (20.0, 1.5)]);
        assert_eq!(charts[0].1.held_out, [(30.0, 3.0)]);
        let wrong = super::charts("stage,step,name,value\nworld,ten,loss,2\n").unwrap_err();
        assert!(
            wrong.to_string().contains("line 2: expected numbers"),
            "{wrong}"
        );
    }

    #[test]
    fn long_lines_keep_both_ends() {
        let mut points: Vec<_> = (0..5000).map(|i| (f64::from(i), 0.0)).collect();
        thin(&mut points);
        assert!(points.len() <= MOST_POINTS + 1);
        assert_eq!((points[0].0, points[points.len() - 1].0), (0.0, 4999.0));
    }
}
