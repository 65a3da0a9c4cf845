//! What stands about the episodes of a data set: `meta/info.json`, lists of episodes and tasks, statistics.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::choice::{ACTION, NEXT_REWARD, REWARD, STATE, VELOCITY};
use super::columns::{Column, Table};
use super::error::{At, LeRobotError};
use super::info::{INFO, Version};
use super::layout::{CHUNK, WriteOptions, Written};
use super::stats::Stats;
use crate::data::Shape;

/// A data set whose episodes are written.
pub(super) struct Meta<'a> {
    pub(super) root: &'a Path,
    pub(super) options: &'a WriteOptions,
    pub(super) shape: &'a Shape,
    pub(super) episodes: &'a [Written],
}

impl Meta<'_> {
    /// Writes everything about it; `frames` is the number of frames.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub(super) fn write_all(&self, frames: usize) -> Result<(), LeRobotError> {
        match self.options.version {
            Version::V21 => self.lists_of_lines()?,
            Version::V30 => self.lists_of_tables()?,
        }
        self.write_info(frames)
    }

    /// The features of `info.json`.
    fn features(&self) -> Value {
        let shape = self.shape;
        let one = |dtype: &str| json!({ "dtype": dtype, "shape": [1], "names": null });
        let named = |names: Vec<String>| json!({ "dtype": "float32", "shape": [names.len()], "names": names });
        let joints = |end: &str| -> Vec<String> {
            shape
                .joint_names
                .iter()
                .map(|name| format!("{name}.{end}"))
                .collect()
        };
        let actions = match shape.joint_names.len() == shape.action_width {
            true => joints("vel"),
            false => (0..shape.action_width)
                .map(|at| format!("action_{at}.vel"))
                .collect(),
        };
        let mut features = Map::new();
        features.insert(ACTION.into(), named(actions));
        if !shape.joint_names.is_empty() {
            features.insert(STATE.into(), named(joints("pos")));
            features.insert(VELOCITY.into(), named(joints("vel")));
        }
        let mut image = json!({
            "dtype": "image",
            "shape": [shape.height, shape.width, 3],
            "names": ["height", "width", "channels"],
        });
        if self.options.video.is_some() {
            image["dtype"] = "video".into();
            image["info"] = json!({
                "video.fps": fps(self.options.fps),
                "video.height": shape.height,
                "video.width": shape.width,
                "video.channels": 3,
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": false,
                "has_audio": false,
            });
        }
        features.insert(self.options.image_key(), image);
        for (name, dtype) in [
            (REWARD, "float32"),
            (NEXT_REWARD, "float32"),
            ("next.done", "bool"),
            ("timestamp", "float32"),
            ("frame_index", "int64"),
            ("episode_index", "int64"),
            ("index", "int64"),
            ("task_index", "int64"),
        ] {
            features.insert(name.into(), one(dtype));
        }
        Value::Object(features)
    }

    fn write_info(&self, frames: usize) -> Result<(), LeRobotError> {
        let episodes = self.episodes.len();
        let videos = self.options.video.as_ref().map(|_| episodes);
        let mut info = json!({
            "codebase_version": self.options.version.name(),
            "robot_type": "unknown",
            "total_episodes": episodes,
            "total_frames": frames,
            "total_tasks": 1,
            "chunks_size": CHUNK,
            "fps": fps(self.options.fps),
            "splits": { "train": format!("0:{episodes}") },
            "data_path": self.options.data_path(),
            "video_path": videos.map(|_| self.options.video_path()),
            "features": self.features(),
        });
        let more = match self.options.version {
            Version::V21 => json!({
                "total_videos": videos.unwrap_or(0),
                "total_chunks": (episodes as u64).div_ceil(CHUNK),
            }),
            Version::V30 => json!({ "data_files_size_in_mb": 100, "video_files_size_in_mb": 500 }),
        };
        for (key, value) in more.as_object().into_iter().flatten() {
            info[key] = value.clone();
        }
        self.write(INFO, &format!("{info:#}\n"))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), LeRobotError> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).at(folder)?;
        }
        std::fs::write(&path, text).at(&path)
    }

    fn lists_of_lines(&self) -> Result<(), LeRobotError> {
        let lines = |line: &dyn Fn(usize, &Written) -> Value| -> String {
            let all = self.episodes.iter().enumerate();
            all.map(|(index, episode)| format!("{}\n", line(index, episode)))
                .collect()
        };
        let task = &self.options.task;
        let episodes = lines(
            &|index, episode| json!({ "episode_index": index, "tasks": [task], "length": episode.length }),
        );
        let stats = lines(
            &|index, episode| json!({ "episode_index": index, "stats": episode.stats.json() }),
        );
        let tasks = json!({ "task_index": 0, "task": task });
        self.write("meta/episodes.jsonl", &episodes)?;
        self.write("meta/episodes_stats.jsonl", &stats)?;
        self.write("meta/tasks.jsonl", &format!("{tasks}\n"))
    }

    fn lists_of_tables(&self) -> Result<(), LeRobotError> {
        let task = &self.options.task;
        let mut stats = Stats::default();
        self.episodes
            .iter()
            .for_each(|episode| stats.merge(&episode.stats));
        self.write("meta/stats.json", &format!("{:#}\n", stats.json()))?;

        // The task is the index of the table, as pandas keeps one.
        let text_column = |name: Option<&str>, field: &str, dtype: &str, numpy: &str| json!({ "name": name, "field_name": field, "pandas_type": dtype, "numpy_type": numpy, "metadata": null });
        let index = "__index_level_0__";
        let pandas = json!({
            "index_columns": [index],
            "column_indexes": [],
            "columns": [
                text_column(Some("task_index"), "task_index", "int64", "int64"),
                text_column(None, index, "unicode", "object"),
            ],
            "creator": { "library": "latco", "version": env!("CARGO_PKG_VERSION") },
            "pandas_version": "2.2.0",
        });
        let columns = [
            ("task_index".to_owned(), Column::Integers(vec![0])),
            (index.to_owned(), Column::Texts(vec![task.clone()])),
        ];
        let beside = [("pandas", pandas.to_string())];
        whole(&self.root.join("meta/tasks.parquet"), &columns, &beside)?;

        let per_episode = |value: &dyn Fn(usize, &Written) -> i64| {
            let all = self.episodes.iter().enumerate();
            Column::Integers(all.map(|(index, episode)| value(index, episode)).collect())
        };
        let begins: Vec<i64> = (self.episodes.iter())
            .scan(0, |sum, episode| {
                let begin = *sum;
                *sum += episode.length as i64;
                Some(begin)
            })
            .collect();
        let chunk = CHUNK as i64;
        let mut columns = vec![
            ("episode_index", per_episode(&|index, _| index as i64)),
            (
                "tasks",
                Column::TextLists(vec![vec![task.clone()]; self.episodes.len()]),
            ),
            ("length", per_episode(&|_, episode| episode.length as i64)),
            (
                "data/chunk_index",
                per_episode(&|_, episode| episode.file as i64 / chunk),
            ),
            (
                "data/file_index",
                per_episode(&|_, episode| episode.file as i64 % chunk),
            ),
            ("dataset_from_index", per_episode(&|index, _| begins[index])),
            (
                "dataset_to_index",
                per_episode(&|index, e| begins[index] + e.length as i64),
            ),
            ("meta/episodes/chunk_index", per_episode(&|_, _| 0)),
            ("meta/episodes/file_index", per_episode(&|_, _| 0)),
        ];
        let key = self.options.image_key();
        let of_video = [
            "chunk_index",
            "file_index",
            "from_timestamp",
            "to_timestamp",
        ]
        .map(|part| format!("videos/{key}/{part}"));
        if self.options.video.is_some() {
            let seconds = self
                .episodes
                .iter()
                .map(|e| e.length as f64 / self.options.fps);
            columns.extend([
                (
                    of_video[0].as_str(),
                    per_episode(&|index, _| index as i64 / chunk),
                ),
                (&of_video[1], per_episode(&|index, _| index as i64 % chunk)),
                (
                    &of_video[2],
                    Column::Doubles(vec![0.0; self.episodes.len()]),
                ),
                (&of_video[3], Column::Doubles(seconds.collect())),
            ]);
        }
        let columns: Vec<(String, Column)> = (columns.into_iter())
            .map(|(name, column)| (name.to_owned(), column))
            .collect();
        whole(
            &self.root.join("meta/episodes/chunk-000/file-000.parquet"),
            &columns,
            &[],
        )
    }
}

/// A whole number where it is one, as LeRobot expects it.
fn fps(fps: f64) -> Value {
    match fps.fract() == 0.0 {
        true => json!(fps as u64),
        false => json!(fps),
    }
}

fn whole(
    path: &Path,
    columns: &[(String, Column)],
    beside: &[(&str, String)],
) -> Result<(), LeRobotError> {
    let mut table = Table::create(path, columns, beside)?;
    table.append(columns)?;
    table.finish()
}
