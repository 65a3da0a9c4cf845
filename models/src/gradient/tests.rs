//! Every rule against central differences, and what has none.

use ort::session::Session;
use ort::value::Tensor;
use prost::Message;

use super::shapes::Dim;
use super::tape::{Tape, info, int, ints};
use super::*;
use crate::onnx::{IR_VERSION, OPSET, OperatorSetIdProto, TensorProto, attribute_type, data_type};
use crate::options::Execution;
use crate::runtime;

/// Half the distance of the differences, and the largest allowed error as a share of the largest slope.
const STEP: f32 = 1e-2;
const TOLERANCE: f64 = 2e-3;

/// A graph with the input `x` `[N, shape]`.
fn graph(shape: &[usize]) -> Tape {
    let mut dims = vec![Dim::Batch];
    dims.extend(shape.iter().map(|size| Dim::Size(*size)));
    let graph = GraphProto {
        input: vec![info("x", &dims, "N")],
        ..GraphProto::default()
    };
    Tape::new(graph, "forward")
}

/// A model of it whose output `y` is a value.
fn model(mut tape: Tape, value: &str, constants: Vec<TensorProto>) -> ModelProto {
    tape.identity(value, "y");
    let mut graph = tape.finish();
    graph.name = "test".into();
    graph.initializer.extend(constants);
    ModelProto {
        ir_version: IR_VERSION,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        ..ModelProto::default()
    }
}

/// Numbers that are all different and not near 0.
fn numbers(count: usize, phase: f32) -> Vec<f32> {
    let number = |i: usize| {
        let value = (i as f32 * 1.7 + phase).sin();
        value + 0.1 * value.signum()
    };
    (0..count).map(number).collect()
}

fn constant(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>() as usize;
    let data = numbers(count, 0.4);
    TensorProto {
        dims: dims.to_vec(),
        data_type: data_type::FLOAT,
        name: name.into(),
        raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// `y`, and the derivative of `v' y` by `x`.
fn run(session: &mut Session, x: &[f32], shape: &[i64], v: &[f32], of_y: &[i64]) -> [Vec<f32>; 2] {
    let x = Tensor::from_array((shape.to_vec(), x.to_vec())).unwrap();
    let v = Tensor::from_array((of_y.to_vec(), v.to_vec())).unwrap();
    let outputs = session.run(ort::inputs!["x" => x, COTANGENT => v]).unwrap();
    ["y", "by_x"].map(|name| {
        outputs[name]
            .try_extract_tensor::<f32>()
            .unwrap()
            .1
            .to_vec()
    })
}

/// Compares the derivative of a model with differences, for a batch of two.
fn check(what: &str, model: ModelProto, shape: &[i64], of_y: &[i64]) {
    runtime::load().unwrap();
    let pulled = pull_back(model, "y", &["x"]).unwrap();
    let builder = Session::builder(runtime::environment().unwrap()).unwrap();
    let mut session = Execution::Cpu
        .configure(builder, "")
        .unwrap()
        .commit_from_memory(&pulled.encode_to_vec())
        .unwrap();
    let shape = [&[2], shape].concat();
    let of_y = [&[2], of_y].concat();
    let mut x = numbers(shape.iter().product::<i64>() as usize, 0.0);
    let v = numbers(of_y.iter().product::<i64>() as usize, 2.0);
    let [_, found] = run(&mut session, &x, &shape, &v, &of_y);
    let mut value = |x: &[f32]| -> f64 {
        let [y, _] = run(&mut session, x, &shape, &v, &of_y);
        y.iter()
            .zip(&v)
            .map(|(y, v)| f64::from(*y) * f64::from(*v))
            .sum()
    };
    let expected: Vec<f64> = (0..x.len())
        .map(|index| {
            let at = x[index];
            x[index] = at + STEP;
            let above = value(&x);
            x[index] = at - STEP;
            let below = value(&x);
            x[index] = at;
            (above - below) / f64::from((at + STEP) - (at - STEP))
        })
        .collect();
    let largest = expected.iter().fold(0.0f64, |m, e| m.max(e.abs()));
    assert!(largest > 1e-2, "{what}: no slope");
    for (found, expected) in found.iter().zip(&expected) {
        let error = (f64::from(*found) - expected).abs() / largest;
        assert!(error < TOLERANCE, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn of_functions_of_each_element() {
    for op in [
        "Identity", "Relu", "Elu", "Sigmoid", "Tanh", "Softplus", "Exp",
    ] {
        let mut tape = graph(&[5]);
        let y = tape.op(op, &["x"]);
        check(op, model(tape, &y, vec![]), &[5], &[5]);
    }
    let mut tape = graph(&[5]);
    let y = tape.node("Cast", &["x"], vec![int("to", 1)]);
    check("Cast", model(tape, &y, vec![]), &[5], &[5]);
    let mut tape = graph(&[9]);
    let (low, high) = (tape.scalar(-0.5), tape.scalar(0.7));
    let y = tape.op("Clip", &["x", &low, &high]);
    check("Clip", model(tape, &y, vec![]), &[9], &[9]);
    let mut tape = graph(&[3, 4]);
    let y = tape.node("Softmax", &["x"], vec![int("axis", 2)]);
    check("Softmax", model(tape, &y, vec![]), &[3, 4], &[3, 4]);
}

#[test]
fn of_arithmetic_with_broadcasting() {
    for op in ["Add", "Sub", "Mul", "Div"] {
        // With a constant on either side, of all elements, of a row, and one number.
        for dims in [&[4][..], &[3, 1], &[1, 3, 4], &[]] {
            for inputs in [["x", "c"], ["c", "x"]] {
                let mut tape = graph(&[3, 4]);
                let y = tape.op(op, &inputs);
                // Away from a pole at 0.
                let x_below = op == "Div" && inputs[1] == "x";
                let y = if x_below { tape.op("Tanh", &[&y]) } else { y };
                let made = model(tape, &y, vec![constant("c", dims)]);
                if !x_below {
                    check(&format!("{op} {inputs:?} {dims:?}"), made, &[3, 4], &[3, 4]);
                }
            }
        }
        // Both sides depend on x: of the same shape, and as a column beside it.
        let mut tape = graph(&[3, 4]);
        let axis = tape.integers(&[2]);
        let other = tape.op("Sigmoid", &["x"]);
        let column = tape.node("ReduceSum", &[&other, &axis], vec![int("keepdims", 1)]);
        let two = tape.op(op, &["x", &other]);
        let y = tape.op(op, &[&two, &column]);
        let turned = tape.op(op, &[&column, &y]);
        let y = if op == "Div" { y } else { turned };
        check(op, model(tape, &y, vec![]), &[3, 4], &[3, 4]);
    }
    // x in the denominator, away from 0.
    let mut tape = graph(&[4]);
    let (one, square) = (tape.scalar(1.0), tape.op("Mul", &["x", "x"]));
    let sum = tape.op("Add", &[&one, &square]);
    let y = tape.op("Div", &["c", &sum]);
    check(
        "1 / (1 + x^2)",
        model(tape, &y, vec![constant("c", &[4])]),
        &[4],
        &[4],
    );
    let mut tape = graph(&[4]);
    let zero = tape.scalar(0.3);
    let y = tape.op("Min", &["x", &zero]);
    check("Min", model(tape, &y, vec![]), &[4], &[4]);
}

#[test]
fn of_products_by_constants() {
    for (dims, transposed) in [(&[4, 3], 0), (&[3, 4], 1)] {
        let mut tape = graph(&[4]);
        let y = tape.node("Gemm", &["x", "w", "b"], vec![int("transB", transposed)]);
        let constants = vec![constant("w", dims), constant("b", &[3])];
        check("Gemm", model(tape, &y, constants), &[4], &[3]);
    }
    let mut tape = graph(&[5, 4]);
    let y = tape.op("MatMul", &["x", "w"]);
    let made = model(tape, &y, vec![constant("w", &[4, 3])]);
    check("MatMul", made, &[5, 4], &[5, 3]);
}

#[test]
fn of_convolutions_also_where_the_kernel_does_not_reach_the_end() {
    // side, kernel, stride, padding, side of the output
    for (side, kernel, stride, pad, after) in [
        (8, 5, 2, 2, 4),
        (7, 3, 1, 1, 7),
        (9, 4, 2, 0, 3),
        (8, 3, 3, 0, 2),
    ] {
        let mut tape = graph(&[2, side as usize, side as usize]);
        let attributes = vec![
            ints("kernel_shape", &[kernel, kernel]),
            ints("strides", &[stride, stride]),
            ints("pads", &[pad; 4]),
        ];
        let y = tape.node("Conv", &["x", "w", "b"], attributes);
        let constants = vec![constant("w", &[3, 2, kernel, kernel]), constant("b", &[3])];
        let what = format!("Conv of {side} by {kernel}, stride {stride}");
        let made = model(tape, &y, constants);
        check(&what, made, &[2, side, side], &[3, after, after]);
    }
    let mut tape = graph(&[2, 3, 3]);
    let attributes = vec![ints("kernel_shape", &[4, 4]), ints("strides", &[2, 2])];
    let y = tape.node("ConvTranspose", &["x", "w", "b"], attributes);
    let constants = vec![constant("w", &[2, 3, 4, 4]), constant("b", &[3])];
    let made = model(tape, &y, constants);
    check("ConvTranspose", made, &[2, 3, 3], &[3, 8, 8]);
}

#[test]
fn of_what_only_moves_elements() {
    let mut tape = graph(&[3, 4, 2]);
    let turned = tape.node("Transpose", &["x"], vec![ints("perm", &[0, 3, 1, 2])]);
    let y = tape.op("Tanh", &[&turned]);
    let made = model(tape, &y, vec![]);
    check("Transpose", made, &[3, 4, 2], &[2, 3, 4]);

    let mut tape = graph(&[3, 4]);
    let shape = tape.integers(&[0, 2, 6]);
    let y = tape.op("Reshape", &["x", &shape]);
    check("Reshape", model(tape, &y, vec![]), &[3, 4], &[2, 6]);

    let mut tape = graph(&[3, 4]);
    let y = tape.node("Flatten", &["x"], vec![int("axis", 1)]);
    check("Flatten", model(tape, &y, vec![]), &[3, 4], &[12]);

    let mut tape = graph(&[1, 4]);
    let axis = tape.integers(&[1]);
    let y = tape.op("Squeeze", &["x", &axis]);
    check("Squeeze", model(tape, &y, vec![]), &[1, 4], &[4]);

    for keep in [0, 1] {
        let mut tape = graph(&[3, 4]);
        let axis = tape.integers(&[2]);
        let y = tape.node("ReduceSum", &["x", &axis], vec![int("keepdims", keep)]);
        let of_y: &[i64] = if keep == 1 { &[3, 1] } else { &[3] };
        check("ReduceSum", model(tape, &y, vec![]), &[3, 4], of_y);
    }

    // A piece that is used twice, one that is not, and one beside a constant's.
    let mut tape = graph(&[6]);
    let lengths = tape.integers(&[2, 1, 3]);
    let along = || vec![int("axis", 1)];
    let pieces = tape.nodes("Split", &["x", &lengths], 3, along());
    let first = tape.op("Exp", &[&pieces[0]]);
    let y = tape.node("Concat", &[&pieces[2], &first, &pieces[0]], along());
    check("Split and Concat", model(tape, &y, vec![]), &[6], &[7]);
}

#[test]
fn an_operator_without_a_rule_is_named() {
    let mut tape = graph(&[4]);
    let y = tape.op("Gelu", &["x"]);
    let error = pull_back(model(tape, &y, vec![]), "y", &["x"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "operator Gelu (node \"forward/Gelu_1\") cannot be differentiated: expected one of those that latco-export writes"
    );

    let mut tape = graph(&[4]);
    let mut alpha = int("alpha", 0);
    (alpha.f, alpha.r#type) = (0.5, attribute_type::FLOAT);
    let y = tape.node("Elu", &["x"], vec![alpha]);
    let error = pull_back(model(tape, &y, vec![]), "y", &["x"]).unwrap_err();
    assert!(
        error.to_string().contains("expected no attribute"),
        "{error}"
    );

    let mut tape = graph(&[4]);
    let y = tape.op("MatMul", &["x", "x"]);
    let error = pull_back(model(tape, &y, vec![]), "y", &["x"]).unwrap_err();
    assert!(error.to_string().contains("expected constants"), "{error}");

    let tape = graph(&[4]);
    let error = pull_back(model(tape, "c", vec![constant("c", &[4])]), "y", &["x"]).unwrap_err();
    assert!(error.to_string().contains("does not depend"), "{error}");
    let error = pull_back(ModelProto::default(), "y", &["x"]).unwrap_err();
    assert_eq!(error, GradientError::NoGraph);
}
