//! States that plans start from: beliefs of simulated frames, states a random model reaches.

use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_controller::time::{FrozenClock, Time};
use latco_models::manifest::MANIFEST_FILE;
use latco_models::{Bundle, Golden, GoldenData, Graph};

use super::camera::Camera;
use super::noise::Noise;
use crate::commands::failure::Failure;

/// Frames a belief has seen.
const FRAMES: usize = 4;

/// Prior steps from a state of noise, after which a random model is where it usually is.
const STEPS: usize = 10;

/// The folders in `folder` that hold a bundle, by name.
pub(super) fn learned_bundles(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(String, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join(MANIFEST_FILE).exists())
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.replace(',', "_"), path)
        })
        .collect();
    found.sort();
    found
}

/// `count` states `[n]`: beliefs after some frames of the simulated robot, which moves by a plan;
/// states of the golden vectors where the task is not simulated.
pub(super) fn learned_starts(
    bundle: &Bundle,
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<f32>>, Failure> {
    let mut config = Config::default();
    config.planner.latco.iterations_cold = 5;
    config.planner.latco.iterations_warm = 5;
    config.planner.latco.starts_below_return = 0.0;
    let Ok(mut camera) = Camera::simulated(bundle, &config) else {
        return golden_states(bundle, count);
    };
    let clock = FrozenClock(Time(0));
    (0..count as u64)
        .map(|i| {
            camera.begin(seed + i);
            for _ in 0..FRAMES {
                camera.look();
                camera.tick(&clock);
                camera.advance();
            }
            Ok(camera.controller().belief().to_vec())
        })
        .collect()
}

fn golden_states(bundle: &Bundle, count: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let file = bundle.dir().join(latco_models::golden::GOLDEN_FILE);
    let bytes = std::fs::read(&file).map_err(Failure::failed)?;
    let golden = Golden::from_bytes(&bytes).map_err(Failure::failed)?;
    let tensors = (golden.cases.iter())
        .filter(|case| case.graph == Graph::Dynamics)
        .flat_map(|case| &case.inputs)
        .filter(|input| input.name == "state");
    let rows = tensors.flat_map(|tensor| match &tensor.data {
        GoldenData::F32(values) => values.chunks_exact(bundle.manifest().dims.state()),
        GoldenData::U8(_) => [].chunks_exact(1),
    });
    Ok(rows.take(count).map(<[f32]>::to_vec).collect())
}

/// A state that a random model reaches.
pub(super) fn random_start(bundle: &Bundle, seed: u64) -> Result<Vec<f32>, Failure> {
    let dims = bundle.manifest().dims;
    let mut noise = Noise::new(seed ^ 0x5eed);
    let mut prior = bundle.dynamics(1).map_err(Failure::usage)?;
    let mut state = noise.many(dims.state());
    state[dims.stoch..].iter_mut().for_each(|h| *h = h.tanh());
    for _ in 0..STEPS {
        prior.state_mut().copy_from_slice(&state);
        noise.fill(prior.action_mut());
        prior.run().map_err(Failure::failed)?;
        state.copy_from_slice(prior.mean());
    }
    Ok(state)
}
