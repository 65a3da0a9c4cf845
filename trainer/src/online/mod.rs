//! Algorithm 1 of Rybkin et al. 2021: collect with the planner, train, repeat.
//!
//! Collectors ([`collector`]) and the trainer ([`run`]) are processes of their own that meet in an
//! [`exchange`]: collectors use the newest bundle and hand over one bag an episode, while the
//! trainer trains the next bundle. Training goes in rounds. The first one, and those where
//! [`config`] says so, train everything anew, as `latco-train fit` does: the autoencoder of the
//! two-stage recipe is frozen while the world model is trained on it, and has to see what the robot
//! came to see later. The other rounds go on with the world model. [`state`] is written at every
//! change and the training has checkpoints, so that a run which is killed goes on where it was.

mod collector;
pub mod config;
mod curve;
mod exchange;
mod rounds;
mod state;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Serialize;

pub use collector::collect;
pub use config::OnlineConfig;
pub use curve::{Curve, CurveRow};
pub use exchange::{Control, EpisodeFacts, Exchange, ExchangeError, Phase};
pub use state::{Round, RunSettings, State, StateError};

/// Time between two looks at the exchange while nothing is trained.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Newest episodes of the planner whose mean success is reported.
const RECENT_EPISODES: usize = 50;

/// How a run is made, beside its settings.
pub struct Options<'a> {
    /// Folder of the run.
    pub out: PathBuf,
    /// Robot configuration with the planner's parameters, TOML.
    pub planner: Option<String>,
    /// Set from outside to stop; the run can be gone on with.
    pub stop: &'a AtomicBool,
    /// Called at every look; fails when the collectors have.
    pub watch: &'a mut dyn FnMut() -> Result<()>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the task.
    pub task: String,
    /// Number of episodes, those of the seed policy among them.
    pub episodes: usize,
    /// Number of rounds of training.
    pub rounds: u64,
    /// Number of training steps of the world model.
    pub steps: usize,
    /// Time that the run took, s.
    pub active_s: f64,
    /// Share of solved ones among the newest episodes of the planner.
    pub recent_success: f64,
    /// Number of these episodes.
    pub recent_episodes: usize,
    /// The newest bundle.
    pub bundle: PathBuf,
    /// Whether the run is at its end; else it was stopped.
    pub ended: bool,
}

struct Run<'a> {
    options: Options<'a>,
    exchange: Exchange,
    state: State,
    curve: Curve,
    /// Time of the run and of the clock when this process began.
    began: (f64, Instant, f64),
    seen: BTreeSet<String>,
}

/// Runs to the end, or until stopped.
///
/// # Errors
/// Settings that are not those of the run in the folder, an exchange that fails, training that
/// cannot be done.
pub fn run(settings: &RunSettings, options: Options<'_>) -> Result<Summary> {
    let out = options.out.clone();
    std::fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
    let state = State::open(&out, settings)?;
    let exchange = Exchange::open(&settings.exchange_in(&out))?;
    let curve = Curve::open(&out)?;
    // A run that was killed had no time to note how long it ran.
    let active_s = (curve.rows().iter()).fold(state.active_s, |time, row| time.max(row.time_s));
    let seen = curve.rows().iter().map(|row| row.name.clone()).collect();
    let mut run = Run {
        began: (active_s, Instant::now(), unix_seconds()),
        options,
        exchange,
        state,
        curve,
        seen,
    };
    run.go()?;
    let (recent_success, recent_episodes) = run.curve.recent_success(RECENT_EPISODES);
    Ok(Summary {
        task: settings.task.clone(),
        episodes: run.curve.rows().len(),
        rounds: run.state.rounds,
        steps: run.state.steps,
        active_s: run.state.active_s,
        recent_success,
        recent_episodes,
        bundle: run.bundle(),
        ended: run.state.ended,
    })
}

/// Makes `folder` a run under `settings` that goes on from the end of the run in `from`: its model is
/// the first one. Nothing is done if there is a run already.
///
/// # Errors
/// `from` is no run, or files cannot be copied.
pub fn begin_from(from: &Path, settings: &RunSettings, folder: &Path) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let part = folder.with_extension("part");
    if part.exists() {
        std::fs::remove_dir_all(&part).with_context(|| format!("removing {}", part.display()))?;
    }
    copy_folder(from, &part)
        .with_context(|| format!("copying {} to {}", from.display(), part.display()))?;
    let mut state = State::read(&part)?;
    state.settings = settings.clone();
    (state.ended, state.active_s) = (false, 0.0);
    state.save(&part).context("writing the state of the run")?;
    std::fs::rename(&part, folder).with_context(|| format!("making {}", folder.display()))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Run<'_> {
    fn go(&mut self) -> Result<()> {
        let online = self.state.settings.config.online.clone();
        self.publish_control()?;
        while !self.state.ended && !self.stopped() {
            (self.options.watch)()?;
            self.look()?;
            if self.state.round.is_none() {
                self.state.round = self.next_round();
                self.save()?;
            }
            if self.state.round.is_some() {
                // Meanwhile the collectors go on with the newest bundle.
                self.publish_control()?;
                self.train()?;
                continue;
            }
            let known = self.curve.rows().len();
            let over_time = self.active_s() >= online.hours * 3600.0;
            if known >= online.episodes || (over_time && self.state.rounds > 0) {
                self.end()?;
            } else {
                pause(LOOK_EVERY);
            }
        }
        self.save()?;
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    fn active_s(&self) -> f64 {
        self.began.0 + self.began.1.elapsed().as_secs_f64()
    }

    fn save(&mut self) -> Result<()> {
        self.state.active_s = self.active_s();
        self.state
            .save(&self.options.out)
            .context("writing the state of the run")
    }

    /// The newest bundle.
    fn bundle(&self) -> PathBuf {
        self.options.out.join("bundle")
    }

    /// Takes note of new episodes.
    fn look(&mut self) -> Result<()> {
        let mut new = Vec::new();
        for name in self.exchange.episodes()? {
            if !self.seen.contains(&name) {
                let facts = self
                    .exchange
                    .facts(&name)?
                    .unwrap_or_else(|| foreign(&name));
                new.push((name, facts));
            }
        }
        new.sort_by(|a, b| a.1.finished_unix_s.total_cmp(&b.1.finished_unix_s));
        for (name, facts) in new {
            let (active_s, _, began_unix) = self.began;
            // What was finished while this process did not run counts as finished at its begin.
            let time = active_s + (facts.finished_unix_s - began_unix).max(0.0);
            self.curve
                .add(&name, &facts, time)
                .context("writing the learning curve")?;
            self.seen.insert(name);
        }
        Ok(())
    }

    /// The round of training that is due, if one is.
    fn next_round(&self) -> Option<Round> {
        let online = &self.state.settings.config.online;
        let offline = !self.state.settings.data.is_empty();
        let known = self.curve.rows().len();
        let new = known - self.state.trained;
        let first = self.state.rounds == 0;
        let due = if first {
            known >= online.seed_episodes && (known > 0 || offline)
        } else {
            let last = known >= online.episodes && new > 0;
            new >= online.round_episodes || last
        };
        let left_s = online.hours * 3600.0 - self.active_s();
        if !due || (!first && left_s <= 0.0) {
            return None;
        }
        let renewal = (online.renew_at.iter()).any(|at| known >= *at && self.state.renewed < *at);
        // One that would not come to its end in time is of no use.
        let anew = first || (renewal && left_s > 1.2 * self.state.longest_anew_s);
        let names = |rows: &[CurveRow]| rows.iter().map(|row| row.name.clone()).collect();
        let rows = self.curve.rows();
        let recent = if anew { 0 } else { online.recent_episodes };
        Some(Round {
            number: self.state.rounds + 1,
            anew,
            steps: if anew {
                self.state.settings.config.fit.training.steps
            } else {
                online.steps_per_episode * new
            },
            episodes: names(rows),
            recent: names(&rows[known.saturating_sub(recent)..]),
        })
    }

    /// Tells the collectors what to do.
    fn publish_control(&self) -> Result<()> {
        let first = self.state.rounds == 0;
        self.tell_phase(match (self.state.ended, first) {
            (true, _) => Phase::End,
            (_, true) => Phase::Seed,
            _ => Phase::Plan,
        })
    }

    fn tell_phase(&self, phase: Phase) -> Result<()> {
        let settings = &self.state.settings;
        let online = &settings.config.online;
        let first = self.state.rounds == 0;
        let wanted = if first {
            online.seed_episodes
        } else {
            self.state.trained + 2 * online.round_episodes
        };
        let control = Control {
            task: settings.task.clone(),
            image_size: rounds::image_size(settings)?,
            phase,
            seed_policy: online.seed_policy.clone(),
            generation: self.state.rounds,
            noise: online.noise,
            planner: self.options.planner.clone(),
            wanted: wanted.min(online.episodes),
            seed: settings.seed,
        };
        Ok(self.exchange.set_control(&control)?)
    }

    /// Trains the round that is due, and publishes its bundle.
    fn train(&mut self) -> Result<()> {
        let Some(round) = self.state.round.clone() else {
            return Ok(());
        };
        let began = Instant::now();
        tracing::info!(
            "round {}: {} steps on {} episodes{}",
            round.number,
            round.steps,
            round.episodes.len(),
            if round.anew { ", everything anew" } else { "" }
        );
        let trained = rounds::train(
            &self.state.settings,
            &round,
            &self.exchange,
            &self.options.out,
            self.options.stop,
        )?;
        if !trained {
            return self.save();
        }
        let folder = self.bundle();
        self.exchange.publish_bundle(round.number, &folder)?;
        let seconds = began.elapsed().as_secs_f64();
        if round.anew {
            self.state.renewed = round.episodes.len();
            self.state.longest_anew_s = self.state.longest_anew_s.max(seconds);
        }
        self.state.rounds = round.number;
        self.state.steps += round.steps;
        self.state.trained = round.episodes.len();
        self.state.round = None;
        self.save()?;
        self.publish_control()?;
        rounds::tidy(&self.options.out, &self.exchange, round.number)?;
        self.look()?;
        self.curve
            .plot(&format!("{}, online", self.state.settings.task))?;
        let (success, of) = self.curve.recent_success(RECENT_EPISODES);
        tracing::info!(
            "round {} done in {seconds:.0} s: {} episodes, {:.0} min, {success:.2} of the last {of} by the planner solved",
            round.number,
            self.curve.rows().len(),
            self.active_s() / 60.0
        );
        Ok(())
    }

    /// The end of the run: collectors end, and the gates of the last bundle are measured.
    fn end(&mut self) -> Result<()> {
        self.tell_phase(Phase::End)?;
        rounds::measure_gates(&self.bundle())?;
        // Episodes that were on the way.
        self.look()?;
        self.curve
            .plot(&format!("{}, online", self.state.settings.task))?;
        self.state.ended = true;
        self.save()
    }
}

/// Facts of a bag that no collector made.
fn foreign(name: &str) -> EpisodeFacts {
    EpisodeFacts {
        collector: name.to_owned(),
        policy: "from elsewhere".to_owned(),
        ..EpisodeFacts::default()
    }
}

/// Waits; nothing wakes it, as what is waited for is in the exchange.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn unix_seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}
