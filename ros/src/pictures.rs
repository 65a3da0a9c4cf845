//! Pictures of a plan: its curves, and the film strip of camera, imagination and execution.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context as _;
use latco_bag::image::Converter;
use latco_bag::recording::{Event, Need, Needs, Recording, Wanted};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;
use latco_pictures::{Curves, FilmStrip, Frame, Panel};

/// Rows of a film strip; each column is a step of the plan.
pub(crate) struct Film<'a> {
    pub(crate) title: &'a str,
    /// Camera images that the plan was made from.
    pub(crate) camera: Vec<Frame>,
    /// The planned states, decoded.
    pub(crate) imagined: Vec<Frame>,
    /// Camera images from the execution; there may be fewer.
    pub(crate) executed: Vec<Frame>,
    /// Steps of the columns, and the time of one step.
    pub(crate) steps: &'a [usize],
    pub(crate) period_s: f64,
}

impl Film<'_> {
    /// Writes the PNG.
    pub(crate) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let seconds = |step: &usize| format!("{:+.1} s", *step as f64 * self.period_s);
        FilmStrip::new(self.title)
            .row("camera", &self.camera)
            .row("imagined", &self.imagined)
            .row("executed", &self.executed)
            .columns(self.steps.iter().map(seconds))
            .save(file)?;
        Ok(())
    }
}

/// Decodes the states of a plan (`[.., n]`) at some of its steps.
pub(crate) fn imagine(
    bundle: &Bundle,
    states: &[f32],
    steps: &[usize],
) -> anyhow::Result<Vec<Frame>> {
    let manifest = bundle.manifest();
    let (n, image) = (manifest.dims.state(), &manifest.image);
    let mut decode = bundle.decode(1).context("the decoder")?;
    let frames = steps.iter().map(|&step| {
        decode.state_mut().copy_from_slice(&states[step * n..][..n]);
        decode.run()?;
        Ok(Frame::from_unit(image.width, image.height, decode.image())?)
    });
    frames.collect()
}

/// The images on the topic `camera` (empty: as it is found) nearest to the times `due`, not further away than `tolerance_ns`, as the
/// model sees them.
pub(crate) fn recorded_frames(
    bundle: &Bundle,
    bag: &Path,
    camera: &str,
    due: &[i64],
    tolerance_ns: i64,
) -> anyhow::Result<Vec<Option<Frame>>> {
    let mut found: Vec<Option<(i64, Frame)>> = vec![None; due.len()];
    let image = &bundle.manifest().image;
    let (width, height) = (image.width, image.height);
    let mut converter = Converter::new();
    let wanted = Wanted {
        image: camera.to_owned(),
        ..Wanted::default()
    };
    let needs = Needs {
        images: Need::May,
        ..Needs::default()
    };
    Recording::open(bag, &wanted, needs)?.events(|event| -> anyhow::Result<_> {
        if let Event::Image { time_ns, image } = event {
            for (due, found) in due.iter().zip(&mut found) {
                let away = (time_ns - due).abs();
                let is_nearer = found.as_ref().is_none_or(|(best, _)| away < *best);
                if away <= tolerance_ns
                    && is_nearer
                    && let Ok(rgb) = converter.to_rgb(&image, width as u32, height as u32)
                {
                    *found = Some((away, Frame::new(width, height, rgb)?));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found
        .into_iter()
        .map(|f| f.map(|(_, frame)| frame))
        .collect())
}

/// Writes the curves of one plan; of several plans that were iterated together, those of number `start`.
pub(crate) fn curves(
    file: &Path,
    title: &str,
    iterations: &[IterationTrace],
    start: u32,
) -> anyhow::Result<()> {
    let line = |value: fn(&IterationTrace) -> f32| -> Vec<(f64, f64)> {
        let of_start = iterations.iter().filter(|i| i.start == start);
        of_start
            .map(|i| (f64::from(i.iteration), f64::from(value(i))))
            .collect()
    };
    let evaluated: Vec<(f64, f64)> = line(|i| i.rollout_return)
        .into_iter()
        .filter(|(_, value)| value.is_finite())
        .collect();
    Curves::new(title)
        .panel(
            Panel::new("dynamics violation |z' - mu(z, a)|^2", "iteration")
                .log_y()
                .points("largest", &line(|i| i.dynamics_violation_max))
                .points("mean", &line(|i| i.dynamics_violation_mean)),
        )
        .panel(
            Panel::new("multipliers", "iteration")
                .log_y()
                .points("dynamics, largest", &line(|i| i.dynamics_multiplier_max))
                .points("dynamics, mean", &line(|i| i.dynamics_multiplier_mean))
                .points("actions, mean", &line(|i| i.action_multiplier_mean)),
        )
        .panel(
            Panel::new("predicted reward, sum over the plan", "iteration")
                .points("of the planned states", &line(|i| i.planned_reward))
                .points("of the actions, rolled out", &evaluated),
        )
        .panel(
            Panel::new("action violation max(0, a^2 - 1)", "iteration")
                .points("largest", &line(|i| i.action_violation_max)),
        )
        .save(file)?;
    Ok(())
}
