//! Sixteen numbers at once, on whatever vector registers the processor has.
//!
//! A kernel is a [`Task`], written once over [`Wide`]; [`Dispatch::dispatch`] runs the copy of it
//! that was compiled for the widest registers found at run time: AVX-512, AVX2 with FMA, NEON, or
//! what the target always has. Every lane is one column of a product and is summed in the same
//! order everywhere, so all paths with fused multiply-add give the same bits. [`limit_instructions`]
//! takes a narrower path than the widest.

use core::sync::atomic::{AtomicU8, Ordering};

/// Number of elements of a [`Wide`]; padded rows are a multiple of it.
pub(crate) const LANES: usize = 16;

/// The length `len` rounded up to whole [`Wide`]s.
pub(crate) const fn padded(len: usize) -> usize {
    len.next_multiple_of(LANES)
}

/// A vector of [`LANES`] numbers. Only [`Dispatch::dispatch`] may name an implementation: its methods use
/// instructions that the processor must have.
pub(crate) trait Wide<S>: Copy {
    /// Number of rows of a product whose sums fit into the registers with four panels side by side.
    const ROWS_OF_4: usize;
    /// Number of rows of a product whose sums fit into the registers with two panels side by side.
    const ROWS_OF_2: usize;
    /// Number of rows of a product whose sums fit into the registers with one panel.
    const ROWS_OF_1: usize;
    fn zero() -> Self;
    fn load(from: &[S; LANES]) -> Self;
    fn store(self, to: &mut [S; LANES]);
    fn splat(value: S) -> Self;
    /// Computes `self * factor + sum`.
    fn multiply_add(self, factor: Self, sum: Self) -> Self;
    fn add(self, other: Self) -> Self;
    /// The sum of the numbers.
    #[inline(always)]
    fn sum(self) -> S
    where
        S: Copy + Default + core::ops::AddAssign,
    {
        let mut values = [S::default(); LANES];
        self.store(&mut values);
        fold(values)
    }
    /// Replaces numbers smaller than [`crate::Scalar::NEGLIGIBLE`] by 0.
    fn flush(self) -> Self;
}

/// A kernel over any [`Wide`]. Its `run` has to be `#[inline(always)]`, with everything that it calls.
pub(crate) trait Task<S> {
    type Output;
    fn run<W: Wide<S>>(self) -> Self::Output;
}

/// Sets of vector instructions on x86-64, the widest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Instructions {
    /// SSE2, which every such processor has.
    Sse2,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512 (F).
    Avx512,
}

/// The widest set of instructions that may be used, as an [`Instructions`].
pub(super) static WIDEST: AtomicU8 = AtomicU8::new(Instructions::Avx512 as u8);

/// Limits the whole process to instructions no wider than these from now on, for measurements and for
/// processors that slow down under wide ones. It has no effect on architectures other than x86-64.
pub fn limit_instructions(widest: Instructions) {
    WIDEST.store(widest as u8, Ordering::Relaxed);
}

/// A scalar whose kernels run on the widest registers there are.
pub trait Dispatch: Sized {
    /// Name of the instructions in use.
    fn instructions() -> &'static str;
    #[doc(hidden)]
    #[expect(private_bounds, private_interfaces)]
    fn dispatch<T: Task<Self>>(task: T) -> T::Output;
}

/// The sum of sixteen numbers, halves first: the same order on every path.
#[inline(always)]
fn fold<S: Copy + core::ops::AddAssign>(mut values: [S; LANES]) -> S {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            let upper = values[i + width];
            values[i] += upper;
        }
        width /= 2;
    }
    values[0]
}
