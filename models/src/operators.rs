//! What a graph may hold: arithmetic on tensors, all of it in the file.
//!
//! A graph from somebody else could loop for ever, read other files of the machine as its weights, or call code that is not
//! ONNX's. So there is a list of operators, and everything else is refused before ONNX Runtime sees the file.

use std::collections::BTreeSet;

use crate::onnx::{ModelProto, NodeProto, TensorProto, attribute_type};

/// Operators of ONNX that a graph may have, in the order of the alphabet: those that the exporter writes, and others that end
/// after one pass over tensors whose sizes follow from those of inputs and constants. Loops, branches, scans, functions and
/// operators whose output may be of any size (ConstantOfShape, Expand, Range, Tile) are not among them.
const OPERATORS: [&str; 74] = [
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Cos",
    "Div",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Flatten",
    "Floor",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Appends what in the model of `file` no graph of a bundle may have.
pub(crate) fn check(file: &str, model: &ModelProto, found: &mut Vec<String>) {
    let Some(graph) = &model.graph else { return };
    for (what, is_there) in [
        ("functions of its own", !model.functions.is_empty()),
        ("training information", !model.training_info.is_empty()),
        ("sparse constants", !graph.sparse_initializer.is_empty()),
    ] {
        if is_there {
            found.push(format!("{file} has {what}, which no bundle may have"));
        }
    }
    let foreign: BTreeSet<String> = graph.node.iter().filter_map(foreign_operator).collect();
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.into_iter().collect();
        found.push(format!(
            "{file} has operators that no bundle may have: {}; expected arithmetic on tensors, without loops, branches and \
             operators that are not ONNX's",
            names.join(", ")
        ));
    }
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let mut tensors: Vec<&TensorProto> = graph.initializer.iter().collect();
    let mut is_nested = false;
    for attribute in attributes {
        tensors.extend(&attribute.t);
        is_nested |= !attribute_type::PLAIN.contains(&attribute.r#type)
            || attribute.g.is_some()
            || !attribute.graphs.is_empty()
            || !attribute.tensors.is_empty()
            || attribute.sparse_tensor.is_some();
    }
    if is_nested {
        found.push(format!(
            "{file} has operators with graphs or lists of tensors as parameters, which no bundle may have"
        ));
    }
    if let Some(tensor) = tensors.into_iter().find(|tensor| tensor.is_external()) {
        found.push(format!(
            "{file}: the constant {:?} lies in another file (external data), expected all constants inside: export it so",
            tensor.name
        ));
    }
}

/// The name of the node's operator if it is not in the list.
fn foreign_operator(node: &NodeProto) -> Option<String> {
    match node.domain.as_str() {
        "" | "ai.onnx" if OPERATORS.contains(&node.op_type.as_str()) => None,
        "" | "ai.onnx" => Some(node.op_type.clone()),
        domain => Some(format!("{domain}.{}", node.op_type)),
    }
}
