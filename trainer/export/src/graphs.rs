//! The graphs `observe`, `reward`, `rollout` and `decode`.

use latco_models::{Graph, Manifest};
use latco_reference::image::grid;
use latco_reference::{Conv, Decoder, Dense, Encoder, Mlp, Penalty, PixelScaling, RssmWeights};
use ndarray::Array1;

use crate::builder::{Attribute, Builder, Value};
use crate::dynamics::{join_state, next_state, prior_mean, split_state, transition};

/// Builds the graph from camera image, joints, previous state and action to the posterior.
pub(crate) fn observe(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("observe", Graph::Observe.batch_name());
    b.inputs(&Graph::Observe.inputs(manifest));
    let (height, width) = (manifest.image.height, manifest.image.width);

    let planes = b.transpose(&"image".to_owned(), &[0, 3, 1, 2]);
    // 1 is ONNX's number for f32.
    let floats = b.node("Cast", &[&planes], &[Attribute::Int("to", 1)]);
    let scale = b.scalar(w.pixels.scale);
    let mut pixels = b.op("Mul", &[&floats, &scale]);
    if w.pixels.offset != 0.0 {
        let offset = b.scalar(w.pixels.offset);
        pixels = b.op("Add", &[&pixels, &offset]);
    }
    let features = encode(&mut b, &w.encoder, &pixels, height, width);

    let z = split_state(&mut b, &w.step);
    let next = transition(&mut b, &w.step, &z, &"action".to_owned());
    let mut input = vec![next.clone(), features];
    if let Some(joints) = &w.joints {
        let mean = b.constant("joints.mean", &joints.mean);
        let std = b.constant("joints.std", &joints.std);
        let centred = b.op("Sub", &[&"joints".to_owned(), &mean]);
        input.push(b.op("Div", &[&centred, &std]));
    }
    let input = b.concat(&input.iter().collect::<Vec<_>>(), 1);
    let pre = b.dense("posterior", &w.posterior, &input);
    let e = b.op("Elu", &[&pre]);
    let m = b.dense("posterior_mean", &w.posterior_mean, &e);
    let sd = b.dense("posterior_std", &w.posterior_std, &e);
    let std = b.deviation(&sd, w.step.min_std);
    let mean = join_state(&mut b, &w.step, &m, &next);
    b.outputs(&Graph::Observe.outputs(manifest), &[&mean, &std]);
    b.finish()
}

fn convolve(b: &mut Builder, name: &str, layer: &Conv, x: &Value) -> Value {
    let kernel = b.constant(&format!("{name}.kernel"), &layer.kernel);
    let bias = b.constant(&format!("{name}.bias"), &layer.bias);
    let (_, _, kh, kw) = layer.kernel.dim();
    let (stride, padding) = (layer.stride as i64, layer.padding as i64);
    b.node(
        "Conv",
        &[x, &kernel, &bias],
        &[
            Attribute::Ints("kernel_shape", &[kh as i64, kw as i64]),
            Attribute::Ints("strides", &[stride, stride]),
            Attribute::Ints("pads", &[padding; 4]),
        ],
    )
}

fn encode(
    b: &mut Builder,
    encoder: &Encoder,
    pixels: &Value,
    height: usize,
    width: usize,
) -> Value {
    let mut x = pixels.clone();
    match encoder {
        Encoder::Conv { layers } => {
            for (index, layer) in layers.iter().enumerate() {
                let pre = convolve(b, &format!("encoder.{index}"), layer, &x);
                x = b.op("Relu", &[&pre]);
            }
            b.node("Flatten", &[&x], &[Attribute::Int("axis", 1)])
        }
        Encoder::Keypoint {
            layers,
            mlp,
            whiten,
        } => {
            let mut shape = (3, height, width);
            for (index, layer) in layers.iter().enumerate() {
                x = convolve(b, &format!("encoder.{index}"), layer, &x);
                if index + 1 < layers.len() {
                    x = b.op("Relu", &[&x]);
                }
                shape = layer.output(shape).expect("the weights were validated");
            }
            let (channels, h, w) = shape;
            let values = b.reshape(&x, &[0, channels, h * w]);
            let p = b.node("Softmax", &[&values], &[Attribute::Int("axis", 2)]);
            let grid = b.constant("encoder.grid", &grid(h, w));
            let xy = b.op("MatMul", &[&p, &grid]);
            let weighted = b.op("Mul", &[&p, &values]);
            let axis = b.integers(&[2]);
            let expected = b.node(
                "ReduceSum",
                &[&weighted, &axis],
                &[Attribute::Int("keepdims", 1)],
            );
            let presence = b.op("Sigmoid", &[&expected]);
            let points = b.concat(&[&xy, &presence], 2);
            let points = b.reshape(&points, &[0, 3 * channels]);
            let code = b.mlp("encoder.mlp", mlp, &points);
            b.dense("encoder.whiten", whiten, &code)
        }
    }
}

/// Builds the graph from states to rewards and their analytic gradients.
pub(crate) fn reward(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("reward", Graph::Reward.batch_name());
    b.inputs(&Graph::Reward.inputs(manifest));
    let state: Value = "state".to_owned();
    let head = forward(&mut b, "reward", &w.reward, &state);
    // Backward: the last layer's only column, scaled by the slopes, through the transposed kernels.
    let last = (w.reward.layers.last()).expect("the weights were validated");
    let column: Array1<f32> = last.kernel.column(0).to_owned();
    let column = b.constant("reward.last_column", &column);
    let mut gradient = backward(&mut b, "reward", &w.reward, &head.slopes, column);
    if head.slopes.is_empty() {
        // A linear head: the same row for every state.
        let zero = b.scalar(0.0);
        let nothing = b.op("Mul", &[&state, &zero]);
        gradient = b.op("Add", &[&nothing, &gradient]);
    }
    let mut output = head.output;
    if let Some(penalty) = &w.penalty {
        let disagreement = disagreement(&mut b, penalty, &state);
        output = b.op("Sub", &[&output, &disagreement.taken_off]);
        // Of 1 - near by every deviation: 2 x near^2 times 2 d.
        let four = b.scalar(4.0 * penalty.weight);
        let squared = b.op("Mul", &[&disagreement.near, &disagreement.near]);
        let factor = b.op("Mul", &[&disagreement.x, &squared]);
        let factor = b.op("Mul", &[&factor, &four]);
        let by_deviation = b.op("Mul", &[&factor, &disagreement.deviations.output]);
        let layers = &penalty.deviations.layers;
        let last = layers.len() - 1;
        let kernel = b.constant(&format!("penalty.{last}.kernel"), &layers[last].kernel);
        let by_hidden = b.node(
            "Gemm",
            &[&by_deviation, &kernel],
            &[Attribute::Int("transB", 1)],
        );
        let (mlp, slopes) = (&penalty.deviations, &disagreement.deviations.slopes);
        let by_state = backward(&mut b, "penalty", mlp, slopes, by_hidden);
        gradient = b.op("Sub", &[&gradient, &by_state]);
    }
    let axis = b.integers(&[1]);
    let reward = b.op("Squeeze", &[&output, &axis]);
    b.outputs(&Graph::Reward.outputs(manifest), &[&reward, &gradient]);
    b.finish()
}

/// Output of ELU layers, and the slopes between them.
struct Forward {
    output: Value,
    slopes: Vec<Value>,
}

fn forward(b: &mut Builder, name: &str, mlp: &Mlp, x: &Value) -> Forward {
    let mut output = x.clone();
    let mut slopes = Vec::new();
    for (index, layer) in mlp.layers.iter().enumerate() {
        output = b.dense(&format!("{name}.{index}"), layer, &output);
        if index + 1 < mlp.layers.len() {
            let (next, slope) = b.elu_with_slope(&output);
            output = next;
            slopes.push(slope);
        }
    }
    Forward { output, slopes }
}

/// The derivative by the inputs of ELU layers, of that by the inputs of the last layer.
fn backward(
    b: &mut Builder,
    name: &str,
    mlp: &Mlp,
    slopes: &[Value],
    by_last_input: Value,
) -> Value {
    let mut gradient = by_last_input;
    for (index, slope) in slopes.iter().enumerate().rev() {
        let scaled = b.op("Mul", &[slope, &gradient]);
        let kernel = b.constant(&format!("{name}.{index}.kernel"), &mlp.layers[index].kernel);
        gradient = b.node("Gemm", &[&scaled, &kernel], &[Attribute::Int("transB", 1)]);
    }
    gradient
}

/// How far states are from the data.
struct Disagreement {
    deviations: Forward,
    /// Sum of the squared deviations, `[N, 1]`.
    x: Value,
    /// `1 / (1 + x^2)`, `[N, 1]`.
    near: Value,
    /// What is taken off the reward, `[N, 1]`.
    taken_off: Value,
}

fn disagreement(b: &mut Builder, penalty: &Penalty, state: &Value) -> Disagreement {
    let deviations = forward(b, "penalty", &penalty.deviations, state);
    let squares = b.op("Mul", &[&deviations.output, &deviations.output]);
    let axis = b.integers(&[1]);
    let keep = [Attribute::Int("keepdims", 1)];
    let x = b.node("ReduceSum", &[&squares, &axis], &keep);
    let one = b.scalar(1.0);
    let squared = b.op("Mul", &[&x, &x]);
    let sum = b.op("Add", &[&one, &squared]);
    let near = b.op("Div", &[&one, &sum]);
    let away = b.op("Sub", &[&one, &near]);
    let weight = b.scalar(penalty.weight);
    let taken_off = b.op("Mul", &[&away, &weight]);
    Disagreement {
        deviations,
        x,
        near,
        taken_off,
    }
}

/// Builds the graph that rolls action sequences through the prior mean; the weights are stored once and used H times.
pub(crate) fn rollout(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("rollout", Graph::Rollout.batch_name());
    b.inputs(&Graph::Rollout.inputs(manifest));
    let step = &w.step;
    let (horizon, na) = (manifest.dims.horizon, manifest.dims.action);
    let flat = b.reshape(&"action".to_owned(), &[0, horizon * na]);
    let actions = b.split(&flat, &vec![na; horizon]);
    let mut z = split_state(&mut b, step);
    let mut rewards = Vec::new();
    for action in &actions {
        let next = transition(&mut b, step, &z, action);
        let mean = prior_mean(&mut b, step, &next);
        let state = join_state(&mut b, step, &mean, &next);
        let mut reward = b.mlp("reward", &w.reward, &state);
        if let Some(penalty) = &w.penalty {
            let disagreement = disagreement(&mut b, penalty, &state);
            reward = b.op("Sub", &[&reward, &disagreement.taken_off]);
        }
        rewards.push(reward);
        z = next_state(step, mean, &next);
    }
    let rewards = b.concat(&rewards.iter().collect::<Vec<_>>(), 1);
    let range = manifest.reward.range;
    let (low, high) = (b.scalar(range.low), b.scalar(range.high));
    let clamped = b.op("Clip", &[&rewards, &low, &high]);
    let axis = b.integers(&[1]);
    let returns = b.node(
        "ReduceSum",
        &[&clamped, &axis],
        &[Attribute::Int("keepdims", 0)],
    );
    b.outputs(&Graph::Rollout.outputs(manifest), &[&rewards, &returns]);
    b.finish()
}

/// Builds the graph from states to images.
pub(crate) fn decode(w: &RssmWeights, manifest: &Manifest) -> Vec<u8> {
    let mut b = Builder::new("decode", Graph::Decode.batch_name());
    b.inputs(&Graph::Decode.inputs(manifest));
    let state: Value = "state".to_owned();
    let (height, width) = (manifest.image.height, manifest.image.width);
    let image = match &w.decoder {
        Decoder::Conv { input, layers } => {
            let features = b.dense("decoder.input", input, &state);
            let mut x = b.reshape(&features, &[0, input.outputs(), 1, 1]);
            for (index, layer) in layers.iter().enumerate() {
                let kernel = b.constant(&format!("decoder.{index}.kernel"), &layer.kernel);
                let bias = b.constant(&format!("decoder.{index}.bias"), &layer.bias);
                let (_, _, kh, kw) = layer.kernel.dim();
                let stride = layer.stride as i64;
                x = b.node(
                    "ConvTranspose",
                    &[&x, &kernel, &bias],
                    &[
                        Attribute::Ints("kernel_shape", &[kh as i64, kw as i64]),
                        Attribute::Ints("strides", &[stride, stride]),
                    ],
                );
                if index + 1 < layers.len() {
                    x = b.op("Relu", &[&x]);
                }
            }
            let rows = b.transpose(&x, &[0, 2, 3, 1]);
            unscale(&mut b, w.pixels, &rows)
        }
        Decoder::Patch {
            head,
            unwhiten,
            mlp,
            patch,
            sigmoid,
        } => patches(
            &mut b,
            w,
            (head, unwhiten, mlp),
            (*patch, height, width),
            *sigmoid,
        ),
    };
    let (low, high) = (b.scalar(0.0), b.scalar(1.0));
    let image = b.op("Clip", &[&image, &low, &high]);
    b.outputs(&Graph::Decode.outputs(manifest), &[&image]);
    b.finish()
}

fn patches(
    b: &mut Builder,
    w: &RssmWeights,
    (head, unwhiten, mlp): (&Mlp, &Dense, &Mlp),
    (patch, height, width): (usize, usize, usize),
    sigmoid: bool,
) -> Value {
    let white = b.mlp("decoder.head", head, &"state".to_owned());
    let code = b.dense("decoder.unwhiten", unwhiten, &white);
    let flat = b.mlp("decoder.mlp", mlp, &code);
    let split = b.reshape(&flat, &[0, height / patch, width / patch, patch, patch, 3]);
    let rows = b.transpose(&split, &[0, 1, 3, 2, 4, 5]);
    let image = b.reshape(&rows, &[0, height, width, 3]);
    if sigmoid {
        b.op("Sigmoid", &[&image])
    } else {
        unscale(b, w.pixels, &image)
    }
}

/// Scaled pixel values to 0..1: a byte b is `b * scale + offset` when scaled and b / 255 as output.
fn unscale(b: &mut Builder, pixels: PixelScaling, x: &Value) -> Value {
    let factor = b.scalar(1.0 / (255.0 * pixels.scale));
    let summand = b.scalar(-pixels.offset / (255.0 * pixels.scale));
    let scaled = b.op("Mul", &[x, &factor]);
    b.op("Add", &[&scaled, &summand])
}
