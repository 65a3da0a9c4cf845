//! Where tensors are computed: on the CPU (burn's `flex`), or on a CUDA GPU if the program was built
//! with the feature `cuda`.

use std::sync::{PoisonError, RwLock};

use burn::tensor::Device;
use thiserror::Error;

/// A place to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// All cores of the processor; the same numbers in every run.
    Cpu,
    /// The first NVIDIA GPU; sums in any order, so that two runs differ in the last digits.
    Cuda,
}

/// Why a backend cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The program has no code for it.
    #[error(
        "backend cuda: expected a program built with it, found one for the CPU alone; build with `cargo build --release -p latco-trainer --features cuda`, or take --backend cpu"
    )]
    NotBuilt,
    /// There is no GPU.
    #[error(
        "backend cuda: expected an NVIDIA GPU and its driver (libcuda), found none; take --backend cpu"
    )]
    NoGpu,
}

/// The GPU in use; none for the CPU.
static GPU: RwLock<Option<Device>> = RwLock::new(None);

/// Has all tensors made from now on by [`super::params`] computed there.
///
/// # Errors
/// See [`BackendError`]; then nothing changes.
pub fn choose(backend: Backend) -> Result<(), BackendError> {
    let gpu = match backend {
        Backend::Cpu => None,
        Backend::Cuda => Some(first_gpu()?),
    };
    *GPU.write().unwrap_or_else(PoisonError::into_inner) = gpu;
    Ok(())
}

/// The chosen device.
pub fn device() -> Device {
    let gpu = GPU.read().unwrap_or_else(PoisonError::into_inner);
    gpu.clone().unwrap_or_else(Device::flex)
}

/// Whether the fused operations of the CPU can be used.
pub(super) fn is_cpu() -> bool {
    let gpu = GPU.read().unwrap_or_else(PoisonError::into_inner);
    gpu.is_none()
}

#[cfg(feature = "cuda")]
fn first_gpu() -> Result<Device, BackendError> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda);
    found.into_iter().next().ok_or(BackendError::NoGpu)
}

#[cfg(not(feature = "cuda"))]
fn first_gpu() -> Result<Device, BackendError> {
    Err(BackendError::NotBuilt)
}
