//! Golden vectors: completing a trainer's, and making them from the reference for weights that no trainer has.

use chacha20::ChaCha8Rng;
use latco_models::manifest::Manifest;
use latco_models::{DynamicsKind, Golden, GoldenCase, GoldenData, Graph};
use latco_reference::{RssmWeights, graphs, image, step};
use ndarray::{Array, ArrayD, Axis, Dimension, Ix2, Ix3, Ix4};
use rand::{RngExt, SeedableRng};

use crate::error::ExportError;
use crate::metadata::Metadata;
use crate::noise::normal;

/// Golden vectors for every graph from random inputs and the reference implementation.
///
/// # Errors
/// The weights are contradictory.
pub fn from_reference(
    weights: &RssmWeights,
    metadata: &Metadata,
    batch: usize,
    seed: u64,
) -> Result<Golden, ExportError> {
    weights.validate(metadata.image_height, metadata.image_width)?;
    let manifest = metadata.manifest(weights, weights.kind());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut golden = Golden::default();
    for graph in Graph::ALL {
        let case = golden.case(graph);
        for port in graph.inputs(&manifest) {
            let mut shape = vec![batch];
            shape.extend(&port.shape);
            let count: usize = shape.iter().product();
            match port.name {
                "image" => {
                    let data = (0..count).map(|_| rng.random()).collect();
                    case.input_u8(port.name, &shape, data);
                }
                "action" => {
                    let data = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
                    case.input_f32(port.name, &shape, data);
                }
                _ => {
                    let data = (0..count).map(|_| 0.5 * normal(&mut rng)).collect();
                    case.input_f32(port.name, &shape, data);
                }
            }
        }
    }
    complete(&mut golden, weights, &manifest)?;
    Ok(golden)
}

/// Computes the outputs that are not given yet.
pub(crate) fn complete(
    golden: &mut Golden,
    weights: &RssmWeights,
    manifest: &Manifest,
) -> Result<(), ExportError> {
    for graph in Graph::ALL {
        if !golden.cases.iter().any(|case| case.graph == graph) {
            return Err(ExportError::Golden(format!("no case for graph {graph}")));
        }
    }
    for case in &mut golden.cases {
        let graph = case.graph;
        for port in graph.inputs(manifest) {
            let given = case.find_input(port.name);
            let fits = given.is_some_and(|tensor| {
                tensor.shape.get(1..) == Some(port.shape.as_slice())
                    && tensor.data.len() == tensor.shape.iter().product()
            });
            if !fits {
                return Err(ExportError::Golden(format!(
                    "{graph}: input {:?} is {:?}, expected [batch] and {:?}",
                    port.name,
                    given.map(|tensor| &tensor.shape),
                    port.shape
                )));
            }
        }
        let complete = graph
            .outputs(manifest)
            .iter()
            .all(|port| case.find_output(port.name).is_some());
        if !complete {
            fill(case, weights, manifest)?;
        }
    }
    Ok(())
}

fn fill(case: &mut GoldenCase, w: &RssmWeights, manifest: &Manifest) -> Result<(), ExportError> {
    match case.graph {
        Graph::Observe => {
            let image = bytes(case, "image")?;
            let state = floats::<Ix2>(case, "state")?;
            let action = floats::<Ix2>(case, "action")?;
            let joints = match &w.joints {
                Some(_) => Some(floats::<Ix2>(case, "joints")?),
                None => None,
            };
            let (mean, std) = graphs::observe(
                w,
                &image,
                joints.as_ref().map(|j| j.view()),
                state.view(),
                action.view(),
            );
            put(case, "mean", &mean);
            put(case, "std", &std);
        }
        Graph::Dynamics => {
            let state = floats::<Ix2>(case, "state")?;
            let action = floats::<Ix2>(case, "action")?;
            let out = step::prior(&w.step, state.view(), action.view());
            put(case, "mean", &out.mean);
            put(case, "std", &out.std);
            match manifest.dynamics.kind {
                DynamicsKind::GruFactors => put(case, "factors", &out.factors),
                DynamicsKind::Dense => {
                    let (state, action) = step::jacobians(&w.step, &out.factors);
                    put(case, "jacobian_state", &state);
                    put(case, "jacobian_action", &action);
                }
            }
        }
        Graph::Reward => {
            let state = floats::<Ix2>(case, "state")?;
            let (reward, gradient) = graphs::reward(w, state.view());
            put(case, "reward", &reward);
            put(case, "gradient", &gradient);
        }
        Graph::Rollout => {
            let state = floats::<Ix2>(case, "state")?;
            let action = floats::<Ix3>(case, "action")?;
            let (rewards, returns) =
                graphs::rollout(w, manifest.reward.range, state.view(), action.view());
            put(case, "rewards", &rewards);
            put(case, "returns", &returns);
        }
        Graph::Decode => {
            let state = floats::<Ix2>(case, "state")?;
            let image = image::decode(w, state.view(), manifest.image.height, manifest.image.width);
            put(case, "image", &image);
        }
    }
    Ok(())
}

/// Adds an output unless the trainer gave it.
fn put<D: Dimension>(case: &mut GoldenCase, name: &str, value: &Array<f32, D>) {
    if case.find_output(name).is_none() {
        let shape = value.shape().to_vec();
        case.output(name, &shape, value.iter().copied().collect());
    }
}

fn floats<D: Dimension>(case: &GoldenCase, name: &str) -> Result<Array<f32, D>, ExportError> {
    let wrong = || ExportError::Golden(format!("{}: input {name:?} has a wrong type", case.graph));
    let tensor = case.find_input(name).ok_or_else(wrong)?;
    let GoldenData::F32(data) = &tensor.data else {
        return Err(wrong());
    };
    ArrayD::from_shape_vec(tensor.shape.clone(), data.clone())
        .and_then(|array| array.into_dimensionality::<D>())
        .map_err(|_| wrong())
}

fn bytes(case: &GoldenCase, name: &str) -> Result<Array<u8, Ix4>, ExportError> {
    let wrong = || ExportError::Golden(format!("{}: input {name:?} has a wrong type", case.graph));
    let tensor = case.find_input(name).ok_or_else(wrong)?;
    let GoldenData::U8(data) = &tensor.data else {
        return Err(wrong());
    };
    let array = ArrayD::from_shape_vec(tensor.shape.clone(), data.clone())
        .and_then(|array| array.into_dimensionality::<Ix4>())
        .map_err(|_| wrong())?;
    if array.len_of(Axis(0)) == 0 {
        return Err(wrong());
    }
    Ok(array)
}
