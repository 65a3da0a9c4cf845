//! What a model must be able to do before any planner is judged with it.
//!
//! Everything is measured on the bundle, with the graphs that a robot runs: [`latent`] filters
//! episodes and predicts open loop, [`from_bags`] has the gates that recorded episodes tell,
//! [`simulated`] those that need a simulated robot, [`probe`] a small network that reads true
//! values off what the model knows. What is needed of each is in [`latco_models::gates`].

mod auc;
mod from_bags;
mod gate;
mod latent;
mod probe;
mod simulated;
mod surprise;

use std::collections::BTreeMap;

use latco_models::{Bundle, ExpectedSurprise, gates, manifest};

use crate::fit::dataset::Frames;
use latent::Latent;
use surprise::Distances;

pub use auc::auc;
pub use gate::{Gate, GateError};
pub use simulated::exploitation;

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
    measured.push(match simulated::expert_episodes(bundle)? {
        Some(frames) => from_bags::expert(&mut latent, &frames, "scripted expert, new seeds")?,
        None => from_bags::expert(&mut latent, held_out, "held-out episodes")?,
    });
    measured.push(simulated::calibration(bundle)?);
    debug_assert_eq!(measured.len(), gates::RULES.len());
    Ok(measured)
}

/// Episodes that no model was trained on, for a bundle of a simulated task; none for another.
///
/// # Errors
/// [`GateError::Evaluate`] where the robot fails.
pub fn simulated_episodes(bundle: &Bundle) -> Result<Option<Frames>, GateError> {
    simulated::mixed_episodes(bundle)
}

/// Calibrates how far posteriors may be from their priors on episodes that the model was not trained on; `source` says where they
/// are from.
///
/// # Errors
/// [`GateError`]; [`GateError::Surprise`] for too few episodes.
pub fn calibrate_surprise(
    bundle: &Bundle,
    held_out: &Frames,
    source: &str,
) -> Result<ExpectedSurprise, GateError> {
    fits(bundle, held_out)?;
    let mut distances = Distances::new(surprise::several(held_out).count(), held_out.pixels());
    distances.add(&mut Latent::new(bundle)?, held_out)?;
    distances.calibrate(bundle.manifest(), source)
}

/// Calibrates surprise on so many hours of episodes of the scripted mixture, made anew; `None` for a task that is not simulated.
/// `progress` sees the hours that were done.
///
/// # Errors
/// [`GateError`].
pub fn calibrate_surprise_simulated(
    bundle: &Bundle,
    hours: f64,
    mut progress: impl FnMut(f64),
) -> Result<Option<ExpectedSurprise>, GateError> {
    let manifest = bundle.manifest();
    let mut latent = Latent::new(bundle)?;
    let (mut distances, mut steps) = (None, 0);
    for chunk in 0.. {
        let Some(frames) = simulated::surprise_episodes(bundle, chunk)? else {
            return Ok(None);
        };
        let hours_of = |frames: usize| frames as f64 * manifest.control_period_s / 3600.0;
        let distances = distances.get_or_insert_with(|| {
            let chunks = (hours / hours_of(frames.len())).ceil() as usize;
            Distances::new(chunks * frames.episodes(), frames.pixels())
        });
        distances.add(&mut latent, &frames)?;
        steps += frames.len();
        let done = hours_of(steps);
        progress(done);
        if done >= hours {
            break;
        }
    }
    let source = format!("scripted mixture on the simulated {}", manifest.task);
    (distances.map(|distances| distances.calibrate(manifest, &source))).transpose()
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
