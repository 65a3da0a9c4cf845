//! Appending nodes to a graph.

use std::collections::BTreeSet;

use super::shapes::Dim;
use crate::onnx::{
    AttributeProto, Dimension, DimensionProto, GraphProto, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type, data_type,
};

/// A graph that grows at its end.
pub(super) struct Tape {
    graph: GraphProto,
    /// What the names of all that is appended begin with.
    prefix: &'static str,
    constants: BTreeSet<String>,
    count: usize,
}

impl Tape {
    pub(super) fn new(graph: GraphProto, prefix: &'static str) -> Self {
        Self {
            graph,
            prefix,
            constants: BTreeSet::new(),
            count: 0,
        }
    }

    pub(super) fn finish(self) -> GraphProto {
        self.graph
    }

    /// A node with `outputs` outputs; their names.
    pub(super) fn nodes(
        &mut self,
        op: &str,
        inputs: &[&str],
        outputs: usize,
        attribute: Vec<AttributeProto>,
    ) -> Vec<String> {
        self.count += 1;
        let names: Vec<String> = (0..outputs)
            .map(|output| format!("{}/{}_{output}", self.prefix, self.count))
            .collect();
        self.push(op, inputs, names.clone(), attribute);
        names
    }

    /// A node with one output; its name.
    pub(super) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        self.nodes(op, inputs, 1, attribute).remove(0)
    }

    /// A node with one output and no attributes; its name.
    pub(super) fn op(&mut self, op: &str, inputs: &[&str]) -> String {
        self.node(op, inputs, Vec::new())
    }

    /// Gives a value a name.
    pub(super) fn identity(&mut self, value: &str, name: &str) {
        self.count += 1;
        self.push("Identity", &[value], vec![name.to_owned()], Vec::new());
    }

    fn push(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output,
            name: format!("{}/{op}_{}", self.prefix, self.count),
            op_type: op.to_owned(),
            attribute,
        });
    }

    /// A constant number.
    pub(super) fn scalar(&mut self, value: f32) -> String {
        let name = format!("{}/scalar_{:08x}", self.prefix, value.to_bits());
        self.constant(
            name,
            Vec::new(),
            data_type::FLOAT,
            value.to_le_bytes().to_vec(),
        )
    }

    /// A constant list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let text: Vec<String> = values.iter().map(ToString::to_string).collect();
        let name = format!("{}/integers_{}", self.prefix, text.join("_"));
        let data = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(
            name,
            vec![values.len() as i64],
            data_type::INT64,
            data.collect(),
        )
    }

    fn constant(
        &mut self,
        name: String,
        dims: Vec<i64>,
        data_type: i32,
        raw_data: Vec<u8>,
    ) -> String {
        if self.constants.insert(name.clone()) {
            self.graph.initializer.push(TensorProto {
                dims,
                data_type,
                name: name.clone(),
                raw_data,
            });
        }
        name
    }

    /// A value of another shape with as many elements.
    pub(super) fn reshape(&mut self, value: &str, shape: &[Dim]) -> String {
        // 0 keeps the dimension at that place, which is the first one.
        let sizes: Vec<i64> = shape.iter().map(|dim| dim.size().unwrap_or(0)).collect();
        let sizes = self.integers(&sizes);
        self.op("Reshape", &[value, &sizes])
    }

    /// A value repeated along its dimensions of size 1 to a shape.
    pub(super) fn expand(&mut self, value: &str, shape: &[Dim]) -> String {
        let sizes: Vec<i64> = shape.iter().map(|dim| dim.size().unwrap_or(1)).collect();
        let sizes = self.integers(&sizes);
        self.op("Expand", &[value, &sizes])
    }

    /// Undoes broadcasting: sums a value over what it has more than `to`.
    pub(super) fn sum_to(&mut self, value: String, from: &[Dim], to: &[Dim]) -> String {
        if from == to {
            return value;
        }
        let more = from.len() - to.len();
        let axes: Vec<i64> = (from.iter().enumerate())
            .filter(|(axis, dim)| *axis < more || **dim != to[axis - more])
            .map(|(axis, _)| axis as i64)
            .collect();
        let axes = self.integers(&axes);
        let summed = self.node("ReduceSum", &[&value, &axes], vec![int("keepdims", 1)]);
        if more == 0 {
            summed
        } else {
            self.reshape(&summed, to)
        }
    }
}

/// An attribute that is a number.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: value,
        r#type: attribute_type::INT,
        ..AttributeProto::default()
    }
}

/// An attribute that is a list of numbers.
pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: values.to_vec(),
        r#type: attribute_type::INTS,
        ..AttributeProto::default()
    }
}

/// Name and type of an input or output of floats.
pub(super) fn info(name: &str, shape: &[Dim], batch: &str) -> ValueInfoProto {
    let dim = shape.iter().map(|dim| DimensionProto {
        value: Some(match dim.size() {
            Some(size) => Dimension::Value(size),
            None => Dimension::Param(batch.to_owned()),
        }),
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: data_type::FLOAT,
                shape: Some(TensorShapeProto { dim: dim.collect() }),
            }),
        }),
    }
}
