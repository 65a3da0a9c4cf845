//! The episodes of a data set, and in which files they lie.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{At, LeRobotError};
use super::info::{Info, Version, fill};
use super::table;

/// One episode.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode {
    pub(super) index: i64,
    pub(super) length: u64,
    pub(super) data: PathBuf,
    /// The file of its frames, and the number of the first.
    pub(super) video: Option<(PathBuf, u64)>,
    pub(super) tasks: Vec<String>,
}

/// Reads the list of episodes; entries that cannot be used are left out and named in `problems`. `video` is the key of the
/// camera, if that is a video.
///
/// # Errors
/// [`LeRobotError`] where there is no list, or no entry of it can be used.
pub(super) fn list(
    root: &Path,
    (info, version): (&Info, Version),
    video: Option<&str>,
    problems: &mut Vec<String>,
) -> Result<Vec<Episode>, LeRobotError> {
    let mut episodes = match version {
        Version::V21 => of_lines(root, info, video, problems)?,
        Version::V30 => of_tables(root, info, video, problems)?,
    };
    if episodes.is_empty() {
        let text = format!("expected episodes, found none\n{}", problems.join("\n"));
        return Err(LeRobotError::new(root, text));
    }
    episodes.sort_by_key(|episode| episode.index);
    Ok(episodes)
}

fn of_lines(
    root: &Path,
    info: &Info,
    video: Option<&str>,
    problems: &mut Vec<String>,
) -> Result<Vec<Episode>, LeRobotError> {
    let path = root.join("meta/episodes.jsonl");
    let text = std::fs::read_to_string(&path).at(&path)?;
    let mut episodes = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let read = |line: &str| {
            let entry: Value = serde_json::from_str(line).ok()?;
            let (index, length) = (entry["episode_index"].as_i64()?, entry["length"].as_u64()?);
            let chunk = u64::try_from(index).ok()? / info.chunks_size;
            let of_video = video.map(|key| (key, chunk, 0, 0));
            let tasks = entry["tasks"].as_array().map_or(Vec::new(), |tasks| {
                tasks
                    .iter()
                    .filter_map(|task| task.as_str().map(str::to_owned))
                    .collect()
            });
            Some(episode(
                root,
                info,
                (index, length),
                (chunk, 0),
                of_video,
                tasks,
            ))
        };
        match read(line) {
            Some(episode) => episodes.push(episode),
            None => problems.push(format!(
                "{}: line {}: expected episode_index and length, found {}",
                path.display(),
                number + 1,
                line.chars().take(80).collect::<String>()
            )),
        }
    }
    Ok(episodes)
}

fn of_tables(
    root: &Path,
    info: &Info,
    video: Option<&str>,
    problems: &mut Vec<String>,
) -> Result<Vec<Episode>, LeRobotError> {
    let folder = root.join("meta/episodes");
    let mut files = Vec::new();
    for chunk in std::fs::read_dir(&folder).at(&folder)?.flatten() {
        let inside = std::fs::read_dir(chunk.path())
            .into_iter()
            .flatten()
            .flatten();
        files.extend(inside.map(|file| file.path()));
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "parquet"));
    files.sort();
    let of_video = |part: &str| video.map_or(String::new(), |key| format!("videos/{key}/{part}"));
    let (chunk, file) = (of_video("chunk_index"), of_video("file_index"));
    let from = of_video("from_timestamp");
    let mut wanted = vec![
        "episode_index",
        "length",
        "data/chunk_index",
        "data/file_index",
    ];
    if video.is_some() {
        wanted.extend([chunk.as_str(), &file, &from]);
    }
    let mut episodes = Vec::new();
    for path in &files {
        let rows = match table::rows(path, &wanted, &["tasks"]) {
            Ok(rows) => rows,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    problems.push(error.to_string());
                    break;
                }
            };
            let unsigned = |name: &str| {
                row.integer(name)
                    .and_then(|value| u64::try_from(value).ok())
            };
            let read = || {
                let index = row.integer("episode_index")?;
                let place = (unsigned("data/chunk_index")?, unsigned("data/file_index")?);
                let of_video = match video {
                    None => None,
                    Some(key) => {
                        let first = (row.number(&from)? * info.fps).round();
                        Some((key, unsigned(&chunk)?, unsigned(&file)?, first as u64))
                    }
                };
                let tasks = row.texts("tasks").unwrap_or_default();
                Some(episode(
                    root,
                    info,
                    (index, unsigned("length")?),
                    place,
                    of_video,
                    tasks,
                ))
            };
            match read() {
                Some(episode) => episodes.push(episode),
                None => problems.push(format!(
                    "{}: an episode without {}",
                    path.display(),
                    wanted.join(", ")
                )),
            }
        }
    }
    Ok(episodes)
}

/// Puts the paths of an episode together. `place` is chunk and file of its rows, `video` key, chunk, file and first frame.
fn episode(
    root: &Path,
    info: &Info,
    (index, length): (i64, u64),
    place: (u64, u64),
    video: Option<(&str, u64, u64, u64)>,
    tasks: Vec<String>,
) -> Episode {
    let file = |template: &str, key: &str, (chunk, file): (u64, u64)| {
        root.join(fill(
            template,
            &[
                ("episode_chunk", &chunk),
                ("episode_index", &index),
                ("chunk_index", &chunk),
                ("file_index", &file),
                ("video_key", &key),
            ],
        ))
    };
    let template = info.video_path.as_deref().unwrap_or_default();
    Episode {
        index,
        length,
        data: file(&info.data_path, "", place),
        video: video.map(|(key, chunk, of, first)| (file(template, key, (chunk, of)), first)),
        tasks,
    }
}
