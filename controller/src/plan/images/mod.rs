//! Image collocation: a sequence of images and actions is planned, by steps of first order (Rybkin et al.
//! 2021, appendix D).
//!
//! Images are not a Markov space: what they show is known from all images before. So the planned images
//! `I_1 .. I_H` are encoded one after the other by the filter step, and
//!
//! ```text
//! z_{t+1} = post(z_t, a_t, I_{t+1}, q_{t+1})                z_0 given
//! L = sum_t [ r(z_t) - lambda_t (|I_{t+1} - decode(mu(z_t, a_t))|^2 - eps) - nu_t (|max(0, |a_t| - limit)|^2 - eps) ]
//! ```
//!
//! Adam climbs L in images and actions; the multipliers go up by gradient ascent every few iterations, as in
//! "no second order". Rewards are pulled back through all images before. Constraints are pairwise, as
//! the paper found necessary: that of `I_{t+1}` pulls at `I_{t+1}`, at `a_t`, and through one filter step at
//! `I_t`, and what came before that counts as given. Pixels stay within 0 to 1, as no camera gives others.
//!
//! Joints `q`, where the model takes them, are no variables: they follow from the actions by [`Kinematics`], and
//! rewards are pulled back through them.
//!
//! All else is what shooting has: warm start, deadline, and the merit by which plans are kept.

mod joints;
#[cfg(test)]
mod tests;

use latco_models::{
    Bundle, Decode, ObserveGradient, ObserveInput, PredictionError, Reward, RewardHead, RunError,
};

use super::adam::Adam;
use super::budget::Cut;
use super::limits;
use super::refine::mean;
use super::rollout::PriorSteps;
use super::shooting::{Method, Schedule, ShootingPlanner};
use super::warm_start::{Shift, relax};
use super::{PlanRequest, PlanSizes, StartKind, StopCause};
use crate::config::{Config, ImageCollocationSection, PlannerKind};
use crate::error::SetupError;
use crate::trace::IterationTrace;
use joints::Kinematics;

/// A planner of `kind = "image_collocation"`.
pub(in crate::plan) type ImagePlanner = ShootingPlanner<Images>;

/// A byte of an image for each unit of a planned one.
const BYTES: f32 = 255.0;

/// Images and actions in progress.
pub(in crate::plan) struct Images {
    settings: ImageCollocationSection,
    sizes: PlanSizes,
    /// Numbers of an image.
    pixels: usize,
    action_limit: f32,
    head: RewardHead,
    /// One filter step, and derivatives by what was known before.
    step: ObserveGradient,
    /// All filter steps, and derivatives by the images.
    look: ObserveGradient,
    error: PredictionError,
    reward: Reward,
    prior: PriorSteps,
    decode: Decode,
    kinematics: Kinematics,
    /// I_1 .. I_H, 0 to 1, `[H, height, width, 3]`; those from `known` on are yet to be imagined.
    images: Vec<f32>,
    known: usize,
    /// `[H, na]`
    actions: Vec<f32>,
    /// z_0 .. z_H, `[H + 1, n]`
    states: Vec<f32>,
    /// lambda, nu, `[H]`
    dynamics: Vec<f32>,
    action_limits: Vec<f32>,
    /// Derivatives of the rewards by z_1 .. z_H, `[H, n]`, by the actions, `[H, na]`, and by the joints, `[H, 2 nj]`.
    state_slopes: Vec<f32>,
    action_slopes: Vec<f32>,
    joint_slopes: Vec<f32>,
    /// Derivatives of L by the images.
    image_slopes: Vec<f32>,
    image_steps: Adam,
    action_steps: Adam,
}

impl Method for Images {
    const KIND: PlannerKind = PlannerKind::ImageCollocation;

    fn make(
        config: &Config,
        bundle: &Bundle,
        sizes: &PlanSizes,
    ) -> Result<(Self, Schedule), SetupError> {
        let settings = config.planner.image_collocation.clone();
        let schedule = Schedule {
            warm_start: settings.warm_start,
            iterations_cold: settings.iterations_cold,
            iterations_warm: settings.iterations_warm,
            rollout_every: settings.rollout_every_iterations,
        };
        let manifest = bundle.manifest();
        let (h, n, na) = (sizes.horizon, sizes.state, sizes.action);
        let pixels = manifest.image.height * manifest.image.width * 3;
        let before = [
            ObserveInput::Joints,
            ObserveInput::State,
            ObserveInput::Action,
        ];
        let kinematics = Kinematics::new(manifest, h);
        let method = Self {
            settings,
            sizes: *sizes,
            pixels,
            action_limit: manifest.action.limit,
            head: manifest.reward,
            step: bundle.observe_gradient(1, &before)?,
            look: bundle.observe_gradient(h, &[ObserveInput::Image])?,
            error: bundle.prediction_error(h)?,
            reward: bundle.reward(h)?,
            prior: PriorSteps::new(bundle, sizes)?,
            decode: bundle.decode(1)?,
            images: vec![0.0; h * pixels],
            known: 0,
            actions: vec![0.0; h * na],
            states: vec![0.0; (h + 1) * n],
            dynamics: vec![0.0; h],
            action_limits: vec![0.0; h],
            state_slopes: vec![0.0; h * n],
            action_slopes: vec![0.0; h * na],
            joint_slopes: vec![0.0; kinematics.rows().len()],
            image_slopes: vec![0.0; h * pixels],
            image_steps: Adam::new(h * pixels),
            action_steps: Adam::new(h * na),
            kinematics,
        };
        Ok((method, schedule))
    }

    fn start(&mut self, request: &PlanRequest<'_>, shift: Option<Shift>) {
        self.image_steps.reset();
        self.action_steps.reset();
        self.kinematics.begin(request.joints);
        let settings = &self.settings;
        let (lambda, nu) = (
            settings.dynamics_multiplier as f32,
            settings.action_multiplier as f32,
        );
        let Some(shift) = shift else {
            self.actions.fill(0.0);
            self.dynamics.fill(lambda);
            self.action_limits.fill(nu);
            self.known = 0;
            return;
        };
        shift.apply(&mut self.images, self.pixels);
        shift.apply(&mut self.actions, self.sizes.action);
        shift.apply(&mut self.dynamics, 1);
        shift.apply(&mut self.action_limits, 1);
        let factor = settings.multiplier_relaxation as f32;
        relax(&mut self.dynamics, factor, lambda);
        relax(&mut self.action_limits, factor, nu);
        let h = self.sizes.horizon;
        self.known = self.known.saturating_sub(h - shift.last_known(h));
    }

    /// Ten plans of Reach from standing still promised more after 300 iterations than from actions that are
    /// uniform or nearly constant, or from images of noise.
    fn fresh(&self) -> StartKind {
        StartKind::StandingStill
    }

    fn actions(&self) -> &[f32] {
        &self.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        cut: &mut Cut<'_>,
    ) -> Result<(), StopCause> {
        self.states[..state.len()].copy_from_slice(state);
        self.kinematics.integrate(&self.actions);
        let h = self.sizes.horizon;
        let parts = [
            |images: &mut Self| images.imagine(),
            |images: &mut Self| images.encode(images.sizes.horizon),
            |images: &mut Self| images.judge(),
            |images: &mut Self| images.pull_back(),
            |images: &mut Self| images.look_back(),
        ];
        let known = self.known;
        for part in parts {
            if cut.is_due() {
                // As if it had not begun, as when the plan is made again.
                self.known = known;
                return Err(StopCause::TimeBudget);
            }
            part(self).map_err(|_| StopCause::ModelFailed)?;
        }
        figures.planned_reward = (self.reward.reward().iter())
            .map(|output| self.head.expected(*output))
            .sum();
        self.pull_at_actions();
        let sums =
            [&self.image_slopes, &self.action_slopes].map(|slopes| slopes.iter().sum::<f32>());
        if !(figures.planned_reward.is_finite() && sums.iter().all(|sum| sum.is_finite())) {
            return Err(StopCause::NonFinite);
        }
        let largest = |values: &[f32]| values.iter().copied().fold(0.0, f32::max);
        let violation = self.error.violation();
        figures.dynamics_violation_mean = violation.iter().sum::<f32>() / h as f32;
        figures.dynamics_violation_max = largest(violation);
        figures.action_violation_max = self.action_violation();
        if (figures.iteration).is_multiple_of(self.settings.multiplier_every_iterations) {
            self.raise_multipliers();
        }
        figures.dynamics_multiplier_mean = mean(&self.dynamics);
        figures.dynamics_multiplier_max = largest(&self.dynamics);
        figures.action_multiplier_mean = mean(&self.action_limits);

        let rate = self.settings.learning_rate as f32;
        (self.image_steps).climb(rate, &mut self.images, &self.image_slopes);
        for pixel in &mut self.images {
            *pixel = pixel.clamp(0.0, 1.0);
        }
        (self.action_steps).climb(rate, &mut self.actions, &self.action_slopes);
        Ok(())
    }
}

impl Images {
    /// Images that are not known yet become those that the prior expects under the actions.
    fn imagine(&mut self) -> Result<(), RunError> {
        let (h, n) = (self.sizes.horizon, self.sizes.state);
        if self.known == h {
            return Ok(());
        }
        self.encode(self.known)?;
        (self.prior).fill(self.known, &mut self.states, &self.actions)?;
        let images = self.images.chunks_exact_mut(self.pixels);
        let states = self.states[n..].chunks_exact(n);
        for (image, state) in images.zip(states).skip(self.known) {
            self.decode.state_mut().copy_from_slice(state);
            self.decode.run()?;
            image.copy_from_slice(self.decode.image());
        }
        self.known = h;
        Ok(())
    }

    /// One filter step after the other, over the first `count` images.
    fn encode(&mut self, count: usize) -> Result<(), RunError> {
        let n = self.sizes.state;
        for t in 0..count {
            self.set_step(t);
            self.step.run()?;
            self.states[(t + 1) * n..][..n].copy_from_slice(self.step.mean());
        }
        Ok(())
    }

    /// The inputs of the filter step that sees image t.
    fn set_step(&mut self, t: usize) {
        let (n, na) = (self.sizes.state, self.sizes.action);
        let image = &self.images[t * self.pixels..][..self.pixels];
        in_bytes(image, self.step.image_mut());
        if let Some(joints) = self.step.joints_mut() {
            let len = joints.len();
            joints.copy_from_slice(&self.kinematics.rows()[t * len..][..len]);
        }
        (self.step.state_mut()).copy_from_slice(&self.states[t * n..][..n]);
        (self.step.action_mut()).copy_from_slice(&self.actions[t * na..][..na]);
    }

    /// Rewards of the encoded images, and how far each image is from the one predicted from those before.
    fn judge(&mut self) -> Result<(), RunError> {
        let (h, n) = (self.sizes.horizon, self.sizes.state);
        self.reward.state_mut().copy_from_slice(&self.states[n..]);
        self.reward.run()?;
        (self.error.state_mut()).copy_from_slice(&self.states[..h * n]);
        self.error.action_mut().copy_from_slice(&self.actions);
        self.error.target_mut().copy_from_slice(&self.images);
        self.error.weight_mut().copy_from_slice(&self.dynamics);
        self.error.run()
    }

    /// Carries the slopes of the rewards back through the filter steps.
    fn pull_back(&mut self) -> Result<(), RunError> {
        let (h, n, na) = (self.sizes.horizon, self.sizes.state, self.sizes.action);
        self.state_slopes.copy_from_slice(self.reward.gradient());
        for t in (0..h).rev() {
            self.set_step(t);
            let slopes = &self.state_slopes[t * n..][..n];
            self.step.cotangent_mut().copy_from_slice(slopes);
            self.step.run()?;
            if t > 0 {
                let before = &mut self.state_slopes[(t - 1) * n..][..n];
                for (slope, part) in before.iter_mut().zip(self.step.by(ObserveInput::State)) {
                    *slope += part;
                }
            }
            (self.action_slopes[t * na..][..na])
                .copy_from_slice(self.step.by(ObserveInput::Action));
            let by_joints = self.step.by(ObserveInput::Joints);
            let len = by_joints.len();
            self.joint_slopes[t * len..][..len].copy_from_slice(by_joints);
        }
        Ok(())
    }

    /// The slopes of L by the images.
    fn look_back(&mut self) -> Result<(), RunError> {
        let (h, n) = (self.sizes.horizon, self.sizes.state);
        in_bytes(&self.images, self.look.image_mut());
        if let Some(joints) = self.look.joints_mut() {
            joints.copy_from_slice(self.kinematics.rows());
        }
        self.look.state_mut().copy_from_slice(&self.states[..h * n]);
        self.look.action_mut().copy_from_slice(&self.actions);
        let cotangents = self.look.cotangent_mut();
        cotangents.copy_from_slice(&self.state_slopes);
        // The constraint of I_{t+1} pulls at I_t; nothing depends on the last state.
        let pulled = &self.error.by_state()[n..];
        for (cotangent, pulled) in cotangents.iter_mut().zip(pulled) {
            *cotangent -= pulled;
        }
        self.look.run()?;
        let by_image = self.look.by(ObserveInput::Image).iter();
        let parts = by_image.zip(self.error.by_target());
        for (slope, (of_byte, pulled)) in self.image_slopes.iter_mut().zip(parts) {
            *slope = BYTES * of_byte - pulled;
        }
        Ok(())
    }

    /// Adds to the slopes of the rewards by the actions what comes through the joints, and takes off what the
    /// constraints pull.
    fn pull_at_actions(&mut self) {
        (self.kinematics).pull_back(&self.joint_slopes, &mut self.action_slopes);
        let na = self.sizes.action;
        let parts = self.actions.iter().zip(self.error.by_action());
        for (index, (slope, (action, pulled))) in
            (self.action_slopes.iter_mut().zip(parts)).enumerate()
        {
            let nu = self.action_limits[index / na];
            *slope -= pulled + limits::pull(*action, self.action_limit, nu);
        }
    }

    /// The largest of the steps.
    fn action_violation(&self) -> f32 {
        let steps = self.actions.chunks_exact(self.sizes.action);
        let violations = steps.map(|step| limits::violation(step, self.action_limit));
        violations.fold(0.0, f32::max)
    }

    /// Gradient ascent on the multipliers.
    fn raise_multipliers(&mut self) {
        let (rate, tolerance) = (
            self.settings.multiplier_rate as f32,
            self.settings.tolerance as f32,
        );
        for (lambda, violation) in self.dynamics.iter_mut().zip(self.error.violation()) {
            limits::raise(lambda, *violation, tolerance, rate);
        }
        let steps = self.actions.chunks_exact(self.sizes.action);
        for (nu, action) in self.action_limits.iter_mut().zip(steps) {
            let violation = limits::squared_excess(action, self.action_limit);
            limits::raise(nu, violation, tolerance, rate);
        }
    }
}

/// An image of 0 to 1 in units of bytes.
fn in_bytes(image: &[f32], bytes: &mut [f32]) {
    for (byte, pixel) in bytes.iter_mut().zip(image) {
        *byte = BYTES * pixel;
    }
}
