//! The learning curve: one line for every episode, and its plot.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use latco_pictures::{Curves, Panel, PictureError};

use super::exchange::EpisodeFacts;

/// Names of the files in the folder of a run.
const CSV_FILE: &str = "curve.csv";
const PLOT_FILE: &str = "curve.png";
const HEAD: &str = "episode,name,time_s,policy,generation,solved,return,steps";
/// Number of episodes that a point of the plot is the mean of.
const WINDOW: usize = 20;

/// The record of one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveRow {
    /// Name of the episode in the exchange.
    pub name: String,
    /// Time of the run at which it was finished in s, without the time that the run stood still.
    pub time_s: f64,
    /// Name of the policy that moved the robot.
    pub policy: String,
    /// Number of the bundle that the planner used; 0 for scripted policies.
    pub generation: u64,
    /// Whether the task was solved after any step.
    pub solved: bool,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Number of steps.
    pub steps: usize,
}

/// The curve on file.
pub struct Curve {
    folder: PathBuf,
    rows: Vec<CurveRow>,
}

impl Curve {
    /// Opens the curve of a run; a last line that was cut off is dropped.
    ///
    /// # Errors
    /// The errors of the file system, and lines that do not belong to a curve.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join(CSV_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut rows = Vec::new();
        for line in whole.lines().skip(1) {
            rows.push(parse(line).ok_or_else(|| {
                std::io::Error::other(format!("{}: not of a curve: {line:?}", path.display()))
            })?);
        }
        if whole.is_empty() {
            std::fs::write(&path, format!("{HEAD}\n"))?;
        } else if whole.len() < text.len() {
            std::fs::write(&path, whole)?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            rows,
        })
    }

    /// The episodes so far.
    pub fn rows(&self) -> &[CurveRow] {
        &self.rows
    }

    /// Adds an episode.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn add(&mut self, name: &str, facts: &EpisodeFacts, time_s: f64) -> std::io::Result<()> {
        let row = CurveRow {
            name: name.to_owned(),
            time_s,
            policy: facts.policy.replace([',', '\n'], " "),
            generation: facts.generation,
            solved: facts.solved,
            episode_return: facts.episode_return,
            steps: facts.steps,
        };
        let line = format!(
            "{},{name},{time_s:.1},{},{},{},{},{}\n",
            self.rows.len() + 1,
            row.policy,
            row.generation,
            u8::from(row.solved),
            row.episode_return,
            row.steps
        );
        let path = self.folder.join(CSV_FILE);
        let mut file = OpenOptions::new().append(true).open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()?;
        self.rows.push(row);
        Ok(())
    }

    /// The share of solved episodes among the planner's newest, and how many these are.
    pub fn recent_success(&self, most: usize) -> (f64, usize) {
        let planned = self.rows.iter().rev().filter(|row| row.generation > 0);
        let newest: Vec<bool> = planned.take(most).map(|row| row.solved).collect();
        let solved = newest.iter().filter(|solved| **solved).count();
        (solved as f64 / newest.len().max(1) as f64, newest.len())
    }

    /// Draws success and return, means of a few episodes, against episodes and time. Nothing is
    /// drawn before there are two points.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn plot(&self, title: &str) -> Result<(), PictureError> {
        if self.rows.len() < 2 {
            return Ok(());
        }
        let means = |value: fn(&CurveRow) -> f64, x: fn(usize, &CurveRow) -> f64| {
            (0..self.rows.len())
                .map(|last| {
                    let first = (last + 1).saturating_sub(WINDOW);
                    let rows = &self.rows[first..=last];
                    let mean = rows.iter().map(value).sum::<f64>() / rows.len() as f64;
                    (x(last, &self.rows[last]), mean)
                })
                .collect::<Vec<_>>()
        };
        let solved: fn(&CurveRow) -> f64 = |row| f64::from(u8::from(row.solved));
        let reward: fn(&CurveRow) -> f64 = |row| row.episode_return;
        let by_episode: fn(usize, &CurveRow) -> f64 = |at, _| at as f64 + 1.0;
        let by_time: fn(usize, &CurveRow) -> f64 = |_, row| row.time_s / 60.0;
        let name = format!("mean of {WINDOW} episodes");
        let panel = |title: &str, x_title: &str, points: Vec<(f64, f64)>| {
            Panel::new(title, x_title).points(name.clone(), &points)
        };
        Curves::new(title)
            .panel(panel("solved", "episode", means(solved, by_episode)))
            .panel(panel(
                "solved",
                "time of the run, min",
                means(solved, by_time),
            ))
            .panel(panel("return", "episode", means(reward, by_episode)))
            .panel(panel(
                "return",
                "time of the run, min",
                means(reward, by_time),
            ))
            .save(&self.folder.join(PLOT_FILE))
    }
}

fn parse(line: &str) -> Option<CurveRow> {
    let mut fields = line.split(',').skip(1);
    let row = CurveRow {
        name: fields.next()?.to_owned(),
        time_s: fields.next()?.parse().ok()?,
        policy: fields.next()?.to_owned(),
        generation: fields.next()?.parse().ok()?,
        solved: fields.next()? == "1",
        episode_return: fields.next()?.parse().ok()?,
        steps: fields.next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_survives_being_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let facts = |solved| EpisodeFacts {
            collector: "c".into(),
            policy: "planner latco".into(),
            generation: 2,
            seed: 1,
            solved,
            episode_return: 1.5,
            steps: 50,
            finished_unix_s: 0.0,
        };
        let mut curve = Curve::open(folder.path()).unwrap();
        curve.add("a", &facts(true), 1.0).unwrap();
        curve.add("b", &facts(false), 2.0).unwrap();
        let path = folder.path().join(CSV_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        let mut curve = Curve::open(folder.path()).unwrap();
        assert_eq!(curve.rows().len(), 1);
        curve.add("b", &facts(false), 2.0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(curve.recent_success(10), (0.5, 2));
        curve.plot("test").unwrap();
        assert!(folder.path().join(PLOT_FILE).exists());
    }
}
