//! The Jacobian in its arena.

use core::marker::PhantomData;

use super::factors::{GruSizes, GruWeights, Shape};
use super::work::Work;
use crate::crew::Cut;
use crate::report::{LayoutError, SetupError};
use crate::scalar::Scalar;

/// Products with the Jacobian `[F B] = dmu/d[z, a]` of an RSSM prior step, given its factors.
///
/// The kernels are packed into the arena `A` at construction.
#[derive(Debug)]
pub struct GruJacobian<S, A> {
    pub(super) sizes: GruSizes,
    pub(super) shape: Shape,
    pub(super) arena: A,
    kind: PhantomData<fn() -> S>,
}

impl<S: Scalar, A: AsRef<[S]> + AsMut<[S]>> GruJacobian<S, A> {
    /// Number of elements of the arena, for `plans` plans of which each has at most `horizon` rows multiplied at once (its steps, and
    /// the rows of a goal), and stages in `parts` parts.
    #[must_use]
    pub fn len(sizes: &GruSizes, plans: usize, horizon: usize, parts: usize) -> usize {
        Work::<S>::len(
            sizes,
            &Shape {
                plans,
                horizon,
                parts,
            },
        )
    }

    /// Number of bytes of the arena.
    #[must_use]
    pub fn bytes(sizes: &GruSizes, plans: usize, horizon: usize, parts: usize) -> usize {
        Self::len(sizes, plans, horizon, parts) * size_of::<S>()
    }

    /// Packs the kernels into `arena`, for sizes as of [`GruJacobian::len`].
    ///
    /// # Errors
    /// A size is 0, a kernel has the wrong length, or the arena is too short.
    pub fn new_in(
        sizes: GruSizes,
        weights: &GruWeights<'_, S>,
        plans: usize,
        horizon: usize,
        parts: usize,
        mut arena: A,
    ) -> Result<Self, SetupError> {
        if !sizes.is_valid() || horizon == 0 || plans == 0 {
            return Err(SetupError::Dims(sizes.dims(horizon)));
        }
        weights.check(&sizes)?;
        let shape = Shape {
            plans,
            horizon,
            parts: Cut::even(sizes.deter, parts).parts(),
        };
        let needed = Work::<S>::len(&sizes, &shape);
        LayoutError::at_least("Jacobian arena", needed, arena.as_ref().len())?;
        arena.as_mut().fill(S::ZERO);
        Work::split(&sizes, &shape, arena.as_mut()).pack(&sizes, weights);
        Ok(Self {
            sizes,
            shape,
            arena,
            kind: PhantomData,
        })
    }

    /// The sizes of the prior step.
    pub fn sizes(&self) -> &GruSizes {
        &self.sizes
    }

    /// How the columns of a state are cut: the first part has the stochastic ones as well.
    #[must_use]
    pub fn cut(&self) -> Cut {
        Cut::even(self.sizes.deter, self.shape.parts).after(self.sizes.stoch)
    }
}
