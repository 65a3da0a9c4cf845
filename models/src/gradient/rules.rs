//! What each operator does to a cotangent on its way back.

use std::collections::BTreeSet;

use super::GradientError;
use super::shapes::{Dim, Shapes, Window, int, ints, kept, misuse};
use super::tape::{self, Tape};
use crate::onnx::{AttributeProto, NodeProto, data_type};

/// Cotangents of the inputs of `node` that are among `active`, by their places, from those of its outputs
/// (none where nothing came back).
///
/// # Errors
/// An operator without a rule, or used in a way that has none.
pub(super) fn pull(
    node: &NodeProto,
    of_outputs: &[Option<String>],
    active: &BTreeSet<String>,
    shapes: &Shapes,
    tape: &mut Tape,
) -> Result<Vec<(usize, String)>, GradientError> {
    let mut rule = Rule {
        node,
        active,
        shapes,
        tape,
    };
    if node.op_type == "Split" {
        return rule.split(of_outputs);
    }
    // All others have one output; nodes without any cotangent are not asked about.
    let Some(Some(g)) = of_outputs.first() else {
        return Ok(Vec::new());
    };
    match node.op_type.as_str() {
        "Add" | "Sub" | "Mul" | "Div" | "Min" => rule.arithmetic(g),
        "Gemm" | "MatMul" => rule.product(g),
        "Conv" | "ConvTranspose" => rule.convolution(g),
        "Concat" => rule.concat(g),
        _ => rule.of_one_input(g),
    }
}

struct Rule<'a> {
    node: &'a NodeProto,
    active: &'a BTreeSet<String>,
    shapes: &'a Shapes,
    tape: &'a mut Tape,
}

impl Rule<'_> {
    fn x(&self, index: usize) -> &str {
        &self.node.input[index]
    }

    fn y(&self) -> &str {
        &self.node.output[0]
    }

    fn is_active(&self, index: usize) -> bool {
        self.active.contains(self.x(index))
    }

    /// The inputs after the first have to be constants.
    fn expect_constants(&self) -> Result<(), GradientError> {
        match (1..self.node.input.len()).any(|index| self.is_active(index)) {
            true => Err(misuse(
                self.node,
                "expected constants after the first input",
            )),
            false => Ok(()),
        }
    }

    /// Operators of two inputs that are broadcast.
    fn arithmetic(&mut self, g: &str) -> Result<Vec<(usize, String)>, GradientError> {
        let (a, b, y) = (
            self.x(0).to_owned(),
            self.x(1).to_owned(),
            self.y().to_owned(),
        );
        let from = self.shapes.get(&y)?;
        let mut parts = Vec::new();
        for index in 0..2 {
            if !self.is_active(index) {
                continue;
            }
            let tape = &mut *self.tape;
            let part = match (self.node.op_type.as_str(), index) {
                ("Add", _) | ("Sub", 0) => g.to_owned(),
                ("Sub", _) => tape.op("Neg", &[g]),
                ("Mul", 0) => tape.op("Mul", &[g, &b]),
                ("Mul", _) => tape.op("Mul", &[g, &a]),
                ("Div", 0) => tape.op("Div", &[g, &b]),
                ("Div", _) => {
                    let share = tape.op("Div", &[&y, &b]);
                    let part = tape.op("Mul", &[g, &share]);
                    tape.op("Neg", &[&part])
                }
                // Min: to where the value is from.
                _ => {
                    let x = if index == 0 { &a } else { &b };
                    self.where_equal(g, x, &y)
                }
            };
            let to = self.shapes.get(&self.node.input[index])?;
            parts.push((index, self.tape.sum_to(part, from, to)));
        }
        Ok(parts)
    }

    /// `g` where two values are the same, 0 elsewhere.
    fn where_equal(&mut self, g: &str, x: &str, y: &str) -> String {
        let same = self.tape.op("Equal", &[x, y]);
        self.masked(g, &same)
    }

    /// `g` where a condition holds, 0 elsewhere.
    fn masked(&mut self, g: &str, condition: &str) -> String {
        let float = vec![tape::int("to", i64::from(data_type::FLOAT))];
        let mask = self.tape.node("Cast", &[condition], float);
        self.tape.op("Mul", &[g, &mask])
    }

    /// By a constant matrix.
    fn product(&mut self, g: &str) -> Result<Vec<(usize, String)>, GradientError> {
        self.expect_constants()?;
        let kernel = self.x(1).to_owned();
        let part = if self.node.op_type == "Gemm" {
            let others = ["alpha", "beta", "transA"];
            if (self.node.attribute.iter()).any(|a| others.contains(&a.name.as_str())) {
                return Err(misuse(self.node, "expected no attribute but transB"));
            }
            let turned = 1 - int(self.node, "transB", 0);
            (self.tape).node("Gemm", &[g, &kernel], vec![tape::int("transB", turned)])
        } else {
            let turned = vec![tape::ints("perm", &[1, 0])];
            let kernel = self.tape.node("Transpose", &[&kernel], turned);
            self.tape.op("MatMul", &[g, &kernel])
        };
        Ok(vec![(0, part)])
    }

    /// A convolution is pulled back by the transposed one with the same kernel, and the other way round.
    fn convolution(&mut self, g: &str) -> Result<Vec<(usize, String)>, GradientError> {
        self.expect_constants()?;
        let kernel = self.x(1).to_owned();
        let window = Window::of(self.node, self.shapes.get(&kernel)?)?;
        let mut attributes: Vec<AttributeProto> = vec![
            tape::ints("kernel_shape", &window.kernel.map(|size| size as i64)),
            tape::ints("strides", &window.strides.map(|size| size as i64)),
        ];
        let pads = ints(self.node, "pads");
        if !pads.is_empty() {
            attributes.push(tape::ints("pads", pads));
        }
        let op = if self.node.op_type == "ConvTranspose" {
            "Conv"
        } else {
            // Rows and columns at the end that no place of the kernel reached.
            let (from, to) = (self.shapes.get(self.y())?, self.shapes.get(self.x(0))?);
            let mut unreached = [0; 2];
            for (axis, rest) in unreached.iter_mut().enumerate() {
                let (Dim::Size(output), Dim::Size(input)) = (from[2 + axis], to[2 + axis]) else {
                    return Err(misuse(self.node, "expected images"));
                };
                let reached = window.before(axis, output).size().unwrap_or(0);
                *rest = input as i64 - reached;
            }
            attributes.push(tape::ints("output_padding", &unreached));
            "ConvTranspose"
        };
        let part = self.tape.node(op, &[g, &kernel], attributes);
        Ok(vec![(0, part)])
    }

    fn concat(&mut self, g: &str) -> Result<Vec<(usize, String)>, GradientError> {
        let axis = int(self.node, "axis", 0);
        let places = 0..self.node.input.len();
        let sizes = places.clone().map(|index| {
            Ok(self.shapes.get(self.x(index))?[axis as usize]
                .size()
                .unwrap_or(0))
        });
        let sizes: Vec<i64> = sizes.collect::<Result<_, GradientError>>()?;
        let lengths = self.tape.integers(&sizes);
        let along = vec![tape::int("axis", axis)];
        let pieces = self.tape.nodes("Split", &[g, &lengths], sizes.len(), along);
        let parts = places.zip(pieces);
        Ok(parts.filter(|(index, _)| self.is_active(*index)).collect())
    }

    fn split(
        &mut self,
        of_outputs: &[Option<String>],
    ) -> Result<Vec<(usize, String)>, GradientError> {
        let mut pieces = Vec::new();
        for (name, g) in self.node.output.iter().zip(of_outputs) {
            pieces.push(match g {
                Some(g) => g.clone(),
                None => {
                    let zero = self.tape.scalar(0.0);
                    self.tape.op("Mul", &[name, &zero])
                }
            });
        }
        let along = vec![tape::int("axis", int(self.node, "axis", 0))];
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        Ok(vec![(0, self.tape.node("Concat", &pieces, along))])
    }

    fn of_one_input(&mut self, g: &str) -> Result<Vec<(usize, String)>, GradientError> {
        self.expect_constants()?;
        let (x, y) = (self.x(0).to_owned(), self.y().to_owned());
        let shape = self.shapes.get(&x)?;
        let part = match self.node.op_type.as_str() {
            // A cast from bytes is one from floats here: see `models`.
            "Identity" | "Cast" => g.to_owned(),
            "Clip" => self.where_equal(g, &x, &y),
            "Relu" => {
                let zero = self.tape.scalar(0.0);
                let positive = self.tape.op("Greater", &[&x, &zero]);
                self.masked(g, &positive)
            }
            "Flatten" | "Reshape" | "Squeeze" => self.tape.reshape(g, shape),
            "Transpose" => {
                let order = ints(self.node, "perm");
                let mut back = vec![0; order.len()];
                for (place, axis) in order.iter().enumerate() {
                    back[*axis as usize] = place as i64;
                }
                let back = vec![tape::ints("perm", &back)];
                self.tape.node("Transpose", &[g], back)
            }
            "ReduceSum" => {
                let axes = self.shapes.integers(self.node, 1)?;
                let column = self.tape.reshape(g, &kept(shape, axes));
                self.tape.expand(&column, shape)
            }
            "Softmax" => {
                let axis = self.tape.integers(&[int(self.node, "axis", -1)]);
                let weighted = self.tape.op("Mul", &[g, &y]);
                let keep = vec![tape::int("keepdims", 1)];
                let mean = self.tape.node("ReduceSum", &[&weighted, &axis], keep);
                let centred = self.tape.op("Sub", &[g, &mean]);
                self.tape.op("Mul", &[&centred, &y])
            }
            _ => {
                let slope = self.slope(&x, &y)?;
                self.tape.op("Mul", &[g, &slope])
            }
        };
        Ok(vec![(0, part)])
    }

    /// `dy/dx` of a function of each element.
    fn slope(&mut self, x: &str, y: &str) -> Result<String, GradientError> {
        let tape = &mut *self.tape;
        let one = tape.scalar(1.0);
        Ok(match self.node.op_type.as_str() {
            "Exp" => y.to_owned(),
            "Softplus" => tape.op("Sigmoid", &[x]),
            "Sigmoid" => {
                let rest = tape.op("Sub", &[&one, y]);
                tape.op("Mul", &[y, &rest])
            }
            "Tanh" => {
                let square = tape.op("Mul", &[y, y]);
                tape.op("Sub", &[&one, &square])
            }
            // exp(x) = y + 1 below 0, 1 above
            "Elu" if self.node.attribute.is_empty() => {
                let zero = tape.scalar(0.0);
                let below = tape.op("Min", &[y, &zero]);
                tape.op("Add", &[&below, &one])
            }
            "Elu" => return Err(misuse(self.node, "expected no attribute")),
            _ => {
                return Err(GradientError::Operator {
                    op: self.node.op_type.clone(),
                    node: self.node.name.clone(),
                });
            }
        })
    }
}
