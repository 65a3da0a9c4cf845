//! What the camera sees while each scripted policy moves the arm: `cargo run --release -p
//! latco-envs --example contact_sheet -- TASK FILE.png [IMAGE_SIZE]`. Each frame is the one with the
//! largest reward, in size, since the frame before.

use std::path::PathBuf;

use latco_envs::{PolicyKind, make};
use latco_pictures::{FilmStrip, Frame};

/// Most frames of an episode.
const FRAMES: usize = 11;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_else(|| "reach".to_owned());
    let path = PathBuf::from(args.next().unwrap_or_else(|| format!("{task}.png")));
    let size = args
        .next()
        .map_or(Ok(latco_envs::DEFAULT_IMAGE_SIZE), |size| size.parse())?;
    let mut robot = make(&task, size)?;
    let every = robot.episode_steps().div_ceil(FRAMES - 1);
    let mut sheet = FilmStrip::new(format!("{task} at {size} x {size} pixels"));
    for (kind, seed) in [
        (PolicyKind::Expert, 1),
        (PolicyKind::Expert, 2),
        (PolicyKind::Expert, 3),
        (PolicyKind::Waypoints, 4),
        (PolicyKind::Waypoints, 5),
        (PolicyKind::Random, 6),
        (PolicyKind::Random, 7),
    ] {
        let mut policy = kind.make();
        let mut action = vec![0.0; robot.actions()];
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let mut frames = Vec::new();
        let mut solved = Vec::new();
        let mut best: Option<(f64, Vec<u8>)> = None;
        for step in 0..=robot.episode_steps() {
            let reward = robot.reward().abs();
            if best.as_ref().is_none_or(|(most, _)| reward >= *most) {
                let mut rgb = vec![0; size * size * 3];
                robot.render(&mut rgb);
                best = Some((reward, rgb));
            }
            if step % every == 0
                && let Some((_, rgb)) = best.take()
            {
                frames.push(Frame::new(size, size, rgb)?);
            }
            if robot.success() {
                solved.push(step);
            }
            policy.act(robot.as_ref(), &mut action);
            robot.step(&action);
        }
        let first = solved.first().map_or("never solved".to_owned(), |step| {
            format!("solved at {step}")
        });
        sheet = sheet.row(format!("{}, {first}", policy.describe()), &frames);
    }
    let steps = (0..=robot.episode_steps()).step_by(every);
    sheet
        .columns(steps.map(|step| format!("step {step}")))
        .save(&path)?;
    Ok(())
}
