//! The derivatives in the exported graphs against central differences of the same graphs: every entry
//! of the Jacobians of `dynamics` and of the gradient of `reward`, on all shipped bundles and on random
//! ones of every kind; and those that [`latco_models::gradient`] makes of `observe` and of `decode` after
//! `dynamics`. `rollout` has no derivatives.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::{Path, PathBuf};

use latco_export::{Family, RandomSpec, golden, random_weights, write_bundle_of_kind};
use latco_models::golden::{GOLDEN_FILE, GoldenData};
use latco_models::{Bundle, DynamicsKind, FactorRow, Golden, Graph, LoadOptions};
use latco_models::{ObserveGradient, ObserveInput};
use support::small;

/// Half the distance of the central differences. The graphs are in f32: their rounding counts for
/// 1e-7 / STEP, their third derivatives for STEP squared.
const STEP: f32 = 4e-3;
/// The same of the reward, whose slopes are small where a state is far from it: there rounding counts for most.
const REWARD_STEP: f32 = 1.6e-2;
/// Largest allowed difference from the largest entry of a Jacobian or gradient, as a share of it.
const TOLERANCE: f64 = 5e-3;
/// The same of pixels (0 to 1), and of what is decoded to them: where so many change at once, kinks are near. At half of
/// this step rounding is seen in the differences, at twice kinks: 1e-2 of the largest in one direction or another.
const PIXEL_STEP: f32 = 1e-4;
const DECODED_STEP: f32 = 2e-4;
/// As far as it is doubled where rounding, which is seen twice as much at half a step, is taken for kinks.
const LONGEST_DECODED_STEP: f32 = 8e-4;
/// By how much these and those of half the step may differ, as a share of the largest: by more there is a kink.
const KINK: f64 = 4e-3;
/// By how much the differences on either side may differ; by more, and not as those of a curve do, there is a kink at the
/// point itself.
const TURN: f64 = 1e-2;
/// What is allowed elsewhere: kinks smaller than that, and rounding.
const NEAR_KINKS: f64 = 2e-2;
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

/// Derivatives of a sum in directions of all inputs at once: by the differentiated graph, and by differences.
/// One number for each direction, as one pixel alone changes too little for f32.
#[derive(Default)]
struct Directions {
    found: Vec<f64>,
    expected: Vec<f64>,
    /// By differences of half the step.
    finer: Vec<f64>,
    /// By how much the differences on either side of the point differ, and those of half the step: of a curve half as much, of
    /// a kink at the point itself, which is seen in these alone, as much.
    turns: Vec<[f64; 2]>,
}

impl Directions {
    /// Takes the derivative in a direction, and what [`Directions::expected`] says of it, `at` being the function of
    /// the way along it. `unit` is a factor on both.
    fn take(&mut self, found: f64, step: f32, unit: f64, mut at: impl FnMut(f32) -> f64) {
        let mut slope = |step: f32| unit * (at(step) - at(-step)) / f64::from(2.0 * step);
        self.found.push(unit * found);
        self.expected.push(slope(step));
        self.finer.push(slope(0.5 * step));
        let here = at(0.0);
        let mut turn = |step: f32| unit * (at(step) - 2.0 * here + at(-step)) / f64::from(step);
        self.turns.push([turn(step), turn(0.5 * step)]);
    }

    /// Whether the slopes before and behind a point differ by more than is allowed, and not as those of a curve do.
    fn is_kink(&self, index: usize, scale: f64) -> bool {
        let [whole, half] = self.turns[index].map(f64::abs);
        whole > TURN * scale && half > 0.65 * whole
    }

    fn scale(&self) -> f64 {
        self.expected.iter().fold(0.0f64, |m, e| m.max(e.abs()))
    }

    /// Differences in the directions in which no kink is near.
    fn errors(&self) -> Vec<f64> {
        let scale = self.scale();
        let smooth = (0..self.found.len()).filter(|&i| {
            (self.expected[i] - self.finer[i]).abs() < KINK * scale && !self.is_kink(i, scale)
        });
        smooth
            .map(|i| (self.found[i] - self.finer[i]).abs())
            .collect()
    }

    /// Whether most directions are away from kinks, as almost everywhere.
    fn is_smooth(&self) -> bool {
        4 * self.errors().len() >= 3 * self.found.len()
    }

    /// Largest difference, as a share of the largest derivative, where no kink is near.
    fn worst(&self) -> f64 {
        let scale = self.scale();
        assert!(scale > 1e-4, "no slope at all");
        let errors = self.errors();
        let (kept, count) = (errors.len(), self.found.len());
        assert!(self.is_smooth(), "{kept} of {count} are away from kinks");
        errors.into_iter().fold(0.0, f64::max) / scale
    }
}

/// Numbers of mean 0, different for every seed.
fn wave(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i as f32 * (1.3 + 0.37 * seed as f32) + seed as f32).sin())
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// `point + step * direction`
fn moved(point: &[f32], direction: &[f32], step: f32) -> Vec<f32> {
    let moved = point.iter().zip(direction).map(|(p, d)| p + step * d);
    moved.collect()
}

const DIRECTIONS: usize = 6;

/// Of `v' mean` of the filter step by image, joints, state and action, each by itself.
fn observe(bundle: &Bundle, state: &[f32], action: &[f32]) -> Directions {
    use ObserveInput::{Action, Image, Joints, State};
    let manifest = bundle.manifest();
    let pixels = manifest.image.height * manifest.image.width * 3;
    // Something to see: the image that the model expects here.
    let mut decode = bundle.decode(1).unwrap();
    decode.state_mut().copy_from_slice(state);
    decode.run().unwrap();
    let image: Vec<f32> = decode.image().iter().map(|p| 255.0 * p).collect();
    assert_eq!(image.len(), pixels);
    let joints = wave(2 * manifest.joints.names.len(), 1);
    let mut observe = bundle
        .observe_gradient(1, &[Image, Joints, State, Action])
        .unwrap();
    let v = wave(state.len(), 2);
    observe.cotangent_mut().copy_from_slice(&v);
    let mean = |observe: &mut ObserveGradient,
                image: &[f32],
                joints: &[f32],
                state: &[f32],
                action: &[f32]| {
        observe.image_mut().copy_from_slice(image);
        if let Some(input) = observe.joints_mut() {
            input.copy_from_slice(joints);
        }
        observe.state_mut().copy_from_slice(state);
        observe.action_mut().copy_from_slice(action);
        observe.run().unwrap();
        dot(observe.mean(), &v)
    };
    let mut all = Directions::default();
    for input in [Image, Joints, State, Action] {
        if input == Joints && !manifest.joints.observed {
            continue;
        }
        let (len, step) = match input {
            Image => (image.len(), 255.0 * PIXEL_STEP),
            Joints => (joints.len(), STEP),
            State => (state.len(), STEP),
            Action => (action.len(), STEP),
        };
        for seed in 0..DIRECTIONS {
            let direction = wave(len, 3 + seed);
            let at = |observe: &mut ObserveGradient, step: f32| {
                let to = |of: ObserveInput, point: &[f32]| match of == input {
                    true => moved(point, &direction, step),
                    false => point.to_vec(),
                };
                let (image, joints) = (to(Image, &image), to(Joints, &joints));
                mean(
                    observe,
                    &image,
                    &joints,
                    &to(State, state),
                    &to(Action, action),
                )
            };
            at(&mut observe, 0.0);
            let found = dot(observe.by(input), &direction);
            // Of pixels in units of 0 to 1, to be of the size of the others.
            let unit = if input == Image { 255.0 } else { 1.0 };
            all.take(found, step, unit, |step| at(&mut observe, step));
        }
    }
    all
}

/// Of the weighted distance of images from the predicted ones, by state, action and image; the differences are
/// of images that `dynamics` and `decode` give, and are summed in f64. Where rounding hides what is a kink, of a longer
/// step.
fn prediction_error(bundle: &Bundle, state: &[f32], action: &[f32]) -> Directions {
    let by = |step| prediction_error_by(step, bundle, state, action);
    let mut step = DECODED_STEP;
    let mut found = by(step);
    while !found.is_smooth() && step < LONGEST_DECODED_STEP {
        step *= 2.0;
        found = by(step);
    }
    found
}

fn prediction_error_by(step: f32, bundle: &Bundle, state: &[f32], action: &[f32]) -> Directions {
    const WEIGHT: f32 = 0.7;
    let manifest = bundle.manifest();
    let pixels = manifest.image.height * manifest.image.width * 3;
    let target: Vec<f32> = wave(pixels, 1).iter().map(|p| 0.5 + 0.3 * p).collect();
    let mut error = bundle.prediction_error(1).unwrap();
    error.weight_mut().fill(WEIGHT);
    error.state_mut().copy_from_slice(state);
    error.action_mut().copy_from_slice(action);
    error.target_mut().copy_from_slice(&target);
    error.run().unwrap();

    let mut dynamics = bundle.dynamics(1).unwrap();
    let mut decode = bundle.decode(1).unwrap();
    let mut violation = |state: &[f32], action: &[f32], target: &[f32]| -> f64 {
        dynamics.state_mut().copy_from_slice(state);
        dynamics.action_mut().copy_from_slice(action);
        dynamics.run().unwrap();
        decode.state_mut().copy_from_slice(dynamics.mean());
        decode.run().unwrap();
        let pairs = decode.image().iter().zip(target);
        let distance = pairs.map(|(p, t)| (f64::from(*p) - f64::from(*t)).powi(2));
        f64::from(WEIGHT) * distance.sum::<f64>()
    };
    let here = violation(state, action, &target) / f64::from(WEIGHT);
    assert!((f64::from(error.violation()[0]) - here).abs() < 1e-4 * here);
    let mut all = Directions::default();
    for (input, len) in [state.len(), action.len(), pixels].into_iter().enumerate() {
        for seed in 0..DIRECTIONS {
            let direction = wave(len, 3 + seed);
            let at = |step: f32| {
                let to = |place: usize, point: &[f32]| match place == input {
                    true => moved(point, &direction, step),
                    false => point.to_vec(),
                };
                violation(&to(0, state), &to(1, action), &to(2, &target))
            };
            let gradient = [error.by_state(), error.by_action(), error.by_target()][input];
            all.take(dot(gradient, &direction), step, 1.0, at);
        }
    }
    all
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
        let made = [observe, prediction_error].map(|of| of(&bundle, state, action).worst());
        let [of_observe, of_error] = made;
        eprintln!(
            "{name}, point {point}: dynamics {of_dynamics:.1e}, reward {of_reward:.1e}, observe {of_observe:.1e}, \
             prediction error {of_error:.1e}"
        );
        assert!(of_dynamics < TOLERANCE && of_reward < TOLERANCE, "{name}");
        assert!(of_observe < NEAR_KINKS && of_error < NEAR_KINKS, "{name}");
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
