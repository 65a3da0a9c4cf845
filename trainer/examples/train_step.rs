//! `train_step CONFIG [BATCH SEQUENCE]`: times training steps of the world model on random episodes.
//!
//! Every line of standard input is a number of steps to run; the answer is a line with one JSON
//! object: the time of each step in ms (batch, losses, gradients and the optimiser's update), the
//! last loss, and the most memory that the process has used. Threads as `RAYON_NUM_THREADS` says.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use latco_trainer::fit::adam::{Adam, Update};
use latco_trainer::fit::checkpoint::DataFacts;
use latco_trainer::fit::config::{FitConfig, Recipe};
use latco_trainer::fit::dataset::{Frames, normals, step_rng};
use latco_trainer::fit::objective::{Objective, step, total};
use latco_trainer::fit::planet::{self, JointWorld};
use latco_trainer::fit::rows::Rows;
use latco_trainer::fit::shards::Shards;
use latco_trainer::fit::trained::world_sizes;
use latco_trainer::fit::world::{self, CodeWorld};
use latco_trainer::rssm::device::cpu;

/// Values per action and per joint state of the simulated arm.
const ACTION: usize = 3;
const JOINTS: usize = 6;
/// Episodes that the batches are drawn from.
const EPISODES: usize = 20;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    latco_trainer::memory::keep_freed(); // as `latco-train fit` does
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, rest) = arguments
        .split_first()
        .ok_or("usage: train_step CONFIG [BATCH SEQUENCE]")?;
    let mut config = FitConfig::read(Path::new(path))?;
    if let [batch, sequence] = rest {
        config.training.batch = batch.parse()?;
        config.training.sequence = sequence.parse()?;
    }
    let joints = if config.model.joints { JOINTS } else { 0 };
    let facts = DataFacts {
        action_scale: vec![1.0; ACTION],
        joints_mean: vec![0.0; joints],
        ..DataFacts::default()
    };
    let frames = episodes(&config, joints);
    let sizes = world_sizes(&config, &facts);
    let (model, training) = (&config.model, &config.training);
    match config.recipe {
        Recipe::TwoStage => {
            let code = config.autoencoder.code;
            let rows = Rows {
                frames: &frames,
                codes: &normals(frames.len() * code, &mut step_rng(1, 0, 0)),
                code,
                joints: frames.joints.clone(),
            };
            let objective = CodeWorld {
                rows: &rows,
                sizes,
                model,
                training,
            };
            answer(&objective, world::create(&sizes, 0), &config)
        }
        Recipe::Planet => {
            let objective = JointWorld {
                frames: &frames,
                joints: &frames.joints,
                sizes,
                model,
                training,
            };
            answer(&objective, planet::create(&sizes, 0), &config)
        }
    }
}

/// Episodes of twice the length of a sequence, of random numbers.
fn episodes(config: &FitConfig, joints: usize) -> Frames {
    let size = match config.recipe {
        Recipe::TwoStage => 0,
        Recipe::Planet => config.data.image_size,
    };
    let mut frames = Frames::new(size, size, joints, ACTION);
    let length = 2 * config.training.sequence;
    for episode in 0..EPISODES {
        let mut rng = step_rng(0, 0, episode);
        let mut random = |count| normals(count, &mut rng);
        let bytes = |x: f32| (128.0 + 40.0 * x).clamp(0.0, 255.0) as u8;
        frames.push(
            &(random(length * size * size * 3).into_iter().map(bytes)).collect::<Vec<u8>>(),
            &random(length * joints),
            &random(length * ACTION),
            &(random(length).into_iter().map(|x| f32::from(x > 1.0))).collect::<Vec<f32>>(),
        );
    }
    frames
}

/// Runs as many steps as each line of the input asks for.
#[allow(clippy::print_stdout)]
fn answer(
    objective: &dyn Objective,
    mut params: latco_trainer::rssm::params::Params,
    config: &FitConfig,
) -> Result<(), Box<dyn std::error::Error>> {
    let update = Update {
        learning_rate: config.training.final_learning_rate as f32,
        epsilon: config.training.epsilon as f32,
        clip: config.training.clip as f32,
    };
    let shards = Shards::new(config.shards, cpu())?;
    let mut adam = Adam::default();
    let mut index = 0;
    for line in std::io::stdin().lock().lines() {
        let steps: usize = line?.trim().parse()?;
        let mut step_ms = Vec::with_capacity(steps);
        let mut loss = f32::NAN;
        for _ in 0..steps {
            let since = Instant::now();
            let (losses, gradients) = step(objective, &params, None, 0, index, &shards)?;
            adam.step(&mut params, &gradients, update);
            step_ms.push(since.elapsed().as_secs_f64() * 1e3);
            loss = total(&losses);
            index += 1;
        }
        let figures = serde_json::json!({
            "step_ms": step_ms,
            "loss": loss,
            "peak_memory_bytes": peak_memory_bytes()?,
        });
        println!("{figures}");
    }
    Ok(())
}

/// The largest resident set of this process so far.
fn peak_memory_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = (status.lines().find_map(|line| line.strip_prefix("VmHWM:")))
        .ok_or("/proc/self/status: expected a line VmHWM, found none")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
