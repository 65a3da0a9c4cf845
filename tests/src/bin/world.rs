//! A simulated robot without ROS, for robots in other languages: one request a line on standard input.
//!
//! `world TASK PIXELS` first says `hello PERIOD_S EPISODE_STEPS JOINT...`; then
//!
//! | request | answer |
//! |---|---|
//! | `reset SEED` | `state`, as below |
//! | `advance SECONDS COMMAND...` (set-points, of joints in rad/s) | `state SOLVED POSITION... VELOCITY...` (0 or 1; rad, rad/s) |
//! | `render` | PIXELS x PIXELS x 3 bytes, RGB, rows from the top |

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use latco_envs::{Robot, make};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(task), Some(pixels)) = (arguments.next(), arguments.next()) else {
        bail!("expected: world TASK PIXELS");
    };
    let mut robot = make(&task, pixels.parse().context("PIXELS")?)?;
    let mut out = std::io::stdout().lock();
    let names = robot.joint_names().join(" ");
    writeln!(
        out,
        "hello {} {} {names}",
        robot.control_period_s(),
        robot.episode_steps()
    )?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        answer(robot.as_mut(), &line?, &mut out)?;
        out.flush()?;
    }
    Ok(())
}

fn answer(robot: &mut dyn Robot, request: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut words = request.split_whitespace();
    match words.next() {
        Some("reset") => {
            let seed = words.next().context("reset: expected a seed")?;
            robot.reset(seed.parse().context("reset: the seed")?);
        }
        Some("advance") => {
            let numbers: Vec<f64> = words
                .map(str::parse)
                .collect::<Result<_, _>>()
                .context("advance: numbers")?;
            let Some((&seconds, command)) = numbers.split_first() else {
                bail!("advance: expected seconds and commands");
            };
            if command.len() != robot.actions() {
                bail!(
                    "advance: expected {} commands, found {}",
                    robot.actions(),
                    command.len()
                );
            }
            robot.advance(command, seconds);
        }
        Some("render") => {
            let mut image = vec![0; robot.image_size() * robot.image_size() * 3];
            robot.render(&mut image);
            out.write_all(&image)?;
            return Ok(());
        }
        other => bail!("expected reset, advance or render, found {other:?}"),
    }
    let state = robot.positions().iter().chain(robot.velocities());
    let state: Vec<String> = state.map(f64::to_string).collect();
    writeln!(
        out,
        "state {} {}",
        u8::from(robot.success()),
        state.join(" ")
    )?;
    Ok(())
}
