//! The golden file: weights of a model, a first plan, and what the published solver made of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use latco_solver::{DenseLayer, Dims, GruSizes, GruWeights, RssmWeights};
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpzError};

/// Everything that is wrong with a file.
#[derive(Debug)]
pub(crate) struct Faults(pub(crate) Vec<String>);

/// The sizes, from the array `meta`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) stoch: usize,
    pub(crate) deter: usize,
    pub(crate) hidden: usize,
    pub(crate) units: usize,
    pub(crate) action: usize,
    pub(crate) horizon: usize,
    pub(crate) iterations: usize,
}

impl Meta {
    /// Names in the order of the array.
    const NAMES: [&str; 7] = ["stoch", "deter", "hidden", "units", "na", "H", "iters"];
    /// Larger than any plan; a larger number is damage.
    const LARGEST: f64 = 1e6;

    fn new(values: &[f64]) -> Result<Self, String> {
        let &[stoch, deter, hidden, units, action, horizon, iterations] = values else {
            return Err(format!(
                "meta: expected {} numbers {:?}, found {}",
                Self::NAMES.len(),
                Self::NAMES,
                values.len()
            ));
        };
        for (name, &value) in Self::NAMES.iter().zip(values) {
            if !(1.0..=Self::LARGEST).contains(&value) || value.fract() != 0.0 {
                return Err(format!(
                    "meta: {name} is {value}, expected a whole number from 1 to {}",
                    Self::LARGEST
                ));
            }
        }
        Ok(Self {
            stoch: stoch as usize,
            deter: deter as usize,
            hidden: hidden as usize,
            units: units as usize,
            action: action as usize,
            horizon: horizon as usize,
            iterations: iterations as usize,
        })
    }

    pub(crate) fn dims(&self) -> Dims {
        Dims {
            stoch: self.stoch,
            deter: self.deter,
            action: self.action,
            horizon: self.horizon,
        }
    }

    pub(crate) fn gru(&self) -> GruSizes {
        GruSizes {
            stoch: self.stoch,
            deter: self.deter,
            action: self.action,
            hidden: self.hidden,
        }
    }

    /// Every array of the format with its shape.
    fn arrays(&self) -> Vec<(&'static str, Vec<usize>)> {
        let &Self {
            stoch,
            deter,
            hidden,
            units,
            action,
            horizon,
            iterations,
        } = self;
        let (n, width) = (stoch + deter, stoch + deter + action);
        vec![
            ("rssm/img1/kernel", vec![stoch + action, hidden]),
            ("rssm/img1/bias", vec![hidden]),
            ("rssm/img2/kernel", vec![deter, hidden]),
            ("rssm/img2/bias", vec![hidden]),
            ("rssm/img3/kernel", vec![hidden, 2 * stoch]),
            ("rssm/img3/bias", vec![2 * stoch]),
            ("rssm/gru/kernel", vec![hidden, 3 * deter]),
            ("rssm/gru/recurrent_kernel", vec![deter, 3 * deter]),
            ("rssm/gru/bias", vec![2, 3 * deter]),
            ("reward/h0/kernel", vec![n, units]),
            ("reward/h0/bias", vec![units]),
            ("reward/h1/kernel", vec![units, units]),
            ("reward/h1/bias", vec![units]),
            ("reward/hout/kernel", vec![units, 1]),
            ("reward/hout/bias", vec![1]),
            ("z0", vec![n]),
            ("plan0", vec![horizon + 1, width]),
            ("plans", vec![iterations, horizon + 1, width]),
            ("lam", vec![iterations, horizon]),
            ("nu", vec![iterations, horizon]),
            ("dyn_viol", vec![iterations, horizon]),
            ("act_viol", vec![iterations, horizon]),
            ("reward", vec![iterations, horizon + 1]),
        ]
    }
}

/// A golden file in memory, all arrays of the right shape and finite.
#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) meta: Meta,
    pub(crate) epsilon: f64,
    pub(crate) damping: f64,
    arrays: BTreeMap<&'static str, Vec<f64>>,
    mean_kernel: Vec<f64>,
}

impl Golden {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is missing, damaged or of the wrong shape.
    pub(crate) fn read(path: &Path) -> Result<Self, Faults> {
        let fault = |message: String| Faults(vec![message]);
        let file = File::open(path).map_err(|error| fault(format!("cannot be opened: {error}")))?;
        let mut npz = NpzReader::new(BufReader::new(file)).map_err(|error| {
            fault(format!(
                "is not a complete npz file ({error}); copy it again"
            ))
        })?;

        let mut faults = Vec::new();
        let mut note = |result: Result<(Vec<usize>, Vec<f64>), String>| match result {
            Ok(array) => Some(array),
            Err(message) => {
                faults.push(message);
                None
            }
        };
        let meta = note(load(&mut npz, "meta"));
        let epsilon = note(load(&mut npz, "eps"));
        let damping = note(load(&mut npz, "damping"));
        let meta = match meta.map(|(_, values)| Meta::new(&values)) {
            Some(Ok(meta)) => meta,
            Some(Err(message)) => {
                faults.push(message);
                return Err(Faults(faults));
            }
            None => return Err(Faults(faults)),
        };
        let mut positive = |name: &str, array: Option<(Vec<usize>, Vec<f64>)>| {
            let (shape, values) = array?;
            match values[..] {
                [value] if value > 0.0 && value.is_finite() => Some(value),
                [value] => {
                    faults.push(format!("{name}: {value}, expected a positive number"));
                    None
                }
                _ => {
                    faults.push(format!("{name}: shape {shape:?}, expected one number"));
                    None
                }
            }
        };
        let epsilon = positive("eps", epsilon);
        let damping = positive("damping", damping);

        let mut arrays = BTreeMap::new();
        for (name, expected) in meta.arrays() {
            match load(&mut npz, name) {
                Err(message) => faults.push(message),
                Ok((shape, _)) if shape != expected => faults.push(format!(
                    "{name}: shape {shape:?}, expected {expected:?} from meta"
                )),
                Ok((_, values)) => {
                    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                        faults.push(format!("{name}: holds {value}, expected finite numbers"));
                    }
                    arrays.insert(name, values);
                }
            }
        }
        match (epsilon, damping) {
            (Some(epsilon), Some(damping)) if faults.is_empty() => {
                // the other half is the standard deviation
                let mean_kernel = arrays["rssm/img3/kernel"]
                    .chunks_exact(2 * meta.stoch)
                    .flat_map(|row| row[..meta.stoch].iter().copied())
                    .collect();
                Ok(Self {
                    meta,
                    epsilon,
                    damping,
                    arrays,
                    mean_kernel,
                })
            }
            _ => Err(Faults(faults)),
        }
    }

    /// An array of the format, row-major.
    pub(crate) fn array(&self, name: &str) -> &[f64] {
        &self.arrays[name]
    }

    /// The part of an array that belongs to one iteration.
    pub(crate) fn iteration(&self, name: &str, iteration: usize) -> &[f64] {
        let array = self.array(name);
        let len = array.len() / self.meta.iterations;
        &array[iteration * len..][..len]
    }

    /// The model.
    pub(crate) fn weights(&self) -> RssmWeights<'_, f64> {
        let layer = |kernel, bias| DenseLayer {
            kernel: self.array(kernel),
            bias: self.array(bias),
        };
        let (gru_input_bias, gru_recurrent_bias) =
            self.array("rssm/gru/bias").split_at(3 * self.meta.deter);
        RssmWeights {
            kernels: GruWeights {
                input_kernel: self.array("rssm/img1/kernel"),
                gru_input_kernel: self.array("rssm/gru/kernel"),
                gru_recurrent_kernel: self.array("rssm/gru/recurrent_kernel"),
                prior_kernel: self.array("rssm/img2/kernel"),
                mean_kernel: &self.mean_kernel,
            },
            input_bias: self.array("rssm/img1/bias"),
            gru_input_bias,
            gru_recurrent_bias,
            prior_bias: self.array("rssm/img2/bias"),
            mean_bias: &self.array("rssm/img3/bias")[..self.meta.stoch],
            reward: [
                layer("reward/h0/kernel", "reward/h0/bias"),
                layer("reward/h1/kernel", "reward/h1/bias"),
                layer("reward/hout/kernel", "reward/hout/bias"),
            ],
        }
    }
}

/// Shape and values of one array, whichever of the usual number types it has.
fn load(
    npz: &mut NpzReader<BufReader<File>>,
    name: &str,
) -> Result<(Vec<usize>, Vec<f64>), String> {
    macro_rules! attempt {
        ($($type:ty),*) => {$(
            match npz.by_name::<OwnedRepr<$type>, IxDyn>(name) {
                Ok(array) => {
                    let array: ArrayD<$type> = array;
                    let shape = array.shape().to_vec();
                    return Ok((shape, array.iter().map(|&value| value as f64).collect()));
                }
                Err(ReadNpzError::Npy(ReadNpyError::WrongDescriptor(_))) => {}
                Err(error) => return Err(describe(name, &error)),
            }
        )*};
    }
    attempt!(f32, f64, i32, i64);
    Err(format!(
        "{name}: is neither float32, float64, int32 nor int64"
    ))
}

fn describe(name: &str, error: &ReadNpzError) -> String {
    let reason = error.to_string();
    if reason.contains("not found") {
        format!("{name}: missing")
    } else {
        format!("{name}: damaged ({reason})")
    }
}
