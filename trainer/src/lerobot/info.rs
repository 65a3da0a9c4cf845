//! `meta/info.json`: version, rate, features and where the files of a LeRobot data set lie.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::error::{At, LeRobotError};

/// Where `meta/info.json` lies in a data set.
pub(super) const INFO: &str = "meta/info.json";

/// The layout of a data set on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// v2.1: a Parquet file and videos for each episode.
    V21,
    /// v3.0: files that hold many episodes.
    V30,
}

impl Version {
    /// Its name in `codebase_version`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V21 => "v2.1",
            Self::V30 => "v3.0",
        }
    }
}

/// What each frame has under one key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Feature {
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    #[serde(default)]
    pub(super) names: Value,
    /// Of a video: codec, size and rate.
    #[serde(default, alias = "video_info")]
    pub(super) info: Value,
}

impl Feature {
    /// Whether it is a camera.
    pub(super) fn is_camera(&self) -> bool {
        ["image", "video"].contains(&self.dtype.as_str())
    }

    /// The names of its values: a list, or an object with one list as v2.1 has it.
    pub(super) fn value_names(&self) -> Option<Vec<String>> {
        let list = match &self.names {
            Value::Object(named) => named.values().find_map(Value::as_array),
            other => other.as_array(),
        }?;
        let names = list.iter().map(|name| name.as_str().map(str::to_owned));
        names.collect()
    }
}

/// The contents of `meta/info.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Info {
    pub(super) fps: f64,
    pub(super) features: BTreeMap<String, Feature>,
    pub(super) data_path: String,
    #[serde(default)]
    pub(super) video_path: Option<String>,
    #[serde(default = "chunks_size")]
    pub(super) chunks_size: u64,
}

fn chunks_size() -> u64 {
    1000
}

impl Info {
    /// Reads it and checks its version.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub(super) fn read(root: &Path) -> Result<(Self, Version), LeRobotError> {
        let path = root.join(INFO);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let words = "expected the folder of a LeRobot data set, with meta/info.json in it";
            LeRobotError::new(root, format!("{words}: {error}"))
        })?;
        let value: Value = serde_json::from_str(&text).at(&path)?;
        let found = value["codebase_version"].as_str().unwrap_or("none");
        let version = match found {
            "v2.1" => Version::V21,
            _ if found.starts_with("v3.") => Version::V30,
            _ => {
                let text = format!(
                    "codebase_version: expected v2.1 or v3.0, found {found}; convert the data set with the scripts that LeRobot \
                     has for it, one version after the other (convert_dataset_v1_to_v2, convert_dataset_v20_to_v21)"
                );
                return Err(LeRobotError::new(&path, text));
            }
        };
        let info: Self = serde_json::from_value(value).at(&path)?;
        if !(info.fps.is_finite() && (1e-3..=1e4).contains(&info.fps)) {
            let text = format!("fps: expected 0.001 to 10000, found {}", info.fps);
            return Err(LeRobotError::new(&path, text));
        }
        if info.chunks_size == 0 {
            let text = "chunks_size: expected at least 1, found 0";
            return Err(LeRobotError::new(&path, text));
        }
        Ok((info, version))
    }
}

/// Puts values into a path such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
pub(super) fn fill(template: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    let mut path = template.to_owned();
    for (name, value) in values {
        let value = value.to_string();
        path = path.replace(&format!("{{{name}}}"), &value);
        for width in 1..=9_usize {
            let padded = format!("{value:0>width$}");
            path = path.replace(&format!("{{{name}:0{width}d}}"), &padded);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_into_paths_with_their_zeros() {
        let template = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:06d}.mp4";
        let filled = fill(
            template,
            &[
                ("video_key", &"top"),
                ("chunk_index", &7),
                ("file_index", &12),
            ],
        );
        assert_eq!(filled, "videos/top/chunk-007/file-000012.mp4");
    }

    #[test]
    fn names_of_values_are_a_list_or_stand_in_an_object() {
        let feature = |names| Feature {
            dtype: "float32".into(),
            shape: vec![2],
            names,
            info: Value::Null,
        };
        let expected = Some(vec!["a.pos".to_owned(), "b.pos".to_owned()]);
        let list = serde_json::json!(["a.pos", "b.pos"]);
        assert_eq!(feature(list.clone()).value_names(), expected);
        let object = serde_json::json!({ "motors": list });
        assert_eq!(feature(object).value_names(), expected);
        assert_eq!(feature(Value::Null).value_names(), None);
    }
}
