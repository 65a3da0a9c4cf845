//! `latco-train export`: checkpoint to bundle.

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::settings::Settings;
use latco_models::ExpectedSurprise;
use latco_trainer::export::export;
use latco_trainer::fit::checkpoint::{Checkpoint, Stage};
use latco_trainer::fit::config::RewardKind;
use latco_trainer::fit::trained::Model;
use latco_trainer::gates::Gate;
use latco_trainer::report::{REPORT_FILE, Report};

use super::shell::{BadInput, OrBadInput, print_json};

/// Arguments of `latco-train export`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a training run.
    run: PathBuf,
    /// Folder for the bundle.
    #[arg(long)]
    out: PathBuf,
    /// What is taken off the reward far from the data (`model.penalty`), instead of the run's; 0
    /// for nothing. Needs a run with an ensemble.
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    penalty: Option<f64>,
    /// Head of the bundle's reward graph (`model.plan_with`), instead of the run's: `regression` or `bernoulli_logit`. Needs a
    /// run that learned both.
    #[arg(long, value_name = "HEAD")]
    plan_with: Option<RewardKind>,
    /// Number of steps of the bundle's plans (`horizon`), instead of the run's. Gates are to be measured anew.
    #[arg(long, value_name = "STEPS")]
    horizon: Option<usize>,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Makes the bundle.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let checkpoint = Checkpoint::load(&args.run).or_bad_input()?;
    if checkpoint.stage == Stage::Autoencoder {
        return Err(BadInput::new(format!(
            "{}: expected a run whose world model has begun, found one in its autoencoder stage; \
             go on with `latco-train fit --resume`",
            args.run.display()
        )));
    }
    if checkpoint.stage != Stage::Done {
        tracing::warn!(
            "the run is not finished: its bundle has the weights of step {}",
            checkpoint.step
        );
    }
    let mut model = Model::of(&checkpoint);
    let (mut gates, surprise) = measured_of(&args.run)?;
    if let Some(penalty) = args.penalty {
        if penalty != model.config.model.penalty {
            // They are of another bundle.
            gates.clear();
        }
        model.config.model.penalty = penalty;
    }
    if let Some(head) = args.plan_with {
        if head != model.config.model.plan_with {
            gates.clear();
        }
        model.config.model.plan_with = head;
    }
    if let Some(horizon) = args.horizon {
        if horizon != model.config.horizon {
            gates.clear();
        }
        model.config.horizon = horizon;
    }
    (model.config.check()).map_err(|e| BadInput::new(format!("{}: {e}", args.run.display())))?;
    let worst = export(&model, &gates, &args.out)?;
    if surprise.is_some() && checkpoint.stage == Stage::Done {
        latco_models::gates::rewrite(&args.out, |manifest| manifest.surprise = surprise)?;
    }
    tracing::info!(
        "bundle {}, worst difference to ONNX Runtime {worst:.1e}",
        args.out.display()
    );
    if args.json {
        print_json(&serde_json::json!({
            "bundle": args.out.display().to_string(),
            "export_worst_difference": worst,
            "finished": checkpoint.stage == Stage::Done,
        }));
    }
    Ok(ExitCode::SUCCESS)
}

/// Gates and surprise in the run's report; none before there is one.
fn measured_of(run: &std::path::Path) -> anyhow::Result<(Vec<Gate>, Option<ExpectedSurprise>)> {
    if !run.join(REPORT_FILE).exists() {
        return Ok((Vec::new(), None));
    }
    let report = Report::read(run)?;
    Ok((report.gates, report.surprise))
}
