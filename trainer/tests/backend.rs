//! `latco-train fit --backend`.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::Path;
use std::process::Command;

#[test]
fn a_backend_that_is_not_there_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("empty.toml");
    std::fs::write(&config, "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_latco-train"))
        .args(["fit", "--backend", "wgpu", "--data", "nowhere"])
        .args([Path::new("--config"), &config])
        .args([Path::new("--out"), &folder.path().join("run")])
        // The loader of Vulkan finds no driver here, whatever the machine has.
        .env("VK_DRIVER_FILES", "none")
        .env("VK_ICD_FILENAMES", "none")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let reason = if cfg!(feature = "wgpu") {
        "found none that can be used"
    } else {
        "--features wgpu"
    };
    assert!(said.contains(reason), "{said}");
    assert!(!said.contains("nowhere"), "{said}");
    assert!(!folder.path().join("run").exists());
}

/// Mesa's driver for the processor will do where there is no GPU.
#[test]
#[ignore = "needs a Vulkan device (Debian: mesa-vulkan-drivers) and --features wgpu: cargo test --release -p latco-trainer --features wgpu --test backend -- --ignored"]
fn wgpu_trains_to_the_losses_of_the_cpu_to_the_fifth_digit() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = |args: &[&str], paths: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latco-train"));
        let output = command.args(args).args(paths).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
    };
    let collect = "collect --task reach --policy mixed --episodes 40 --image-size 32 --out";
    program(&collect.split(' ').collect::<Vec<_>>(), &[&data]);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/train/tiny.toml");
    let text = std::fs::read_to_string(config).unwrap();
    let few = text.replace("\nsteps = 60", "\nsteps = 20");
    assert_ne!(few, text);
    let config = folder.path().join("few.toml");
    std::fs::write(&config, few).unwrap();
    let losses = |backend: &str| -> Vec<(String, f64)> {
        let run = folder.path().join(backend);
        let paths = [
            &data,
            Path::new("--config"),
            &config,
            Path::new("--out"),
            &run,
        ];
        program(&["fit", "--backend", backend, "--data"], &paths);
        let text = std::fs::read_to_string(run.join("losses.csv")).unwrap();
        let rows = text.lines().skip(1).filter_map(|line| {
            let (name, value) = line.rsplit_once(',')?;
            Some((name.to_owned(), value.parse().unwrap()))
        });
        rows.collect()
    };
    let (cpu, wgpu) = (losses("cpu"), losses("wgpu"));
    for stage in ["autoencoder,20,held_out_loss", "world,20,held_out_loss"] {
        assert!(cpu.iter().any(|(name, _)| name == stage), "{cpu:?}");
    }
    assert_eq!(cpu.len(), wgpu.len());
    for ((name, a), (_, b)) in cpu.iter().zip(&wgpu) {
        assert!((a - b).abs() < 5e-5 * a.abs(), "{name}: {a} {b}");
    }
}
