//! Lists of providers, and what is said where there is no GPU or no library for it.
#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use latco_models::{Bundle, BundleError, LoadOptions, Provider, report};
use support::Fixture;

fn load(fixture: &Fixture, list: &str) -> Result<Bundle, BundleError> {
    let options = LoadOptions {
        providers: list.parse().unwrap(),
        engine_cache: Some(fixture.path("engines")),
        ..LoadOptions::default()
    };
    Bundle::load(fixture.dir(), &options)
}

/// The library in use is the CPU build, of which the tests below know what to expect.
fn assert_cpu_build(fixture: &Fixture) {
    match load(fixture, "cuda") {
        Err(BundleError::Unavailable { reason, .. }) if reason.contains("is a build of ONNX") => {}
        other => {
            panic!("expected the CPU build of ONNX Runtime, run `make onnxruntime`: {other:?}")
        }
    }
}

#[test]
fn a_list_of_one_fails_with_the_missing_library_and_what_to_install() {
    let fixture = Fixture::keypoint();
    assert_cpu_build(&fixture);
    for (list, part, stack) in [
        (
            "cuda",
            "libonnxruntime_providers_cuda.so",
            "CUDA 13 and cuDNN 9",
        ),
        (
            "tensorrt",
            "libonnxruntime_providers_tensorrt.so",
            "TensorRT 10",
        ),
    ] {
        let began = Instant::now();
        let error = load(&fixture, list).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        let text = error.to_string();
        match error {
            BundleError::Unavailable { missing, .. } => {
                assert_eq!(missing.as_deref(), Some(part));
            }
            other => panic!("{other}"),
        }
        for words in [
            &format!("provider {list} is not available")[..],
            "is not enabled in this build",
            part,
            "make onnxruntime-gpu",
            "ORT_DYLIB_PATH",
            stack,
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
    }
    assert!(!fixture.path("engines").exists());
}

#[test]
fn a_longer_list_gives_its_winner_and_why_the_others_are_not() {
    let fixture = Fixture::keypoint();
    assert_cpu_build(&fixture);
    let bundle = load(&fixture, "tensorrt,cuda,cpu").unwrap();
    assert_eq!(bundle.provider(), Provider::Cpu);
    let declined: Vec<Provider> = bundle.declined().iter().map(|d| d.provider).collect();
    assert_eq!(declined, [Provider::TensorRt, Provider::Cuda]);
    for one in bundle.declined() {
        assert!(
            one.reason.contains("is not enabled in this build"),
            "{one:?}"
        );
    }
    assert_eq!(bundle.engine_cache(), None);

    let options = LoadOptions {
        providers: "cuda,cpu".parse().unwrap(),
        ..LoadOptions::default()
    };
    let check = report::check(fixture.dir(), &options).unwrap();
    assert_eq!(check.provider, Some(Provider::Cpu));
    assert_eq!(check.declined.len(), 1);

    // The one that works is not looked past.
    let bundle = load(&fixture, "cpu,cuda").unwrap();
    assert_eq!(bundle.provider(), Provider::Cpu);
    assert!(bundle.declined().is_empty());
}

#[test]
fn a_list_without_any_that_works_names_every_reason() {
    let fixture = Fixture::keypoint();
    assert_cpu_build(&fixture);
    let error = load(&fixture, "tensorrt,cuda").unwrap_err();
    assert!(matches!(error, BundleError::NoProvider { .. }), "{error}");
    let text = error.to_string();
    for words in [
        "no provider of the list can be used:",
        "\n  - provider tensorrt is not available",
        "\n  - provider cuda is not available",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn a_damaged_bundle_is_refused_before_any_provider_is_tried() {
    let fixture = Fixture::keypoint();
    std::fs::remove_file(fixture.path("reward.onnx")).unwrap();
    match load(&fixture, "cuda,cpu") {
        Err(BundleError::Refused { mismatches, .. }) => {
            assert_eq!(mismatches, ["reward.onnx is missing"]);
        }
        other => panic!("{other:?}"),
    }
}

/// What is said with another library; a process loads only one.
fn child(library: &Path, list: &str) -> String {
    let fixture = Fixture::keypoint();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_models-child"))
        .arg("load")
        .args([fixture.dir(), Path::new(list)])
        .env("ORT_DYLIB_PATH", library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(began.elapsed() < Duration::from_secs(5) || said.starts_with("works"));
    said
}

/// With the real GPU build: on a machine without CUDA the first library that the loader misses, on one with a GPU that
/// it works.
#[test]
#[ignore = "needs ONNX Runtime's GPU build: make onnxruntime-gpu, then cargo test --release -p latco-models --test providers -- --ignored"]
fn the_gpu_build_names_what_it_misses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let library = root.join(".cache/onnxruntime/gpu/libonnxruntime.so");
    let said = child(&library, "cpu");
    assert!(said.contains("works on cpu"), "{said}");
    for list in ["cuda", "tensorrt"] {
        let said = child(&library, list);
        assert!(
            said.contains(&format!("works on {list}"))
                || said.contains(&format!("provider {list} is not available: lib"))
                    && said.contains("is missing, which libonnxruntime_providers_")
                    && said.contains("LD_LIBRARY_PATH")
                || said.contains("CUDA reports failure"),
            "{said}"
        );
    }
    // The library alone, without the parts that belong beside it.
    let alone = tempfile::tempdir().unwrap();
    let copy = alone.path().join("libonnxruntime.so");
    std::fs::copy(&library, &copy).unwrap();
    let said = child(&copy, "cuda");
    assert!(
        said.contains("libonnxruntime_providers_shared.so is missing")
            || said.contains("libonnxruntime_providers_cuda.so is missing"),
        "{said}"
    );
}
