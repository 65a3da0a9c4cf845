//! The part of the ONNX file format that bundles use, as protobuf messages.
//!
//! Field numbers are those of `onnx.proto` (IR version 8, opset 17). Fields that are not listed here are skipped
//! when a file is read. [`initialisers`] reads the constant weights of a graph without ONNX Runtime.

use std::collections::BTreeMap;

use prost::Message;

/// IR version written into bundles; understood by every ONNX Runtime that has opset 17.
pub const IR_VERSION: i64 = 8;
/// Operator set of every graph of a bundle.
pub const OPSET: i64 = 17;

/// `TensorProto.DataType` values that occur in bundles.
pub mod data_type {
    /// 32-bit float.
    pub const FLOAT: i32 = 1;
    /// 8-bit unsigned integer.
    pub const UINT8: i32 = 2;
    /// 64-bit signed integer.
    pub const INT64: i32 = 7;
}

/// `AttributeProto.AttributeType` values that occur in bundles.
pub mod attribute_type {
    /// One float.
    pub const FLOAT: i32 = 1;
    /// One integer.
    pub const INT: i32 = 2;
    /// A byte string.
    pub const STRING: i32 = 3;
    /// A tensor.
    pub const TENSOR: i32 = 4;
    /// A list of floats.
    pub const FLOATS: i32 = 6;
    /// A list of integers.
    pub const INTS: i32 = 7;
    /// A list of byte strings.
    pub const STRINGS: i32 = 8;

    /// The types without graphs and lists of tensors.
    pub const PLAIN: [i32; 7] = [FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS];
}

/// A model file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Operator sets in use.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Training information, which is only looked for.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub training_info: Vec<Vec<u8>>,
    /// Functions of the model, which are only looked for.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
}

/// An operator set; the empty domain is ONNX's own.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// Domain.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Nodes in topological order, constants, inputs and outputs.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Nodes in topological order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name of the graph.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Sparse constants, which are only looked for.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the values that the operation reads.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values that the operation writes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Name of the node.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Name of the operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Operator set of the operator; the empty one is ONNX's own.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A constant parameter of an operation.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Name of the parameter.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value if the type is a float.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// Value if the type is an integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// Value if the type is a string.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// Value if the type is a tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// Value if the type is a graph, which is only looked for.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub g: Option<Vec<u8>>,
    /// Value if the type is a list of integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Value if the type is a list of tensors, which is only looked for.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub tensors: Vec<Vec<u8>>,
    /// Value if the type is a list of graphs, which is only looked for.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub graphs: Vec<Vec<u8>>,
    /// Type of the value, one of [`attribute_type`].
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    /// Value if the type is a sparse tensor, which is only looked for.
    #[prost(bytes = "vec", optional, tag = "22")]
    pub sparse_tensor: Option<Vec<u8>>,
}

/// A constant tensor, row-major.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Shape of the tensor.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Element type, one of [`data_type`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Name of the tensor.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements in little-endian order.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Where the elements lie if not in this file, which is only looked for.
    #[prost(bytes = "vec", repeated, tag = "13")]
    pub external_data: Vec<Vec<u8>>,
    /// Whether the elements lie in this file (0) or in another one.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

impl TensorProto {
    /// Whether the elements lie in another file.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.data_location != 0 || !self.external_data.is_empty()
    }
}

/// Name and type of an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Name of the input or output.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type of the input or output.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// Type of a value; bundles have tensors only.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// Type of the tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// Element type, one of [`data_type`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape of the tensor.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape, as a list of dimensions.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One dimension.
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    /// Fixed size, or a name for a dynamic one.
    #[prost(oneof = "Dimension", tags = "1, 2")]
    pub value: Option<Dimension>,
}

/// Size of a dimension.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Dimension {
    /// A fixed size.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A dynamic size, with its name.
    #[prost(string, tag = "2")]
    Param(String),
}

/// A constant of a graph read from its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Initialiser {
    /// Shape of the constant.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub data: Vec<f32>,
}

/// Reads all f32 constants of an ONNX file, by name.
///
/// # Errors
/// A sentence that says what is wrong if the bytes are not an ONNX model or a constant's size contradicts its shape.
pub fn initialisers(bytes: &[u8]) -> Result<BTreeMap<String, Initialiser>, String> {
    let model = ModelProto::decode(bytes).map_err(|e| format!("is not an ONNX file: {e}"))?;
    let graph = model
        .graph
        .ok_or_else(|| "is an ONNX file without a graph".to_owned())?;
    let mut all = BTreeMap::new();
    for tensor in graph.initializer {
        if tensor.data_type != data_type::FLOAT {
            continue;
        }
        let shape: Vec<usize> = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d))
            .collect::<Result<_, _>>()
            .map_err(|_| format!("constant {:?} has a negative dimension", tensor.name))?;
        let count = shape
            .iter()
            .try_fold(4usize, |total, &d| total.checked_mul(d));
        if count != Some(tensor.raw_data.len()) {
            return Err(format!(
                "constant {:?} of shape {shape:?} has {} bytes",
                tensor.name,
                tensor.raw_data.len()
            ));
        }
        let data = tensor
            .raw_data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        all.insert(tensor.name, Initialiser { shape, data });
    }
    Ok(all)
}
