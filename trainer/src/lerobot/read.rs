//! Reading a data set: its frames one after the other, as a bag has them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, ImageReader};

use super::choice::{ACTION, ActionKind, Choice, NEXT_REWARD, Wanted};
use super::episodes::{self, Episode};
use super::error::LeRobotError;
use super::info::{INFO, Info};
use super::table::{Record, rows};
use super::video::{Ffmpeg, Picture, Videos};

/// One frame of an episode.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Whether an episode begins.
    pub begins: bool,
    /// What the camera saw.
    pub picture: &'a Picture,
    /// Joint positions, rad.
    pub positions: &'a [f64],
    /// Joint velocities, rad/s.
    pub velocities: &'a [f64],
    /// Joint velocities that the robot was told from here on, rad/s.
    pub command: &'a [f64],
    /// Reward of this observation; `None` where the data set has none.
    pub reward: Option<f64>,
}

/// A LeRobot data set that can be read.
#[derive(Debug)]
pub struct LeRobot {
    info: Info,
    choice: Choice,
    episodes: Vec<Episode>,
    ffmpeg: Option<Ffmpeg>,
    /// Episodes that are in the list and cannot be used.
    problems: Vec<String>,
}

impl LeRobot {
    /// Opens the data set in `root`.
    ///
    /// # Errors
    /// [`LeRobotError`] with everything that is wrong.
    pub fn open(root: &Path, wanted: &Wanted) -> Result<Self, LeRobotError> {
        let (info, version) = Info::read(root)?;
        let choice = Choice::of(&info, wanted)
            .map_err(|problems| LeRobotError::new(&root.join(INFO), problems.join("\n")))?;
        let ffmpeg = match choice.is_video {
            false => None,
            true => Some(Ffmpeg::find().map_err(|error| LeRobotError::new(root, error))?),
        };
        let mut problems = Vec::new();
        let video = choice.is_video.then_some(choice.image.as_str());
        let episodes = episodes::list(root, (&info, version), video, &mut problems)?;
        Ok(Self {
            info,
            choice,
            episodes,
            ffmpeg,
            problems,
        })
    }

    /// Frames per second.
    pub fn fps(&self) -> f64 {
        self.info.fps
    }

    /// The joints in the order of the positions.
    pub fn joint_names(&self) -> &[String] {
        &self.choice.joint_names
    }

    /// Values of a command.
    pub fn action_width(&self) -> usize {
        self.choice.action_width
    }

    /// The feature that the images are of.
    pub fn camera(&self) -> &str {
        &self.choice.image
    }

    /// The feature that the rewards are of.
    pub fn reward(&self) -> Option<&str> {
        self.choice.reward.as_deref()
    }

    /// Number of frames in the list of episodes.
    pub fn frames(&self) -> u64 {
        self.episodes.iter().map(|episode| episode.length).sum()
    }

    /// The tasks with the number of their episodes.
    pub fn tasks(&self) -> BTreeMap<&str, usize> {
        let mut tasks = BTreeMap::new();
        for task in self.episodes.iter().flat_map(|episode| &episode.tasks) {
            *tasks.entry(task.as_str()).or_default() += 1;
        }
        tasks
    }

    /// Hands every frame over in the order of the episodes. An episode with a fault ends before it and the next one goes on;
    /// what was lost is returned.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn walk<E>(
        &self,
        mut take: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let mut problems = self.problems.clone();
        let mut videos = self.ffmpeg.clone().map(Videos::new);
        let mut size = None;
        for group in self.episodes.chunk_by(|a, b| a.data == b.data) {
            let decoding = (videos.as_mut(), &mut size);
            self.walk_file(group, decoding, &mut problems, &mut take)?;
        }
        Ok(problems)
    }

    /// Hands the frames of the episodes in one file over. All pictures have the size of the first.
    fn walk_file<E>(
        &self,
        group: &[Episode],
        (mut videos, size): (Option<&mut Videos>, &mut Option<(u32, u32)>),
        problems: &mut Vec<String>,
        take: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut wanted = vec!["episode_index", "frame_index", "timestamp", ACTION];
        let choice = &self.choice;
        wanted.extend(
            [&choice.state, &choice.velocity, &choice.reward]
                .into_iter()
                .flatten()
                .map(String::as_str),
        );
        if videos.is_none() {
            wanted.push(&choice.image);
        }
        let rows = match rows(&group[0].data, &wanted, &[]) {
            Ok(rows) => rows,
            Err(error) => {
                problems.push(format!("{}: {error}", named(group)));
                return Ok(());
            }
        };
        // By episode: frames, and why there are no more.
        let mut done: BTreeMap<i64, (u64, Option<String>)> = BTreeMap::new();
        let mut progress = Progress::default();
        let mut present = None;
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    problems.push(error.to_string());
                    break;
                }
            };
            let index = row.integer("episode_index").unwrap_or(-1);
            let Some(episode) = group.iter().find(|episode| episode.index == index) else {
                continue;
            };
            if present != Some(index) {
                (progress, present) = (Progress::default(), Some(index));
            }
            let (frames, fault) = done.entry(index).or_default();
            if fault.is_none() {
                let of_film = (episode, videos.as_deref_mut());
                let frame = progress.frame((choice, self.info.fps), &row, of_film, size);
                match frame {
                    Ok(()) => take(progress.as_frame(choice))?,
                    Err(error) => *fault = Some(error),
                }
                *frames = progress.frames;
            }
        }
        for episode in group {
            let (frames, fault) = done.remove(&episode.index).unwrap_or_default();
            let (index, length) = (episode.index, episode.length);
            let fault = match fault {
                Some(fault) => fault,
                None if frames < length => format!("{}: the rows end", episode.data.display()),
                None => continue,
            };
            problems.push(format!(
                "episode {index}: {frames} of {length} frames are taken: {fault}"
            ));
        }
        Ok(())
    }
}

fn named(group: &[Episode]) -> String {
    match group {
        [one] => format!("episode {} is left out", one.index),
        _ => {
            let (first, last) = (group[0].index, group[group.len() - 1].index);
            format!("episodes {first} to {last} are left out")
        }
    }
}

/// What is known of an episode on its way.
#[derive(Default)]
struct Progress {
    /// Frames so far, with the present one.
    frames: u64,
    picture: Picture,
    positions: Vec<f64>,
    velocities: Vec<f64>,
    /// The action as it stands there.
    action: Vec<f64>,
    command: Vec<f64>,
    reward: f64,
    next_reward: f64,
}

impl Progress {
    /// Takes the next row.
    fn frame(
        &mut self,
        (choice, fps): (&Choice, f64),
        row: &Record,
        (episode, videos): (&Episode, Option<&mut Videos>),
        size: &mut Option<(u32, u32)>,
    ) -> Result<(), String> {
        let number = self.frames;
        let index = row.integer("frame_index").unwrap_or(-1);
        if u64::try_from(index) != Ok(number) {
            return Err(format!("expected frame_index {number}, found {index}"));
        }
        let (time, expected) = (row.number("timestamp"), number as f64 / fps);
        let time = time.ok_or_else(|| format!("frame {number} has no timestamp"))?;
        if (time - expected).abs() > 0.5 / fps {
            return Err(format!(
                "expected frame {number} at {expected:.3} s, as fps = {fps} has it, found {time:.3} s"
            ));
        }
        let vector = |key: &str, width: usize| {
            let values = row.numbers(key).unwrap_or_default();
            match values.len() == width && values.iter().all(|value| value.is_finite()) {
                true => Ok(values),
                false => Err(format!(
                    "frame {number}: {key}: expected {width} finite numbers, found {values:?}"
                )),
            }
        };
        let scaled = |key: &str, width: usize| {
            let values = vector(key, width)?;
            Ok::<Vec<f64>, String>(
                values
                    .into_iter()
                    .map(|value| value * choice.unit)
                    .collect(),
            )
        };
        let joints = choice.joint_names.len();
        let positions = choice
            .state
            .as_ref()
            .map_or(Ok(Vec::new()), |key| scaled(key, joints))?;
        let action = scaled(ACTION, choice.action_width)?;
        let differences = |now: &[f64], before: &[f64]| -> Vec<f64> {
            now.iter()
                .zip(before)
                .map(|(now, before)| (now - before) * fps)
                .collect()
        };
        let velocities = match &choice.velocity {
            Some(key) => scaled(key, joints)?,
            None if number == 0 => vec![0.0; joints],
            None => differences(&positions, &self.positions),
        };
        let command = match choice.actions {
            ActionKind::Velocity => action.clone(),
            // A position is where the robot shall be at the next frame, from where it was told to be at this one.
            ActionKind::Position if number > 0 => differences(&action, &self.action),
            ActionKind::Position if joints == action.len() => differences(&action, &positions),
            ActionKind::Position => vec![0.0; action.len()],
        };
        if let Some(key) = &choice.reward {
            let reward = vector(key, 1)?[0];
            self.reward = match key == NEXT_REWARD {
                true => std::mem::replace(&mut self.next_reward, reward),
                false => reward,
            };
        }
        match (videos, &episode.video) {
            (Some(videos), Some((path, first))) => {
                videos.frame(path, first + number, &mut self.picture)?;
            }
            _ => {
                let bytes = row.bytes(&choice.image).ok_or_else(|| {
                    format!(
                        "frame {number}: {}: expected the bytes of an image, found none",
                        choice.image
                    )
                })?;
                decode(bytes, &mut self.picture)
                    .map_err(|error| format!("frame {number}: {}: {error}", choice.image))?;
            }
        }
        let found = (self.picture.width, self.picture.height);
        let expected = *size.get_or_insert(found);
        if found != expected {
            return Err(format!(
                "frame {number}: {}: expected {} x {} pixels as before, found {} x {}",
                choice.image, expected.0, expected.1, found.0, found.1
            ));
        }
        (self.positions, self.velocities) = (positions, velocities);
        (self.action, self.command) = (action, command);
        self.frames += 1;
        Ok(())
    }

    fn as_frame(&self, choice: &Choice) -> Frame<'_> {
        Frame {
            begins: self.frames == 1,
            picture: &self.picture,
            positions: &self.positions,
            velocities: &self.velocities,
            command: &self.command,
            reward: choice.reward.is_some().then_some(self.reward),
        }
    }
}

/// Decodes a PNG or JPEG file.
fn decode(bytes: &[u8], into: &mut Picture) -> Result<(), String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| error.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("expected a PNG or JPEG file".to_owned());
    }
    let image = reader
        .decode()
        .map_err(|error| error.to_string())?
        .into_rgb8();
    (into.width, into.height) = image.dimensions();
    into.rgb = image.into_raw();
    Ok(())
}
