//! What other planners would have promised where this run planned: a comparison under equal conditions, by the model alone.

use latco_controller::config::PlannerKind;
use latco_controller::plan::{self, PlanRequest, PlanSizes, Solution};
use latco_controller::time::{Clock as _, MonotonicClock, Time, span};
use latco_controller::trace::PlanTrace;
use latco_controller::{Config, SetupError};
use latco_models::Bundle;
use latco_pictures::page::spread;
use serde::Serialize;

use super::seen::Seen;

/// Most images that are planned for again.
const IMAGES: usize = 12;
/// Planners that are compared beside the run's own: collocation, what it starts from, and sampling.
const OTHERS: [PlannerKind; 4] = [
    PlannerKind::Latco,
    PlannerKind::SamplingOnly,
    PlannerKind::Cem,
    PlannerKind::Mppi,
];
/// Samples and elites of CEM and MPPI, of which several rounds fit into the time of a plan, as in the tables at equal time.
const SAMPLES: (u32, u32) = (128, 12);

/// One planner of the comparison.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Compared {
    pub(super) planner: &'static str,
    /// Mean predicted return of its plans.
    pub(super) promised: f64,
    /// Number of images at which none promised more.
    pub(super) best: usize,
    /// Number of images.
    pub(super) images: usize,
    /// Time that each plan might take, ms.
    pub(super) budget_ms: f64,
}

/// Plans from beliefs that are spread over the run with several planners, each from nothing and in the time that the run's plans
/// had, or half a control period where they had no limit; none in a run without plans. They are compared by the reward alone, without
/// regions to keep out of and goal pictures.
///
/// # Errors
/// [`SetupError`] when a planner cannot be made.
pub(super) fn compare(
    seen: &[Seen],
    config: &Config,
    bundle: &Bundle,
) -> Result<Vec<Compared>, SetupError> {
    let planned: Vec<&Seen> = seen.iter().filter(|s| s.plan.is_some()).collect();
    let mut chosen = spread(planned.len());
    chosen.truncate(IMAGES);
    let half_ms = bundle.manifest().control_period_s * 500.0;
    let budget_ms = config.planner.budget_ms.unwrap_or(half_ms);
    let own = config.planner.kind;
    let mut kinds = vec![own];
    kinds.extend(OTHERS.into_iter().filter(|kind| *kind != own));
    let mut returns: Vec<Vec<f32>> = Vec::new();
    for &kind in &kinds {
        let mut config = config.clone();
        config.planner.kind = kind;
        config.planner.threads = 1;
        config.planner.budget_ms = Some(budget_ms);
        if kind != own {
            (config.planner.cem.samples, config.planner.cem.elites) = SAMPLES;
        }
        let sizes = PlanSizes::new(&config, bundle.manifest());
        let mut planner = plan::make(&config, bundle, &sizes)?;
        let (mut solution, mut trace) = (Solution::new(&sizes), PlanTrace::with_capacity(0));
        let clock = MonotonicClock::starting_at(Time(0));
        let promised = chosen.iter().map(|&at| {
            planner.reset(at as u64);
            let request = PlanRequest {
                state: &planned[at].belief,
                elapsed_periods: None,
                constraints: None,
                goal: None,
                deadline: Some(clock.now() + span(budget_ms * 1e-3)),
                replay: None,
            };
            (planner.plan(&request, &clock, &mut solution, &mut trace)).predicted_return
        });
        returns.push(promised.collect());
    }
    let most: Vec<f32> = (0..chosen.len())
        .map(|image| returns.iter().map(|of| of[image]).fold(f32::MIN, f32::max))
        .collect();
    let images = chosen.len();
    let compared = kinds.iter().zip(&returns).map(|(kind, of)| Compared {
        planner: kind.name(),
        promised: of.iter().map(|r| f64::from(*r)).sum::<f64>() / images.max(1) as f64,
        best: of.iter().zip(&most).filter(|(r, most)| r >= most).count(),
        images,
        budget_ms,
    });
    Ok(if images == 0 {
        Vec::new()
    } else {
        compared.collect()
    })
}
