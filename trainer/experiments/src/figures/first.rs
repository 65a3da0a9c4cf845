//! The first plan of an episode: a belief after one image, and a planner that starts from nothing.

use latco_controller::belief::BeliefFilter;
use latco_controller::inputs::ImageInput;
use latco_controller::model::OnnxFilter;
use latco_controller::plan::{self, PlanReport, PlanRequest, PlanSizes, Planner, Solution};
use latco_controller::trace::PlanTrace;
use latco_controller::{Config, Robot as Joints, SetupError, Time};
use latco_envs::Robot;
use latco_evaluate::{ThreadClock, joints_of};
use latco_models::Bundle;

use crate::ExperimentError;

/// A planner with all that it needs to make first plans.
pub(super) struct First {
    filter: BeliefFilter,
    planner: Box<dyn Planner>,
    /// The plan that was made last, and its iterations.
    pub(super) solution: Solution,
    pub(super) trace: PlanTrace,
    pixels: Vec<u8>,
}

impl First {
    /// Plans begin at the image: there is no lead.
    pub(super) fn new(bundle: &Bundle, config: &Config) -> Result<Self, ExperimentError> {
        let mut config = config.clone();
        config.control.lead_periods = 0;
        let sizes = PlanSizes::new(&config, bundle.manifest());
        let joints = Joints::new(&config, bundle.manifest()).map_err(SetupError::from)?;
        let side = bundle.manifest().image.width;
        let model = Box::new(OnnxFilter::new(bundle)?);
        latco_baselines::add();
        Ok(Self {
            filter: BeliefFilter::new(&config, bundle.manifest(), &joints, model),
            planner: plan::make(&config, bundle, &sizes)?,
            solution: Solution::new(&sizes),
            trace: PlanTrace::new(&config),
            pixels: vec![0; side * side * 3],
        })
    }

    /// The image of the newest plan, rgb8.
    pub(super) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Plans for a robot as it stands; the random numbers depend on `seed` alone.
    pub(super) fn plan(
        &mut self,
        robot: &dyn Robot,
        seed: u64,
    ) -> Result<PlanReport, ExperimentError> {
        let (stamp, side) = (Time(0), robot.image_size());
        self.filter.reset();
        self.planner.drop_warm_start();
        self.planner.reset(seed);
        robot.render(&mut self.pixels);
        self.filter.joints(&joints_of(robot, stamp), stamp)?;
        let image = ImageInput {
            stamp,
            width: side,
            height: side,
            pixels: &self.pixels,
        };
        self.filter.observe(&image, stamp)?;
        let request = PlanRequest {
            state: self.filter.mean(),
            elapsed_periods: None,
            constraints: None,
            goal: None,
            deadline: None,
            replay: None,
        };
        let (solution, trace) = (&mut self.solution, &mut self.trace);
        trace.clear(1, stamp);
        Ok(self.planner.plan(&request, &ThreadClock, solution, trace))
    }

    /// Planned states `[H + 1, n]` as the last iteration left them, where the planner keeps them;
    /// those of its answer otherwise.
    pub(super) fn last_states(&self) -> Vec<f32> {
        match self.planner.problem() {
            Some(problem) => problem.last.states.clone(),
            None => self.solution.states.clone(),
        }
    }
}
