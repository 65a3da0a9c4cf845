//! Gates that need the truth, for the tasks of the simulated robots: the episodes are made anew,
//! at seeds that no training data has.

use latco_envs::reach::Reach;
use latco_envs::{EVALUATION_SEED, PolicyKind, Robot};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fit::adam::{Adam, Update, annealed};
use crate::fit::checkpoint::DataFacts;
use crate::fit::dataset::Frames;
use crate::gates::Gate;
use crate::rssm::fused::Activation;
use crate::rssm::layers::Mlp;
use crate::rssm::model::Model;
use crate::rssm::params::{Params, tensor, to_vec};

/// Seeds from here on are used; evaluation uses those just above [`EVALUATION_SEED`].
const FIRST_SEED: u64 = EVALUATION_SEED + 500_000;
/// Episodes of the scripted expert.
const EXPERT_EPISODES: u64 = 60;
/// Episodes for the probe, and frames taken from each.
const PROBE_EPISODES: u64 = 400;
const PROBE_FRAMES: usize = 5;
/// Steps and batch of the probe's training.
const PROBE_STEPS: usize = 1500;
const PROBE_BATCH: usize = 128;

/// Episodes of the scripted expert, none if the task is not a simulated one.
pub fn expert_episodes(facts: &DataFacts) -> Option<Frames> {
    let mut robot = latco_envs::make(&facts.task, facts.height).ok()?;
    if facts.height != facts.width {
        return None;
    }
    let mut policy = PolicyKind::Expert.make();
    let joints = robot.joints();
    let mut frames = Frames::new(facts.height, facts.width, 2 * joints, joints);
    for seed in FIRST_SEED..FIRST_SEED + EXPERT_EPISODES {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let mut episode = Recording::default();
        for _ in 0..robot.episode_steps() {
            episode.see(robot.as_ref());
            let mut action = vec![0.0; joints];
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            episode.actions.extend(action);
        }
        episode.add_to(&mut frames);
    }
    Some(frames)
}

/// Mean error of the goal's position (2 wide table) that a small network reads off the image
/// code.
pub fn goal_position(model: &Model) -> std::io::Result<Gate> {
    let facts = &model.facts;
    let gate = |value, note: &str| Gate {
        name: "goal_position_error".to_owned(),
        value,
        threshold: 0.03,
        higher_is_better: false,
        note: note.to_owned(),
    };
    if facts.task != "reach" || facts.height != facts.width {
        return Ok(gate(
            None,
            "not measured: the bags carry no true position of the goal",
        ));
    }
    let mut robot = Reach::new(facts.height);
    let mut policy = PolicyKind::Waypoints.make();
    let joints = robot.joints();
    let mut frames = Frames::new(facts.height, facts.width, 2 * joints, joints);
    let mut goals = Vec::new();
    for seed in FIRST_SEED..FIRST_SEED + PROBE_EPISODES {
        robot.reset(seed);
        policy.begin(&robot, seed);
        let mut episode = Recording::default();
        for step in 0..10 * PROBE_FRAMES {
            let mut action = vec![0.0; joints];
            policy.act(&robot, &mut action);
            if step % 10 == 0 {
                episode.see(&robot);
                episode.actions.extend(&action);
                goals.extend(robot.goal().map(|x| x as f32));
            }
            robot.step(&action);
        }
        episode.add_to(&mut frames);
    }
    let codes = model.codes(&frames)?;
    let width = codes.len() / frames.len();
    let tested = frames.len() / 5 / PROBE_FRAMES * PROBE_FRAMES;
    let error = probe(&codes, width, &goals, frames.len() - tested);
    Ok(gate(
        Some(error),
        "mean distance over the last fifth of the episodes; the table is 2 wide",
    ))
}

/// Trains on the first `train` rows and returns the mean distance on the others.
fn probe(codes: &[f32], width: usize, goals: &[f32], train: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut params = Params::default();
    Mlp::create(&mut params, "probe", &[width, 64, 64, 2], &mut rng);
    let mut adam = Adam::default();
    for step in 0..PROBE_STEPS {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..PROBE_BATCH {
            let row = rng.random_range(0..train);
            x.extend_from_slice(&codes[row * width..][..width]);
            y.extend_from_slice(&goals[row * 2..][..2]);
        }
        let leaves = params.leaves(true);
        let output =
            Mlp::new(&leaves, "probe", 3, Activation::Elu).forward(tensor(x, [PROBE_BATCH, width]));
        let loss = (output - tensor::<2>(y, [PROBE_BATCH, 2])).square().mean();
        let gradients = leaves.gradients(&mut loss.backward());
        let update = Update {
            learning_rate: annealed(3e-3, 1e-5, step, PROBE_STEPS),
            epsilon: 1e-8,
            clip: 10.0,
        };
        adam.step(&mut params, &gradients, update);
    }
    let rows = goals.len() / 2 - train;
    let network = Mlp::new(&params.leaves(false), "probe", 3, Activation::Elu);
    let found = to_vec(network.forward(tensor(codes[train * width..].to_vec(), [rows, width])));
    let distance = |row: usize| {
        let (dx, dy) = (
            found[2 * row] - goals[2 * (train + row)],
            found[2 * row + 1] - goals[2 * (train + row) + 1],
        );
        f64::from(dx.hypot(dy))
    };
    (0..rows).map(distance).sum::<f64>() / rows.max(1) as f64
}

/// One episode while it is made.
#[derive(Default)]
struct Recording {
    images: Vec<u8>,
    joints: Vec<f32>,
    actions: Vec<f32>,
    rewards: Vec<f32>,
}

impl Recording {
    fn see(&mut self, robot: &dyn Robot) {
        let mut image = vec![0; robot.image_size() * robot.image_size() * 3];
        robot.render(&mut image);
        self.images.extend(image);
        let mut joints = vec![0.0; 2 * robot.joints()];
        robot.write_joints(&mut joints);
        self.joints.extend(joints);
        self.rewards.push(robot.reward() as f32);
    }

    fn add_to(self, frames: &mut Frames) {
        frames.push(&self.images, &self.joints, &self.actions, &self.rewards);
    }
}
