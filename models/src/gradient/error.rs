//! Why a graph cannot be differentiated.

use thiserror::Error;

/// A graph cannot be differentiated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GradientError {
    /// The bytes are no ONNX model.
    #[error("is not an ONNX file: {0}")]
    NotOnnx(String),
    /// A model without a graph.
    #[error("is an ONNX file without a graph")]
    NoGraph,
    /// A value that no node, input or constant gives.
    #[error("has no value {0:?}")]
    NoValue(String),
    /// An operator that has no rule.
    #[error(
        "operator {op} (node {node:?}) cannot be differentiated: expected one of those that latco-export writes"
    )]
    Operator {
        /// The operator.
        op: String,
        /// Name of the node.
        node: String,
    },
    /// A known operator, used in a way that has no rule.
    #[error("operator {op} (node {node:?}) cannot be differentiated: {reason}")]
    Use {
        /// The operator.
        op: String,
        /// Name of the node.
        node: String,
        /// What is expected, and what was found.
        reason: String,
    },
    /// A derivative that is zero for all inputs.
    #[error("output {output:?} does not depend on input {input:?}")]
    Independent {
        /// The output.
        output: String,
        /// The input.
        input: String,
    },
}
