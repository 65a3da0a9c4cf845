//! `expected_return BUNDLE TASK EPISODES`: what a model expects of action sequences whose outcome is
//! left to chance.
//!
//! Scripted episodes are cut so many periods before the first reward. From the belief there the actions
//! that were really done are valued three ways: rolled through the prior's mean; through samples of the
//! prior (particles); and through diagonal Gaussians whose moments are matched from step to step, as
//! Gaussian LatCo plans. The luckiest tenth of the particles is what a planner sees that keeps the best of
//! sampled futures. The table groups episodes by the first reward: on the lottery task 1 is Top,
//! 20 and -40 are Bottom, which pays -1 on the mean.

use chacha20::ChaCha8Rng;
use latco_envs::PolicyKind;
use latco_models::{Bundle, Dynamics, Reward};
use rand::{RngExt, SeedableRng};

/// Samples of the state at every step.
const SAMPLES: usize = 200;
/// Periods before the first reward at which the belief is taken.
const LEADS: [usize; 3] = [2, 6, 12];

fn unit(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * rng.random_range(1e-7_f32..1.0).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random_range(0.0_f32..1.0)).cos()
}

struct Model {
    dynamics: Dynamics,
    reward: Reward,
    stoch: usize,
    n: usize,
    bundle: Bundle,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Mean,
    Particles,
    Moments,
}

impl Model {
    /// Expected return of `actions`, and the mean of the luckiest tenth of the samples.
    fn roll(
        &mut self,
        way: Way,
        state: &[f32],
        actions: &[Vec<f32>],
        rng: &mut ChaCha8Rng,
    ) -> (f64, f64) {
        let (n, ns) = (self.n, self.stoch);
        let head = self.bundle.manifest().reward;
        let mut states = state.repeat(SAMPLES);
        let mut returns = vec![0.0_f32; SAMPLES];
        for action in actions {
            self.dynamics.state_mut().copy_from_slice(&states);
            self.dynamics
                .action_mut()
                .copy_from_slice(&action.repeat(SAMPLES));
            self.dynamics.run().expect("runs");
            states.copy_from_slice(self.dynamics.mean());
            if way != Way::Mean {
                for (row, std) in states
                    .chunks_exact_mut(n)
                    .zip(self.dynamics.std().chunks_exact(ns))
                {
                    for (value, std) in row.iter_mut().zip(std) {
                        *value += std * unit(rng);
                    }
                }
            }
            if way == Way::Moments {
                for column in 0..n {
                    let values = states.iter().skip(column).step_by(n);
                    let mean = values.clone().sum::<f32>() / SAMPLES as f32;
                    let variance = values.map(|v| (v - mean).powi(2)).sum::<f32>() / SAMPLES as f32;
                    for row in states.chunks_exact_mut(n) {
                        row[column] = mean + variance.sqrt() * unit(rng);
                    }
                }
            }
            self.reward.state_mut().copy_from_slice(&states);
            self.reward.run().expect("runs");
            for (sum, output) in returns.iter_mut().zip(self.reward.reward()) {
                *sum += head.expected(*output);
            }
        }
        returns.sort_by(|a, b| b.total_cmp(a));
        let mean = |returns: &[f32]| f64::from(returns.iter().sum::<f32>()) / returns.len() as f64;
        (mean(&returns), mean(&returns[..SAMPLES / 10]))
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, task, episodes] = &arguments[..] else {
        return Err("usage: expected_return BUNDLE TASK EPISODES".into());
    };
    let bundle = Bundle::load(folder, &Default::default())?;
    let manifest = bundle.manifest().clone();
    let (n, horizon) = (manifest.dims.state(), manifest.dims.horizon);
    let mut model = Model {
        dynamics: bundle.dynamics(SAMPLES)?,
        reward: bundle.reward(SAMPLES)?,
        stoch: manifest.dims.stoch,
        n,
        bundle,
    };
    let mut observe = model.bundle.observe(1)?;
    let mut robot = latco_envs::make(task, manifest.image.width)?;
    let mut policy = PolicyKind::Waypoints.make();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // lead, group (first reward), paid periods, true return, by mean, particles, moments, luckiest particles
    let mut lines: Vec<(usize, f64, [f64; 6])> = Vec::new();
    for episode in 0..episodes.parse::<u64>()? {
        let seed = latco_envs::EVALUATION_SEED + episode;
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let steps = robot.episode_steps();
        let (mut beliefs, mut actions, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
        let (mut belief, mut action) = (vec![0.0; n], vec![0.0; robot.actions()]);
        for _ in 0..steps {
            robot.render(observe.image_mut());
            if let Some(joints) = observe.joints_mut() {
                robot.write_joints(joints);
            }
            observe.state_mut().copy_from_slice(&belief);
            observe.action_mut().copy_from_slice(&action);
            observe.run()?;
            belief.copy_from_slice(observe.mean());
            beliefs.push(belief.clone());
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            actions.push(action.clone());
            rewards.push(robot.reward());
        }
        let Some(first) = rewards.iter().position(|r| *r != 0.0) else {
            continue;
        };
        for lead in LEADS {
            let Some(from) = (first + 1).checked_sub(lead) else {
                continue;
            };
            let to = (from + horizon).min(steps);
            let paid = rewards[from..to].iter().filter(|r| **r != 0.0).count() as f64;
            let mut of = |way| model.roll(way, &beliefs[from], &actions[from..to], &mut rng);
            let (particles, luckiest) = of(Way::Particles);
            let figures = [
                paid,
                rewards[from..to].iter().sum(),
                of(Way::Mean).0,
                particles,
                of(Way::Moments).0,
                luckiest,
            ];
            lines.push((lead, rewards[first], figures));
        }
    }
    println!(
        "lead  group         episodes  paid periods  true  mean  particles  moments   per paid period: mean  particles  moments  luckiest"
    );
    for lead in LEADS {
        for (name, is) in [
            ("Top 1", (|r| r == 1.0) as fn(f64) -> bool),
            ("Bottom", |r| r != 1.0),
            ("of it: win", |r| r > 1.0),
            ("of it: loss", |r| r < 0.0),
        ] {
            let of_group: Vec<_> = lines.iter().filter(|l| l.0 == lead && is(l.1)).collect();
            let count = of_group.len().max(1) as f64;
            let mean = |i: usize| of_group.iter().map(|l| l.2[i]).sum::<f64>() / count;
            let paid = mean(0);
            println!(
                "{lead:4}  {name:12} {:9} {paid:13.2} {:7.2} {:7.2} {:7.2} {:7.2}   {:7.2} {:7.2} {:7.2} {:7.2}",
                of_group.len(),
                mean(1),
                mean(2),
                mean(3),
                mean(4),
                mean(2) / paid,
                mean(3) / paid,
                mean(4) / paid,
                mean(5) / paid
            );
        }
    }
    Ok(())
}
