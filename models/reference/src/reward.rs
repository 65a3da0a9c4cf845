//! The reward head with its gradient.

use ndarray::{Array1, Array2, ArrayView2, Axis, NdFloat};

use crate::layers::{Mlp, elu, elu_slope};
use crate::weights::Penalty;

/// Rewards `[T]` and gradients `[T, n]` of a head of ELU layers for `state` `[T, n]`.
pub fn head<A: NdFloat>(head: &Mlp<A>, state: ArrayView2<'_, A>) -> (Array1<A>, Array2<A>) {
    let (output, slopes) = forward(head, state);
    let gradient = backward(head, &slopes, Array2::ones((state.nrows(), 1)));
    (output.column(0).to_owned(), gradient)
}

/// Rewards `[T]` and gradients `[T, n]` for `state` `[T, n]`, the penalty taken off.
pub fn penalised(
    reward: &Mlp,
    penalty: Option<&Penalty>,
    state: ArrayView2<'_, f32>,
) -> (Array1<f32>, Array2<f32>) {
    let (mut value, mut gradient) = head(reward, state);
    if let Some(penalty) = penalty {
        let (deviations, slopes) = forward(&penalty.deviations, state);
        let x = deviations.mapv(|d| d * d).sum_axis(Axis(1));
        let near = x.mapv(|x| 1.0 / (1.0 + x * x));
        value -= &near.mapv(|near| penalty.weight * (1.0 - near));
        // The derivative of 1 - near by a deviation d is 2 x near^2 times 2 d.
        let factor = (&x * &near * &near).mapv(|x| 4.0 * penalty.weight * x);
        let by_deviation = deviations * &factor.insert_axis(Axis(1));
        gradient -= &backward(&penalty.deviations, &slopes, by_deviation);
    }
    (value, gradient)
}

/// Outputs of ELU layers and the slopes between them.
fn forward<A: NdFloat>(mlp: &Mlp<A>, state: ArrayView2<'_, A>) -> (Array2<A>, Vec<Array2<A>>) {
    let mut x = state.to_owned();
    let mut slopes = Vec::new();
    for (index, layer) in mlp.layers.iter().enumerate() {
        x = layer.apply(x.view());
        if index + 1 < mlp.layers.len() {
            slopes.push(x.mapv(elu_slope));
            x.mapv_inplace(elu);
        }
    }
    (x, slopes)
}

/// The derivative by the inputs of ELU layers, from the derivative by their outputs.
fn backward<A: NdFloat>(mlp: &Mlp<A>, slopes: &[Array2<A>], by_output: Array2<A>) -> Array2<A> {
    let mut gradient = by_output;
    for (index, layer) in mlp.layers.iter().enumerate().rev() {
        gradient = gradient.dot(&layer.kernel.t());
        if index > 0 {
            gradient *= &slopes[index - 1];
        }
    }
    gradient
}
