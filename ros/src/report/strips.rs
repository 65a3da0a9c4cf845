//! The pictures of a report, within a budget of bytes.

use std::collections::BTreeMap;

use anyhow::Context as _;
use latco_controller::plan::{Decisions, PlanRequest, PlanSizes, Planner, Problem, Solution};
use latco_controller::time::{FrozenClock, Time};
use latco_controller::trace::PlanTrace;
use latco_controller::{Config, SetupError, plan};
use latco_models::{Bundle, Decode};
use latco_pictures::page::{PICTURES_BUDGET, jpeg, spread};
use latco_pictures::{Frame, columns};
use serde::Serialize;

use super::seen::{Planned, Seen};

/// Bytes that frames and plans may take; the rest is left for the iterates.
const FOR_PLANS: usize = PICTURES_BUDGET / 3 * 2;
/// Most plans whose iterates are shown.
const MOST_BY_ITERATION: usize = 24;
/// Most iterates of a plan that are shown.
const MOST_ITERATES: usize = 12;

/// A strip of decoded states.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Strip {
    /// Step of each column.
    pub(super) steps: Vec<usize>,
    /// The JPEG, in base64.
    pub(super) jpeg: String,
}

/// One iterate of a plan.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Iterate {
    /// Number of iterations that led to it; 0 is the start.
    pub(super) iteration: u32,
    pub(super) strip: Strip,
}

/// All pictures. Entries stand for those of [`Seen`].
pub(super) struct Strips {
    /// Camera image and what the belief makes of it, side by side.
    pub(super) frames: Vec<Option<String>>,
    pub(super) plans: Vec<Option<Strip>>,
    /// The iterates of some plans, by the number of their image.
    pub(super) iterates: BTreeMap<usize, Vec<Iterate>>,
    /// Size of one frame.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Whether the belief could be decoded.
    pub(super) has_decoder: bool,
}

/// Draws what fits: first all frames, then all plans, then the iterates of a few, each evenly spread over the run.
///
/// # Errors
/// ONNX Runtime's reason, or the encoder's.
pub(super) fn draw(seen: &[Seen], config: &Config, bundle: &Bundle) -> anyhow::Result<Strips> {
    let manifest = bundle.manifest();
    let (width, height) = (manifest.image.width, manifest.image.height);
    let mut pen = Pen {
        // A bundle without a decoder shows what the camera saw, and no more.
        decode: bundle.decode(1).ok(),
        size: (width, height),
        state: manifest.dims.state(),
        spent: 0,
    };
    let mut strips = Strips {
        frames: vec![None; seen.len()],
        plans: vec![None; seen.len()],
        iterates: BTreeMap::new(),
        width,
        height,
        has_decoder: pen.decode.is_some(),
    };
    for at in spread(seen.len()) {
        if pen.spent > FOR_PLANS {
            break;
        }
        strips.frames[at] = Some(pen.frame(&seen[at])?);
    }
    if !strips.has_decoder {
        return Ok(strips);
    }
    for at in spread(seen.len()) {
        if pen.spent > FOR_PLANS {
            break;
        }
        if let Some(plan) = &seen[at].plan {
            let steps = columns(plan.rewards.len() + plan.lead);
            strips.plans[at] = Some(pen.strip(&plan.states, steps)?);
        }
    }
    // Made for the first problem; a planner that keeps none is not needed.
    let mut again = None;
    for at in chosen(seen) {
        let Some(problem) = seen[at].plan.as_ref().and_then(|p| p.problem.as_ref()) else {
            continue;
        };
        if pen.spent > PICTURES_BUDGET {
            break;
        }
        let again = match &mut again {
            Some(again) => again,
            none => none.insert(Again::new(config, bundle)?),
        };
        strips.iterates.insert(at, pen.iterates(again, problem)?);
    }
    Ok(strips)
}

/// The plans whose iterates are shown: those that began from nothing, then others over the whole run.
fn chosen(seen: &[Seen]) -> Vec<usize> {
    let is = |at: &usize, cold: bool| {
        let plan = seen[*at].plan.as_ref();
        plan.is_some_and(|p: &Planned| p.report.warm != cold && p.report.iterations > 0)
    };
    let cold = (0..seen.len()).filter(|at| is(at, true));
    let warm = spread(seen.len()).into_iter().filter(|at| is(at, false));
    cold.take(MOST_BY_ITERATION / 2)
        .chain(warm)
        .take(MOST_BY_ITERATION)
        .collect()
}

/// A planner that solves recorded problems again.
struct Again {
    planner: Box<dyn Planner>,
    sizes: PlanSizes,
    trace: PlanTrace,
    solution: Solution,
}

impl Again {
    fn new(config: &Config, bundle: &Bundle) -> Result<Self, SetupError> {
        let mut config = config.clone();
        config.planner.budget_ms = None;
        config.planner.threads = 1;
        let sizes = PlanSizes::new(&config, bundle.manifest());
        Ok(Self {
            planner: plan::make(&config, bundle, &sizes)?,
            trace: PlanTrace::with_capacity(0),
            solution: Solution::new(&sizes),
            sizes,
        })
    }
}

struct Pen {
    decode: Option<Decode>,
    size: (usize, usize),
    state: usize,
    spent: usize,
}

impl Pen {
    /// The camera image, and right of it what the belief makes of it.
    fn frame(&mut self, seen: &Seen) -> anyhow::Result<String> {
        let (width, height) = self.size;
        let mut pictures = vec![Frame::new(width, height, seen.pixels.clone())?];
        if self.decode.is_some() && seen.belief.len() == self.state {
            pictures.push(self.decoded(&seen.belief)?);
        }
        self.jpeg(&pictures)
    }

    /// The states at `steps` of `states` `[.., n]`.
    fn strip(&mut self, states: &[f32], steps: Vec<usize>) -> anyhow::Result<Strip> {
        let n = self.state;
        let pictures = steps
            .iter()
            .map(|&step| self.decoded(&states[step * n..][..n]))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let jpeg = self.jpeg(&pictures)?;
        Ok(Strip { steps, jpeg })
    }

    /// Solves the problem again up to some of its iterations, and shows where each left the states: between start and end
    /// they need not obey the dynamics.
    fn iterates(&mut self, again: &mut Again, problem: &Problem) -> anyhow::Result<Vec<Iterate>> {
        let Again {
            planner,
            sizes,
            trace,
            solution,
        } = again;
        let done = problem.report.iterations;
        let mut shown = Vec::new();
        for iteration in pick(done, MOST_ITERATES) {
            if !planner.restore(problem) {
                break;
            }
            let decisions = if iteration == done {
                problem.decisions
            } else {
                Decisions {
                    parts: 0,
                    out_of_time_after: Some(iteration),
                    ..problem.decisions
                }
            };
            let request = PlanRequest {
                state: &problem.anchor,
                elapsed_periods: problem.elapsed_periods,
                constraints: problem.constraints.as_ref(),
                goal: None,
                deadline: None,
                replay: Some(decisions),
            };
            planner.plan(&request, &FrozenClock(Time(0)), solution, trace);
            let Some(after) = planner.problem() else {
                break;
            };
            let steps = columns(sizes.horizon);
            let strip = self.strip(&after.last.states, steps)?;
            shown.push(Iterate { iteration, strip });
        }
        Ok(shown)
    }

    fn decoded(&mut self, state: &[f32]) -> anyhow::Result<Frame> {
        let decode = self.decode.as_mut().context("the bundle has no decoder")?;
        decode.state_mut().copy_from_slice(state);
        decode.run()?;
        let (width, height) = self.size;
        Ok(Frame::from_unit(width, height, decode.image())?)
    }

    /// Pictures side by side, as a JPEG in base64.
    fn jpeg(&mut self, pictures: &[Frame]) -> anyhow::Result<String> {
        let text = jpeg(pictures)?;
        self.spent += text.len();
        Ok(text)
    }
}

/// At most `most` of the numbers 0 to `last`, with both ends, closer at the beginning, where most happens.
fn pick(last: u32, most: usize) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..most)
        .map(|i| {
            let share = i as f64 / (most - 1) as f64;
            (f64::from(last) * share.powf(1.5)).round() as u32
        })
        .collect();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_iteration_are_shown() {
        assert_eq!(pick(0, 12), [0]);
        assert_eq!(pick(3, 12), [0, 1, 2, 3]);
        let many = pick(200, 12);
        assert_eq!((many[0], many[many.len() - 1]), (0, 200));
        assert!(many.len() <= 12);
    }
}
