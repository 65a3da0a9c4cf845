//! Where the losses of a run go: `losses.csv`, TensorBoard, and the screen.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::pictures::Strip;
use crate::tensorboard::EventWriter;

/// Time between lines where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Records the losses of one stage.
pub struct Log {
    stage: &'static str,
    csv: File,
    events: EventWriter,
    bar: Option<ProgressBar>,
    steps: usize,
    first: usize,
    record_steps: usize,
    begun: Instant,
    last_line: Instant,
}

impl Log {
    /// Continues the records of a run at step `first` of `steps` of a stage, with a record every `record_steps` of them. Rows
    /// of later steps, which an interrupted run may have left, are removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(
        folder: &Path,
        stage: &'static str,
        first: usize,
        steps: usize,
        record_steps: usize,
    ) -> io::Result<Self> {
        let path = folder.join("losses.csv");
        trim(&path, stage, first)?;
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(steps as u64);
            let style = "{prefix} {bar:30} {pos}/{len} [{elapsed} done, {eta} to go] {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_prefix(stage);
            bar.set_position(first as u64);
            bar.reset_eta();
            bar
        });
        Ok(Self {
            stage,
            csv: OpenOptions::new().create(true).append(true).open(path)?,
            events: EventWriter::create(&folder.join("tensorboard"))?,
            bar,
            steps,
            first,
            record_steps,
            begun: Instant::now(),
            last_line: Instant::now(),
        })
    }

    /// Records what was measured in step `step` (from 0), and shows progress.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn record(&mut self, step: usize, values: &[(&'static str, f32)]) -> io::Result<()> {
        let done = step + 1;
        if done.is_multiple_of(self.record_steps) || done == self.steps {
            let mut rows = String::new();
            for (name, value) in values {
                rows.push_str(&format!("{},{done},{name},{value}\n", self.stage));
            }
            self.csv.write_all(rows.as_bytes())?;
            let tagged: Vec<_> = values
                .iter()
                .map(|(name, value)| (format!("{}/{name}", self.stage), *value))
                .collect();
            self.events.scalars(done, &tagged)?;
        }
        let summary = || {
            let parts: Vec<_> = values.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
            parts.join(" ")
        };
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            if done.is_multiple_of(self.record_steps) {
                bar.set_message(summary());
            }
        } else if self.last_line.elapsed() >= LINE_EVERY || done == self.steps {
            self.last_line = Instant::now();
            let each = self.begun.elapsed().as_secs_f64() / (done - self.first) as f64;
            tracing::info!(
                "{} {done}/{} {:.0} ms a step, {:.0} s to go: {}",
                self.stage,
                self.steps,
                each * 1e3,
                each * (self.steps - done) as f64,
                summary()
            );
        }
        Ok(())
    }

    /// Records the losses on held-out episodes after `done` steps.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn held_out(&mut self, done: usize, values: &[(&'static str, f32)]) -> io::Result<()> {
        let stage = self.stage;
        let rows: String = values
            .iter()
            .map(|(name, value)| format!("{stage},{done},held_out_{name},{value}\n"))
            .collect();
        self.csv.write_all(rows.as_bytes())?;
        let tagged: Vec<_> = values
            .iter()
            .map(|(name, value)| (format!("{stage}/held_out_{name}"), *value))
            .collect();
        self.events.scalars(done, &tagged)
    }

    /// Records a strip of frames after `done` steps.
    ///
    /// # Errors
    /// Those of the file system.
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
        let tag = format!("{}/{}", self.stage, strip.name);
        self.events
            .picture(done, &tag, strip.width, strip.height, png.into_inner())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
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
    let part = path.with_extension("csv.part");
    std::fs::write(&part, kept)?;
    std::fs::rename(part, path)
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
