//! Reverse-mode differentiation of a bundle's graphs, as ONNX graphs themselves.
//!
//! [`pull_back`] takes a graph and appends to it the nodes that carry a cotangent of one output back to
//! chosen inputs: `v' dy/dx`, the vector-Jacobian product. It knows exactly the operators that
//! `latco-export` writes; any other is an error that names it. Constants get no derivative.
//!
//! What image collocation needs of a bundle are the sessions [`ObserveGradient`] and [`PredictionError`]; their
//! graphs are made when they are asked for.

mod error;
mod models;
mod rules;
mod sessions;
mod shapes;
mod tape;

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

pub use error::GradientError;
pub use sessions::{ObserveGradient, ObserveInput, PredictionError};

pub(crate) use models::{observe, prediction_error};

use rules::pull;
use shapes::Shapes;
use tape::{Tape, info};

#[cfg(test)]
mod tests;

/// Name of the input that takes the cotangent, with the shape of the output it is of.
pub const COTANGENT: &str = "cotangent";

/// Name of the output that is the derivative by `input`, with the shape of that.
#[must_use]
pub fn by(input: &str) -> String {
    format!("by_{input}")
}

/// The model that computes `output` of `model` and, from a further input [`COTANGENT`], the derivative
/// [`by`] each of `inputs`. What `output` does not depend on is left out.
///
/// # Errors
/// An operator without a rule, a shape that cannot be known, or an input that `output` does not depend on.
pub fn pull_back(
    mut model: ModelProto,
    output: &str,
    inputs: &[&str],
) -> Result<ModelProto, GradientError> {
    let graph = model.graph.take().ok_or(GradientError::NoGraph)?;
    let graph = pruned(graph, output)?;
    let shapes = Shapes::of(&graph)?;
    let active = active(&graph, inputs);
    let out_shape = shapes.get(output)?.to_vec();
    let batch = shapes.batch_name();

    let forward = graph.node.clone();
    let mut tape = Tape::new(graph, "back");
    let mut cotangents = Cotangents::default();
    cotangents.add(&mut tape, output, COTANGENT.to_owned());
    for node in forward.iter().rev() {
        if !node.output.iter().any(|name| active.contains(name)) {
            continue;
        }
        let of_outputs: Vec<Option<String>> = (node.output.iter())
            .map(|name| cotangents.of.get(name).cloned())
            .collect();
        if of_outputs.iter().all(Option::is_none) {
            continue;
        }
        for (index, part) in pull(node, &of_outputs, &active, &shapes, &mut tape)? {
            cotangents.add(&mut tape, &node.input[index], part);
        }
    }

    let mut outputs = vec![info(output, &out_shape, batch)];
    for input in inputs {
        let found = cotangents.of.get(*input);
        let found = found.ok_or_else(|| GradientError::Independent {
            output: output.to_owned(),
            input: (*input).to_owned(),
        })?;
        tape.identity(found, &by(input));
        outputs.push(info(&by(input), shapes.get(input)?, batch));
    }
    let mut graph = tape.finish();
    graph.input.push(info(COTANGENT, &out_shape, batch));
    graph.output = outputs;
    model.graph = Some(graph);
    Ok(model)
}

/// Sums of what has come back to each value.
#[derive(Default)]
struct Cotangents {
    of: BTreeMap<String, String>,
}

impl Cotangents {
    fn add(&mut self, tape: &mut Tape, value: &str, part: String) {
        let sum = match self.of.get(value) {
            Some(sum) => tape.op("Add", &[sum, &part]),
            None => part,
        };
        self.of.insert(value.to_owned(), sum);
    }
}

/// The nodes, constants and inputs that a value needs.
fn pruned(mut graph: GraphProto, output: &str) -> Result<GraphProto, GradientError> {
    let mut needed = BTreeSet::from([output.to_owned()]);
    let mut kept: Vec<NodeProto> = Vec::new();
    for node in graph.node.drain(..).rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    if kept.is_empty() {
        return Err(GradientError::NoValue(output.to_owned()));
    }
    kept.reverse();
    graph.node = kept;
    graph.initializer.retain(|t| needed.contains(&t.name));
    graph
        .input
        .retain(|i: &ValueInfoProto| needed.contains(&i.name));
    Ok(graph)
}

/// All values that depend on one of `inputs`.
fn active(graph: &GraphProto, inputs: &[&str]) -> BTreeSet<String> {
    let mut active: BTreeSet<String> = inputs.iter().map(|name| (*name).to_owned()).collect();
    for node in &graph.node {
        if node.input.iter().any(|name| active.contains(name)) {
            active.extend(node.output.iter().cloned());
        }
    }
    active
}
