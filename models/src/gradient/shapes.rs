//! Shapes of all values of a graph whose first dimension is a batch of any size.

use std::collections::BTreeMap;

use super::GradientError;
use crate::onnx::{Dimension, GraphProto, NodeProto, data_type};

/// Size of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dim {
    /// Of the batch.
    Batch,
    /// Fixed.
    Size(usize),
}

impl Dim {
    /// None for the batch.
    pub(super) fn size(self) -> Option<i64> {
        match self {
            Self::Batch => None,
            Self::Size(size) => Some(size as i64),
        }
    }
}

/// Shapes by the names of the values, and the constants that are integers.
pub(super) struct Shapes {
    shapes: BTreeMap<String, Vec<Dim>>,
    integers: BTreeMap<String, Vec<i64>>,
    batch: String,
}

impl Shapes {
    /// Of all values of a graph.
    pub(super) fn of(graph: &GraphProto) -> Result<Self, GradientError> {
        let mut all = Self {
            shapes: BTreeMap::new(),
            integers: BTreeMap::new(),
            batch: "N".to_owned(),
        };
        for tensor in &graph.initializer {
            let dims = tensor.dims.iter().map(|dim| Dim::Size(*dim as usize));
            all.shapes.insert(tensor.name.clone(), dims.collect());
            if tensor.data_type == data_type::INT64 {
                let numbers = tensor.raw_data.chunks_exact(8);
                let numbers = numbers
                    .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
                all.integers.insert(tensor.name.clone(), numbers.collect());
            }
        }
        for input in &graph.input {
            let tensor = (input.r#type.as_ref()).and_then(|of| of.tensor_type.as_ref());
            let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
            let shape = shape.ok_or_else(|| GradientError::NoValue(input.name.clone()))?;
            let dims = shape.dim.iter().map(|dim| match &dim.value {
                Some(Dimension::Value(size)) => Dim::Size(*size as usize),
                Some(Dimension::Param(name)) => {
                    all.batch.clone_from(name);
                    Dim::Batch
                }
                None => Dim::Batch,
            });
            let dims = dims.collect();
            all.shapes.insert(input.name.clone(), dims);
        }
        for node in &graph.node {
            for (name, shape) in node.output.iter().zip(all.outputs(node)?) {
                all.shapes.insert(name.clone(), shape);
            }
        }
        Ok(all)
    }

    /// Of a value.
    pub(super) fn get(&self, name: &str) -> Result<&[Dim], GradientError> {
        let found = self.shapes.get(name).map(Vec::as_slice);
        found.ok_or_else(|| GradientError::NoValue(name.to_owned()))
    }

    /// Name of the batch dimension.
    pub(super) fn batch_name(&self) -> &str {
        &self.batch
    }

    /// The input of a node that has to be a constant list of integers.
    pub(super) fn integers(&self, node: &NodeProto, input: usize) -> Result<&[i64], GradientError> {
        let name = node.input.get(input);
        let found = name.and_then(|name| self.integers.get(name));
        (found.map(Vec::as_slice))
            .ok_or_else(|| misuse(node, &format!("expected input {input} to be a constant")))
    }

    /// Of the outputs of a node, from those of its inputs.
    fn outputs(&self, node: &NodeProto) -> Result<Vec<Vec<Dim>>, GradientError> {
        let input = |index: usize| -> Result<&[Dim], GradientError> {
            let name = node.input.get(index);
            self.get(name.ok_or_else(|| misuse(node, "an input is missing"))?)
        };
        let one = match node.op_type.as_str() {
            "Identity" | "Cast" | "Relu" | "Elu" | "Sigmoid" | "Tanh" | "Softplus" | "Exp"
            | "Softmax" | "Clip" => input(0)?.to_vec(),
            "Add" | "Sub" | "Mul" | "Div" | "Min" => broadcast(node, input(0)?, input(1)?)?,
            "Gemm" => {
                let kernel = input(1)?;
                let column = usize::from(int(node, "transB", 0) == 0);
                vec![input(0)?[0], kernel[column]]
            }
            "MatMul" => {
                let (left, right) = (input(0)?, input(1)?);
                if right.len() != 2 || left.len() < 2 {
                    return Err(misuse(node, "expected a matrix on the right"));
                }
                let mut shape = left.to_vec();
                shape[left.len() - 1] = right[1];
                shape
            }
            "Conv" => {
                let window = Window::of(node, input(1)?)?;
                let (of, kernel) = (image(node, input(0)?)?, input(1)?);
                vec![
                    of.0,
                    kernel[0],
                    window.after(0, of.1),
                    window.after(1, of.2),
                ]
            }
            "ConvTranspose" => {
                let window = Window::of(node, input(1)?)?;
                let (of, kernel) = (image(node, input(0)?)?, input(1)?);
                vec![
                    of.0,
                    kernel[1],
                    window.before(0, of.1),
                    window.before(1, of.2),
                ]
            }
            "Flatten" => {
                let shape = input(0)?;
                vec![shape[0], Dim::Size(elements(&shape[1..]))]
            }
            "Reshape" => {
                let from = input(0)?;
                let sizes = self.integers(node, 1)?.iter().enumerate();
                let dims = sizes.map(|(axis, size)| match (*size, from.get(axis)) {
                    (0, Some(kept)) => Ok(*kept),
                    (size @ 1.., _) => Ok(Dim::Size(size as usize)),
                    _ => Err(misuse(node, "expected sizes, or 0 for one that stays")),
                });
                dims.collect::<Result<_, _>>()?
            }
            "Transpose" => {
                let shape = input(0)?;
                let order = ints(node, "perm");
                order.iter().map(|axis| shape[*axis as usize]).collect()
            }
            "Squeeze" => without(input(0)?, self.integers(node, 1)?),
            "ReduceSum" => {
                let axes = self.integers(node, 1)?;
                match int(node, "keepdims", 1) {
                    0 => without(input(0)?, axes),
                    _ => kept(input(0)?, axes),
                }
            }
            "Concat" => {
                let axis = int(node, "axis", 0) as usize;
                let mut shape = input(0)?.to_vec();
                let parts = (0..node.input.len()).map(|index| {
                    let size = input(index)?[axis].size();
                    size.ok_or_else(|| misuse(node, "expected another axis than the batch"))
                });
                let sizes: Vec<i64> = parts.collect::<Result<_, _>>()?;
                shape[axis] = Dim::Size(sizes.iter().sum::<i64>() as usize);
                shape
            }
            "Split" => {
                let axis = int(node, "axis", 0) as usize;
                let shape = input(0)?;
                let pieces = self.integers(node, 1)?.iter().map(|size| {
                    let mut piece = shape.to_vec();
                    piece[axis] = Dim::Size(*size as usize);
                    piece
                });
                return Ok(pieces.collect());
            }
            _ => {
                return Err(GradientError::Operator {
                    op: node.op_type.clone(),
                    node: node.name.clone(),
                });
            }
        };
        Ok(vec![one])
    }
}

/// An operator used in a way that has no rule.
pub(super) fn misuse(node: &NodeProto, reason: &str) -> GradientError {
    GradientError::Use {
        op: node.op_type.clone(),
        node: node.name.clone(),
        reason: reason.to_owned(),
    }
}

/// An attribute that is a number.
pub(super) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    let mut attributes = node.attribute.iter();
    let found = attributes.find(|attribute| attribute.name == name);
    found.map_or(default, |attribute| attribute.i)
}

/// An attribute that is a list of numbers; empty if there is none.
pub(super) fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    let mut attributes = node.attribute.iter();
    let found = attributes.find(|attribute| attribute.name == name);
    found.map_or(&[], |attribute| &attribute.ints)
}

/// A shape with the axes reduced to size 1.
pub(super) fn kept(shape: &[Dim], axes: &[i64]) -> Vec<Dim> {
    let dims = shape.iter().enumerate();
    dims.map(|(axis, dim)| match axes.contains(&(axis as i64)) {
        true => Dim::Size(1),
        false => *dim,
    })
    .collect()
}

fn without(shape: &[Dim], axes: &[i64]) -> Vec<Dim> {
    let dims = shape.iter().enumerate();
    dims.filter(|(axis, _)| !axes.contains(&(*axis as i64)))
        .map(|(_, dim)| *dim)
        .collect()
}

fn elements(shape: &[Dim]) -> usize {
    let sizes = shape.iter().map(|dim| dim.size().unwrap_or(1) as usize);
    sizes.product()
}

fn broadcast(node: &NodeProto, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>, GradientError> {
    let rank = a.len().max(b.len());
    let at = |shape: &[Dim], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape[axis],
        None => Dim::Size(1),
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (one, other) if one == other => Ok(one),
            (Dim::Size(1), other) => Ok(other),
            (one, Dim::Size(1)) => Ok(one),
            _ => Err(misuse(node, &format!("shapes {a:?} and {b:?}"))),
        })
        .collect()
}

/// Batch, rows and columns of images `[N, channels, rows, columns]`.
fn image(node: &NodeProto, shape: &[Dim]) -> Result<(Dim, usize, usize), GradientError> {
    match shape {
        [batch, _, Dim::Size(rows), Dim::Size(columns)] => Ok((*batch, *rows, *columns)),
        _ => Err(misuse(node, "expected images")),
    }
}

/// How the kernel of a convolution moves, by rows and columns.
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) strides: [usize; 2],
    /// Both sides together.
    pub(super) padding: [usize; 2],
}

impl Window {
    pub(super) fn of(node: &NodeProto, kernel: &[Dim]) -> Result<Self, GradientError> {
        let plain = int(node, "group", 1) == 1
            && ints(node, "dilations").iter().all(|d| *d == 1)
            && ints(node, "output_padding").iter().all(|p| *p == 0)
            && !node.attribute.iter().any(|a| a.name == "auto_pad");
        let [_, _, Dim::Size(rows), Dim::Size(columns)] = kernel else {
            return Err(misuse(node, "expected a kernel of two dimensions"));
        };
        if !plain {
            return Err(misuse(
                node,
                "expected no groups, dilations, output or automatic padding",
            ));
        }
        let (strides, pads) = (ints(node, "strides"), ints(node, "pads"));
        let stride = |axis: usize| strides.get(axis).copied().unwrap_or(1) as usize;
        let pad = |axis: usize| pads.get(axis).copied().unwrap_or(0) as usize;
        Ok(Self {
            kernel: [*rows, *columns],
            strides: [stride(0), stride(1)],
            padding: [pad(0) + pad(2), pad(1) + pad(3)],
        })
    }

    /// Size of the output of a convolution.
    fn after(&self, axis: usize, size: usize) -> Dim {
        let room = (size + self.padding[axis]).saturating_sub(self.kernel[axis]);
        Dim::Size(room / self.strides[axis] + 1)
    }

    /// Size of the output of a transposed convolution.
    pub(super) fn before(&self, axis: usize, size: usize) -> Dim {
        let spread = (size - 1) * self.strides[axis] + self.kernel[axis];
        Dim::Size(spread.saturating_sub(self.padding[axis]))
    }
}
