//! A collector: a simulated robot that makes one episode after the other for an exchange.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use latco_bag::BagWriter;
use latco_controller::Config;
use latco_envs::{EVALUATION_SEED, Policy, PolicyKind, Robot};
use latco_evaluate::{PlannerPolicy, check_fit};
use latco_models::Bundle;
use latco_models::sha256;

use super::exchange::{Control, EpisodeFacts, Exchange, ExchangeError, Phase};
use super::{pause, unix_seconds};
use crate::data::episode::{EpisodeBegin, Recorded, record_episode};
use crate::data::record::EpisodeRecorder;

/// Time between two looks when there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Failures of the exchange in a row after which a collector gives up, and the time between tries.
const PATIENCE: u32 = 20;
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Collects until the trainer says that it is over, or `stop` is set. Returns the number of
/// episodes handed over.
///
/// # Errors
/// An exchange that fails again and again, a bundle or task that cannot be used.
pub fn collect(exchange: &Exchange, name: &str, work: &Path, stop: &AtomicBool) -> Result<u64> {
    // Names of a collector that was started again must not repeat.
    let name = format!("{name}-{:.0}", unix_seconds() * 1e3);
    let mut collector = Collector {
        name,
        work: work.to_path_buf(),
        robot: None,
        policy: None,
        done: 0,
    };
    let mut failed = 0;
    while !stop.load(Ordering::Relaxed) {
        let wanted = || -> Result<Option<Control>, ExchangeError> {
            let Some(control) = exchange.control()? else {
                return Ok(None);
            };
            let enough =
                control.phase != Phase::End && exchange.episodes()?.len() >= control.wanted;
            Ok((!enough).then_some(control))
        };
        let control = match wanted() {
            Ok(control) => control,
            Err(error) if failed < PATIENCE => {
                failed += 1;
                tracing::warn!("{error}; trying again");
                pause(RETRY_AFTER);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        failed = 0;
        match control {
            None => pause(LOOK_EVERY),
            Some(control) if control.phase == Phase::End => break,
            Some(control) => collector.episode(exchange, &control, stop)?,
        }
    }
    Ok(collector.done)
}

struct Collector {
    name: String,
    work: PathBuf,
    robot: Option<Box<dyn Robot>>,
    /// Phase and generation that the policy is for.
    policy: Option<(Phase, u64, Box<dyn Policy>)>,
    done: u64,
}

impl Collector {
    /// One episode, handed over; nothing if it was stopped.
    fn episode(&mut self, exchange: &Exchange, control: &Control, stop: &AtomicBool) -> Result<()> {
        let mut robot = match self.robot.take() {
            Some(robot) => robot,
            None => latco_envs::make(&control.task, control.image_size)?,
        };
        let known = matches!(&self.policy, Some((phase, generation, _))
            if (*phase, *generation) == (control.phase, control.generation));
        if !known {
            let policy = self.make_policy(exchange, control, robot.as_ref())?;
            self.policy = Some((control.phase, control.generation, policy));
        }
        let (_, _, policy) = self.policy.as_mut().context("a policy was made")?;

        let episode = format!("{}-{:05}", self.name, self.done);
        let seed = seed_of(&episode, control.seed);
        let bag = self.work.join(&episode);
        if bag.exists() {
            std::fs::remove_dir_all(&bag).with_context(|| format!("removing {}", bag.display()))?;
        }
        let outcome = record(robot.as_mut(), policy.as_mut(), &bag, seed, stop)?;
        if let Some(outcome) = outcome {
            let facts = EpisodeFacts {
                collector: self.name.clone(),
                policy: policy.describe(),
                generation: control.generation,
                seed,
                solved: outcome.solved,
                episode_return: outcome.episode_return,
                steps: outcome.steps,
                finished_unix_s: unix_seconds(),
            };
            hand_over(exchange, &episode, &bag, &facts)?;
            self.done += 1;
        }
        std::fs::remove_dir_all(&bag).with_context(|| format!("removing {}", bag.display()))?;
        self.robot = Some(robot);
        Ok(())
    }

    fn make_policy(
        &self,
        exchange: &Exchange,
        control: &Control,
        robot: &dyn Robot,
    ) -> Result<Box<dyn Policy>> {
        if control.phase == Phase::Seed {
            return Ok(PolicyKind::from_str(&control.seed_policy)?.make());
        }
        let folder = self.work.join(format!("{}-bundle", self.name));
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("removing {}", folder.display()))?;
        }
        exchange.fetch_bundle(control.generation, &folder)?;
        let bundle = Bundle::load(&folder, &Default::default())?;
        check_fit(&bundle, robot)?;
        let mut config = match &control.planner {
            Some(text) => Config::from_toml(text)?,
            None => Config::default(),
        };
        // The other cores are for other collectors and the trainer.
        config.planner.threads = 1;
        config.planner.seed = control.seed;
        let policy = PlannerPolicy::new(&config, &bundle)?.with_noise(control.noise);
        Ok(Box::new(policy))
    }
}

/// Hands an episode over, trying again for a while: it was work to make.
fn hand_over(exchange: &Exchange, name: &str, bag: &Path, facts: &EpisodeFacts) -> Result<()> {
    let mut failed = 0;
    loop {
        match exchange.put_episode(name, bag, facts) {
            Ok(()) => return Ok(()),
            Err(error) if failed < PATIENCE => {
                failed += 1;
                tracing::warn!("{error}; trying again");
                pause(RETRY_AFTER);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Records one episode into a bag; none if it was stopped before its end.
fn record(
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    bag: &Path,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<Recorded>> {
    let size = robot.image_size() as u32;
    let names = robot.joint_names().iter().map(|n| (*n).to_owned());
    let names = names.collect();
    let mut recorder = EpisodeRecorder::of_kinds(
        BagWriter::create(bag)?,
        (size, size),
        names,
        &robot.action_kinds(),
    )?;
    let begin = EpisodeBegin {
        number: 0,
        time_ns: 0,
        seed,
    };
    let recorded = record_episode(robot, policy, &mut recorder, &begin, stop)?;
    recorder.finish()?;
    Ok(recorded)
}

/// Seed of an episode, below those kept for evaluation.
fn seed_of(episode: &str, seed: u64) -> u64 {
    let sum = sha256(format!("{seed} {episode}").as_bytes());
    let number = u64::from_str_radix(&sum[..15], 16).expect("a sum is hexadecimal");
    number % EVALUATION_SEED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_stay_below_the_evaluation_seeds_and_differ() {
        assert!((0..100).all(|k| seed_of(&format!("c-{k}"), 1) < EVALUATION_SEED));
        assert_ne!(seed_of("c-1", 1), seed_of("c-2", 1));
        assert_ne!(seed_of("c-1", 1), seed_of("c-1", 2));
    }
}
