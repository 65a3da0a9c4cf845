//! The activations that follow a dense layer.

/// Activation that follows a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// y = x
    Linear,
    /// y = x if x > 0 else exp(x) - 1
    Elu,
    /// y = max(x, 0)
    Relu,
}
