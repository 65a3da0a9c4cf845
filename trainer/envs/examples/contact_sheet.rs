//! What the camera sees while each scripted policy moves the arm: `cargo run --release -p
//! latco-envs --example contact_sheet -- FILE.png [IMAGE_SIZE]`.

use std::path::PathBuf;

use latco_envs::{PolicyKind, make};
use latco_pictures::{FilmStrip, Frame};

/// Control periods between two frames.
const EVERY: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(
        args.next()
            .unwrap_or_else(|| "contact-sheet.png".to_owned()),
    );
    let size = args
        .next()
        .map_or(Ok(latco_envs::DEFAULT_IMAGE_SIZE), |size| size.parse())?;
    let mut robot = make("reach", size)?;
    let mut sheet = FilmStrip::new(format!("Reach at {size} x {size} pixels"));
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
        let mut action = vec![0.0; robot.joints()];
        robot.reset(seed);
        policy.begin(robot.as_ref(), seed);
        let mut frames = Vec::new();
        let mut solved = Vec::new();
        for step in 0..=robot.episode_steps() {
            if step % EVERY == 0 {
                let mut rgb = vec![0; size * size * 3];
                robot.render(&mut rgb);
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
    let steps = (0..=robot.episode_steps()).step_by(EVERY);
    sheet
        .columns(steps.map(|step| format!("step {step}")))
        .save(&path)?;
    Ok(())
}
