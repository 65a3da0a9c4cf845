//! Plans before the first image, to find out whether a provider that was not the first choice is fast enough.

use std::time::Instant;

use latco_models::Bundle;

use crate::config::Config;
use crate::controller::Controller;
use crate::error::{REHEARSED_PLANS, Rehearsal, SetupError, TooSlow};
use crate::inputs::{ImageInput, Inputs, JointInput};
use crate::time::{FrozenClock, Time};

impl Rehearsal {
    /// Makes a controller, lets it plan on images without content, and drops it.
    ///
    /// # Errors
    /// [`SetupError`] when the controller cannot be made, or cannot plan at all.
    pub fn run(config: &Config, bundle: &Bundle) -> Result<Self, SetupError> {
        let mut controller = Controller::new(config, bundle)?;
        let (width, height) = controller.image_size();
        let pixels = vec![0; width * height * 3];
        let zeros = vec![0.0; controller.robot().names().len()];
        let period = controller.period();
        let every = config.control.replan_every_periods.max(1);
        let mut plan_ms = Vec::with_capacity(REHEARSED_PLANS);
        let mut stamp = Time(0);
        // The first plan is cold.
        for tick in 0..=REHEARSED_PLANS * every as usize {
            stamp = stamp + period;
            let inputs = Inputs {
                image: Some(ImageInput {
                    stamp,
                    width,
                    height,
                    pixels: &pixels,
                }),
                joints: Some(JointInput {
                    stamp,
                    positions: &zeros,
                    velocities: &zeros,
                }),
            };
            let began = Instant::now();
            let done = controller.step(&inputs, stamp, &FrozenClock(stamp));
            let ms = began.elapsed().as_secs_f64() * 1e3;
            if let Some(Err(error)) = done.image {
                return Err(SetupError::Rehearsal(error));
            }
            if done.plan.is_some() && tick > 0 {
                plan_ms.push(ms);
            }
        }
        plan_ms.sort_by(f64::total_cmp);
        let between = period * every;
        let allowed = config
            .planner
            .budget_ms
            .map_or(between, |ms| between.min(crate::time::span(ms * 1e-3)));
        Ok(Self {
            provider: bundle.provider(),
            median_ms: plan_ms.get(plan_ms.len() / 2).copied().unwrap_or(0.0),
            worst_ms: plan_ms.last().copied().unwrap_or(0.0),
            allowed_ms: allowed.as_secs_f64() * 1e3,
        })
    }

    /// Checks a bundle whose provider is the CPU only because preferred ones are not available: whether it is
    /// fast enough for the configured rate. It is `None` for all others, which are what the user asked for.
    ///
    /// # Errors
    /// [`SetupError::TooSlow`] with the figures; otherwise as [`Rehearsal::run`].
    pub fn of_stand_in(config: &Config, bundle: &Bundle) -> Result<Option<Self>, SetupError> {
        if bundle.provider().is_gpu() || bundle.declined().is_empty() {
            return Ok(None);
        }
        let rehearsal = Self::run(config, bundle)?;
        if rehearsal.median_ms <= rehearsal.allowed_ms {
            return Ok(Some(rehearsal));
        }
        Err(SetupError::TooSlow(TooSlow {
            rehearsal,
            declined: bundle.declined().to_vec(),
        }))
    }
}
