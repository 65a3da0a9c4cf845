//! A whole training run: stages, checkpoints, resuming.

use super::adam::Adam;
use super::autoencoder::{Autoencoder, codes};
use super::checkpoint::{Checkpoint, DataFacts, Stage};
use super::config::{FitConfig, ModelConfig, Recipe, RewardHeads};
use super::dataset::Frames;
use super::error::{RunError, RunOptions};
use super::objective::Objective;
use super::optimise::{Schedule, StageLosses, optimise};
use super::planet::JointWorld;
use super::rows::{Rows, normalised};
use super::trained::{keypoint_sizes, world_sizes};
use super::world::CodeWorld;
use super::{planet, whitening, world};
use crate::rssm::conv::IMAGE_SIZE;
use crate::rssm::ensemble::PREFIX;

/// Trains to the end, or until asked to stop; the checkpoint tells which by its stage.
///
/// # Errors
/// [`RunError`]. What was trained until then is in the last checkpoint.
pub fn run(
    config: &FitConfig,
    facts: &DataFacts,
    train: &Frames,
    options: &RunOptions,
) -> Result<Checkpoint, RunError> {
    check(config, facts, train, options.held_out)?;
    let mut checkpoint = start(config, facts, train, options)?;
    if checkpoint.stage == Stage::Autoencoder && !autoencoder(&mut checkpoint, train, options)? {
        return Ok(checkpoint);
    }
    if checkpoint.stage == Stage::World {
        match config.recipe {
            Recipe::TwoStage => two_stage(&mut checkpoint, train, options)?,
            Recipe::Planet => joint(&mut checkpoint, train, options)?,
        }
    }
    Ok(checkpoint)
}

fn check(
    config: &FitConfig,
    facts: &DataFacts,
    train: &Frames,
    held_out: &Frames,
) -> Result<(), RunError> {
    let mut found = Vec::new();
    let longest = longest(train);
    if longest < config.training.sequence {
        found.push(format!(
            "training.sequence: expected at most the longest episode's {longest} frames, found {}",
            config.training.sequence
        ));
    }
    if config.recipe == Recipe::Planet && (facts.height, facts.width) != (IMAGE_SIZE, IMAGE_SIZE) {
        found.push(format!(
            "recipe \"planet\": expected {IMAGE_SIZE}x{IMAGE_SIZE} images (data.image_size = {IMAGE_SIZE}), found {}x{}",
            facts.width, facts.height
        ));
    }
    if config.training.patience > 0 && self::longest(held_out) < config.training.sequence {
        found.push(format!(
            "training.patience: expected held-out episodes (held_out) of at least training.sequence = {} frames to measure the loss on, found {} of up to {}",
            config.training.sequence,
            held_out.episodes(),
            self::longest(held_out)
        ));
    }
    if config.recipe == Recipe::TwoStage
        && config.autoencoder.patience > 0
        && held_out.episodes() == 0
    {
        found.push(
            "autoencoder.patience: expected held-out episodes (held_out) to measure the loss on, found none"
                .to_owned(),
        );
    }
    let unit = 0.0..=1.0;
    if config.model.reward != RewardHeads::Regression
        && let Some(reward) = train.rewards.iter().find(|r| !unit.contains(*r))
    {
        found.push(format!(
            "model.reward: expected \"regression\", as a Bernoulli head needs rewards in 0..=1, found a reward of {reward}"
        ));
    }
    if train.action_width == 0 {
        found.push("actions: expected at least one command per frame, found none".to_owned());
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(RunError::Data(found))
    }
}

/// Number of frames of the longest episode.
fn longest(frames: &Frames) -> usize {
    let lengths = (0..frames.episodes()).map(|e| frames.range(e).len());
    lengths.max().unwrap_or(0)
}

fn start(
    config: &FitConfig,
    facts: &DataFacts,
    train: &Frames,
    options: &RunOptions,
) -> Result<Checkpoint, RunError> {
    let folder = options.out.clone();
    match (Checkpoint::exists(&folder), options.resume) {
        (true, false) => return Err(RunError::Exists(folder)),
        (false, true) => return Err(RunError::NothingToResume(folder)),
        (true, true) => {
            let checkpoint = Checkpoint::load(&folder)?;
            let same = [
                ("configuration", checkpoint.config == *config),
                ("seed", checkpoint.seed == options.seed),
                ("data", checkpoint.facts == *facts),
            ];
            let others = same.iter().filter(|(_, is_same)| !is_same);
            let differs: Vec<&str> = others.map(|(what, _)| *what).collect();
            return if differs.is_empty() {
                Ok(checkpoint)
            } else {
                Err(RunError::Different { folder, differs })
            };
        }
        (false, false) => {}
    }
    if let Some(base) = options.base {
        check_base(base, config, facts)?;
        std::fs::create_dir_all(&folder)?;
        let mut params = base.world_params().clone();
        if base.config.model.ensemble != config.model.ensemble {
            params.entries.retain(|p| !p.name.starts_with(PREFIX));
            let new = world::create(&world_sizes(config, facts), options.seed).entries;
            let heads = new.into_iter().filter(|p| p.name.starts_with(PREFIX));
            params.entries.extend(heads);
        }
        let mut checkpoint = Checkpoint::start(
            config.clone(),
            options.seed,
            facts.clone(),
            Stage::World,
            params,
        );
        checkpoint.autoencoder = base.autoencoder.clone();
        checkpoint.rewards = base.rewards;
        return Ok(checkpoint);
    }
    std::fs::create_dir_all(&folder)?;
    let (stage, params) = match config.recipe {
        Recipe::TwoStage => {
            let sizes = keypoint_sizes(config, facts);
            let joints = normalised(&train.joints, &facts.joints_mean, &facts.joints_std);
            let stage = Autoencoder::new(&config.autoencoder, sizes, train, &joints)
                .map_err(RunError::Images)?;
            let params = stage.create(options.seed);
            (Stage::Autoencoder, params)
        }
        Recipe::Planet => (
            Stage::World,
            planet::create(&world_sizes(config, facts), options.seed),
        ),
    };
    Ok(Checkpoint::start(
        config.clone(),
        options.seed,
        facts.clone(),
        stage,
        params,
    ))
}

/// Whether the weights of a run can be gone on with under another configuration and data.
fn check_base(base: &Checkpoint, config: &FitConfig, facts: &DataFacts) -> Result<(), RunError> {
    let mut found = Vec::new();
    if base.stage != Stage::Done {
        found.push("stage: expected a finished run, found one that was stopped".to_owned());
    }
    let mut differ = |what: &str, expected: String, is: String| {
        if expected != is {
            found.push(format!(
                "{what}: expected {expected} as in that run, found {is}"
            ));
        }
    };
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    differ("recipe", text(&base.config.recipe), text(&config.recipe));
    // Heads beside the prior are made new where their number differs.
    let base_model = ModelConfig {
        ensemble: config.model.ensemble,
        penalty: config.model.penalty,
        ..base.config.model.clone()
    };
    differ("model", text(&base_model), text(&config.model));
    if config.recipe == Recipe::TwoStage {
        differ(
            "autoencoder sizes",
            text(&keypoint_sizes(&base.config, &base.facts)),
            text(&keypoint_sizes(config, facts)),
        );
    }
    differ(
        "joints",
        text(&base.facts.joint_names),
        text(&facts.joint_names),
    );
    differ(
        "action scale",
        text(&base.facts.action_scale),
        text(&facts.action_scale),
    );
    differ(
        "action kinds",
        text(&base.facts.action_kinds),
        text(&facts.action_kinds),
    );
    differ(
        "control period in s",
        text(&base.facts.control_period_s),
        text(&facts.control_period_s),
    );
    if found.is_empty() {
        Ok(())
    } else {
        Err(RunError::Base(found))
    }
}

/// Trains the autoencoder, stage one; returns whether it was finished.
fn autoencoder(
    checkpoint: &mut Checkpoint,
    train: &Frames,
    options: &RunOptions,
) -> Result<bool, RunError> {
    let config = checkpoint.config.clone();
    let settings = &config.autoencoder;
    let facts = checkpoint.facts.clone();
    let scaled =
        |frames: &Frames| normalised(&frames.joints, &facts.joints_mean, &facts.joints_std);
    let (joints, held_out_joints) = (scaled(train), scaled(options.held_out));
    let sizes = keypoint_sizes(&config, &facts);
    let stage = Autoencoder::new(settings, sizes, train, &joints).map_err(RunError::Images)?;
    let measured = stage.on(options.held_out, &held_out_joints);
    let schedule = Schedule {
        stage: "autoencoder",
        steps: settings.steps,
        learning_rate: (settings.learning_rate, settings.final_learning_rate),
        epsilon: 1e-8,
        clip: settings.clip,
        average: 0.0,
        checkpoint_steps: config.training.checkpoint_steps,
        patience: settings.patience,
    };
    let losses = StageLosses {
        train: &stage,
        held_out: (options.held_out.episodes() > 0).then_some(&measured as &dyn Objective),
        shown: shown(train, options.held_out),
    };
    if !optimise(checkpoint, &schedule, options, &losses)? {
        return Ok(false);
    }
    let codes =
        codes(&checkpoint.params, sizes, train, &options.device).map_err(RunError::Images)?;
    let mut frozen = checkpoint.params.clone();
    whitening::fold(
        &mut frozen,
        "encoder.code.1",
        "decoder.0",
        &codes,
        settings.code,
        settings.code_noise,
    );
    checkpoint.autoencoder = Some(frozen);
    checkpoint.params = world::create(&world_sizes(&config, &checkpoint.facts), checkpoint.seed);
    checkpoint.stage = Stage::World;
    checkpoint.step = 0;
    checkpoint.adam = Adam::default();
    checkpoint.average = None;
    checkpoint.held_out = None;
    checkpoint.save(&options.out)?;
    Ok(true)
}

/// Trains the world model on the codes of the frozen autoencoder, stage two.
fn two_stage(
    checkpoint: &mut Checkpoint,
    train: &Frames,
    options: &RunOptions,
) -> Result<(), RunError> {
    let config = checkpoint.config.clone();
    let facts = checkpoint.facts.clone();
    let frozen = checkpoint
        .autoencoder
        .as_ref()
        .expect("stage one ends with a frozen autoencoder");
    let sizes = keypoint_sizes(&config, &facts);
    let encoded = |frames| codes(frozen, sizes, frames, &options.device).map_err(RunError::Images);
    let (train_codes, held_out_codes) = (encoded(train)?, encoded(options.held_out)?);
    let rows = |frames, codes| Rows {
        frames,
        codes,
        code: config.autoencoder.code,
        joints: normalised(&frames.joints, &facts.joints_mean, &facts.joints_std),
    };
    let (on_train, on_held_out) = (
        rows(train, &train_codes),
        rows(options.held_out, &held_out_codes),
    );
    let on = |rows| CodeWorld {
        rows,
        sizes: world_sizes(&config, &facts),
        model: &config.model,
        training: &config.training,
    };
    finish(
        checkpoint,
        options,
        &on(&on_train),
        &on(&on_held_out),
        train,
    )
}

/// Trains everything jointly by PlaNet's recipe.
fn joint(
    checkpoint: &mut Checkpoint,
    train: &Frames,
    options: &RunOptions,
) -> Result<(), RunError> {
    let config = checkpoint.config.clone();
    let facts = checkpoint.facts.clone();
    let scaled =
        |frames: &Frames| normalised(&frames.joints, &facts.joints_mean, &facts.joints_std);
    let (joints, held_out_joints) = (scaled(train), scaled(options.held_out));
    let on = |frames, joints| JointWorld {
        frames,
        joints,
        sizes: world_sizes(&config, &facts),
        model: &config.model,
        training: &config.training,
    };
    finish(
        checkpoint,
        options,
        &on(train, &joints),
        &on(options.held_out, &held_out_joints),
        train,
    )
}

fn finish(
    checkpoint: &mut Checkpoint,
    options: &RunOptions,
    train: &dyn Objective,
    held_out: &dyn Objective,
    frames: &Frames,
) -> Result<(), RunError> {
    let training = checkpoint.config.training.clone();
    let schedule = Schedule {
        stage: "world",
        steps: training.steps,
        learning_rate: (training.learning_rate, training.final_learning_rate),
        epsilon: training.epsilon,
        clip: training.clip,
        average: training.average,
        checkpoint_steps: training.checkpoint_steps,
        patience: training.patience,
    };
    let losses = StageLosses {
        train,
        held_out: (longest(options.held_out) >= training.sequence).then_some(held_out),
        shown: shown(frames, options.held_out),
    };
    if optimise(checkpoint, &schedule, options, &losses)? {
        let in_use = checkpoint.average.as_mut();
        train.settle(in_use.unwrap_or(&mut checkpoint.params), &options.device);
        checkpoint.stage = Stage::Done;
        checkpoint.save(&options.out)?;
    }
    Ok(())
}

/// The episodes that pictures are made of: held-out ones, if there are any.
fn shown<'a>(train: &'a Frames, held_out: &'a Frames) -> &'a Frames {
    if held_out.is_empty() { train } else { held_out }
}
