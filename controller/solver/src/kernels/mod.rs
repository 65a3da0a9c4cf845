//! Small matrix products and factorisations, row-major, no allocation.

pub(crate) mod cholesky;
pub(crate) mod gram;
pub(crate) mod lanes;
pub(crate) mod packed;
pub(crate) mod vector;
pub(crate) mod wide;
