//! The learned model as the core sees it, and the bundle's ONNX graphs behind it.
//!
//! The traits are where tests and fault injection put something else in.

use latco_models::surprise::{self, Moments};
use latco_models::{Bundle, BundleError, Decode, Dynamics, Observe, RunError};

/// A model that gives the filter step and the prior step of one state.
pub trait FilterModel: Send {
    /// Posterior after an image: writes the mean `[n]`. `joints` (`[2 nj]`, positions then
    /// velocities, raw) is empty for a model without them; `state` `[n]` and `action` `[na]` are
    /// those of the previous step.
    ///
    /// # Errors
    /// The runtime's reason.
    fn observe(
        &mut self,
        pixels: &[u8],
        joints: &[f32],
        state: &[f32],
        action: &[f32],
        mean: &mut [f32],
    ) -> Result<(), RunError>;

    /// Writes the innovation of the last filter step, `[ns]`: how far the posterior is from the prior under the same state and
    /// action, see [`latco_models::surprise::innovation`]. Returns how far the image is from the picture of that prior, see
    /// [`latco_models::surprise::picture_error`].
    ///
    /// # Errors
    /// The runtime's reason.
    fn innovation(&mut self, innovation: &mut [f32]) -> Result<f32, RunError>;

    /// Repeats the filter step on its last inputs and discards the result, so that the model's weights are in
    /// the processor's caches afterwards. Models without weights have nothing to do.
    ///
    /// # Errors
    /// The runtime's reason.
    fn warm(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    /// Writes the prior mean of the next state, `mu(state, action)`, `[n]`. Eq. 6 of the paper.
    ///
    /// # Errors
    /// The runtime's reason.
    fn prior(&mut self, state: &[f32], action: &[f32], mean: &mut [f32]) -> Result<(), RunError>;
}

/// [`FilterModel`] on the `observe` and `dynamics` graphs of a bundle.
pub struct OnnxFilter {
    observe: Observe,
    dynamics: Dynamics,
    /// Pictures of priors, where the bundle says how far images may be from them.
    decode: Option<Decode>,
}

impl OnnxFilter {
    /// Makes sessions of batch 1; that of the decoder only for a bundle that needs it for its surprise.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn new(bundle: &Bundle) -> Result<Self, BundleError> {
        Ok(Self {
            observe: bundle.observe(1)?,
            dynamics: bundle.dynamics(1)?,
            decode: match bundle.manifest().surprise {
                Some(_) => Some(bundle.decode(1)?),
                None => None,
            },
        })
    }
}

impl FilterModel for OnnxFilter {
    fn observe(
        &mut self,
        pixels: &[u8],
        joints: &[f32],
        state: &[f32],
        action: &[f32],
        mean: &mut [f32],
    ) -> Result<(), RunError> {
        self.observe.image_mut().copy_from_slice(pixels);
        if let Some(input) = self.observe.joints_mut() {
            input.copy_from_slice(joints);
        }
        self.observe.state_mut().copy_from_slice(state);
        self.observe.action_mut().copy_from_slice(action);
        self.observe.run()?;
        mean.copy_from_slice(self.observe.mean());
        Ok(())
    }

    fn innovation(&mut self, innovation: &mut [f32]) -> Result<f32, RunError> {
        (self.dynamics.state_mut()).copy_from_slice(self.observe.state_mut());
        (self.dynamics.action_mut()).copy_from_slice(self.observe.action_mut());
        self.dynamics.run()?;
        let posterior = Moments {
            mean: self.observe.mean(),
            std: self.observe.std(),
        };
        let prior = Moments {
            mean: self.dynamics.mean(),
            std: self.dynamics.std(),
        };
        surprise::innovation(posterior, prior, innovation);
        let Some(decode) = &mut self.decode else {
            return Ok(0.0);
        };
        decode.state_mut().copy_from_slice(self.dynamics.mean());
        decode.run()?;
        Ok(surprise::picture_error(
            self.observe.image_mut(),
            decode.image(),
        ))
    }

    fn warm(&mut self) -> Result<(), RunError> {
        self.observe.run()
    }

    fn prior(&mut self, state: &[f32], action: &[f32], mean: &mut [f32]) -> Result<(), RunError> {
        self.dynamics.state_mut().copy_from_slice(state);
        self.dynamics.action_mut().copy_from_slice(action);
        self.dynamics.run()?;
        mean.copy_from_slice(self.dynamics.mean());
        Ok(())
    }
}
