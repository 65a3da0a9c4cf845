//! Layers as plain arrays. Kernels of dense layers are `[in, out]` and act as `y = x kernel + bias`.

use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, ArrayView3, Axis, NdFloat, s};

/// A dense layer `y = x kernel + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense<A = f32> {
    /// `[in, out]`.
    pub kernel: Array2<A>,
    /// `[out]`.
    pub bias: Array1<A>,
}

impl<A: NdFloat> Dense<A> {
    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.kernel.nrows()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.kernel.ncols()
    }

    /// The layer's outputs `[N, out]` for `x` `[N, in]`.
    pub fn apply(&self, x: ArrayView2<'_, A>) -> Array2<A> {
        x.dot(&self.kernel) + &self.bias
    }

    /// The layers that give the first and the second half of the outputs.
    pub fn halves(&self) -> [Self; 2] {
        let middle = self.outputs() / 2;
        [0..middle, middle..self.outputs()].map(|range| Self {
            kernel: self.kernel.slice(s![.., range.clone()]).to_owned(),
            bias: self.bias.slice(s![range]).to_owned(),
        })
    }
}

impl Dense {
    /// The layer `y = (x - mean) / std`, entry by entry: whitening.
    pub fn whiten(mean: &Array1<f32>, std: &Array1<f32>) -> Self {
        Self {
            kernel: Array2::from_diag(&std.mapv(|s| 1.0 / s)),
            bias: -(mean / std),
        }
    }

    /// The layer `y = x std + mean`, entry by entry: the inverse of [`Dense::whiten`].
    pub fn unwhiten(mean: &Array1<f32>, std: &Array1<f32>) -> Self {
        Self {
            kernel: Array2::from_diag(std),
            bias: mean.clone(),
        }
    }
}

/// A GRU cell, whose reset gate acts after the recurrent product. The three gates lie side by side in the columns:
/// update, reset, candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru<A = f32> {
    /// The product with the cell's input, `[hidden, 3 nd]`.
    pub input: Dense<A>,
    /// The product with the cell's state, `[nd, 3 nd]`.
    pub recurrent: Dense<A>,
}

/// Nonlinearity between the layers of an [`Mlp`]; there is none after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x` if positive, else `exp(x) - 1`.
    Elu,
}

/// Dense layers with a nonlinearity between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp<A = f32> {
    /// The layers, at least one.
    pub layers: Vec<Dense<A>>,
    /// The nonlinearity after every layer but the last.
    pub activation: Activation,
}

impl<A: NdFloat> Mlp<A> {
    /// Numbers of inputs and outputs, or `None` if the layers do not fit together.
    pub fn size(&self) -> Option<(usize, usize)> {
        let fits = self
            .layers
            .windows(2)
            .all(|pair| pair[0].outputs() == pair[1].inputs())
            && self.layers.iter().all(|l| l.bias.len() == l.outputs());
        match (self.layers.first(), self.layers.last()) {
            (Some(first), Some(last)) if fits => Some((first.inputs(), last.outputs())),
            _ => None,
        }
    }

    /// The outputs `[N, out]` for `x` `[N, in]`.
    pub fn apply(&self, x: ArrayView2<'_, A>) -> Array2<A> {
        let mut x = x.to_owned();
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.apply(x.view());
            if index + 1 < self.layers.len() {
                x.mapv_inplace(match self.activation {
                    Activation::Relu => |v: A| v.max(A::zero()),
                    Activation::Elu => elu,
                });
            }
        }
        x
    }
}

/// A convolution on `[N, channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// `[out, in, kernel height, kernel width]`.
    pub kernel: Array4<f32>,
    /// `[out]`.
    pub bias: Array1<f32>,
    /// Stride in both directions.
    pub stride: usize,
    /// Zero padding on all four sides.
    pub padding: usize,
}

impl Conv {
    /// Channels, height and width after the layer; `None` if it does not fit.
    pub fn output(
        &self,
        (channels, height, width): (usize, usize, usize),
    ) -> Option<(usize, usize, usize)> {
        let (out, inputs, kh, kw) = self.kernel.dim();
        if inputs != channels || self.bias.len() != out || self.stride == 0 {
            return None;
        }
        let side = |size: usize, kernel: usize| {
            Some((size + 2 * self.padding).checked_sub(kernel)? / self.stride + 1)
        };
        Some((out, side(height, kh)?, side(width, kw)?))
    }

    /// The layer's output for one image `[channels, height, width]`.
    ///
    /// # Panics
    /// If the image does not fit the layer.
    pub fn apply(&self, x: ArrayView3<'_, f32>) -> Array3<f32> {
        let (_, height, width) = x.dim();
        let shape = self.output(x.dim()).expect("the weights were validated");
        Array3::from_shape_fn(shape, |(out, row, column)| {
            let mut sum = self.bias[out];
            for ((channel, dy, dx), weight) in self.kernel.index_axis(Axis(0), out).indexed_iter() {
                let y = (row * self.stride + dy).checked_sub(self.padding);
                let x_at = (column * self.stride + dx).checked_sub(self.padding);
                if let (Some(y), Some(x_at)) = (y, x_at)
                    && y < height
                    && x_at < width
                {
                    sum += weight * x[[channel, y, x_at]];
                }
            }
            sum
        })
    }
}

/// A transposed convolution without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct TransposedConv {
    /// `[in, out, kernel height, kernel width]`.
    pub kernel: Array4<f32>,
    /// `[out]`.
    pub bias: Array1<f32>,
    /// Stride in both directions.
    pub stride: usize,
}

impl TransposedConv {
    /// Channels, height and width after the layer; `None` if it does not fit.
    pub fn output(
        &self,
        (channels, height, width): (usize, usize, usize),
    ) -> Option<(usize, usize, usize)> {
        let (inputs, out, kh, kw) = self.kernel.dim();
        if inputs != channels || self.bias.len() != out || self.stride == 0 {
            return None;
        }
        let side = |size: usize, kernel: usize| Some((size.checked_sub(1)?) * self.stride + kernel);
        Some((out, side(height, kh)?, side(width, kw)?))
    }

    /// The layer's output for one image `[channels, height, width]`.
    ///
    /// # Panics
    /// If the image does not fit the layer.
    pub fn apply(&self, x: ArrayView3<'_, f32>) -> Array3<f32> {
        let shape = self.output(x.dim()).expect("the weights were validated");
        let mut y = Array3::from_shape_fn(shape, |(out, _, _)| self.bias[out]);
        for ((channel, row, column), &value) in x.indexed_iter() {
            for ((out, dy, dx), weight) in self.kernel.index_axis(Axis(0), channel).indexed_iter() {
                y[[out, row * self.stride + dy, column * self.stride + dx]] += weight * value;
            }
        }
        y
    }
}

/// `x` if positive, else `exp(x) - 1`.
pub(crate) fn elu<A: NdFloat>(x: A) -> A {
    if x > A::zero() { x } else { x.exp_m1() }
}

/// The slope of [`elu`].
pub(crate) fn elu_slope<A: NdFloat>(x: A) -> A {
    if x > A::zero() { A::one() } else { x.exp() }
}

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid<A: NdFloat>(x: A) -> A {
    A::one() / (A::one() + (-x).exp())
}

/// `ln(1 + exp(x))`, finite for every finite x.
pub(crate) fn softplus<A: NdFloat>(x: A) -> A {
    x.max(A::zero()) + (-x.abs()).exp().ln_1p()
}
