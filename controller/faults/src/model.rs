//! A model whose filter step fails, gives NaN, takes long or panics.

use std::sync::Arc;

use latco_controller::model::FilterModel;
use latco_models::{Graph, RunError};

use crate::injector::{Injector, panic_here};
use crate::kind::{Effect, Target};

/// A model that does what the faults of an injector make of another one.
pub struct FaultyFilter {
    inner: Box<dyn FilterModel>,
    injector: Arc<Injector>,
}

impl FaultyFilter {
    /// Puts faults round a model.
    #[must_use]
    pub fn new(inner: Box<dyn FilterModel>, injector: Arc<Injector>) -> Self {
        Self { inner, injector }
    }
}

impl FilterModel for FaultyFilter {
    fn observe(
        &mut self,
        pixels: &[u8],
        joints: &[f32],
        state: &[f32],
        action: &[f32],
        mean: &mut [f32],
    ) -> Result<(), RunError> {
        let strikes = self.injector.strike(Target::Model);
        for strike in &strikes {
            match strike.effect {
                Effect::Slow => self.injector.wait(strike.amount),
                Effect::Panic => panic_here("panic_model"),
                Effect::Fail => {
                    return Err(RunError {
                        graph: Graph::Observe,
                        reason: "injected fault: fail_model".into(),
                    });
                }
                _ => {}
            }
        }
        self.inner.observe(pixels, joints, state, action, mean)?;
        if strikes.iter().any(|s| s.effect == Effect::NotFinite) {
            mean.fill(f32::NAN);
        }
        Ok(())
    }

    fn innovation(&mut self, innovation: &mut [f32]) -> Result<f32, RunError> {
        self.inner.innovation(innovation)
    }

    fn warm(&mut self) -> Result<(), RunError> {
        self.inner.warm()
    }

    fn prior(&mut self, state: &[f32], action: &[f32], mean: &mut [f32]) -> Result<(), RunError> {
        self.inner.prior(state, action, mean)
    }
}
