//! How far from the data the planner's own plans end, by the penalty of a bundle:
//! `cargo run --release -p latco-trainer --example plan_distance -- PLAIN PENALISED`.
//!
//! PLAIN and PENALISED are bundles of one run (`latco-train export --penalty 0` and `--penalty 1`) of a simulated task.
//! 200 plans are made with PLAIN and executed to their end without looking, as for the gate `plan_calibration`. Of each
//! that promises the reward, the disagreement over its reference is read off at the predicted state of the largest
//! reward. A penalty can tell apart plans that keep their promise from those that do not only where the two differ.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use latco_controller::time::MonotonicClock;
use latco_controller::{Config, Time};
use latco_envs::EVALUATION_SEED;
use latco_evaluate::ClosedLoop;
use latco_models::{Bundle, LoadOptions};
use latco_trainer::gates::auc;

/// Control periods of closed loop before a plan, as in the gate.
const WARM_UP: usize = 3;

/// Distance of plans from the data.
#[derive(Parser)]
struct Arguments {
    /// Bundle to plan with.
    plain: PathBuf,
    /// Bundle of the same run with a penalty.
    penalised: PathBuf,
    /// Plans to make.
    #[arg(long, default_value_t = 200)]
    plans: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let load = |folder| Bundle::load(folder, &LoadOptions::default());
    let (plain, penalised) = (load(&arguments.plain)?, load(&arguments.penalised)?);
    let manifest = plain.manifest();
    let (n, na) = (manifest.dims.state(), manifest.dims.action);
    let penalty = (penalised.manifest().reward.penalty)
        .context("expected a second bundle with a penalty, found one without")?;

    let config = Config::default();
    let mut robot = latco_envs::make(&manifest.task, manifest.image.width)?;
    let mut closed_loop = ClosedLoop::new(&config, &plain)?;
    let clock = MonotonicClock::starting_at(Time(0));
    let mut dynamics = plain.dynamics(1)?;
    let (mut reward, mut less) = (plain.reward(1)?, penalised.reward(1)?);

    let (mut distances, mut broken) = (Vec::new(), Vec::new());
    for seed in EVALUATION_SEED..EVALUATION_SEED + arguments.plans {
        robot.reset(seed);
        closed_loop.begin(seed);
        for _ in 0..=WARM_UP {
            closed_loop.period(robot.as_mut(), &clock);
        }
        let (lead, steps) = (closed_loop.plan().lead(), closed_loop.plan().steps());
        let mut kept = false;
        for step in 0..steps {
            if step > 0 {
                closed_loop.follow(robot.as_mut());
            }
            kept |= step >= lead && robot.reward() > 0.5;
        }
        let plan = closed_loop.plan();
        if plan.rewards.iter().all(|reward| *reward < 0.5) {
            continue;
        }
        dynamics.state_mut().copy_from_slice(&plan.states[..n]);
        let (mut most, mut distance) = (f32::NEG_INFINITY, 0.0);
        for action in plan.actions.chunks_exact(na) {
            dynamics.action_mut().copy_from_slice(action);
            dynamics.run()?;
            let state = dynamics.mean().to_vec();
            for session in [&mut reward, &mut less] {
                session.state_mut().copy_from_slice(&state);
                session.run()?;
            }
            if reward.reward()[0] > most {
                most = reward.reward()[0];
                // The inverse of 1 - 1 / (1 + x^2).
                let far = ((most - less.reward()[0]) / penalty.weight).clamp(0.0, 0.999_999);
                distance = (far / (1.0 - far)).sqrt();
            }
            dynamics.state_mut().copy_from_slice(&state);
        }
        distances.push(distance);
        broken.push(!kept);
    }
    let median = |of_broken: bool| {
        let chosen = distances.iter().zip(&broken);
        let mut chosen: Vec<f32> = (chosen.filter(|(_, b)| **b == of_broken))
            .map(|(distance, _)| *distance)
            .collect();
        chosen.sort_unstable_by(f32::total_cmp);
        chosen.get(chosen.len() / 2).copied()
    };
    let line = serde_json::json!({
        "task": manifest.task,
        "promised": broken.len(),
        "kept": broken.iter().filter(|b| !**b).count(),
        "median_distance_broken": median(true),
        "median_distance_kept": median(false),
        "auc_of_broken_by_distance": auc(&distances, &broken),
    });
    println!("{line}");
    Ok(())
}
