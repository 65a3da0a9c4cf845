//! Where tensors are computed: on the CPU by burn's `flex`, or by LibTorch on the CPU or a CUDA GPU if
//! the program was built with the feature `libtorch`.

use burn::tensor::{Device, Tensor};
use thiserror::Error;

/// A place to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// All cores of the processor, with this program's own operations: every run gives the same numbers.
    Cpu,
    /// All cores of the processor, with LibTorch's operations.
    LibTorch,
    /// The first NVIDIA GPU, with LibTorch's operations: sums are taken in any order, so that two runs differ in
    /// the last digits.
    Cuda,
}

/// Why a backend cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The program was built without it.
    #[error(
        "--backend: expected a program built with LibTorch, found one without; build with `cargo build --release -p latco-trainer --features libtorch` (docs/training.md), or take --backend cpu"
    )]
    NotBuilt,
    /// There is no GPU.
    #[error(
        "--backend cuda: expected a LibTorch with CUDA, an NVIDIA GPU and its driver, found no device; take --backend libtorch or cpu"
    )]
    NoGpu,
}

impl Backend {
    /// The device of this backend.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn device(self) -> Result<Device, BackendError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::LibTorch => libtorch(),
            Self::Cuda => first_gpu(),
        }
    }
}

/// The processor.
pub fn cpu() -> Device {
    Device::flex()
}

/// Whether the fused operations, which are written for burn's `flex`, can be used with a tensor.
pub(super) fn is_flex<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.device() == cpu()
}

// Deprecated in favour of burn's own CUDA backend, which cannot be built from the registries alone.
#[cfg(feature = "libtorch")]
#[allow(deprecated)]
fn libtorch() -> Result<Device, BackendError> {
    Ok(Device::libtorch())
}

#[cfg(feature = "libtorch")]
#[allow(deprecated)]
fn first_gpu() -> Result<Device, BackendError> {
    if tch::Cuda::device_count() > 0 {
        Ok(Device::libtorch_cuda(0))
    } else {
        Err(BackendError::NoGpu)
    }
}

#[cfg(not(feature = "libtorch"))]
fn libtorch() -> Result<Device, BackendError> {
    Err(BackendError::NotBuilt)
}

#[cfg(not(feature = "libtorch"))]
fn first_gpu() -> Result<Device, BackendError> {
    Err(BackendError::NotBuilt)
}
