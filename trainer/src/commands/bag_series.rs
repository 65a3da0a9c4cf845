//! Bags of imported episodes, one after the other.

use std::path::{Path, PathBuf};

use latco_bag::{BagError, BagWriter};
use latco_trainer::data::record::{EpisodeRecorder, Step};

use super::shell::check_empty;

/// Time between two episodes of a bag, ns.
const PAUSE_NS: i64 = 1_000_000_000;

/// Writes episodes into bags `import-0000`, `import-0001` and so on, which are made when something comes into them.
pub(crate) struct BagSeries {
    out: PathBuf,
    /// Columns and rows of the pictures.
    size: (u32, u32),
    joint_names: Vec<String>,
    period_ns: i64,
    recorder: Option<EpisodeRecorder>,
    time_ns: i64,
    episodes: i64,
    frames: usize,
    bags: Vec<String>,
}

impl BagSeries {
    /// Makes a series in the folder `out`, which must not exist or be empty.
    ///
    /// # Errors
    /// Bad input.
    pub(crate) fn new(
        out: &Path,
        size: (u32, u32),
        joint_names: Vec<String>,
        period_ns: i64,
    ) -> anyhow::Result<Self> {
        check_empty(out)?;
        Ok(Self {
            out: out.to_owned(),
            size,
            joint_names,
            period_ns,
            recorder: None,
            time_ns: 0,
            episodes: 0,
            frames: 0,
            bags: Vec::new(),
        })
    }

    /// Completes the bag; what comes next is in another one.
    pub(crate) fn next_bag(&mut self) -> Result<(), BagError> {
        self.time_ns = 0;
        self.recorder
            .take()
            .map_or(Ok(()), |recorder| recorder.finish().map(drop))
    }

    /// Begins an episode.
    pub(crate) fn begin(&mut self) -> Result<(), BagError> {
        let recorder = match &mut self.recorder {
            Some(recorder) => {
                self.time_ns += PAUSE_NS;
                recorder
            }
            none => {
                let path = self.out.join(format!("import-{:04}", self.bags.len()));
                self.bags.push(path.display().to_string());
                let (width, height) = self.size;
                let bag = BagWriter::create(&path)?;
                none.insert(EpisodeRecorder::new(
                    bag,
                    width,
                    height,
                    self.joint_names.clone(),
                )?)
            }
        };
        recorder.begin(self.episodes, self.time_ns)?;
        self.episodes += 1;
        Ok(())
    }

    /// Writes the next step of the episode.
    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), BagError> {
        if let Some(recorder) = &mut self.recorder {
            recorder.step(self.time_ns, step)?;
            self.frames += 1;
            self.time_ns += self.period_ns;
        }
        Ok(())
    }

    /// Episodes and frames so far.
    pub(crate) fn written(&self) -> (i64, usize) {
        (self.episodes, self.frames)
    }

    /// Completes the last bag; returns the names of all.
    pub(crate) fn finish(mut self) -> Result<Vec<String>, BagError> {
        self.next_bag()?;
        Ok(self.bags)
    }
}
