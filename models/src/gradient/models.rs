//! The differentiated graphs of a bundle.

use prost::Message;

use super::{GradientError, pull_back, tape};
use crate::graph::Graph;
use crate::onnx::{
    Dimension, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, data_type,
};

/// Name of the image that a prediction is compared with.
pub(super) const TARGET: &str = "target";
/// Name of the squared distance from it.
pub(super) const VIOLATION: &str = "violation";

/// The filter step with images of floats, in units of the bytes (0 to 255), and the derivative of its
/// `mean` by some of its inputs.
///
/// # Errors
/// See [`pull_back`].
pub(crate) fn observe(bytes: &[u8], inputs: &[&str]) -> Result<Vec<u8>, GradientError> {
    let mut model = decoded(bytes)?;
    let graph = model.graph.as_mut().ok_or(GradientError::NoGraph)?;
    for input in &mut graph.input {
        // The cast to floats behind it then changes nothing.
        if let Some(tensor) = input.r#type.as_mut().and_then(|of| of.tensor_type.as_mut()) {
            tensor.elem_type = data_type::FLOAT;
        }
    }
    Ok(pull_back(model, "mean", inputs)?.encode_to_vec())
}

/// Squared distances of images `target` from those that the prior predicts, `[T]`:
///
/// ```text
/// violation_t = |target_t - decode(mu(state_t, action_t))|^2
/// ```
///
/// and the derivatives of their sum, weighted by the cotangent `[T]`, by state, action and target.
///
/// # Errors
/// See [`pull_back`].
pub(crate) fn prediction_error(dynamics: &[u8], decode: &[u8]) -> Result<Vec<u8>, GradientError> {
    let mut model = decoded(dynamics)?;
    let decoder = decoded(decode)?.graph.ok_or(GradientError::NoGraph)?;
    let graph = model.graph.as_mut().ok_or(GradientError::NoGraph)?;
    let image = (decoder.output.first())
        .ok_or_else(|| GradientError::NoValue("image".to_owned()))?
        .clone();
    let rank = shape_of(&image).map_or(0, <[_]>::len) as i64;
    append(graph, decoder, ("state", "mean"));
    graph.input.push(ValueInfoProto {
        name: TARGET.to_owned(),
        r#type: with_batch(image.r#type, Graph::Dynamics.batch_name()),
    });
    let axes = TensorProto {
        dims: vec![rank - 1],
        data_type: data_type::INT64,
        name: "pixels".to_owned(),
        raw_data: (1..rank).flat_map(i64::to_le_bytes).collect(),
    };
    graph.initializer.push(axes);
    let node = |op: &str, inputs: [&str; 2], output: &str| NodeProto {
        input: inputs.map(str::to_owned).into(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op.to_owned(),
        attribute: Vec::new(),
    };
    let predicted = prefixed(&image.name);
    graph.node.extend([
        node("Sub", [TARGET, &predicted], "residual"),
        node("Mul", ["residual", "residual"], "squares"),
        NodeProto {
            attribute: vec![tape::int("keepdims", 0)],
            ..node("ReduceSum", ["squares", "pixels"], VIOLATION)
        },
    ]);
    Ok(pull_back(model, VIOLATION, &["state", "action", TARGET])?.encode_to_vec())
}

fn decoded(bytes: &[u8]) -> Result<ModelProto, GradientError> {
    ModelProto::decode(bytes).map_err(|e| GradientError::NotOnnx(e.to_string()))
}

/// Name of a value of the second of two graphs that become one.
fn prefixed(name: &str) -> String {
    format!("decode/{name}")
}

/// Appends `second` to `first`: its input `join.0` is the value `join.1` of the first one.
fn append(first: &mut GraphProto, second: GraphProto, join: (&str, &str)) {
    let renamed = |name: String| match name == join.0 {
        true => join.1.to_owned(),
        false => prefixed(&name),
    };
    let all = |names: Vec<String>| names.into_iter().map(renamed).collect();
    (first.initializer).extend(second.initializer.into_iter().map(|tensor| TensorProto {
        name: renamed(tensor.name),
        ..tensor
    }));
    first
        .node
        .extend(second.node.into_iter().map(|node| NodeProto {
            input: all(node.input),
            output: all(node.output),
            name: prefixed(&node.name),
            ..node
        }));
}

fn shape_of(value: &ValueInfoProto) -> Option<&[crate::onnx::DimensionProto]> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    Some(&tensor.shape.as_ref()?.dim)
}

/// A type whose batch dimension has another name.
fn with_batch(of: Option<TypeProto>, name: &str) -> Option<TypeProto> {
    let mut of = of?;
    for dim in &mut of.tensor_type.as_mut()?.shape.as_mut()?.dim {
        if let Some(Dimension::Param(batch)) = &mut dim.value {
            name.clone_into(batch);
        }
    }
    Some(of)
}
