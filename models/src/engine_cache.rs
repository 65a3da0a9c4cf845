//! Where TensorRT keeps the engines that it builds.
//!
//! Building takes seconds to minutes, so it happens while sessions are made, never in the loop, and the results are
//! kept. An engine fits one model, one version of the libraries and one kind of GPU: each combination has its own
//! folder, so that a change of any of them builds anew and never loads what does not fit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::graph::Graph;
use crate::manifest::Manifest;
use crate::runtime;
use crate::sum::sha256;

/// A folder of engines that fit this model on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineCache {
    folder: PathBuf,
}

impl EngineCache {
    /// The folder of the model under `root`, or under the user's cache folder; made if it is not there. Call it when
    /// TensorRT has been loaded, or its version is not known.
    pub(crate) fn open(root: Option<&Path>, manifest: &Manifest) -> Result<Self, String> {
        let root = match root {
            Some(root) => root.to_path_buf(),
            None => default_root(
                std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from),
                std::env::var_os("HOME").map(PathBuf::from),
            )
            .ok_or(
                "there is no folder for TensorRT's engines: set bundle.engine_cache in the configuration, \
                 --engine-cache, or XDG_CACHE_HOME",
            )?,
        };
        let name = folder_name(
            manifest,
            &runtime::build_info().map_err(|e| e.to_string())?,
            &std::fs::read_to_string("/proc/self/maps").unwrap_or_default(),
            &gpus(Path::new("/proc")),
            is_tf32_off(),
        );
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| {
            format!(
                "the folder of TensorRT's engines, {}, cannot be made: {e}",
                folder.display()
            )
        })?;
        Ok(Self { folder })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the names of the engines of `graph` begin with.
    pub(crate) fn prefix(graph: &str, batch: usize) -> String {
        format!("{graph}_{batch}")
    }
}

fn default_root(cache: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    cache
        .filter(|folder| folder.is_absolute())
        .or_else(|| {
            home.filter(|folder| folder.is_absolute())
                .map(|folder| folder.join(".cache"))
        })
        .map(|folder| folder.join("latco").join("tensorrt"))
}

/// Whether the environment forbids TensorRT to round to TF32, for which it has no option.
pub(crate) fn is_tf32_off() -> bool {
    std::env::var("NVIDIA_TF32_OVERRIDE").is_ok_and(|value| value == "0")
}

/// Model, ONNX Runtime, TensorRT, GPU and precision.
fn folder_name(
    manifest: &Manifest,
    build_info: &str,
    maps: &str,
    gpus: &[String],
    tf32_off: bool,
) -> String {
    let graphs: Vec<&str> = Graph::ALL
        .iter()
        .filter_map(|graph| manifest.files.get(graph.file()))
        .map(|file| file.sha256.as_str())
        .collect();
    let model = sha256(graphs.join("\n").as_bytes());
    let runtime = build_info
        .split_once("git-commit-id=")
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .map_or_else(
            || sha256(build_info.as_bytes())[..12].to_owned(),
            str::to_owned,
        );
    let tensorrt = tensorrt(maps).unwrap_or_else(|| "unknown".to_owned());
    let gpu = if gpus.is_empty() {
        "unknown".to_owned()
    } else {
        gpus.join("+")
    };
    let precision = if tf32_off { "f32" } else { "tf32" };
    let name = format!(
        "{}_ort-{runtime}_trt-{tensorrt}_{gpu}_{precision}",
        &model[..16]
    );
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.+".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect()
}

/// Version of TensorRT, by the name of the library that this process has loaded; where the name has only the first
/// number, with the size of the file.
fn tensorrt(maps: &str) -> Option<String> {
    let path = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| path.contains("/libnvinfer.so"))?;
    let (_, version) = path.rsplit_once("libnvinfer.so")?;
    let version = version.trim_start_matches('.');
    if version.contains('.') {
        return Some(version.to_owned());
    }
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    Some(format!("{version}-{bytes}"))
}

/// Names of the GPUs, each once, as the driver tells them in `proc`; on a Jetson the name of the board.
fn gpus(proc: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(proc.join("driver/nvidia/gpus"));
    let models: BTreeSet<String> = folders
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|gpu| std::fs::read_to_string(gpu.path().join("information")).ok())
        .filter_map(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("Model:"))
                .map(|model| model.trim().to_owned())
        })
        .collect();
    if !models.is_empty() {
        return models.into_iter().collect();
    }
    std::fs::read_to_string(proc.join("device-tree/model"))
        .map(|model| model.trim_end_matches('\0').trim().to_owned())
        .into_iter()
        .filter(|model| model.contains("NVIDIA"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::FileSum;

    const INFO: &str = "ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, build type=Release";
    const MAPS: &str = "7f00-7f01 r--p 0000 fe:00 12  /usr/lib/libc.so.6\n\
        7f10-7f11 r-xp 0000 fe:00 34                  /opt/trt/lib/libnvinfer.so.10.14.1\n";

    fn manifest() -> Manifest {
        let folder = tempfile::tempdir().unwrap();
        latco_export::write_random_bundle(folder.path(), &latco_export::RandomSpec::keypoint(), 1)
            .unwrap();
        let text = std::fs::read_to_string(folder.path().join("manifest.toml")).unwrap();
        Manifest::from_toml(&text).unwrap()
    }

    #[test]
    fn every_part_of_the_key_changes_the_folder() {
        let model = manifest();
        let gpu = ["NVIDIA GeForce RTX 4090".to_owned()];
        let name = folder_name(&model, INFO, MAPS, &gpu, true);
        assert!(
            name.ends_with("_ort-6af1a93_trt-10.14.1_NVIDIA-GeForce-RTX-4090_f32"),
            "{name}"
        );
        assert_eq!(name, folder_name(&model, INFO, MAPS, &gpu, true));

        let mut other = model.clone();
        let sum = FileSum {
            sha256: "0".repeat(64),
            bytes: 1,
        };
        other.files.insert("reward.onnx".to_owned(), sum);
        let changed = [
            folder_name(&other, INFO, MAPS, &gpu, true),
            folder_name(
                &model,
                &INFO.replace("6af1a93", "1234567"),
                MAPS,
                &gpu,
                true,
            ),
            folder_name(
                &model,
                INFO,
                &MAPS.replace("10.14.1", "10.15.0"),
                &gpu,
                true,
            ),
            folder_name(&model, INFO, "", &gpu, true),
            folder_name(&model, INFO, MAPS, &["NVIDIA H100".to_owned()], true),
            folder_name(&model, INFO, MAPS, &[], true),
            folder_name(&model, INFO, MAPS, &gpu, false),
        ];
        for (index, folder) in changed.iter().enumerate() {
            assert_ne!(*folder, name);
            assert!(!changed[..index].contains(folder), "{folder}");
        }
    }

    #[test]
    fn a_library_with_one_number_is_told_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libnvinfer.so.10");
        std::fs::write(&library, [0; 77]).unwrap();
        let maps = format!("7f10-7f11 r-xp 0 fe:00 34   {}\n", library.display());
        assert_eq!(tensorrt(&maps).as_deref(), Some("10-77"));
        assert_eq!(
            tensorrt("7f00-7f01 r--p 0 fe:00 12 /usr/lib/libc.so.6"),
            None
        );
    }

    #[test]
    fn the_driver_and_the_board_name_the_gpu() {
        let proc = tempfile::tempdir().unwrap();
        assert!(gpus(proc.path()).is_empty());
        std::fs::create_dir_all(proc.path().join("device-tree")).unwrap();
        std::fs::write(
            proc.path().join("device-tree/model"),
            "NVIDIA Jetson AGX Orin Developer Kit\0",
        )
        .unwrap();
        assert_eq!(gpus(proc.path()), ["NVIDIA Jetson AGX Orin Developer Kit"]);
        for (bus, model) in [
            ("0000:01:00.0", "NVIDIA H100"),
            ("0000:02:00.0", "NVIDIA H100"),
        ] {
            let gpu = proc.path().join("driver/nvidia/gpus").join(bus);
            std::fs::create_dir_all(&gpu).unwrap();
            std::fs::write(
                gpu.join("information"),
                format!("Model: \t\t {model}\nIRQ:   \t\t 120\n"),
            )
            .unwrap();
        }
        assert_eq!(gpus(proc.path()), ["NVIDIA H100"]);
    }

    #[test]
    fn the_folder_is_made_where_it_is_asked_for() {
        crate::runtime::load().unwrap();
        let root = tempfile::tempdir().unwrap();
        let cache =
            EngineCache::open(Some(&root.path().join("deep/engines")), &manifest()).unwrap();
        assert!(cache.folder().is_dir());
        let file = root.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = EngineCache::open(Some(&file), &manifest()).unwrap_err();
        assert!(error.contains("cannot be made"), "{error}");
        assert_eq!(
            default_root(None, Some("/home/robot".into())),
            Some("/home/robot/.cache/latco/tensorrt".into())
        );
        assert_eq!(
            default_root(Some("/var/cache".into()), None),
            Some("/var/cache/latco/tensorrt".into())
        );
        assert_eq!(default_root(Some("relative".into()), None), None);
    }
}
