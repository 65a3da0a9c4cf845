//! Where tensors are computed: on the CPU by burn's `flex`, or on a GPU of any maker by burn's `wgpu` (Vulkan), if the
//! program was built with the feature of that name.

use burn::tensor::{Device, Tensor};
use thiserror::Error;

/// A place to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// All cores of the processor, with this program's own operations: every run gives the same numbers.
    Cpu,
    /// The fastest device that has a driver for Vulkan, with burn's operations: sums are taken in another order than on
    /// the processor, so that results differ in the last digits.
    Wgpu,
}

/// Why a backend cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The program was built without it.
    #[error(
        "--backend wgpu: expected a program built with the feature wgpu, found one without; build with `cargo build --release -p latco-trainer --features wgpu` (docs/training.md), or take --backend cpu"
    )]
    NotBuilt,
    /// There is no device that can be used, and the reason why.
    #[error(
        "--backend wgpu: expected a GPU with a driver for Vulkan, found none that can be used ({0}); `vulkaninfo --summary` lists them, or take --backend cpu"
    )]
    NoGpu(String),
}

impl Backend {
    /// The device of this backend.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn device(self) -> Result<Device, BackendError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::Wgpu => gpu(),
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

#[cfg(feature = "wgpu")]
fn gpu() -> Result<Device, BackendError> {
    use burn::tensor::wgpu::WgpuBackend;
    let found = Device::wgpu_options().graphics_api(WgpuBackend::Vulkan);
    (found.init()).map_err(|error| BackendError::NoGpu(error.to_string()))
}

#[cfg(not(feature = "wgpu"))]
fn gpu() -> Result<Device, BackendError> {
    Err(BackendError::NotBuilt)
}
