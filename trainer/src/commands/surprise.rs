//! `latco-train surprise`: calibrates how far posteriors may be from their priors, and tries what that sees.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use latco_controller::Config;
use latco_envs::{Policy, PolicyKind};
use latco_evaluate::{
    CAUGHT_WITHIN_S, ImageFault, Largest, PlannerPolicy, SurpriseOptions, SurpriseTrial,
    try_surprise,
};
use latco_experiments::table::{Table, count, fixed, text};
use latco_models::ExpectedSurprise;
use latco_models::surprise::shortcoming;
use latco_trainer::gates::{self, GateError};
use latco_trainer::progress::Progress;

use super::bundles::{MeasuredOn, load, name_of};
use super::shell::{BadInput, go_on, print, print_json, stop_flag};

/// Arguments of `latco-train surprise`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders of bundles.
    #[arg(long, required = true, num_args = 1..)]
    bundle: Vec<PathBuf>,
    /// Calibrate and write the thresholds into the manifests; without, what the thresholds in the manifests see is tried on the
    /// simulated robots.
    #[arg(long)]
    calibrate: bool,
    /// Hours of driving: for the calibration of each bundle 32 by default, of which a quarter is for the weights; for a trial 8 by
    /// default, shared by all bundles.
    #[arg(long)]
    hours: Option<f64>,
    #[command(flatten)]
    measured_on: MeasuredOn,
    /// Who drives in a trial: planner, or a scripted policy (mixture, waypoints, random, expert).
    #[arg(long, default_value = "mixture", conflicts_with = "calibrate")]
    driver: String,
    /// Episodes of each bundle's trial in which all faults are tried.
    #[arg(long, default_value_t = 200, conflicts_with = "calibrate")]
    faulty: usize,
    /// Number of the first episode of a trial.
    #[arg(long, default_value_t = 0, conflicts_with = "calibrate")]
    seed: u64,
    /// One JSON object on standard output instead of a Markdown table.
    #[arg(long)]
    json: bool,
}

/// Calibrates the bundles, or tries what their calibration sees.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(hours) = args.hours.filter(|hours| !(*hours > 0.0 && *hours < 1e4)) {
        return Err(BadInput::new(format!(
            "--hours: expected more than 0 and less than 10000, found {hours}"
        )));
    }
    args.measured_on.needs("--calibrate", args.calibrate)?;
    if args.calibrate {
        calibrate_all(&args)
    } else {
        try_all(&args)
    }
}

fn calibrate_all(args: &Args) -> anyhow::Result<ExitCode> {
    let mut calibrated = Vec::new();
    for folder in &args.bundle {
        let surprise = calibrate(folder, args)?;
        if let Some(shortcoming) = shortcoming(Some(&surprise)) {
            tracing::warn!("{}: {shortcoming}", folder.display());
        }
        latco_models::gates::rewrite(folder, |manifest| {
            manifest.surprise = Some(surprise.clone())
        })?;
        calibrated.push((folder, surprise));
    }
    if args.json {
        let list: Vec<_> = (calibrated.iter())
            .map(|(folder, surprise)| {
                serde_json::json!({ "bundle": folder.display().to_string(), "surprise": surprise })
            })
            .collect();
        print_json(&serde_json::json!({ "bundles": list }));
        return Ok(ExitCode::SUCCESS);
    }
    let table = Table::new()
        .column(
            "",
            "bundle",
            |(folder, _): &&(&PathBuf, ExpectedSurprise)| text(folder.display().to_string()),
        )
        .column("", "slow above", |(_, s)| fixed(s.slow.into(), 2))
        .column("", "stop above", |(_, s)| fixed(s.stop.into(), 2))
        .column("", "false slows an hour, at most", |(_, s)| {
            fixed(s.false_slows_per_hour, 3)
        })
        .column("", "false stops an hour, at most", |(_, s)| {
            fixed(s.false_stops_per_hour, 3)
        })
        .column("", "episodes", |(_, s)| count(s.episodes as usize))
        .column("", "hours", |(_, s)| fixed(s.hours, 1));
    print(&table.markdown(&calibrated));
    Ok(ExitCode::SUCCESS)
}

fn calibrate(folder: &Path, args: &Args) -> anyhow::Result<ExpectedSurprise> {
    let bundle = load(folder)?;
    let refused = |error: GateError| match error {
        GateError::Surprise(_) | GateError::Data(_) => {
            BadInput::new(format!("{}: {error}", folder.display()))
        }
        other => other.into(),
    };
    if args.measured_on.is_bags() {
        let held_out = args.measured_on.episodes(bundle.manifest())?;
        return gates::calibrate_surprise(&bundle, &held_out, "held-out episodes").map_err(refused);
    }
    let hours = args.hours.unwrap_or(32.0);
    let mut driven = Driven::new(hours);
    let task = bundle.manifest().task.clone();
    let calibrated = gates::calibrate_surprise_simulated(&bundle, hours, |done| {
        driven.advance(done, &task);
    })
    .map_err(refused)?;
    driven.progress.finish();
    calibrated.ok_or_else(|| MeasuredOn::missing(folder, &task))
}

/// The progress of so many hours of driving, in minutes.
struct Driven {
    hours: f64,
    progress: Progress,
    minutes: u64,
}

impl Driven {
    fn new(hours: f64) -> Self {
        let progress = Progress::new("minutes", (hours * 60.0).ceil() as u64);
        Self {
            hours,
            progress,
            minutes: 0,
        }
    }

    /// So many hours are done in all.
    fn advance(&mut self, done: f64, note: &str) {
        let minutes = (done.min(self.hours) * 60.0) as u64;
        self.progress.advance(minutes - self.minutes, note);
        self.minutes = minutes;
    }
}

/// One bundle with its trial.
struct Tried {
    name: String,
    expected: ExpectedSurprise,
    trial: SurpriseTrial,
}

fn try_all(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = stop_flag()?;
    let hours = args.hours.unwrap_or(8.0) / args.bundle.len() as f64;
    let options = SurpriseOptions {
        hours,
        faulty: args.faulty,
        seed: args.seed,
    };
    let mut tried = Vec::new();
    for folder in &args.bundle {
        let bundle = load(folder)?;
        let mut policy: Box<dyn Policy> = if args.driver == "planner" {
            Box::new(PlannerPolicy::new(&Config::default(), &bundle)?)
        } else {
            let kind: Result<PolicyKind, _> = args.driver.parse();
            kind.map_err(|e| BadInput::new(format!("--driver: {e}, or planner")))?
                .make()
        };
        let mut driven = Driven::new(hours);
        let name = name_of(folder, bundle.manifest());
        let trial = try_surprise(&bundle, policy.as_mut(), &options, |done| {
            driven.advance(done, &name);
            go_on(&stop)
        })
        .map_err(|e| BadInput::new(format!("{}: {e}", folder.display())))?;
        driven.progress.finish();
        let expected = bundle.manifest().surprise.clone();
        tried.extend(expected.map(|expected| Tried {
            name,
            expected,
            trial,
        }));
        if stop.load(Ordering::Relaxed) {
            tracing::warn!("stopped; the figures are of what was driven until then");
            break;
        }
    }
    let rows = rows(&tried);
    if args.json {
        print_json(&serde_json::json!({
            "driver": args.driver,
            "hours": tried.iter().map(|t| t.trial.hours).sum::<f64>(),
            "caught_within_s": CAUGHT_WITHIN_S,
            "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        }));
    } else {
        print(&markdown(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// What stops the robot: the bundle's threshold, a fixed one, the monitor of frozen images, and as on a robot the first and the third.
const RULES: [&str; 4] = ["calibrated", "fixed", "frozen image", "both"];

/// What one rule does in one bundle's trial.
struct Row {
    name: String,
    rule: &'static str,
    threshold: f32,
    hours: f64,
    false_stops: usize,
    /// Caught and tried, for each fault.
    faults: Vec<(usize, usize)>,
}

impl Row {
    fn new(
        tried: &Tried,
        rule: &'static str,
        threshold: f32,
        stops: impl Fn(&Largest) -> bool,
    ) -> Self {
        let stops = |largest: &&Largest| stops(largest);
        let faults = tried.trial.faults.iter();
        Self {
            name: tried.name.clone(),
            rule,
            threshold,
            hours: tried.trial.hours,
            false_stops: tried.trial.episodes.iter().filter(stops).count(),
            faults: faults
                .map(|all| (all.iter().filter(stops).count(), all.len()))
                .collect(),
        }
    }

    fn all(rows: &[&Self], rule: &'static str) -> Self {
        let add = |fault: usize| {
            let each = rows.iter().map(|row| row.faults[fault]);
            each.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
        };
        Self {
            name: "all".to_owned(),
            rule,
            threshold: f32::NAN,
            hours: rows.iter().map(|row| row.hours).sum(),
            false_stops: rows.iter().map(|row| row.false_stops).sum(),
            faults: (0..ImageFault::ALL.len()).map(add).collect(),
        }
    }

    /// Share of the tries of a fault in which it was caught.
    fn share(&self, fault: usize) -> f64 {
        let (caught, tried) = self.faults[fault];
        caught as f64 / tried.max(1) as f64
    }

    fn json(&self) -> serde_json::Value {
        let caught: serde_json::Map<_, _> = (ImageFault::ALL.iter().enumerate())
            .map(|(number, fault)| (fault.name().to_owned(), self.share(number).into()))
            .collect();
        serde_json::json!({
            "bundle": self.name,
            "threshold_kind": self.rule,
            "threshold": self.threshold.is_finite().then_some(self.threshold),
            "hours": self.hours,
            "false_stops": self.false_stops,
            "false_stops_per_hour": self.false_stops as f64 / self.hours,
            "caught": caught,
            "tried_per_fault": self.faults.first().map(|(_, tried)| tried),
        })
    }
}

/// Whether a score stops the robot; one that is no number does.
fn exceeds(score: f32, threshold: f32) -> bool {
    score.is_nan() || score > threshold
}

/// Each bundle by its calibration, by the monitor of frozen images, by both as a robot is stopped, and by a threshold on the plain length of the innovation that is the same for all: the least with
/// which there are no more false stops altogether. It is chosen in hindsight, so that nothing could do better with it.
fn rows(tried: &[Tried]) -> Vec<Row> {
    let calibrated: Vec<Row> = (tried.iter())
        .map(|t| {
            let stop = t.expected.stop;
            Row::new(t, "calibrated", stop, |l| exceeds(l.calibrated, stop))
        })
        .collect();
    let false_stops: usize = calibrated.iter().map(|row| row.false_stops).sum();
    let mut plain: Vec<f32> = (tried.iter())
        .flat_map(|t| t.trial.episodes.iter().map(|l| l.plain))
        .collect();
    plain.sort_unstable_by(|a, b| b.total_cmp(a));
    let fixed = plain.get(false_stops).copied().unwrap_or(f32::INFINITY);
    let mut rows = Vec::new();
    for (row, t) in calibrated.into_iter().zip(tried) {
        rows.push(row);
        rows.push(Row::new(t, "fixed", fixed, |l| exceeds(l.plain, fixed)));
        rows.push(Row::new(t, "frozen image", f32::NAN, |l| l.is_frozen));
        let stop = t.expected.stop;
        rows.push(Row::new(t, "both", f32::NAN, |l| {
            l.is_frozen || exceeds(l.calibrated, stop)
        }));
    }
    if tried.len() > 1 {
        for rule in RULES {
            let of_rule: Vec<&Row> = rows.iter().filter(|row| row.rule == rule).collect();
            let all = Row::all(&of_rule, rule);
            rows.push(all);
        }
    }
    rows
}

fn markdown(rows: &[Row]) -> String {
    let names = ImageFault::ALL.map(|fault| fault.name().replace('_', " "));
    let mut table = Table::new()
        .column("", "bundle", |row: &&Row| text(&row.name))
        .column("", "threshold", |row| match row.threshold.is_finite() {
            true => text(format!("{} {:.2}", row.rule, row.threshold)),
            false => text(row.rule),
        })
        .column("", "hours", |row| fixed(row.hours, 2))
        .column("", "false stops", |row| count(row.false_stops))
        .column("", "false stops an hour", |row| {
            fixed(row.false_stops as f64 / row.hours, 2)
        });
    for (number, name) in names.iter().enumerate() {
        table = table.column("", name, move |row| fixed(row.share(number), 3));
    }
    table.markdown(rows)
}

#[cfg(test)]
mod tests {
    use latco_models::surprise::ScoreKind;

    use super::*;

    fn tried(stop: f32, episodes: &[[f32; 2]], fault: &[[f32; 2]]) -> Tried {
        let largest = |scores: &[[f32; 2]]| {
            let each = scores.iter().map(|&[calibrated, plain]| Largest {
                calibrated,
                plain,
                is_frozen: plain == 1.0,
            });
            each.collect::<Vec<_>>()
        };
        Tried {
            name: "a".into(),
            expected: ExpectedSurprise {
                score: ScoreKind::Innovation,
                slow: stop,
                stop,
                false_slows_per_hour: 1.0,
                false_stops_per_hour: 1.0,
                episodes: 1,
                hours: 1.0,
                source: String::new(),
                picture: 1.0,
                seen: None,
                weights: Vec::new(),
            },
            trial: SurpriseTrial {
                hours: 2.0,
                episodes: largest(episodes),
                faults: vec![largest(fault); ImageFault::ALL.len()],
            },
        }
    }

    #[test]
    fn a_row_counts_stops_and_the_fixed_threshold_has_as_many() {
        let one = tried(2.0, &[[1.0, 9.0], [3.0, 4.0]], &[[5.0, 8.5], [1.0, 1.0]]);
        let two = tried(5.0, &[[5.0, 8.0], [4.0, 3.0]], &[[f32::NAN, f32::NAN]; 2]);
        let rows = rows(&[one, two]);
        let of = |row: &Row| (row.rule, row.threshold, row.false_stops, row.faults[0]);
        assert_eq!(of(&rows[0]), ("calibrated", 2.0, 1, (1, 2)));
        assert_eq!(of(&rows[4]), ("calibrated", 5.0, 0, (2, 2)));
        // One false stop altogether: just below the largest plain score of 9.
        assert_eq!(of(&rows[1]), ("fixed", 8.0, 1, (1, 2)));
        assert_eq!(of(&rows[5]), ("fixed", 8.0, 0, (2, 2)));
        let all: Vec<_> = rows[8..]
            .iter()
            .map(|r| (r.rule, r.false_stops, r.faults[7]))
            .collect();
        let both = [("frozen image", 0, (1, 4)), ("both", 1, (4, 4))];
        assert_eq!(all[..2], [("calibrated", 1, (3, 4)), ("fixed", 1, (3, 4))]);
        assert_eq!(all[2..], both);
        assert_eq!(rows[8].json()["false_stops_per_hour"], 0.25);
        assert!(markdown(&rows).contains("| a | calibrated 2.00 | 2.00 | 1 | 0.50 | 0.500 |"));
    }
}
