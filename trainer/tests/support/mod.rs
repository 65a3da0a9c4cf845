//! The program, as the tests run it, and episodes without bags.

#![allow(dead_code)] // every test uses some of it

use std::path::Path;
use std::process::{Command, Stdio};

use latco_envs::PolicyKind;
use latco_export::{RandomSpec, write_random_bundle};
use latco_models::{read_manifest, write_manifest};
pub(crate) use latco_testkit::paths::text;
use latco_trainer::fit::checkpoint::DataFacts;
use latco_trainer::fit::dataset::Frames;

/// `latco-train` with these arguments, in the folder of the workspace, silent unless told otherwise.
pub(crate) fn latco_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latco-train"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command
        .current_dir(workspace)
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Records that many episodes of Reach, 50 frames of 32x32 each, 154 kB, in bags of 100.
pub(crate) fn collect(out: &Path, episodes: usize) {
    let count = episodes.to_string();
    let what = ["collect", "--task", "reach", "--episodes", &count];
    let how = ["--image-size", "32", "--out", text(out)];
    let output = latco_train(&[&what[..], &how].concat())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Random weights for the arm of Reach.
pub(crate) fn random_bundle(folder: &Path, task: &str) {
    let spec = RandomSpec {
        image: 32,
        stoch: 4,
        deter: 12,
        hidden: 16,
        horizon: 4,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder, &spec, 5).unwrap();
    let mut manifest = read_manifest(folder).unwrap();
    manifest.task = task.to_owned();
    write_manifest(folder, &manifest).unwrap();
}

/// Reach by the scripted mixture, and what its bags would say about the robot.
pub(crate) fn episodes(count: u64, steps: usize, size: usize) -> (Frames, DataFacts) {
    let mut robot = latco_envs::make("reach", size).unwrap();
    let mut policy = PolicyKind::Mixture.make();
    let mut frames = Frames::new(size, size, 6, 3);
    for seed in 0..count {
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let (mut images, mut joints) = (Vec::new(), Vec::new());
        let (mut actions, mut rewards) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let mut image = vec![0; size * size * 3];
            robot.render(&mut image);
            images.extend(image);
            let mut now = vec![0.0; 6];
            robot.write_joints(&mut now);
            joints.extend(now);
            rewards.push(robot.reward() as f32);
            let mut action = vec![0.0; 3];
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
            actions.extend(action);
        }
        frames.push(&images, &joints, &actions, &rewards);
    }
    let limits = robot.limits();
    let mut facts = DataFacts {
        task: "reach".to_owned(),
        control_period_s: robot.control_period_s(),
        height: size,
        width: size,
        action_scale: robot.action_scale().iter().map(|s| *s as f32).collect(),
        joint_names: robot
            .joint_names()
            .iter()
            .map(|n| (*n).to_owned())
            .collect(),
        position_lower_rad: limits.iter().map(|l| l.lower_rad).collect(),
        position_upper_rad: limits.iter().map(|l| l.upper_rad).collect(),
        velocity_limit_rad_s: limits.iter().map(|l| l.velocity_rad_s).collect(),
        ..DataFacts::default()
    };
    (facts.joints_mean, facts.joints_std) = frames.joints_statistics();
    (frames, facts)
}
