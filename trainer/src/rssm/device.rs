//! Where tensors are computed: on the CPU by burn's `flex`, or by LibTorch on the CPU or a CUDA GPU if
//! the program was built with the feature `libtorch`.

use std::sync::{PoisonError, RwLock};

use burn::tensor::Device;
use thiserror::Error;

/// A place to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// All cores of the processor, with this program's own operations; the same numbers in every run.
    Cpu,
    /// All cores of the processor, with LibTorch's operations.
    LibTorch,
    /// The first NVIDIA GPU, with LibTorch's operations; sums in any order, so that two runs differ in
    /// the last digits.
    Cuda,
}

/// Why a backend cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The program has no code for it.
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

/// The device of LibTorch in use; none for burn's `flex`.
static LIBTORCH: RwLock<Option<Device>> = RwLock::new(None);

/// Has all tensors made from now on by [`super::params`] computed there.
///
/// # Errors
/// See [`BackendError`]; then nothing changes.
pub fn choose(backend: Backend) -> Result<(), BackendError> {
    let device = match backend {
        Backend::Cpu => None,
        Backend::LibTorch => Some(libtorch()?),
        Backend::Cuda => Some(first_gpu()?),
    };
    *LIBTORCH.write().unwrap_or_else(PoisonError::into_inner) = device;
    Ok(())
}

/// The chosen device.
pub fn device() -> Device {
    let chosen = LIBTORCH.read().unwrap_or_else(PoisonError::into_inner);
    chosen.clone().unwrap_or_else(Device::flex)
}

/// Whether the fused operations, which are written for burn's `flex`, can be used.
pub(super) fn is_flex() -> bool {
    let chosen = LIBTORCH.read().unwrap_or_else(PoisonError::into_inner);
    chosen.is_none()
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
