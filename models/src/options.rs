//! Options of ONNX Runtime's sessions, by provider.

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::engine_cache::EngineCache;
use crate::provider::Provider;

/// A provider as sessions of one bundle use it.
#[derive(Clone, Debug)]
pub(crate) enum Execution {
    /// Sessions run on the CPU.
    Cpu,
    /// Sessions run on the GPU through CUDA.
    Cuda,
    /// Sessions run on the GPU through TensorRT, with its engines kept.
    TensorRt(EngineCache),
}

impl Execution {
    /// The provider.
    pub(crate) fn provider(&self) -> Provider {
        match self {
            Self::Cpu => Provider::Cpu,
            Self::Cuda => Provider::Cuda,
            Self::TensorRt(_) => Provider::TensorRt,
        }
    }

    /// Number of runs of a new session before it is used. The first one allocates; on a GPU it also chooses
    /// the kernels, and a few more let the clocks come up.
    pub(crate) fn warm_up_runs(&self) -> usize {
        if self.provider().is_gpu() { 5 } else { 1 }
    }

    /// Applies the options that every session has, one thread that does not spin and all optimisations, and the
    /// provider. `engines` is what the names of TensorRT's engines begin with.
    pub(crate) fn configure(
        &self,
        builder: SessionBuilder,
        engines: &str,
    ) -> Result<SessionBuilder, String> {
        let builder = common(builder)?;
        match self {
            // The CPU provider is not registered by name: that would switch its arena off.
            Self::Cpu => Ok(builder),
            Self::Cuda => on_gpu(builder, cuda().build()),
            Self::TensorRt(cache) => {
                let folder = cache.folder().to_string_lossy();
                let device = tensorrt()
                    .with_engine_cache(true)
                    .with_engine_cache_path(&folder)
                    .with_engine_cache_prefix(engines)
                    .with_timing_cache(true)
                    .with_timing_cache_path(&folder);
                on_gpu(builder, device.build())
            }
        }
    }
}

/// Registers `provider` with no graph, which loads its libraries; the error is the library's reason if it
/// cannot be used.
pub(crate) fn probe(provider: Provider, builder: SessionBuilder) -> Result<(), String> {
    let device = match provider {
        Provider::Cpu => return Ok(()),
        Provider::Cuda => cuda().build(),
        Provider::TensorRt => tensorrt().build(),
    };
    on_gpu(builder, device).map(|_| ())
}

fn common(builder: SessionBuilder) -> Result<SessionBuilder, String> {
    builder
        .with_log_level(ort::logging::LogLevel::Error)
        .map_err(text)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(text)?
        .with_intra_threads(1)
        .map_err(text)?
        .with_inter_threads(1)
        .map_err(text)?
        .with_intra_op_spinning(false)
        .map_err(text)?
        .with_inter_op_spinning(false)
        .map_err(text)
}

/// Requires that the device computes the graph as a whole: nothing runs on the CPU in silence.
fn on_gpu(
    builder: SessionBuilder,
    device: ep::ExecutionProviderDispatch,
) -> Result<SessionBuilder, String> {
    builder
        .with_disable_cpu_fallback()
        .map_err(text)?
        .with_execution_providers([device.error_on_failure()])
        .map_err(text)
}

/// CUDA's options: full f32 (TF32 has 10 bits of mantissa and fails the golden vectors), memory as needed,
/// one stream for all that a session does. There is no CUDA graph: it needs buffers on the device.
fn cuda() -> ep::CUDA {
    ep::CUDA::default()
        .with_tf32(false)
        .with_cuda_graph(false)
        .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
        .with_arbitrary_config("use_ep_level_unified_stream", "1")
}

/// TensorRT's options: no half precision, since the solver needs the Jacobian's digits. TensorRT has no
/// option against TF32, only the environment variable `NVIDIA_TF32_OVERRIDE=0`.
fn tensorrt() -> ep::TensorRT {
    ep::TensorRT::default().with_fp16(false)
}

fn text(error: ort::Error<SessionBuilder>) -> String {
    error.to_string()
}
