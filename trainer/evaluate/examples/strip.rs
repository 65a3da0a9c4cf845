//! `strip BUNDLE TASK SEED OUT.png [CONFIG]`: one evaluation episode as a film strip. Above what the
//! camera sees, below it what the model believes, and how the plan made there is imagined to end.

use std::path::Path;

use latco_controller::time::MonotonicClock;
use latco_controller::{Config, Time};
use latco_evaluate::ClosedLoop;
use latco_models::{Bundle, Decode};
use latco_pictures::{FilmStrip, Frame};

/// Control periods between two columns.
const STRIDE: usize = 3;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, task, seed, out, rest @ ..] = &arguments[..] else {
        return Err("usage: strip BUNDLE TASK SEED OUT.png [CONFIG]".into());
    };
    let mut config = Config::default();
    if let Some(path) = rest.first() {
        config = Config::load(Path::new(path))?;
    }
    let bundle = Bundle::load(bundle, &Default::default())?;
    let side = bundle.manifest().image.width;
    let mut decode = bundle.decode(1)?;
    let mut picture = |state: &[f32]| -> Result<Frame, Error> { decoded(&mut decode, state, side) };
    let mut robot = latco_envs::make(task, side)?;
    let mut closed_loop = ClosedLoop::new(&config, &bundle)?;
    let clock = MonotonicClock::starting_at(Time(0));
    let seed: u64 = seed.parse()?;
    robot.reset(latco_envs::EVALUATION_SEED + seed);
    closed_loop.begin(latco_envs::EVALUATION_SEED + seed);

    let (mut seen, mut believed, mut imagined) = (Vec::new(), Vec::new(), Vec::new());
    let mut columns = Vec::new();
    for step in 0..robot.episode_steps() {
        closed_loop.period(robot.as_mut(), &clock);
        if !step.is_multiple_of(STRIDE) {
            continue;
        }
        let plan = closed_loop.plan();
        let n = bundle.manifest().dims.state();
        columns.push(step);
        let pixels = closed_loop.pixels().to_vec();
        let caption = format!("reward {:.0}", robot.reward());
        seen.push((Frame::new(side, side, pixels)?, caption));
        believed.push(picture(&plan.states[..n])?);
        let end = picture(&plan.states[plan.states.len() - n..])?;
        imagined.push((end, format!("return {:.1}", plan.predicted_return)));
    }
    FilmStrip::new(format!("{task}, evaluation episode {seed}"))
        .columns(columns)
        .captioned_row("camera", &seen)
        .row("belief", &believed)
        .captioned_row("end of the plan", &imagined)
        .save(Path::new(out))?;
    Ok(())
}

fn decoded(decode: &mut Decode, state: &[f32], side: usize) -> Result<Frame, Error> {
    decode.state_mut().copy_from_slice(state);
    decode.run()?;
    Ok(Frame::from_unit(side, side, decode.image())?)
}
