//! The exploitation curve in the folder of a training.

use std::path::Path;

use anyhow::{Context, Result};
use latco_controller::config::PlannerKind;
use latco_evaluate::Exploited;
use latco_models::{Bundle, replace_file};
use serde::{Deserialize, Serialize};

use crate::gates;

/// Name of the curve's file in the folder of a training.
const FILE: &str = "exploitation.json";

/// What plans of one planner promise and get the longer they are optimised.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Curve {
    /// Name of the planner.
    pub(super) planner: String,
    /// Number of plans of each point.
    pub(super) plans: u32,
    pub(super) points: Vec<Exploited>,
}

/// Measures the curve of the bundle of a training and keeps it in the training's folder, where the page finds it.
///
/// # Errors
/// An error when the folder has no bundle, no simulated robot fits the bundle, or the file cannot be written.
pub fn measure_exploitation(folder: &Path, kind: PlannerKind, plans: u32) -> Result<()> {
    let bundle = Bundle::load(folder.join("bundle"), &Default::default())?;
    let points = gates::exploitation(&bundle, kind, plans)?.with_context(|| {
        format!(
            "expected a bundle of a simulated task to execute plans of, found the task {:?}",
            bundle.manifest().task
        )
    })?;
    let curve = Curve {
        planner: kind.name().to_owned(),
        plans,
        points,
    };
    let file = folder.join(FILE);
    replace_file(&file, &serde_json::to_vec_pretty(&curve)?)
        .with_context(|| format!("writing {}", file.display()))
}

impl Curve {
    /// Reads the curve in the folder of a training; none where it was not measured.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let file = folder.join(FILE);
        match std::fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .with_context(|| format!("{}: expected an exploitation curve", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Says in a sentence whether plans get what they promise, and whether more iterations change that.
    pub(super) fn told(&self) -> String {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return "The curve has no points.".into();
        };
        let kept = |p: &Exploited| format!("{} of {}", p.kept, p.promised);
        format!(
            "Of the plans of {} that promise the reward, made from nothing and executed without looking, {} get it without iterations, \
             and {} after {}. From the first to the last, the mean return that a plan predicts goes from {:.1} to {:.1}, and what it gets \
             from {:.1} to {:.1}.",
            self.planner,
            kept(first),
            kept(last),
            last.iterations,
            first.predicted_return,
            last.predicted_return,
            first.true_return,
            last.true_return
        )
    }
}
