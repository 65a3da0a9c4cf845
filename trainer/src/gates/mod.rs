//! What a model must be able to do before any planner is judged with it.
//!
//! Everything is measured on the bundle, with the graphs that a robot runs: [`latent`] filters
//! episodes and predicts open loop, [`from_bags`] has the gates that recorded episodes tell,
//! [`simulated`] those that need a simulated robot, [`probe`] a small network that reads true
//! values off what the model knows. What is needed of each is in [`latco_models::gates`].

mod auc;
mod from_bags;
mod latent;
mod probe;
mod simulated;

use std::collections::BTreeMap;

use latco_evaluate::EvaluateError;
use latco_models::gates::{self, Rule};
use latco_models::{Bundle, BundleError, RunError, manifest};
use serde::{Deserialize, Serialize};

use crate::fit::dataset::Frames;
use latent::Latent;

pub use auc::auc;

/// One gate: what was measured, and what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Name, with the unit if there is one.
    pub name: String,
    /// Measured value; none if it could not be measured.
    pub value: Option<f64>,
    /// Value it is compared with.
    pub threshold: f64,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// What was measured over, or why it was not.
    pub note: String,
}

impl Gate {
    /// A gate that was measured, unless the value is none or not finite.
    pub(crate) fn new(rule: Rule, value: Option<f64>, note: String) -> Self {
        Self {
            name: rule.name.to_owned(),
            value: value.filter(|v| v.is_finite()),
            threshold: rule.threshold,
            higher_is_better: rule.higher_is_better,
            note,
        }
    }

    /// A gate that was not measured, and why.
    pub(crate) fn open(rule: Rule, why: impl std::fmt::Display) -> Self {
        Self::new(rule, None, format!("not measured: {why}"))
    }

    /// Whether the value is good enough; none if it was not measured.
    pub fn passed(&self) -> Option<bool> {
        self.value.map(|value| {
            if self.higher_is_better {
                value >= self.threshold
            } else {
                value <= self.threshold
            }
        })
    }
}

/// Gates as a manifest has them.
pub fn for_manifest(gates: &[Gate]) -> BTreeMap<String, manifest::Gate> {
    let entry = |gate: &Gate| manifest::Gate {
        value: gate.value,
        threshold: gate.threshold,
        passed: gate.passed(),
        note: gate.note.clone(),
    };
    gates
        .iter()
        .map(|gate| (gate.name.clone(), entry(gate)))
        .collect()
}

/// Why gates cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A session cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A graph failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Images that were set aside cannot be read.
    #[error("images of the episodes cannot be read: {0}")]
    Images(#[from] std::io::Error),
    /// The controller cannot be run.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Episodes of another robot.
    #[error("the episodes do not fit the bundle:\n  {}", .0.join("\n  "))]
    Data(Vec<String>),
}

/// Measures all gates of a bundle on episodes that it was not trained on. For the tasks of the
/// simulated robots, new episodes are made for what bags do not tell.
///
/// # Errors
/// [`GateError`].
pub fn measure(bundle: &Bundle, held_out: &Frames) -> Result<Vec<Gate>, GateError> {
    fits(bundle, held_out)?;
    let mut latent = Latent::new(bundle)?;
    let mut measured = from_bags::measure(&mut latent, held_out)?;
    measured.push(simulated::object_positions(bundle)?);
    measured.push(match simulated::expert_episodes(bundle) {
        Some(frames) => from_bags::expert(&mut latent, &frames, "scripted expert, new seeds")?,
        None => from_bags::expert(&mut latent, held_out, "held-out episodes")?,
    });
    measured.push(simulated::calibration(bundle)?);
    debug_assert_eq!(measured.len(), gates::RULES.len());
    Ok(measured)
}

/// Episodes that no model was trained on, for a bundle of a simulated task; none for another.
pub fn simulated_episodes(bundle: &Bundle) -> Option<Frames> {
    simulated::mixed_episodes(bundle)
}

fn fits(bundle: &Bundle, frames: &Frames) -> Result<(), GateError> {
    let manifest = bundle.manifest();
    let mut found = Vec::new();
    let mut differ = |what: &str, bundle: usize, episodes: usize| {
        if bundle != episodes {
            found.push(format!("{what}: expected {bundle}, found {episodes}"));
        }
    };
    differ("image height", manifest.image.height, frames.height);
    differ("image width", manifest.image.width, frames.width);
    differ(
        "values of an action",
        manifest.dims.action,
        frames.action_width,
    );
    if manifest.joints.observed {
        let joints = 2 * manifest.joints.names.len();
        differ("values of a joint state", joints, frames.joints_width);
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(GateError::Data(found))
    }
}
