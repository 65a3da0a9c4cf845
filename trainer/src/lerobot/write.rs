//! Writing episodes as a LeRobot data set.

use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};

use super::choice::{ACTION, NEXT_REWARD, REWARD, STATE, VELOCITY};
use super::columns::{Column, Table};
use super::error::{At, LeRobotError};
use super::info::Version;
use super::layout::{WriteOptions, Written};
use super::meta::Meta;
use super::stats::Stats;
use crate::data::{Episode, EpisodeSink, Shape};

/// Size from which on another file of rows is begun, bytes, as LeRobot does.
const DATA_FILE_BYTES: usize = 100 << 20;

/// A data set that is being written.
pub struct LeRobotWriter {
    root: PathBuf,
    options: WriteOptions,
    shape: Option<Shape>,
    episodes: Vec<Written>,
    /// Episodes that stay, whatever comes.
    kept: usize,
    table: Option<Table>,
    /// Number of the file of rows.
    file: u64,
    /// Files since episodes were kept.
    made: Vec<PathBuf>,
}

impl LeRobotWriter {
    /// Makes a data set in `root`; nothing is written before the first episode.
    pub fn new(root: &Path, options: WriteOptions) -> Self {
        Self {
            root: root.to_path_buf(),
            options,
            shape: None,
            episodes: Vec::new(),
            kept: 0,
            table: None,
            file: 0,
            made: Vec::new(),
        }
    }

    /// Writes what stands about the episodes, and returns their number and that of their frames.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub fn finish(mut self) -> Result<(usize, usize), LeRobotError> {
        self.close()?;
        let frames: usize = self.episodes.iter().map(|episode| episode.length).sum();
        let meta = Meta {
            root: &self.root,
            options: &self.options,
            shape: &self.shape.unwrap_or_default(),
            episodes: &self.episodes,
        };
        meta.write_all(frames)?;
        Ok((self.episodes.len(), frames))
    }

    fn add_episode(&mut self, shape: &Shape, episode: &Episode) -> Result<(), LeRobotError> {
        let number = self.episodes.len();
        // What is kept does not share a file with what may be forgotten.
        if self.made.is_empty() || self.options.version == Version::V21 {
            self.close()?;
        }
        let key = self.options.image_key();
        let size = (shape.width, shape.height);
        let images = || episode.images.chunks_exact(3 * size.0 * size.1);
        let mut columns = self.columns(shape, episode);
        let mut stats = Stats::default();
        for (name, column) in &columns {
            match column {
                Column::Integers(values) => stats.rows(name, 1, values.iter().map(|v| *v as f64)),
                Column::Floats(values) => stats.rows(name, 1, values.iter().map(|v| f64::from(*v))),
                Column::Vectors(width, values) => {
                    stats.rows(name, *width, values.iter().map(|v| f64::from(*v)));
                }
                _ => {}
            }
        }
        images().for_each(|image| stats.image(&key, image));
        let video = self
            .root
            .join(self.options.path(self.options.video_path(), number as u64));
        match &self.options.video {
            Some((ffmpeg, encoder)) => {
                self.made.push(video.clone());
                ffmpeg.encode(encoder, self.options.fps, size, images(), &video)?;
            }
            None => {
                let files: Result<Vec<_>, _> = images().map(|image| png(image, size)).collect();
                columns.push((key, Column::Images(files.at(&self.root)?)));
            }
        }
        if self.table.is_none() {
            let number = match self.options.version {
                Version::V21 => number as u64,
                Version::V30 => self.file,
            };
            let path = self
                .root
                .join(self.options.path(self.options.data_path(), number));
            self.made.push(path.clone());
            let features = json!({ "info": { "features": self.arrow_features(&columns) } });
            let beside = [("huggingface", features.to_string())];
            self.table = Some(Table::create(&path, &columns, &beside)?);
        }
        let file = self.file;
        let table = self.table.as_mut().expect("it was made above");
        table.append(&columns)?;
        if table.bytes() > DATA_FILE_BYTES {
            self.close()?;
        }
        let length = episode.len();
        self.episodes.push(Written {
            length,
            file,
            stats,
        });
        self.shape.get_or_insert_with(|| shape.clone());
        Ok(())
    }

    /// Completes the file of rows, if there is one.
    fn close(&mut self) -> Result<(), LeRobotError> {
        if let Some(table) = self.table.take() {
            table.finish()?;
            self.file += 1;
        }
        Ok(())
    }

    /// All columns of an episode but the images.
    fn columns(&self, shape: &Shape, episode: &Episode) -> Vec<(String, Column)> {
        let (length, joints) = (episode.len(), shape.joint_names.len());
        let before: usize = self.episodes.iter().map(|episode| episode.length).sum();
        let integers = |values: &mut dyn Iterator<Item = usize>| {
            Column::Integers(values.map(|value| value as i64).collect())
        };
        let mut columns = vec![(
            ACTION.to_owned(),
            Column::of_width(shape.action_width, episode.actions.clone()),
        )];
        if joints > 0 {
            let rows = episode.joints.chunks_exact(2 * joints);
            let (positions, velocities): (Vec<_>, Vec<_>) =
                rows.map(|row| row.split_at(joints)).unzip();
            columns.extend([
                (
                    STATE.to_owned(),
                    Column::of_width(joints, positions.concat()),
                ),
                (
                    VELOCITY.to_owned(),
                    Column::of_width(joints, velocities.concat()),
                ),
            ]);
        }
        let rewards = &episode.rewards;
        // What follows the last action was not seen.
        let next = rewards
            .iter()
            .skip(1)
            .chain(rewards.last())
            .copied()
            .collect();
        let time = |frame: usize| (frame as f64 / self.options.fps) as f32;
        columns.extend([
            (REWARD.to_owned(), Column::Floats(rewards.clone())),
            (NEXT_REWARD.to_owned(), Column::Floats(next)),
            (
                "next.done".to_owned(),
                Column::Marks((1..=length).map(|at| at == length).collect()),
            ),
            (
                "timestamp".to_owned(),
                Column::Floats((0..length).map(time).collect()),
            ),
            ("frame_index".to_owned(), integers(&mut (0..length))),
            (
                "episode_index".to_owned(),
                integers(&mut std::iter::repeat_n(self.episodes.len(), length)),
            ),
            ("index".to_owned(), integers(&mut (before..before + length))),
            (
                "task_index".to_owned(),
                integers(&mut std::iter::repeat_n(0, length)),
            ),
        ]);
        columns
    }

    /// The types of the columns as the library `datasets` names them, for readers that do not look into `info.json`.
    fn arrow_features(&self, columns: &[(String, Column)]) -> Value {
        let list = match self.options.version {
            Version::V21 => "Sequence",
            Version::V30 => "List",
        };
        let one = |dtype: &str| json!({ "dtype": dtype, "_type": "Value" });
        let features = columns.iter().map(|(name, column)| {
            let feature = match column {
                Column::Integers(_) => one("int64"),
                Column::Floats(_) => one("float32"),
                Column::Doubles(_) => one("float64"),
                Column::Marks(_) => one("bool"),
                Column::Texts(_) => one("string"),
                Column::Vectors(width, _) => {
                    json!({ "feature": one("float32"), "length": width, "_type": list })
                }
                Column::TextLists(_) => json!({ "feature": one("string"), "_type": list }),
                Column::Images(_) => json!({ "_type": "Image" }),
            };
            (name.clone(), feature)
        });
        Value::Object(features.collect())
    }
}

impl EpisodeSink for LeRobotWriter {
    fn add(&mut self, shape: &Shape, episode: Episode) -> std::io::Result<()> {
        self.add_episode(shape, &episode)
            .map_err(std::io::Error::other)
    }

    fn keep(&mut self) {
        self.kept = self.episodes.len();
        self.made.clear();
    }

    fn forget(&mut self) -> std::io::Result<()> {
        if !self.made.is_empty() {
            self.table = None;
        }
        self.episodes.truncate(self.kept);
        self.made.drain(..).try_for_each(std::fs::remove_file)
    }
}

fn png(rgb: &[u8], (width, height): (usize, usize)) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub).write_image(
        rgb,
        width as u32,
        height as u32,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}
