//! Speed of the simulator on one core, as one JSON line: `cargo run --release -p latco-envs
//! --example frames_per_second -- [TASK]`.

use std::time::Instant;

use latco_envs::{PolicyKind, make};

/// Frames per measurement; the best of several is reported, since other programs only take time.
const FRAMES: usize = 2_000;
const MEASUREMENTS: usize = 20;

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn main() -> Result<(), latco_envs::EnvError> {
    let task = std::env::args().nth(1);
    let task = task.as_deref().unwrap_or("reach");
    let mut figures = Vec::new();
    for size in [32, 64, 128] {
        let mut robot = make(task, size)?;
        let mut policy = PolicyKind::Random.make();
        let mut rgb = vec![0; size * size * 3];
        let mut action = vec![0.0; robot.actions()];
        let mut rendered = Vec::new();
        let mut stepped = Vec::new();
        for seed in 0..MEASUREMENTS as u64 {
            robot.reset(seed);
            let start = Instant::now();
            for _ in 0..FRAMES {
                robot.render(&mut rgb);
                std::hint::black_box(&rgb);
            }
            rendered.push(FRAMES as f64 / start.elapsed().as_secs_f64());

            policy.begin(robot.as_ref(), seed);
            let start = Instant::now();
            for _ in 0..FRAMES {
                policy.act(robot.as_ref(), &mut action);
                robot.step(&action);
                robot.render(&mut rgb);
                std::hint::black_box(&rgb);
            }
            stepped.push(FRAMES as f64 / start.elapsed().as_secs_f64());
        }
        let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
        figures.push(format!(
            r#""rendered_{size}":{:.0},"stepped_and_rendered_{size}":{:.0}"#,
            best(&rendered),
            best(&stepped)
        ));
    }
    println!(
        r#"{{"bench":"frames_per_second","task":"{task}",{}}}"#,
        figures.join(",")
    );
    Ok(())
}
