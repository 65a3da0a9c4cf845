//! Writing an ONNX graph node by node.

use std::collections::BTreeSet;

use latco_models::onnx::{
    AttributeProto, Dimension, DimensionProto, GraphProto, IR_VERSION, ModelProto, NodeProto,
    OPSET, OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, attribute_type, data_type,
};
use latco_models::{Element, Port};
use latco_reference::{Activation, Dense, Mlp};
use ndarray::{ArrayBase, Data, Dimension as ArrayDimension};
use prost::Message;

/// Name of a value inside a graph.
pub(crate) type Value = String;

/// An attribute of a node.
pub(crate) enum Attribute<'a> {
    Int(&'static str, i64),
    Ints(&'static str, &'a [i64]),
}

/// A graph under construction. Values are referred to by name; constants with one name are stored once.
pub(crate) struct Builder {
    graph: GraphProto,
    constants: BTreeSet<String>,
    batch: &'static str,
    count: usize,
}

impl Builder {
    pub(crate) fn new(name: &str, batch: &'static str) -> Self {
        Self {
            graph: GraphProto {
                name: name.to_owned(),
                ..GraphProto::default()
            },
            constants: BTreeSet::new(),
            batch,
            count: 0,
        }
    }

    /// Declares inputs.
    pub(crate) fn inputs(&mut self, ports: &[Port]) {
        for port in ports {
            let info = self.info(port);
            self.graph.input.push(info);
        }
    }

    /// Declares outputs and connects them.
    pub(crate) fn outputs(&mut self, ports: &[Port], values: &[&Value]) {
        assert_eq!(ports.len(), values.len(), "one value per output");
        for (port, value) in ports.iter().zip(values) {
            self.push("Identity", &[value], &[port.name], &[]);
            let info = self.info(port);
            self.graph.output.push(info);
        }
    }

    /// The bytes of the ONNX file.
    pub(crate) fn finish(self) -> Vec<u8> {
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "latco-export".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            ..ModelProto::default()
        }
        .encode_to_vec()
    }

    fn info(&self, port: &Port) -> ValueInfoProto {
        let mut dim = vec![DimensionProto {
            value: Some(Dimension::Param(self.batch.to_owned())),
        }];
        dim.extend(port.shape.iter().map(|&size| DimensionProto {
            value: Some(Dimension::Value(size as i64)),
        }));
        ValueInfoProto {
            name: port.name.to_owned(),
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: match port.element {
                        Element::F32 => data_type::FLOAT,
                        Element::U8 => data_type::UINT8,
                    },
                    shape: Some(TensorShapeProto { dim }),
                }),
            }),
        }
    }

    /// A constant of floats, stored at the first use of its name.
    pub(crate) fn constant<S, D>(&mut self, name: &str, data: &ArrayBase<S, D>) -> Value
    where
        S: Data<Elem = f32>,
        D: ArrayDimension,
    {
        if self.constants.insert(name.to_owned()) {
            self.graph.initializer.push(TensorProto {
                dims: data.shape().iter().map(|&d| d as i64).collect(),
                data_type: data_type::FLOAT,
                name: name.to_owned(),
                raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ..TensorProto::default()
            });
        }
        name.to_owned()
    }

    /// A constant number.
    pub(crate) fn scalar(&mut self, value: f32) -> Value {
        let name = format!("scalar_{:08x}", value.to_bits());
        self.constant(&name, &ndarray::arr0(value))
    }

    /// A constant list of integers.
    pub(crate) fn integers(&mut self, values: &[i64]) -> Value {
        let name = format!(
            "integers_{}",
            values
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("_")
        );
        if self.constants.insert(name.clone()) {
            self.graph.initializer.push(TensorProto {
                dims: vec![values.len() as i64],
                data_type: data_type::INT64,
                name: name.clone(),
                raw_data: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ..TensorProto::default()
            });
        }
        name
    }

    fn push(&mut self, op: &str, inputs: &[&Value], outputs: &[&str], attributes: &[Attribute]) {
        let attribute = attributes
            .iter()
            .map(|attribute| match attribute {
                Attribute::Int(name, i) => AttributeProto {
                    name: (*name).to_owned(),
                    i: *i,
                    r#type: attribute_type::INT,
                    ..AttributeProto::default()
                },
                Attribute::Ints(name, ints) => AttributeProto {
                    name: (*name).to_owned(),
                    ints: ints.to_vec(),
                    r#type: attribute_type::INTS,
                    ..AttributeProto::default()
                },
            })
            .collect();
        self.count += 1;
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&name| name.clone()).collect(),
            output: outputs.iter().map(|&name| name.to_owned()).collect(),
            name: format!("{op}_{}", self.count),
            op_type: op.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    /// A node with one output and attributes.
    pub(crate) fn node(&mut self, op: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        let output = format!("v{}", self.count + 1);
        self.push(op, inputs, &[&output], attributes);
        output
    }

    /// A node with one output and no attributes.
    pub(crate) fn op(&mut self, op: &str, inputs: &[&Value]) -> Value {
        self.node(op, inputs, &[])
    }

    /// `x kernel + bias` on `[N, in]`; the constants are `name.kernel` and `name.bias`.
    pub(crate) fn dense(&mut self, name: &str, layer: &Dense, x: &Value) -> Value {
        let kernel = self.constant(&format!("{name}.kernel"), &layer.kernel);
        let bias = self.constant(&format!("{name}.bias"), &layer.bias);
        self.op("Gemm", &[x, &kernel, &bias])
    }

    /// Dense layers with the activation between them.
    pub(crate) fn mlp(&mut self, name: &str, mlp: &Mlp, x: &Value) -> Value {
        let mut x = x.clone();
        for (index, layer) in mlp.layers.iter().enumerate() {
            x = self.dense(&format!("{name}.{index}"), layer, &x);
            if index + 1 < mlp.layers.len() {
                x = self.op(
                    match mlp.activation {
                        Activation::Relu => "Relu",
                        Activation::Elu => "Elu",
                    },
                    &[&x],
                );
            }
        }
        x
    }

    /// ELU and its slope `exp(min(x, 0))`, sharing the exponential.
    pub(crate) fn elu_with_slope(&mut self, x: &Value) -> (Value, Value) {
        let zero = self.scalar(0.0);
        let one = self.scalar(1.0);
        let negative = self.op("Min", &[x, &zero]);
        let slope = self.op("Exp", &[&negative]);
        let positive = self.op("Relu", &[x]);
        let below = self.op("Sub", &[&slope, &one]);
        (self.op("Add", &[&positive, &below]), slope)
    }

    /// Pieces of these sizes along axis 1.
    pub(crate) fn split(&mut self, x: &Value, sizes: &[usize]) -> Vec<Value> {
        let sizes: Vec<i64> = sizes.iter().map(|&size| size as i64).collect();
        let lengths = self.integers(&sizes);
        let outputs: Vec<String> = (0..sizes.len())
            .map(|piece| format!("v{}_{piece}", self.count + 1))
            .collect();
        let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
        self.push(
            "Split",
            &[x, &lengths],
            &names,
            &[Attribute::Int("axis", 1)],
        );
        outputs
    }

    /// Side by side along an axis.
    pub(crate) fn concat(&mut self, parts: &[&Value], axis: i64) -> Value {
        self.node("Concat", parts, &[Attribute::Int("axis", axis)])
    }

    /// Reshape; a 0 keeps the input's dimension at that place.
    pub(crate) fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        let shape: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let shape = self.integers(&shape);
        self.op("Reshape", &[x, &shape])
    }

    /// Permutes the axes.
    pub(crate) fn transpose(&mut self, x: &Value, permutation: &[i64]) -> Value {
        self.node("Transpose", &[x], &[Attribute::Ints("perm", permutation)])
    }

    /// `softplus(x) + min_std`.
    pub(crate) fn deviation(&mut self, x: &Value, min_std: f32) -> Value {
        let soft = self.op("Softplus", &[x]);
        let min = self.scalar(min_std);
        self.op("Add", &[&soft, &min])
    }
}
