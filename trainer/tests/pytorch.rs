//! Losses and gradients beside PyTorch's on the same weights and batch.
//!
//! `tests/pytorch/gradients.py` made the numbers, in f64; its head says how.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use burn::tensor::Tensor;
use latco_trainer::fit::checkpoint::DataFacts;
use latco_trainer::fit::config::FitConfig;
use latco_trainer::fit::dataset::Frames;
use latco_trainer::fit::objective::{Losses, TOTAL};
use latco_trainer::fit::planet::{self, ImageBatch, JointWorld};
use latco_trainer::fit::rows::Rows;
use latco_trainer::fit::sequences::Sequences;
use latco_trainer::fit::trained::world_sizes;
use latco_trainer::fit::world::{self, CodeBatch, CodeWorld};
use latco_trainer::rssm::overshooting::Overshooting;
use latco_trainer::rssm::params::{Params, tensor};
use latco_trainer::rssm::world::WorldSizes;
use ndarray::{ArrayD, Axis, Ix2};
use ndarray_npy::NpzReader;

const JOINTS: usize = 4;
const ACTION: usize = 3;
/// Largest error of a loss, relative to the loss.
const LOSS_TOLERANCE: f64 = 1e-5;
/// Largest error of any element of a gradient, relative to the root of its mean square.
const GRADIENT_TOLERANCE: f64 = 2e-4;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch")
}

fn config(name: &str) -> (FitConfig, WorldSizes) {
    let config = FitConfig::read(&folder().join(format!("{name}.toml"))).unwrap();
    let facts = DataFacts {
        action_scale: vec![1.0; ACTION],
        joints_mean: vec![0.0; if config.model.joints { JOINTS } else { 0 }],
        ..DataFacts::default()
    };
    let sizes = world_sizes(&config, &facts);
    (config, sizes)
}

/// Arrays of a file: f64 ones, and f32 ones.
struct Stored {
    wide: HashMap<String, ArrayD<f64>>,
    narrow: HashMap<String, ArrayD<f32>>,
}

impl Stored {
    fn read(name: &str) -> Self {
        let file = File::open(folder().join(format!("{name}.npz"))).unwrap();
        let mut reader = NpzReader::new(file).unwrap();
        let (mut wide, mut narrow) = (HashMap::new(), HashMap::new());
        for entry in reader.names().unwrap() {
            let name = entry.trim_end_matches(".npy").to_owned();
            match reader.by_name::<ndarray::OwnedRepr<f64>, ndarray::IxDyn>(&entry) {
                Ok(array) => drop(wide.insert(name, array)),
                Err(_) => drop(narrow.insert(name, reader.by_name(&entry).unwrap())),
            }
        }
        Self { wide, narrow }
    }

    fn narrow(&self, name: &str) -> Vec<f32> {
        self.narrow[name].iter().copied().collect()
    }

    fn wide(&self, name: &str) -> Vec<f64> {
        self.wide[name].iter().copied().collect()
    }

    fn matrix(&self, name: &str) -> Tensor<2> {
        let array = self.narrow[name].clone().into_dimensionality::<Ix2>();
        tensor(self.narrow(name), array.unwrap().dim().into())
    }

    /// Row `index` of a matrix.
    fn row(&self, name: &str, index: usize) -> Vec<f64> {
        let row = self.wide[name].index_axis(Axis(0), index);
        row.iter().copied().collect()
    }

    /// Every loss of ours against that of the file, and the other way round.
    fn compare_losses(&self, losses: &Losses) {
        let stored = self.wide.keys().filter(|name| name.starts_with("loss/"));
        assert_eq!(stored.count(), losses.len(), "{losses:?}");
        for (name, found) in losses {
            let expected = self.wide(&format!("loss/{name}"))[0];
            let error = (f64::from(*found) / expected - 1.0).abs();
            assert!(
                error < LOSS_TOLERANCE,
                "loss {name}: {found} instead of {expected}"
            );
        }
    }
}

/// Root of the mean square.
fn size(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}

/// Whether every element of a gradient is what it should be.
fn compare(found: &[f32], expected: &[f64]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} elements, not {}", found.len(), expected.len()));
    }
    let allowed = GRADIENT_TOLERANCE * size(expected);
    if allowed == 0.0 {
        return Err("the stored gradient is zero and shows nothing".to_owned());
    }
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        if error.is_nan() || error > allowed {
            return Err(format!("element {at}: {found} instead of {expected}"));
        }
    }
    Ok(())
}

/// The two-stage recipe on a stored batch.
fn check_on_codes(name: &str) {
    let stored = Stored::read(name);
    let (config, sizes) = config(name);
    let mut params = world::create(&sizes, 0);
    for entry in &mut params.entries {
        let weight = &stored.narrow[&format!("weight/{}", entry.name)];
        assert_eq!(weight.shape(), entry.shape, "{}", entry.name);
        entry.values = weight.iter().copied().collect();
    }
    let rows = Rows {
        frames: &Frames::default(),
        codes: &[],
        code: config.autoencoder.code,
        joints: Vec::new(),
    };
    let objective = CodeWorld {
        rows: &rows,
        sizes,
        model: &config.model,
        training: &config.training,
    };
    let matrix = |name: &str| stored.matrix(&format!("batch/{name}"));
    let batch = CodeBatch {
        embed: matrix("embed"),
        sequences: Sequences {
            batch: config.training.batch,
            before: matrix("before"),
            after: matrix("after"),
            rewards: matrix("rewards"),
            noise: matrix("noise"),
            overshooting: (config.training.overshooting > 0).then(|| matrix("overshooting")),
        },
        shares: None,
    };
    let leaves = params.leaves(true);
    let (loss, mut losses) = objective.loss_of(&leaves, batch);
    losses.push((TOTAL, loss.clone().into_scalar()));
    stored.compare_losses(&losses);

    let gradients = leaves.gradients(&mut loss.backward());
    for (entry, found) in params.entries.iter().zip(&gradients) {
        let expected = stored.wide(&format!("gradient/{}", entry.name));
        if let Err(message) = compare(found, &expected) {
            panic!("gradient of {}: {message}", entry.name);
        }
        // The comparison notices an element that is a hundredth of the gradient's size off.
        let mut wrong = found.clone();
        wrong[found.len() / 2] += 0.01 * size(&expected) as f32;
        assert!(compare(&wrong, &expected).is_err(), "{}", entry.name);
    }
}

#[test]
fn two_stage_losses_and_gradients_are_those_of_pytorch() {
    check_on_codes("two_stage");
}

#[test]
fn losses_and_gradients_without_a_deterministic_part_are_those_of_pytorch() {
    check_on_codes("ssm");
}

/// The numbers of `spread` in gradients.py.
fn spread(count: usize, stream: u64) -> impl Iterator<Item = f32> {
    (0..count as u64).map(move |index| {
        let mut x = index + (stream << 32);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x = (x ^ (x >> 31)) >> 40;
        x as f32 / (1 << 23) as f32 - 1.0
    })
}

/// PlaNet's weights by the rule of gradients.py.
fn planet_weights(stored: &Stored, sizes: &WorldSizes) -> Params {
    let mut params = planet::create(sizes, 0);
    for (index, entry) in params.entries.iter_mut().enumerate() {
        let scale = stored.narrow("scales")[index];
        let values = spread(entry.values.len(), 100 + index as u64);
        entry.values = values.map(|x| x * scale).collect();
    }
    params
}

/// Norm, products with spread numbers, and some elements of a gradient against the stored ones.
fn compare_parts(stored: &Stored, index: usize, found: &[f32]) -> Result<(), String> {
    let norm = stored.wide("norms")[index];
    if norm == 0.0 {
        return Err("the stored gradient is zero and shows nothing".to_owned());
    }
    let near = |what: &str, found: f64, expected: f64, allowed: f64| {
        let error = (found - expected).abs();
        if error.is_nan() || error > allowed {
            return Err(format!("{what}: {found} instead of {expected}"));
        }
        Ok(())
    };
    let square: f64 = found.iter().map(|x| f64::from(*x).powi(2)).sum();
    near("norm", square.sqrt(), norm, GRADIENT_TOLERANCE * norm)?;
    for (k, expected) in stored.row("products", index).iter().enumerate() {
        let numbers = spread(found.len(), 10 + k as u64);
        let product = (found.iter().zip(numbers)).map(|(g, x)| f64::from(*g) * f64::from(x));
        near(
            "product",
            product.sum(),
            *expected,
            GRADIENT_TOLERANCE * norm,
        )?;
    }
    let size = norm / (found.len() as f64).sqrt();
    for (k, expected) in stored.row("elements", index).iter().enumerate() {
        let at = k * 7919 % found.len();
        let allowed = GRADIENT_TOLERANCE * size.max(expected.abs());
        near("element", f64::from(found[at]), *expected, allowed)?;
    }
    Ok(())
}

#[test]
fn planet_losses_and_gradients_are_those_of_pytorch() {
    let stored = Stored::read("planet");
    let (config, sizes) = config("planet");
    let params = planet_weights(&stored, &sizes);
    let objective = JointWorld {
        frames: &Frames::default(),
        joints: &[],
        sizes,
        model: &config.model,
        training: &config.training,
    };
    let training = &config.training;
    let count = training.batch * training.sequence;
    let noise_rows =
        Overshooting::noise_rows(training.overshooting, training.sequence, training.batch);
    let matrix = |rows, columns, stream| {
        let values = spread(rows * columns, stream).collect();
        tensor(values, [rows, columns])
    };
    let images = spread(count * 3 * 64 * 64, 61).map(|x| 0.5 * x).collect();
    let batch = ImageBatch {
        images: tensor(images, [count, 3, 64, 64]),
        joints: None,
        sequences: Sequences {
            batch: config.training.batch,
            before: matrix(count, ACTION, 2),
            after: matrix(count, ACTION, 5),
            rewards: matrix(count, 1, 3),
            noise: matrix(count, config.model.stoch, 4),
            overshooting: Some(matrix(noise_rows, config.model.stoch, 6)),
        },
    };
    let leaves = params.leaves(true);
    let (loss, mut losses) = objective.loss_of(&leaves, batch);
    losses.push((TOTAL, loss.clone().into_scalar()));
    stored.compare_losses(&losses);

    let gradients = leaves.gradients(&mut loss.backward());
    assert_eq!(gradients.len(), stored.wide("norms").len());
    for (index, (entry, found)) in params.entries.iter().zip(&gradients).enumerate() {
        if let Err(message) = compare_parts(&stored, index, found) {
            panic!("gradient of {}: {message}", entry.name);
        }
        // The comparison notices a gradient whose last tenth is missing.
        let mut wrong = found.clone();
        wrong[found.len() - found.len().div_ceil(10)..].fill(0.0);
        let noticed = compare_parts(&stored, index, &wrong).is_err();
        assert!(noticed, "{}", entry.name);
    }
}
