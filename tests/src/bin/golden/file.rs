//! The golden file: weights of a model, a first plan, and what the published solver made of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use latco_reference::{Mlp, PriorStep};
use latco_tests::record::Sizes;
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpzError};

/// Everything that is wrong with a file.
#[derive(Debug)]
pub(crate) struct Faults(pub(crate) Vec<String>);

/// Names of the sizes in the order of the array `meta`.
const SIZES: [&str; 7] = ["stoch", "deter", "hidden", "units", "na", "H", "iters"];
/// Larger than any plan; a larger number is damage.
const LARGEST: f64 = 1e6;

/// The sizes, from the array `meta`.
fn sizes(values: &[f64]) -> Result<Sizes, String> {
    let &[stoch, deter, hidden, units, action, horizon, iterations] = values else {
        return Err(format!(
            "meta: expected {} numbers {SIZES:?}, found {}",
            SIZES.len(),
            values.len()
        ));
    };
    for (name, &value) in SIZES.iter().zip(values) {
        if !(1.0..=LARGEST).contains(&value) || value.fract() != 0.0 {
            return Err(format!(
                "meta: {name} is {value}, expected a whole number from 1 to {LARGEST}"
            ));
        }
    }
    Ok(Sizes {
        stoch: stoch as usize,
        deter: deter as usize,
        hidden: hidden as usize,
        units: units as usize,
        action: action as usize,
        horizon: horizon as usize,
        iterations: iterations as usize,
    })
}

/// A golden file in memory, all arrays of the right shape and finite.
#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) meta: Sizes,
    pub(crate) epsilon: f64,
    pub(crate) damping: f64,
    arrays: BTreeMap<&'static str, Vec<f64>>,
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
        let meta = match meta.map(|(_, values)| sizes(&values)) {
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
        for (name, expected) in meta.inputs().into_iter().chain(meta.outputs()) {
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
            (Some(epsilon), Some(damping)) if faults.is_empty() => Ok(Self {
                meta,
                epsilon,
                damping,
                arrays,
            }),
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

    /// The prior step and the reward head.
    pub(crate) fn model(&self) -> (PriorStep<f64>, Mlp<f64>) {
        self.meta.model(|name| self.array(name))
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
