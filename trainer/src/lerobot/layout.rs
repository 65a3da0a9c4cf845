//! How a data set is written, and where its files lie.

use super::info::{Version, fill};
use super::stats::Stats;
use super::video::Ffmpeg;

/// Files in a folder, as LeRobot has them.
pub(super) const CHUNK: u64 = 1000;

/// How a data set is written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Layout on disk.
    pub version: Version,
    /// Frames per second.
    pub fps: f64,
    /// What the robot does, in words.
    pub task: String,
    /// Name of the camera, behind `observation.images.`.
    pub camera: String,
    /// The encoder of ffmpeg for the images, such as `libx264`; `None` keeps them in the rows, as PNG files.
    pub video: Option<(Ffmpeg, String)>,
}

/// An episode that was written.
pub(super) struct Written {
    /// Frames.
    pub(super) length: usize,
    /// Number of the file of its rows.
    pub(super) file: u64,
    pub(super) stats: Stats,
}

impl WriteOptions {
    /// The feature of the images.
    pub(super) fn image_key(&self) -> String {
        format!("observation.images.{}", self.camera)
    }

    /// Where the rows lie.
    pub(super) fn data_path(&self) -> &'static str {
        match self.version {
            Version::V21 => "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            Version::V30 => "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        }
    }

    /// Where the videos lie.
    pub(super) fn video_path(&self) -> &'static str {
        match self.version {
            Version::V21 => {
                "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
            }
            Version::V30 => "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        }
    }

    /// The file with this number: of rows, or of an episode.
    pub(super) fn path(&self, template: &str, number: u64) -> String {
        let (chunk, file) = (number / CHUNK, number % CHUNK);
        fill(
            template,
            &[
                ("episode_chunk", &chunk),
                ("episode_index", &number),
                ("chunk_index", &chunk),
                ("file_index", &file),
                ("video_key", &self.image_key()),
            ],
        )
    }
}
