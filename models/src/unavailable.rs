//! The reasons why a GPU provider cannot be had, in words that say what is missing and what to install.

use std::path::Path;

use crate::error::BundleError;
use crate::provider::Provider;

/// Text that the library puts in front of its own words.
const CODE: &str = " : FAIL : ";
/// Text that the library has for a provider that it was built without.
const NOT_BUILT: &str = "is not enabled in this build";
/// Text that the system's loader has for a library that it does not find.
const NOT_FOUND: &str = ": cannot open shared object file";
/// Text that CUDA's functions report, followed by a number and a reason.
const CUDA_FAILURE: &str = "CUDA failure ";

/// Makes the error from what ONNX Runtime, loaded from `library`, said when `provider` was asked for.
pub(crate) fn error(provider: Provider, library: &Path, said: &str) -> BundleError {
    let said = said
        .rsplit_once(CODE)
        .map_or(said, |(_, words)| words)
        .trim();
    let library = library.display();
    let part = part(provider);
    let stack = stack(provider);
    let (missing, reason, advice) = if said.contains(NOT_BUILT) {
        (
            Some(part.to_owned()),
            format!("{library} is a build of ONNX Runtime without it ({said}), {part} is missing"),
            format!(
                "run `make onnxruntime-gpu` and set ORT_DYLIB_PATH=.cache/onnxruntime/gpu/libonnxruntime.so, or set it \
                 to another GPU build of version 1.22 or newer (the Python wheel onnxruntime-gpu holds one) with {part} \
                 beside it; {stack}"
            ),
        )
    } else if let Some(missing) = not_found(said) {
        if missing == part {
            (
                Some(missing.to_owned()),
                format!("{part} is missing beside {library}"),
                format!(
                    "keep all libraries of the GPU build in one folder, as `make onnxruntime-gpu` does; {stack}"
                ),
            )
        } else {
            let package = package(missing);
            (
                Some(missing.to_owned()),
                format!("{missing} is missing, which {part} needs ({package})"),
                format!("install {package} and put its folder on LD_LIBRARY_PATH; {stack}"),
            )
        }
    } else if let Some((_, failure)) = said.rsplit_once(CUDA_FAILURE) {
        let failure = failure.split(" ; ").next().unwrap_or(failure).trim();
        (
            None,
            format!("CUDA reports failure {failure}"),
            format!(
                "see whether `nvidia-smi` shows a GPU, with a driver that is new enough for this CUDA; {stack}"
            ),
        )
    } else {
        (None, said.to_owned(), stack.to_owned())
    };
    BundleError::Unavailable {
        provider,
        missing,
        reason,
        advice: format!("{advice}; see docs/providers.md"),
    }
}

/// Whether what was said when a session was made is about the machine and not about the graph.
pub(crate) fn is_of_the_device(said: &str) -> bool {
    said.contains(CUDA_FAILURE) || said.contains(NOT_FOUND)
}

/// The part of ONNX Runtime that holds the provider.
fn part(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "libonnxruntime.so",
        Provider::Cuda => "libonnxruntime_providers_cuda.so",
        Provider::TensorRt => "libonnxruntime_providers_tensorrt.so",
    }
}

/// The software that the provider needs beside that part.
fn stack(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "the CPU provider needs nothing else",
        Provider::Cuda => {
            "ONNX Runtime 1.31 needs an NVIDIA driver, CUDA 13 and cuDNN 9 (other versions need others)"
        }
        Provider::TensorRt => {
            "ONNX Runtime 1.31 needs an NVIDIA driver, CUDA 13, cuDNN 9 and TensorRT 10 (other versions need others)"
        }
    }
}

/// File name of the library that the loader did not find.
fn not_found(said: &str) -> Option<&str> {
    let (before, _) = said.split_once(NOT_FOUND)?;
    let path = before.rsplit_once(": ").map_or(before, |(_, path)| path);
    Path::new(path).file_name()?.to_str()
}

/// The package to install for a library of NVIDIA's.
fn package(library: &str) -> String {
    let (name, version) = library.split_once(".so").unwrap_or((library, ""));
    let major = version.trim_start_matches('.').split('.').next();
    let with_major = |what: &str| match major {
        Some(major) if !major.is_empty() => format!("{what} {major}"),
        _ => what.to_owned(),
    };
    match name {
        "libcuda" | "libnvidia-ml" => "the NVIDIA driver".to_owned(),
        // These carry the number of CUDA itself, the others their own.
        "libcudart" | "libcublas" | "libcublasLt" | "libnvrtc" => with_major("CUDA"),
        "libcurand" | "libcufft" | "libcusparse" | "libcusolver" | "libnvJitLink" => {
            "CUDA".to_owned()
        }
        _ if name.starts_with("libcudnn") => with_major("cuDNN"),
        _ if name.starts_with("libnvinfer") || name.starts_with("libnvonnxparser") => {
            with_major("TensorRT")
        }
        _ => format!("the package that has {library}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "/opt/ort/libonnxruntime.so";

    fn said(provider: Provider, words: &str) -> (Option<String>, String) {
        let error = error(provider, Path::new(LIBRARY), words);
        let text = error.to_string();
        match error {
            BundleError::Unavailable { missing, .. } => (missing, text),
            other => panic!("{other}"),
        }
    }

    /// The words in these tests are those of ONNX Runtime 1.31.1, on machines without what is missing.
    fn loader(part: &str, words: &str) -> String {
        format!(
            "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& \
             onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library \
             /opt/ort/{part} with error: {words}\n"
        )
    }

    #[test]
    fn a_cpu_build_names_the_gpu_build() {
        let (missing, text) = said(
            Provider::Cuda,
            "CUDA execution provider is not enabled in this build. ",
        );
        assert_eq!(missing.as_deref(), Some("libonnxruntime_providers_cuda.so"));
        assert_eq!(
            text,
            "provider cuda is not available: /opt/ort/libonnxruntime.so is a build of ONNX Runtime without it (CUDA \
             execution provider is not enabled in this build.), libonnxruntime_providers_cuda.so is missing; run `make \
             onnxruntime-gpu` and set ORT_DYLIB_PATH=.cache/onnxruntime/gpu/libonnxruntime.so, or set it to another \
             GPU build of version 1.22 or newer (the Python wheel onnxruntime-gpu holds one) with \
             libonnxruntime_providers_cuda.so beside it; ONNX Runtime 1.31 needs an NVIDIA driver, CUDA 13 and cuDNN 9 \
             (other versions need others); see docs/providers.md"
        );
        let (missing, text) = said(
            Provider::TensorRt,
            "TensorRT execution provider is not enabled in this build. ",
        );
        assert_eq!(
            missing.as_deref(),
            Some("libonnxruntime_providers_tensorrt.so")
        );
        assert!(text.contains("cuDNN 9 and TensorRT 10"), "{text}");
    }

    #[test]
    fn a_library_that_the_loader_misses_is_named_with_its_package() {
        let open = "cannot open shared object file: No such file or directory";
        for (provider, part, library, package) in [
            (
                Provider::Cuda,
                "libonnxruntime_providers_cuda.so",
                "libcublasLt.so.13",
                "install CUDA 13 and",
            ),
            (
                Provider::Cuda,
                "libonnxruntime_providers_cuda.so",
                "libcurand.so.10",
                "install CUDA and",
            ),
            (
                Provider::Cuda,
                "libonnxruntime_providers_cuda.so",
                "libcuda.so.1",
                "install the NVIDIA driver and",
            ),
            (
                Provider::TensorRt,
                "libonnxruntime_providers_tensorrt.so",
                "libcudnn.so.9",
                "install cuDNN 9 and",
            ),
            (
                Provider::TensorRt,
                "libonnxruntime_providers_tensorrt.so",
                "libnvinfer.so.10",
                "install TensorRT 10 and",
            ),
            (
                Provider::TensorRt,
                "libonnxruntime_providers_tensorrt.so",
                "libother.so.1",
                "install the package that has libother.so.1 and",
            ),
        ] {
            let (missing, text) = said(provider, &loader(part, &format!("{library}: {open}")));
            assert_eq!(missing.as_deref(), Some(library));
            assert!(
                text.starts_with(&format!(
                    "provider {provider} is not available: {library} is missing, which {part} needs ("
                )) && text.contains(package)
                    && text.contains("LD_LIBRARY_PATH"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_part_of_the_gpu_build_that_is_not_beside_the_library() {
        let part = "libonnxruntime_providers_cuda.so";
        let words =
            format!("/opt/ort/{part}: cannot open shared object file: No such file or directory");
        let (missing, text) = said(Provider::Cuda, &loader(part, &words));
        assert_eq!(missing.as_deref(), Some(part));
        assert!(
            text.contains("is missing beside /opt/ort/libonnxruntime.so; keep all libraries"),
            "{text}"
        );
    }

    #[test]
    fn what_cuda_reports_is_passed_on() {
        let words = "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 void \
             onnxruntime::CudaCall(...) CUDA failure 36: API call is not supported in the installed CUDA driver ; \
             GPU=-1 ; hostname=vm ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; \
             line=355 ; expr=cudaSetDevice(info_.device_id); ";
        assert!(is_of_the_device(words));
        assert!(!is_of_the_device("Node (Conv_3) has no kernel"));
        let (missing, text) = said(Provider::Cuda, words);
        assert_eq!(missing, None);
        assert!(
            text.starts_with(
                "provider cuda is not available: CUDA reports failure 36: API call is not supported in the installed \
                 CUDA driver; see whether `nvidia-smi` shows a GPU"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_reason_of_the_library_is_passed_on() {
        let (missing, text) = said(
            Provider::Cuda,
            &loader("x", "undefined symbol: cuTensorMapEncodeTiled"),
        );
        assert_eq!(missing, None);
        assert!(
            text.contains("undefined symbol: cuTensorMapEncodeTiled; ONNX Runtime 1.31 needs"),
            "{text}"
        );
    }
}
