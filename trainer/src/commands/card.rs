//! `latco-train card`: the model card of a bundle.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use latco_models::read_manifest;
use latco_trainer::card::{CARD_FILE, markdown};
use latco_trainer::report::Report;

use super::bundles::name_of;
use super::shell::{BadInput, OrBadInput};

/// Arguments of `latco-train card`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the bundle.
    bundle: PathBuf,
    /// Folder of the training that made it, for what it learned from and its loss.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Files of what latco-train eval --json printed of it.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    eval: Vec<PathBuf>,
}

/// Writes the card.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let manifest = read_manifest(&args.bundle).or_bad_input()?;
    let run = args.run.as_deref().map(Report::read).transpose();
    let run = run.map_err(|error| BadInput::new(format!("--run: {error:#}")))?;
    let mut evaluations = Vec::new();
    for file in &args.eval {
        let text = std::fs::read_to_string(file).map_err(anyhow::Error::new);
        let value: serde_json::Value = (text.and_then(|text| Ok(serde_json::from_str(&text)?)))
            .map_err(|error| BadInput::new(format!("--eval: {}: {error}", file.display())))?;
        let task = &value.get("result").unwrap_or(&value)["task"];
        if task.as_str() != Some(&manifest.task) {
            return Err(BadInput::new(format!(
                "--eval: {}: expected what latco-train eval --json prints of the task {:?}, found {task}",
                file.display(),
                manifest.task
            )));
        }
        evaluations.push(value);
    }
    let name = name_of(&args.bundle, &manifest);
    let card = markdown(&name, &manifest, run.as_ref(), &evaluations);
    let file = args.bundle.join(CARD_FILE);
    std::fs::write(&file, card).with_context(|| format!("writing {}", file.display()))?;
    tracing::info!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}
