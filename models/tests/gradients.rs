//! The derivatives in the exported graphs against central differences of the same graphs: every entry
//! of the Jacobians of `dynamics` and of the gradient of `reward`, on all shipped bundles and on random
//! ones of every kind.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::{Path, PathBuf};

use latco_export::{Family, RandomSpec, golden, random_weights, write_bundle_of_kind};
use latco_models::golden::{GOLDEN_FILE, GoldenData};
use latco_models::{Bundle, DynamicsKind, FactorRow, Golden, Graph, LoadOptions};
use support::small;

/// Half the distance of the central differences. The graphs are in f32: their rounding counts for
/// 1e-7 / STEP, their third derivatives for STEP squared.
const STEP: f32 = 4e-3;
/// The same of the reward, whose slopes are small where a state is far from it: there rounding counts for most.
const REWARD_STEP: f32 = 1.6e-2;
/// Largest allowed difference from the largest entry of a Jacobian or gradient, as a share of it.
const TOLERANCE: f64 = 5e-3;
/// States a bundle is checked at.
const POINTS: usize = 3;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("manifest.toml").exists())
        .collect();
    found.sort();
    found
}

/// States and actions of the golden vectors of `dynamics`, as far as there are, and of prior steps from
/// them: where plans go.
fn points(bundle: &Bundle, folder: &Path) -> Vec<(Vec<f32>, Vec<f32>)> {
    let dims = bundle.manifest().dims;
    let golden = Golden::from_bytes(&std::fs::read(folder.join(GOLDEN_FILE)).unwrap()).unwrap();
    let case = (golden.cases.iter()).find(|case| case.graph == Graph::Dynamics);
    let input = |name: &str| match &case.unwrap().find_input(name).unwrap().data {
        GoldenData::F32(data) => data.clone(),
        GoldenData::U8(_) => panic!("{name} is not of f32"),
    };
    let (mut state, action) = (input("state")[..dims.state()].to_vec(), input("action"));
    let mut dynamics = bundle.dynamics(1).unwrap();
    let actions = action.chunks_exact(dims.action).cycle();
    actions
        .take(POINTS)
        .map(|action| {
            let point = (state.clone(), action.to_vec());
            dynamics.state_mut().copy_from_slice(&state);
            dynamics.action_mut().copy_from_slice(action);
            dynamics.run().unwrap();
            state.copy_from_slice(dynamics.mean());
            point
        })
        .collect()
}

/// Largest difference of `found` from `expected`, as a share of the largest of `expected`.
fn worst(found: &[f64], expected: &[f64]) -> f64 {
    let scale = expected.iter().fold(0.0f64, |m, e| m.max(e.abs()));
    assert!(scale > 1e-4, "no slope at all");
    let differences = found.iter().zip(expected).map(|(f, e)| (f - e).abs());
    differences.fold(0.0, f64::max) / scale
}

/// `[F B]` by columns, `n + na` columns of `n`.
fn jacobian(bundle: &Bundle, state: &[f32], action: &[f32]) -> Vec<f64> {
    let dims = bundle.manifest().dims;
    let (n, na) = (dims.state(), dims.action);
    let mut dynamics = bundle.dynamics(1).unwrap();
    dynamics.state_mut().copy_from_slice(state);
    dynamics.action_mut().copy_from_slice(action);
    dynamics.run().unwrap();
    let mut columns = Vec::new();
    for column in 0..n + na {
        match bundle.weights() {
            Some(weights) => {
                let mut unit = vec![0.0; n + na];
                unit[column] = 1.0;
                let row = FactorRow::new(dynamics.factors(), &dims);
                columns.extend(weights.jvp(row, &unit[..n], &unit[n..]));
            }
            None => columns.extend((0..n).map(|row| {
                f64::from(match column.checked_sub(n) {
                    None => dynamics.jacobian_state()[row * n + column],
                    Some(action) => dynamics.jacobian_action()[row * na + action],
                })
            })),
        }
    }
    columns
}

/// The same by differences.
fn differences(bundle: &Bundle, state: &[f32], action: &[f32]) -> Vec<f64> {
    let (n, na) = (state.len(), action.len());
    let mut dynamics = bundle.dynamics(2 * (n + na)).unwrap();
    let point = [state, action].concat();
    let mut steps = Vec::new();
    for row in 0..2 * (n + na) {
        let mut moved = point.clone();
        let entry = &mut moved[row / 2];
        let before = *entry;
        *entry += if row % 2 == 0 { STEP } else { -STEP };
        // What was added is not quite STEP in f32.
        steps.push(f64::from(*entry) - f64::from(before));
        dynamics.state_mut()[row * n..][..n].copy_from_slice(&moved[..n]);
        dynamics.action_mut()[row * na..][..na].copy_from_slice(&moved[n..]);
    }
    dynamics.run().unwrap();
    let mean = |row: usize| dynamics.mean()[row * n..][..n].iter();
    (0..n + na)
        .flat_map(|column| {
            let step = steps[2 * column] - steps[2 * column + 1];
            (mean(2 * column).zip(mean(2 * column + 1)))
                .map(|(above, below)| (f64::from(*above) - f64::from(*below)) / step)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Gradient of the reward, and the same by differences.
fn reward(bundle: &Bundle, state: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let n = state.len();
    let mut reward = bundle.reward(1 + 2 * n).unwrap();
    let mut steps = vec![0.0];
    for (row, moved) in reward.state_mut().chunks_exact_mut(n).enumerate() {
        moved.copy_from_slice(state);
        if row > 0 {
            let entry = &mut moved[(row - 1) / 2];
            let before = *entry;
            *entry += if row % 2 == 1 {
                REWARD_STEP
            } else {
                -REWARD_STEP
            };
            steps.push(f64::from(*entry) - f64::from(before));
        }
    }
    reward.run().unwrap();
    let value = |row: usize| f64::from(reward.reward()[row]);
    let by_differences = (0..n).map(|i| {
        let (above, below) = (1 + 2 * i, 2 + 2 * i);
        (value(above) - value(below)) / (steps[above] - steps[below])
    });
    let gradient = reward.gradient()[..n].iter().map(|g| f64::from(*g));
    (gradient.collect(), by_differences.collect())
}

fn check(name: &str, folder: &Path) {
    let bundle = Bundle::load(folder, &LoadOptions::default()).unwrap();
    for (point, (state, action)) in points(&bundle, folder).iter().enumerate() {
        let of_dynamics = worst(
            &jacobian(&bundle, state, action),
            &differences(&bundle, state, action),
        );
        let (gradient, by_differences) = reward(&bundle, state);
        let of_reward = worst(&gradient, &by_differences);
        eprintln!("{name}, point {point}: dynamics {of_dynamics:.1e}, reward {of_reward:.1e}");
        assert!(of_dynamics < TOLERANCE && of_reward < TOLERANCE, "{name}");
    }
}

#[test]
fn of_all_shipped_bundles() {
    let bundles = shipped();
    assert!(bundles.len() >= 5, "{bundles:?}");
    for folder in bundles {
        check(&folder.file_name().unwrap().to_string_lossy(), &folder);
    }
}

#[test]
fn of_random_bundles_of_every_kind() {
    for (kind, deter) in [
        (DynamicsKind::GruFactors, 12),
        (DynamicsKind::Dense, 12),
        (DynamicsKind::Dense, 0),
    ] {
        let spec = RandomSpec {
            deter,
            ..small(Family::Keypoint)
        };
        // One whose points have no pixel at the edge of the decoder's clip.
        let (weights, metadata) = random_weights(&spec, 6);
        let mut vectors = golden::from_reference(&weights, &metadata, POINTS, 2).unwrap();
        if deter > 0 && kind == DynamicsKind::Dense {
            // The reference gives factors; the differences are what counts here.
            vectors
                .cases
                .iter_mut()
                .for_each(|case| case.outputs.clear());
        }
        let folder = tempfile::tempdir().unwrap();
        write_bundle_of_kind(folder.path(), &weights, &metadata, &vectors, kind).unwrap();
        check(&format!("{kind:?}, deter {deter}"), folder.path());
    }
}

#[test]
fn of_a_random_bundle_of_convolutions() {
    let bundle = support::Fixture::new(&small(Family::Conv), 3);
    check("convolutions", bundle.dir());
}
