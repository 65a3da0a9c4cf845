//! Execution providers: where the graphs are computed.

use std::fmt;
use std::str::FromStr;

use ort::ep;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use serde::{Deserialize, Serialize};

/// Where the graphs are computed. There is no silent fallback: a provider that is not available is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The CPU, one thread per session.
    #[default]
    Cpu,
    /// NVIDIA CUDA; needs a GPU build of the library.
    Cuda,
    /// NVIDIA TensorRT; needs a GPU build of the library.
    TensorRt,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        })
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "tensorrt" => Ok(Self::TensorRt),
            _ => Err(format!(
                "unknown provider {text:?}, expected cpu, cuda or tensorrt"
            )),
        }
    }
}

impl Provider {
    /// Applies the provider and the options that every session has: one thread that does not spin, all optimisations.
    pub(crate) fn configure(self, builder: SessionBuilder) -> Result<SessionBuilder, String> {
        // The CPU provider is not registered by name: that would switch its arena off.
        let text = |e: ort::Error<SessionBuilder>| e.to_string();
        let builder = builder
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
            .map_err(text)?;
        let device = match self {
            Self::Cpu => return Ok(builder),
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().with_fp16(false).build(),
        };
        builder
            .with_disable_cpu_fallback()
            .map_err(text)?
            .with_execution_providers([device.error_on_failure()])
            .map_err(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Provider;

    #[test]
    fn names_go_both_ways() {
        for provider in [Provider::Cpu, Provider::Cuda, Provider::TensorRt] {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert_eq!(
            "gpu".parse::<Provider>(),
            Err("unknown provider \"gpu\", expected cpu, cuda or tensorrt".to_owned())
        );
    }
}
