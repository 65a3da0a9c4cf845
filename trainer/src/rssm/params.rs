//! Named parameters as plain arrays.
//!
//! A parameter set is the truth between training steps: it is what the optimiser updates, what a
//! checkpoint stores and what the exporter reads. Each step makes burn leaves from it.

use std::collections::HashMap;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use chacha20::ChaCha8Rng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::device::cpu;

/// One parameter: its name, shape and values in row-major order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Dotted name, e.g. `gru_input.kernel`.
    pub name: String,
    /// Shape; dense kernels are `[in, out]`, biases `[1, out]`, conv kernels `[out, in, kh, kw]`.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    /// All zero.
    Zeros,
    /// Uniform in +-sqrt(6 / (fan_in + fan_out)).
    Glorot {
        /// Inputs that one output sums over.
        fan_in: usize,
        /// Outputs that one input reaches.
        fan_out: usize,
    },
}

/// An ordered set of parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Parameters in the order of creation, which is also the order of the optimiser state.
    pub entries: Vec<Parameter>,
}

impl Params {
    /// Adds a parameter.
    pub fn add(&mut self, name: &str, shape: &[usize], init: Init, rng: &mut ChaCha8Rng) {
        let len = shape.iter().product();
        let values = match init {
            Init::Zeros => vec![0.0; len],
            Init::Glorot { fan_in, fan_out } => {
                let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
                (0..len)
                    .map(|_| (rng.random::<f32>() * 2.0 - 1.0) * limit)
                    .collect()
            }
        };
        self.entries.push(Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values,
        });
    }

    /// Adds a parameter that starts at zero.
    pub fn add_zeros(&mut self, name: &str, shape: &[usize]) {
        self.entries.push(Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: vec![0.0; shape.iter().product()],
        });
    }

    /// Adds the kernel `NAME.kernel` `[inputs, outputs]` and the bias `NAME.bias` of a dense layer.
    pub fn add_dense(&mut self, name: &str, inputs: usize, outputs: usize, rng: &mut ChaCha8Rng) {
        let glorot = Init::Glorot {
            fan_in: inputs,
            fan_out: outputs,
        };
        self.add(&format!("{name}.kernel"), &[inputs, outputs], glorot, rng);
        self.add(&format!("{name}.bias"), &[1, outputs], Init::Zeros, rng);
    }

    /// The parameter of that name.
    ///
    /// # Panics
    /// If there is none: names are constants of this crate.
    pub fn get(&self, name: &str) -> &Parameter {
        self.entries
            .iter()
            .find(|p| p.name == name)
            .unwrap_or_else(|| panic!("parameter {name} is created with the model"))
    }

    /// The parameter of that name, to change.
    ///
    /// # Panics
    /// If there is none: names are constants of this crate.
    pub fn get_mut(&mut self, name: &str) -> &mut Parameter {
        self.entries
            .iter_mut()
            .find(|p| p.name == name)
            .unwrap_or_else(|| panic!("parameter {name} is created with the model"))
    }

    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|p| p.values.len()).sum()
    }

    /// Whether all values are finite.
    pub fn is_finite(&self) -> bool {
        self.entries
            .iter()
            .all(|p| p.values.iter().all(|v| v.is_finite()))
    }

    /// Tensors of all parameters on the CPU, tracked for gradients if `train`.
    pub fn leaves(&self, train: bool) -> Leaves {
        self.leaves_on(&cpu(), train)
    }

    /// Tensors of all parameters on a device, tracked for gradients if `train`.
    pub fn leaves_on(&self, device: &Device, train: bool) -> Leaves {
        let mut names = HashMap::new();
        let leaves = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, p)| {
                names.insert(p.name.clone(), (index, p.shape.clone()));
                let data = TensorData::new(p.values.clone(), [p.values.len()]);
                let leaf = Tensor::<1>::from_data(data, device);
                if train {
                    leaf.autodiff().require_grad()
                } else {
                    leaf
                }
            })
            .collect();
        Leaves {
            names,
            leaves,
            device: device.clone(),
        }
    }
}

/// Tensors of a parameter set, by name.
pub struct Leaves {
    names: HashMap<String, (usize, Vec<usize>)>,
    leaves: Vec<Tensor<1>>,
    device: Device,
}

impl Leaves {
    /// The device that the tensors are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A tensor of that shape on the same device, without gradients.
    pub fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        tensor_on(&self.device, values, shape)
    }

    /// The parameter of that name in its own shape, which must have `D` dimensions.
    ///
    /// # Panics
    /// If there is none, or with another number of dimensions: both are constants of this crate.
    pub fn get<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (index, shape) = self
            .names
            .get(name)
            .unwrap_or_else(|| panic!("parameter {name} is created with the model"));
        let shape: [usize; D] = shape
            .as_slice()
            .try_into()
            .unwrap_or_else(|_| panic!("parameter {name} has {} dimensions", shape.len()));
        self.leaves[*index].clone().reshape(shape)
    }

    /// Gradients in the order of the parameters; zero for those the loss does not depend on.
    pub fn gradients(&self, gradients: &mut Gradients) -> Vec<Vec<f32>> {
        self.leaves
            .iter()
            .map(|leaf| match leaf.grad_remove(gradients) {
                Some(gradient) => to_vec(gradient),
                None => vec![0.0; leaf.dims()[0]],
            })
            .collect()
    }
}

/// The values of a tensor, row-major.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .expect("all tensors of the trainer are f32")
}

/// A tensor of that shape on the CPU, without gradients.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    tensor_on(&cpu(), values, shape)
}

/// A tensor of that shape on a device, without gradients.
pub fn tensor_on<const D: usize>(
    device: &Device,
    values: Vec<f32>,
    shape: [usize; D],
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
