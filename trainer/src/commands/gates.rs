//! `latco-train gates`: the gates of bundles as a table, and measuring them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use latco_controller::config::PlannerKind;
use latco_evaluate::Exploited;
use latco_experiments::table::{Table, count, fixed, text as cell};
use latco_models::gates::{markdown, needed, shortcomings, write};
use latco_models::{Manifest, read_manifest};
use latco_pictures::{Curves, Panel};
use latco_trainer::gates::{self, Gate};

use super::bundles::{MeasuredOn, load, name_of};
use super::shell::{OrBadInput, print, print_json};

/// Arguments of `latco-train gates`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders of bundles.
    #[arg(long, required = true, num_args = 1..)]
    bundle: Vec<PathBuf>,
    /// Measure the gates and write them into the manifests; without, those in the manifests are
    /// shown.
    #[arg(long)]
    measure: bool,
    #[command(flatten)]
    measured_on: MeasuredOn,
    /// Also measure what plans of this planner promise and get after 0, 1, 10, 50 and 200 iterations: the exploitation curve.
    #[arg(long)]
    planner: Option<PlannerKind>,
    /// Plans of each point of that curve.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    plans: u32,
    /// Folder for a picture of the exploitation curve of each bundle.
    #[arg(long, default_value = "runs/gates")]
    out: PathBuf,
    /// One JSON object on standard output instead of a Markdown table.
    #[arg(long)]
    json: bool,
}

/// Shows or measures gates.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.measured_on.needs("--measure", args.measure)?;
    let (mut bundles, mut curves) = (Vec::new(), Vec::new());
    for folder in &args.bundle {
        let manifest = if args.measure {
            measure(folder, &args)?
        } else {
            read_manifest(folder).or_bad_input()?
        };
        let curve = match args.planner {
            Some(kind) => gates::exploitation(&load(folder)?, kind, args.plans)?,
            None => None,
        };
        let name = name_of(folder, &manifest);
        if let (Some(kind), Some(curve)) = (args.planner, &curve) {
            draw(&args.out, &name, kind, curve)?;
        }
        bundles.push((name, manifest));
        curves.push(curve);
    }
    if args.json {
        let list: Vec<serde_json::Value> = (bundles.iter().zip(&args.bundle).zip(&curves))
            .map(|(((name, manifest), folder), curve)| {
                let mut gates = serde_json::to_value(&manifest.gates).unwrap_or_default();
                for (gate, of) in &manifest.gates {
                    gates[gate]["name"] = gate.as_str().into();
                    gates[gate]["needed"] = needed(gate, Some(of)).into();
                }
                serde_json::json!({
                    "name": name,
                    "bundle": folder.display().to_string(),
                    "task": manifest.task,
                    "gates": gates,
                    "exploitation": curve,
                    "shortcomings": shortcomings(manifest),
                })
            })
            .collect();
        print_json(&serde_json::json!({ "bundles": list }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = markdown(&bundles);
    if let Some(kind) = args.planner {
        let table = Table::new()
            .column("", "bundle", |(name, _): &(&str, &Exploited)| cell(*name))
            .column("", "iterations", |(_, p)| count(p.iterations as usize))
            .column("", "predicted return", |(_, p)| {
                fixed(p.predicted_return, 2)
            })
            .column("", "true return", |(_, p)| fixed(p.true_return, 2))
            .column("", "plans that promise the reward", |(_, p)| {
                count(p.promised)
            })
            .column("", "of these rewarded", |(_, p)| count(p.kept));
        let points = (bundles.iter().zip(&curves))
            .flat_map(|((name, _), curve)| curve.iter().flatten().map(|p| (name.as_str(), p)));
        text += &format!("\nPlans of {kind} made from nothing, executed without looking:\n\n");
        text += &table.markdown(points);
    }
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Draws an exploitation curve. The point without iterations stands where half an iteration would.
fn draw(out: &Path, name: &str, kind: PlannerKind, curve: &[Exploited]) -> anyhow::Result<()> {
    let line = |value: fn(&Exploited) -> f64| -> Vec<(f64, f64)> {
        let place = |p: &Exploited| f64::from(p.iterations).max(0.5);
        curve.iter().map(|p| (place(p), value(p))).collect()
    };
    let returns = Panel::new("mean return of a plan", "iterations (0 at 0.5)").log_x();
    let plans = Panel::new("plans", "iterations (0 at 0.5)").log_x();
    let picture = Curves::new(format!("{name}: plans of {kind}, executed without looking"))
        .panel(
            returns
                .points("predicted", &line(|p| p.predicted_return))
                .points("true", &line(|p| p.true_return)),
        )
        .panel(
            plans
                .points("promise the reward", &line(|p| p.promised as f64))
                .points("and get it", &line(|p| p.kept as f64)),
        );
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let file = out.join(format!("{name}-exploitation.png"));
    picture.save(&file)?;
    tracing::info!("exploitation curve: {}", file.display());
    Ok(())
}

/// The manifest with the gates measured.
fn measure(folder: &Path, args: &Args) -> anyhow::Result<Manifest> {
    let bundle = load(folder)?;
    let held_out = if args.measured_on.is_bags() {
        args.measured_on.episodes(bundle.manifest())?
    } else {
        gates::simulated_episodes(&bundle)?
            .ok_or_else(|| MeasuredOn::missing(folder, &bundle.manifest().task))?
    };
    tracing::info!(
        "{}: measuring on {} episodes",
        folder.display(),
        held_out.episodes()
    );
    let measured = gates::measure(&bundle, &held_out)?;
    measured.iter().for_each(log);
    Ok(write(folder, gates::for_manifest(&measured))?)
}

/// One line of the log for a gate.
pub(super) fn log(gate: &Gate) {
    let value = gate.value.map_or(String::new(), |v| format!(" {v:.4}"));
    match gate.passed() {
        Some(true) => tracing::info!("gate {}:{value}, passed ({})", gate.name, gate.note),
        Some(false) => tracing::warn!("gate {}:{value}, FAILED ({})", gate.name, gate.note),
        None => tracing::warn!("gate {}: {}", gate.name, gate.note),
    }
}
