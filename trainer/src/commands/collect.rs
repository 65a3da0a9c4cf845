//! `latco-train collect`: drives a simulated robot with a scripted policy and records bags.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use latco_bag::BagWriter;
use latco_envs::{DEFAULT_IMAGE_SIZE, EVALUATION_SEED, Policy, PolicyKind, RewardKind, Robot};
use latco_evaluate::{PlannerPolicy, check_fit};
use latco_models::Bundle;
use latco_trainer::data::episode::{EpisodeBegin, EpisodeError, record_episode};
use latco_trainer::data::record::EpisodeRecorder;
use serde::Serialize;

use super::collected::{Settings, complete_bag, prepare_folder};
use super::shell::{BadInput, OrBadInput, configuration, print_json, stop_flag};
use latco_trainer::progress::Progress;

/// Simulated time between two episodes, ns.
const PAUSE_NS: i64 = 1_000_000_000;
/// Distance between the first episode seeds of two values of `--seed`.
const SEED_STRIDE: u64 = 10_007;

/// Arguments of `latco-train collect`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Task of the simulated robot, or the TOML file of a robot that others made (docs/simulators.md).
    #[arg(long)]
    task: String,
    /// What the recorded reward pays for: sparse (the result) or dense (every part of the way).
    #[arg(long, default_value_t = RewardKind::Sparse)]
    reward: RewardKind,
    /// Who moves the robot.
    #[arg(long, value_enum, default_value_t = PolicyArg::Mixed)]
    policy: PolicyArg,
    /// Model bundle for `--policy planner`.
    #[arg(long, required_if_eq("policy", "planner"))]
    bundle: Option<PathBuf>,
    /// Robot configuration with the planner's parameters for `--policy planner`; by default the
    /// built-in ones.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Number of episodes.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    episodes: u64,
    /// Folder for the bags. Running again with the same arguments goes on where it stopped.
    #[arg(long)]
    out: PathBuf,
    /// Seed of the episodes; the same one gives the same bags, byte for byte.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Width and height of the camera picture, pixels.
    #[arg(long, default_value_t = DEFAULT_IMAGE_SIZE)]
    image_size: usize,
    /// Episodes in one bag.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    episodes_per_bag: u64,
    /// Robots side by side, each of which records a bag at a time; the bags are the same with any number.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    workers: u64,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyArg {
    /// Way-points with dwell times, decoys and noise, and random motion: for training.
    Mixed,
    /// Straight to the goal: the best that can be done, not for training.
    Expert,
    /// Way-points only.
    Waypoints,
    /// Correlated random motion only.
    Random,
    /// The planner on a learned model: what it does wrong is what the next model has to learn.
    Planner,
}

/// Arguments that collect offline data: good and bad episodes of the scripted mixture.
pub(super) fn mixed(task: &str, episodes: u64, image_size: usize, out: PathBuf, seed: u64) -> Args {
    Args {
        task: task.to_owned(),
        reward: RewardKind::default(),
        policy: PolicyArg::Mixed,
        bundle: None,
        config: None,
        episodes,
        out,
        seed,
        image_size,
        episodes_per_bag: 100,
        workers: 1,
        json: false,
    }
}

/// A scripted policy, or the planner on its bundle; and its name.
fn make_policy(args: &Args, robot: &dyn Robot) -> anyhow::Result<(Box<dyn Policy>, String)> {
    let kind = match args.policy {
        PolicyArg::Mixed => PolicyKind::Mixture,
        PolicyArg::Expert => PolicyKind::Expert,
        PolicyArg::Waypoints => PolicyKind::Waypoints,
        PolicyArg::Random => PolicyKind::Random,
        PolicyArg::Planner => return planner_policy(args, robot),
    };
    if args.bundle.is_some() || args.config.is_some() {
        return Err(BadInput::new(
            "--bundle and --config are for --policy planner; a scripted policy takes neither",
        ));
    }
    Ok((kind.make(), kind.name().to_owned()))
}

fn planner_policy(args: &Args, robot: &dyn Robot) -> anyhow::Result<(Box<dyn Policy>, String)> {
    let path = (args.bundle.as_ref())
        .ok_or_else(|| BadInput::new("--policy planner: expected --bundle, found none"))?;
    let bundle = Bundle::load(path, &Default::default()).or_bad_input()?;
    check_fit(&bundle, robot).or_bad_input()?;
    let config = configuration(args.config.as_deref())?;
    let policy = PlannerPolicy::new(&config, &bundle).or_bad_input()?;
    // The weights decide the bags, so their sum is part of the settings.
    let weights = &bundle.manifest().files["dynamics.onnx"].sha256;
    let name = format!(
        "{} on {}",
        policy.describe(),
        &weights[..12.min(weights.len())]
    );
    Ok((Box::new(policy), name))
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Totals {
    episodes: u64,
    steps: u64,
    successes: u64,
    /// Episodes that were there already.
    kept: u64,
}

/// The bags of a collection, which robots side by side take one after the other.
struct Work<'a> {
    args: &'a Args,
    settings: &'a Settings,
    bags: &'a [PathBuf],
    /// Number of the next bag.
    next: AtomicUsize,
    stop: &'a AtomicBool,
    done: Mutex<(Progress, Totals)>,
}

impl Work<'_> {
    /// Records the bags that are not there yet and that no other robot records. After an error the others complete theirs.
    fn run(&self, robot: &mut dyn Robot, policy: &mut dyn Policy) -> anyhow::Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(bag) = self.bags.get(number) else {
                return Ok(());
            };
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Err(error) = self.bag(bag, number as u64, robot, policy) {
                self.next.store(self.bags.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
    }

    fn bag(
        &self,
        bag: &Path,
        number: u64,
        robot: &mut dyn Robot,
        policy: &mut dyn Policy,
    ) -> anyhow::Result<()> {
        let first = number * self.args.episodes_per_bag;
        let count = self.args.episodes_per_bag.min(self.args.episodes - first);
        let done = || self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = complete_bag(bag, count)? {
            let (progress, totals) = &mut *done();
            totals.kept += old;
            progress.advance(old, "already there");
            return Ok(());
        }
        if bag.exists() {
            std::fs::remove_dir_all(bag)
                .with_context(|| format!("removing the incomplete bag {}", bag.display()))?;
        }
        record(
            robot,
            policy,
            BagWriter::create(bag)?,
            self.settings,
            first..first + count,
            self.stop,
            &mut |solved, steps| {
                let (progress, totals) = &mut *done();
                totals.episodes += 1;
                totals.steps += steps;
                totals.successes += u64::from(solved);
                let share = 100.0 * totals.successes as f64 / totals.episodes as f64;
                progress.advance(1, &format!("{share:.0} % solved"));
            },
        )
    }
}

/// Collects the episodes that are not there yet.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let mut robot = latco_envs::make(&args.task, args.image_size)?;
    robot.set_reward_kind(args.reward);
    if args.policy == PolicyArg::Expert {
        latco_evaluate::check_expert(robot.as_ref())?;
    }
    let (mut policy, policy_name) = make_policy(&args, robot.as_ref())?;
    let settings = Settings {
        task: robot.task().to_owned(),
        policy: policy_name,
        reward: (args.reward != RewardKind::default()).then(|| args.reward.to_string()),
        seed: args.seed,
        image_size: args.image_size,
        episodes_per_bag: args.episodes_per_bag,
    };
    prepare_folder(&args.out, &settings)?;
    let stop = stop_flag()?;

    let bags: Vec<PathBuf> = (0..args.episodes.div_ceil(args.episodes_per_bag))
        .map(|bag| args.out.join(format!("{}-{bag:04}", settings.task)))
        .collect();
    let work = Work {
        args: &args,
        settings: &settings,
        bags: &bags,
        next: AtomicUsize::new(0),
        stop: &stop,
        done: Mutex::new((Progress::new("episodes", args.episodes), Totals::default())),
    };
    // The first one has its robot already.
    let others = (args.workers as usize).min(bags.len()) - 1;
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..others)
            .map(|_| {
                scope.spawn(|| {
                    let mut robot = latco_envs::make(&args.task, args.image_size)?;
                    robot.set_reward_kind(args.reward);
                    let (mut policy, _) = make_policy(&args, robot.as_ref())?;
                    work.run(robot.as_mut(), policy.as_mut())
                })
            })
            .collect();
        let mut outcome = work.run(robot.as_mut(), policy.as_mut());
        for other in others {
            let ended = other.join();
            outcome = outcome.and(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        outcome
    })?;
    let (progress, totals) = work
        .done
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let kept = totals.kept;
    progress.finish();
    let interrupted = stop.load(Ordering::Relaxed);
    let elapsed_s = start.elapsed().as_secs_f64();
    let per_second = totals.steps as f64 / elapsed_s;
    tracing::info!(
        "{} episodes ({} solved, {} steps, {per_second:.0} steps/s) in {}, {kept} were there already",
        totals.episodes,
        totals.successes,
        totals.steps,
        args.out.display()
    );
    if args.json {
        print_json(&serde_json::json!({
            "task": settings.task,
            "policy": settings.policy,
            "reward": args.reward.name(),
            "seed": settings.seed,
            "image_size": settings.image_size,
            "control_period_s": robot.control_period_s(),
            "action_scale": robot.action_scale(),
            "episodes": totals.episodes,
            "episodes_kept": kept,
            "steps": totals.steps,
            "successes": totals.successes,
            "elapsed_s": elapsed_s,
            "steps_per_s": per_second,
            "interrupted": interrupted,
            "bags": bags,
        }));
    }
    if interrupted {
        tracing::warn!("interrupted; run the same command again to go on");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Seed of an episode: below those kept for evaluation; different episodes of a collection have
/// different seeds.
fn episode_seed(seed: u64, episode: u64) -> u64 {
    seed.wrapping_mul(SEED_STRIDE).wrapping_add(episode) % EVALUATION_SEED
}

/// Records the episodes `range` into one bag; calls `done(solved, steps)` after each. Time starts
/// at 0 in every bag.
fn record(
    robot: &mut dyn Robot,
    policy: &mut dyn Policy,
    bag: BagWriter,
    settings: &Settings,
    range: std::ops::Range<u64>,
    stop: &AtomicBool,
    done: &mut dyn FnMut(bool, u64),
) -> anyhow::Result<()> {
    let size = robot.image_size();
    let names = robot
        .joint_names()
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let mut recorder = EpisodeRecorder::of_kinds(
        bag,
        (size as u32, size as u32),
        names,
        &robot.action_kinds(),
    )?;
    let mut time_ns = 0;
    for episode in range {
        let begin = EpisodeBegin {
            number: episode as i64,
            time_ns,
            seed: episode_seed(settings.seed, episode),
        };
        let recorded = match record_episode(robot, policy, &mut recorder, &begin, stop) {
            Ok(recorded) => recorded,
            Err(EpisodeError::Robot(error)) => {
                let bag = recorder.finish()?.folder;
                let kept = format!(
                    "{}: {} episodes before it are kept",
                    bag.display(),
                    begin.number
                );
                return Err(anyhow::Error::new(error).context(kept));
            }
            Err(error) => return Err(error.into()),
        };
        let Some(recorded) = recorded else {
            // With too few episodes it would be taken for complete.
            let folder = recorder.finish()?.folder;
            return std::fs::remove_dir_all(&folder)
                .with_context(|| format!("removing the incomplete bag {}", folder.display()));
        };
        time_ns = recorded.end_ns + PAUSE_NS;
        done(recorded.solved, recorded.steps as u64);
    }
    recorder.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_seeds_stay_below_the_evaluation_seeds() {
        for seed in [0, 1, 99, u64::MAX] {
            for episode in [0, 1, 999_999] {
                assert!(episode_seed(seed, episode) < EVALUATION_SEED);
            }
        }
        assert_ne!(episode_seed(0, 0), episode_seed(1, 0));
    }
}
