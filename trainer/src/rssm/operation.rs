//! What burn's automatic differentiation asks of an operation with a hand-written gradient.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, BackendTypes, Flex, TensorMetadata};
use burn::tensor::{Tensor, TensorData};

use super::device::is_flex;

pub(super) type Raw = <Flex as BackendTypes>::FloatTensorPrimitive;
type Tracked = Autodiff<Flex, NoCheckpointing>;

/// An operation on N matrices on the CPU.
pub(super) trait Operation<const N: usize>: Clone + Debug + Send + 'static {
    /// What the gradient is computed from.
    type Kept: Clone + Debug + Send + 'static;

    /// The result, and what its gradient is computed from.
    fn forward(&self, operands: [Raw; N]) -> (Raw, Self::Kept);

    /// The gradients by the operands that are wanted, from the contiguous gradient by the result.
    fn backward(&self, kept: Self::Kept, gradient: Raw, wanted: [bool; N]) -> [Option<Raw>; N];

    /// The result composed of burn's own operations, for other devices.
    fn composed(&self, operands: [Tensor<2>; N]) -> Tensor<2>;
}

#[derive(Clone, Debug)]
struct Node<O>(O);

impl<const N: usize, O: Operation<N>> Backward<Flex, N> for Node<O> {
    type State = O::Kept;

    fn backward(self, ops: Ops<O::Kept, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(ops.state, gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// The result of an operation, with its gradient where one of the operands has one.
pub(super) fn apply<const N: usize>(
    operation: impl Operation<N>,
    operands: [Tensor<2>; N],
) -> Tensor<2> {
    if !is_flex(&operands[0]) {
        return operation.composed(operands);
    }
    if !operands.iter().any(Tensor::is_autodiff) {
        let raw = operands.map(|operand| {
            (operand.try_into_primitive::<Flex>())
                .expect("fused operations are used on the CPU, which is the flex backend")
        });
        return Tensor::from_primitive::<Flex>(operation.forward(raw).0);
    }
    let operands = operands.map(|operand| {
        (operand.autodiff().try_into_primitive::<Tracked>())
            .expect("fused operations are used on the flex backend without gradient checkpointing")
    });
    let nodes = operands.each_ref().map(|operand| operand.node());
    let (result, kept) = operation.forward(operands.map(|operand| operand.into_primitive()));
    let prepared = Node(operation)
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    Tensor::from_primitive::<Tracked>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(kept, result),
        OpsKind::UnTracked(prepared) => prepared.finish(result),
    })
}

/// The values of a contiguous matrix, row-major.
pub(super) fn slice(t: &Raw) -> &[f32] {
    t.as_slice()
        .expect("operands are made contiguous f32 before they are read")
}

/// Mutable values of a contiguous matrix; copied first if it is shared or part of a larger one.
pub(super) fn owned(t: &mut Raw) -> &mut [f32] {
    if !t.is_unique() || t.storage::<f32>().len() != t.shape().num_elements() {
        let shape = t.shape();
        let data = slice(t).to_vec();
        *t = Raw::from_data(TensorData::new(data, shape));
    }
    t.storage_mut()
}

/// Rows and columns.
pub(super) fn dims(t: &Raw) -> [usize; 2] {
    let shape = t.shape();
    [shape[0], shape[1]]
}

/// The matrix of these values, row-major.
pub(super) fn from_vec(data: Vec<f32>, shape: [usize; 2]) -> Raw {
    Raw::from_data(TensorData::new(data, shape))
}
