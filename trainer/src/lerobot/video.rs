//! Frames of MP4 files, decoded and encoded by the program ffmpeg: AV1, H.264 and whatever else it was built with.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::error::{At, LeRobotError};

/// The variable that names the program where it is not `ffmpeg` of the search path.
pub const PROGRAM: &str = "LATCO_FFMPEG";
/// Most bytes of a frame: 8192 x 8192.
const MOST_BYTES: usize = 3 << 26;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Packed RGB, `[height, width, 3]`.
    pub rgb: Vec<u8>,
}

/// ffmpeg, as it is installed.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: String,
    /// The option that hands every frame over once: version 5.1 renamed it.
    passthrough: [&'static str; 2],
}

impl Ffmpeg {
    /// Looks for the program.
    ///
    /// # Errors
    /// What to install, where it is not there or does not start.
    pub fn find() -> Result<Self, String> {
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| "ffmpeg".to_owned());
        let said = Command::new(&program).arg("-version").output();
        let said = said.map_err(|error| {
            format!(
                "videos are read and written by the program ffmpeg: `{program}`: {error}; install it (apt-get install ffmpeg), or \
                 name it with {PROGRAM}"
            )
        })?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = text.split_whitespace().nth(2).unwrap_or_default();
        let is_old = ["3.", "4.", "5.0", "n4.", "n5.0"];
        let is_old = is_old.iter().any(|old| version.starts_with(old));
        let option = if is_old { "-vsync" } else { "-fps_mode" };
        Ok(Self {
            program,
            passthrough: [option, "passthrough"],
        })
    }

    /// The program, reading no other input and writing its errors only.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-nostdin", "-hide_banner", "-v", "error"]);
        command
    }

    /// Makes a video of the images, with a key frame every second one, as LeRobot does for access to single frames.
    pub(super) fn encode<'a>(
        &self,
        encoder: &str,
        fps: f64,
        (width, height): (usize, usize),
        mut images: impl Iterator<Item = &'a [u8]>,
        path: &Path,
    ) -> Result<(), LeRobotError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).at(folder)?;
        }
        let mut command = self.command();
        command.args(["-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
        command.args([
            "-s",
            &format!("{width}x{height}"),
            "-r",
            &fps.to_string(),
            "-i",
            "-",
        ]);
        command.args([
            "-c:v", encoder, "-pix_fmt", "yuv420p", "-g", "2", "-crf", "20",
        ]);
        command.arg(format!("file:{}", path.display()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .at(path)?;
        let mut stdin = child.stdin.take().expect("it was asked for above");
        let written = images.try_for_each(|image| stdin.write_all(image));
        drop(stdin);
        let ended = child.wait_with_output().at(path)?;
        let said = String::from_utf8_lossy(&ended.stderr);
        match (ended.status.success(), written) {
            (true, Ok(())) => Ok(()),
            _ => {
                let text = format!("ffmpeg with the encoder {encoder} failed: {}", said.trim());
                Err(LeRobotError::new(path, text))
            }
        }
    }
}

/// A film that is being decoded from its beginning.
struct Film {
    path: PathBuf,
    child: Child,
    frames: BufReader<ChildStdout>,
    said: File,
    /// Number of the next frame.
    next: u64,
}

/// Frames by file and number; those that are asked for in their order cost one pass through each file.
pub(super) struct Videos {
    ffmpeg: Ffmpeg,
    open: Option<Film>,
}

impl Videos {
    pub(super) fn new(ffmpeg: Ffmpeg) -> Self {
        Self { ffmpeg, open: None }
    }

    /// Decodes frame `number` of `path`, from 0 on, into `into`.
    ///
    /// # Errors
    /// Why there is no such frame.
    pub(super) fn frame(
        &mut self,
        path: &Path,
        number: u64,
        into: &mut Picture,
    ) -> Result<(), String> {
        let goes_on = |film: &Film| film.path == path && film.next <= number;
        if !self.open.as_ref().is_some_and(goes_on) {
            self.open = None;
            let film = Film::open(&self.ffmpeg, path);
            self.open = Some(film.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        let film = self.open.as_mut().expect("it was opened above");
        while film.next <= number {
            film.read(into)?;
        }
        Ok(())
    }
}

impl Film {
    fn open(ffmpeg: &Ffmpeg, path: &Path) -> std::io::Result<Self> {
        File::open(path)?; // a better error than that of ffmpeg
        let said = tempfile::tempfile()?;
        let mut command = ffmpeg.command();
        command.args(["-protocol_whitelist", "file", "-f", "mp4", "-i"]);
        command.arg(format!("file:{}", path.display()));
        command.args(["-map", "0:v:0", "-an"]);
        command.args(ffmpeg.passthrough);
        command.args(["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?)
            .spawn()?;
        let frames = child.stdout.take().expect("it was asked for above");
        Ok(Self {
            path: path.to_path_buf(),
            child,
            frames: BufReader::with_capacity(1 << 16, frames),
            said,
            next: 0,
        })
    }

    fn read(&mut self, into: &mut Picture) -> Result<(), String> {
        let read = self.read_picture(into);
        match read {
            Ok(true) => {
                self.next += 1;
                Ok(())
            }
            Ok(false) => Err(self.ended("the video ends".to_owned())),
            Err(error) => {
                let _ = self.child.kill();
                Err(self.ended(format!("the video breaks off: {error}")))
            }
        }
    }

    /// The error of a film that has no more frames, with what the decoder said.
    fn ended(&mut self, how: String) -> String {
        let mut said = String::new();
        let _ = self.child.wait();
        let read = self
            .said
            .rewind()
            .and_then(|()| self.said.read_to_string(&mut said));
        let first = said.lines().next().filter(|_| read.is_ok());
        let said = first.map_or(String::new(), |line| format!(" ({line})"));
        format!(
            "{}: {how} after {} frames{said}",
            self.path.display(),
            self.next
        )
    }

    /// Reads a picture in the format PPM; `false` where there is none left.
    fn read_picture(&mut self, into: &mut Picture) -> std::io::Result<bool> {
        let mut header = String::new();
        for _ in 0..3 {
            if self.frames.by_ref().take(64).read_line(&mut header)? == 0 {
                return match header.is_empty() {
                    true => Ok(false),
                    false => Err(std::io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
        let numbers: Vec<usize> = (header.split_whitespace().skip(1))
            .filter_map(|word| word.parse().ok())
            .collect();
        let (width, height) = match numbers[..] {
            [width, height, 255] if header.starts_with("P6") => (width, height),
            _ => return Err(std::io::Error::other("expected pictures in the format PPM")),
        };
        let bytes = width.saturating_mul(height).saturating_mul(3);
        if bytes > MOST_BYTES {
            return Err(std::io::Error::other(format!(
                "{width} x {height} pixels are too many"
            )));
        }
        (into.width, into.height) = (width as u32, height as u32);
        into.rgb.resize(bytes, 0);
        self.frames.read_exact(&mut into.rgb)?;
        Ok(true)
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
