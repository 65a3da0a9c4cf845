//! Where the losses of a run go: `losses.csv`, TensorBoard, and the screen.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use latco_models::replace_file;

use super::pictures::Strip;
use crate::progress::Progress;
use crate::tensorboard::EventWriter;

/// Name of the table of losses in the folder of a run: `stage,step,name,value`.
pub const LOSSES_FILE: &str = "losses.csv";
/// Name of the folder of the newest strips, `STAGE-NAME.png`, in the folder of a run.
pub const PICTURES_FOLDER: &str = "pictures";

/// Records the losses of one stage.
pub struct Log {
    stage: &'static str,
    pictures: PathBuf,
    csv: File,
    events: EventWriter,
    progress: Progress,
    steps: usize,
    record_steps: usize,
}

impl Log {
    /// Continues the records of a run at step `first` of `steps` of a stage, with a record every `record_steps` of them. Rows
    /// of later steps, which an interrupted run may have left, are removed.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn open(
        folder: &Path,
        stage: &'static str,
        first: usize,
        steps: usize,
        record_steps: usize,
    ) -> io::Result<Self> {
        let path = folder.join(LOSSES_FILE);
        trim(&path, stage, first)?;
        Ok(Self {
            stage,
            pictures: folder.join(PICTURES_FOLDER),
            csv: OpenOptions::new().create(true).append(true).open(path)?,
            events: EventWriter::create(&folder.join("tensorboard"))?,
            progress: Progress::from(stage, first as u64, steps as u64),
            steps,
            record_steps,
        })
    }

    /// Records what was measured in step `step` (from 0), and shows progress.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn record(&mut self, step: usize, values: &[(&'static str, f32)]) -> io::Result<()> {
        let done = step + 1;
        if done.is_multiple_of(self.record_steps) || done == self.steps {
            self.write(done, "", values)?;
        }
        let parts: Vec<_> = values.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
        self.progress.advance(1, &parts.join(" "));
        Ok(())
    }

    /// Records the losses on held-out episodes after `done` steps.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn held_out(&mut self, done: usize, values: &[(&'static str, f32)]) -> io::Result<()> {
        self.write(done, "held_out_", values)
    }

    fn write(&mut self, done: usize, prefix: &str, values: &[(&str, f32)]) -> io::Result<()> {
        let stage = self.stage;
        let row = |(name, value): &(&str, f32)| format!("{stage},{done},{prefix}{name},{value}\n");
        let rows: String = values.iter().map(row).collect();
        self.csv.write_all(rows.as_bytes())?;
        let tag = |(name, value): &(&str, f32)| (format!("{stage}/{prefix}{name}"), *value);
        let tagged: Vec<_> = values.iter().map(tag).collect();
        self.events.scalars(done, &tagged)
    }

    /// Records a strip of frames after `done` steps, and keeps it as a file in the place of the one before.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn strip(&mut self, done: usize, strip: &Strip) -> io::Result<()> {
        let mut png = io::Cursor::new(Vec::new());
        let written = image::write_buffer_with_format(
            &mut png,
            &strip.rgb,
            strip.width as u32,
            strip.height as u32,
            image::ExtendedColorType::Rgb8,
            image::ImageFormat::Png,
        );
        written.map_err(io::Error::other)?;
        let png = png.into_inner();
        std::fs::create_dir_all(&self.pictures)?;
        let file = format!("{}-{}.png", self.stage, strip.name);
        std::fs::write(self.pictures.join(file), &png)?;
        let tag = format!("{}/{}", self.stage, strip.name);
        self.events
            .picture(done, &tag, strip.width, strip.height, png)
    }
}

/// Removes the rows of `stage` after step `last` and a row that was not written to its end, and
/// writes the heading of a new file. An interruption leaves the old file or the new one.
fn trim(path: &Path, stage: &str, last: usize) -> io::Result<()> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => "stage,step,name,value\n".to_owned(),
        Err(e) => return Err(e),
    };
    let keep = |row: &&str| {
        let mut fields = row.split(',');
        row.ends_with('\n')
            && (fields.next() != Some(stage)
                || fields
                    .next()
                    .and_then(|s| s.parse::<usize>().ok())
                    .is_some_and(|s| s <= last))
    };
    let kept: String = text.split_inclusive('\n').filter(keep).collect();
    replace_file(path, kept.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_after_the_checkpoint_and_broken_ones_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("losses.csv");
        let head = "stage,step,name,value\n";
        let before = "autoencoder,90,image,1\nworld,10,loss,2\nworld,20,held_out_loss,3\n";
        std::fs::write(&path, format!("{head}{before}world,30,loss,4\nworld,10,lo")).unwrap();
        trim(&path, "world", 20).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{head}{before}")
        );
        trim(&path, "world", 0).unwrap();
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!(left, format!("{head}autoencoder,90,image,1\n"));
    }
}
