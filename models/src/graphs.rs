//! The graphs of a bundle as typed sessions: write the inputs, [`run`](Dynamics::run), read the outputs.
//!
//! Every session belongs to one thread and has a fixed batch size. After construction `run` makes no Rust heap
//! allocation; buffers are row-major and keep their contents between runs.

use crate::error::{BundleError, RunError};
use crate::graph::Graph;
use crate::manifest::DynamicsKind;
use crate::session::BoundSession;
use crate::sessions::Sessions;

/// The filter step: `[N]` images, joints, previous states and actions to posteriors. Eq. 2 of Rybkin et al. 2021.
pub struct Observe {
    pub(crate) bound: BoundSession,
    batch: usize,
    joints: bool,
}

impl Observe {
    /// A session for `batch` images.
    pub(crate) fn new(sessions: &Sessions, batch: usize) -> Result<Self, BundleError> {
        Ok(Self {
            bound: sessions.bound(Graph::Observe, batch)?,
            batch,
            joints: sessions.manifest.joints.observed,
        })
    }

    /// Batch size N.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Raw RGB images `[N, height, width, 3]`.
    pub fn image_mut(&mut self) -> &mut [u8] {
        self.bound.input_bytes(0)
    }

    /// Raw joint positions (rad) then velocities (rad/s) `[N, 2 nj]`; `None` if the model does not take them.
    pub fn joints_mut(&mut self) -> Option<&mut [f32]> {
        self.joints.then(|| self.bound.input(1))
    }

    /// Posterior means of the previous step `[N, n]`; zeros at the start of an episode.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(1 + usize::from(self.joints))
    }

    /// Normalised actions of the previous step `[N, na]`; zeros at the start of an episode.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(2 + usize::from(self.joints))
    }

    /// Computes the posterior.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Posterior mean states `[s, h]`, `[N, n]`.
    pub fn mean(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// Posterior standard deviations of the stochastic part `[N, ns]`.
    pub fn std(&self) -> &[f32] {
        self.bound.output(1)
    }
}

/// The prior step for T states of a plan at once, with what is needed to apply its Jacobian.
pub struct Dynamics {
    pub(crate) bound: BoundSession,
    steps: usize,
    kind: DynamicsKind,
}

impl Dynamics {
    /// A session for `steps` states at once.
    pub(crate) fn new(sessions: &Sessions, steps: usize) -> Result<Self, BundleError> {
        Ok(Self {
            bound: sessions.bound(Graph::Dynamics, steps)?,
            steps,
            kind: sessions.manifest.dynamics.kind,
        })
    }

    /// Number of steps T.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Whether the Jacobian is given as gate factors or as matrices.
    pub fn kind(&self) -> DynamicsKind {
        self.kind
    }

    /// States `[T, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// Normalised actions `[T, na]`.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(1)
    }

    /// Computes the prior step.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Prior mean states `mu(z_t, a_t)`, `[T, n]`. Eq. 6 of Rybkin et al. 2021.
    pub fn mean(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// Prior standard deviations of the stochastic part `[T, ns]`.
    pub fn std(&self) -> &[f32] {
        self.bound.output(1)
    }

    /// Gate factors `[T, 2 hidden + 5 nd]`, a row being `[slope1, u, Au, Ac, Acr, Ar, slope2]` (see [`crate::factors`]);
    /// empty for [`DynamicsKind::Dense`].
    pub fn factors(&self) -> &[f32] {
        match self.kind {
            DynamicsKind::GruFactors => self.bound.output(2),
            DynamicsKind::Dense => &[],
        }
    }

    /// `d mu / d z`, `[T, n, n]` (row: output); empty for [`DynamicsKind::GruFactors`].
    pub fn jacobian_state(&self) -> &[f32] {
        match self.kind {
            DynamicsKind::GruFactors => &[],
            DynamicsKind::Dense => self.bound.output(2),
        }
    }

    /// `d mu / d a`, `[T, n, na]` (row: output); empty for [`DynamicsKind::GruFactors`].
    pub fn jacobian_action(&self) -> &[f32] {
        match self.kind {
            DynamicsKind::GruFactors => &[],
            DynamicsKind::Dense => self.bound.output(3),
        }
    }
}

/// The reward head and its gradient for T states at once.
pub struct Reward {
    pub(crate) bound: BoundSession,
    steps: usize,
}

impl Reward {
    /// A session for `steps` states at once.
    pub(crate) fn new(sessions: &Sessions, steps: usize) -> Result<Self, BundleError> {
        Ok(Self {
            bound: sessions.bound(Graph::Reward, steps)?,
            steps,
        })
    }

    /// Number of steps T.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// States `[T, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// Computes rewards and gradients.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Rewards `r(z_t)`, `[T]`.
    pub fn reward(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// `d r / d z`, `[T, n]`.
    pub fn gradient(&self) -> &[f32] {
        self.bound.output(1)
    }
}

/// N action sequences rolled through the prior mean.
pub struct Rollout {
    pub(crate) bound: BoundSession,
    batch: usize,
    horizon: usize,
}

impl Rollout {
    /// A session for `batch` action sequences.
    pub(crate) fn new(sessions: &Sessions, batch: usize) -> Result<Self, BundleError> {
        Ok(Self {
            bound: sessions.bound(Graph::Rollout, batch)?,
            batch,
            horizon: sessions.manifest.dims.horizon,
        })
    }

    /// Number of sequences N.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Steps H per sequence: the horizon the model was trained for.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Start states `[N, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// Normalised actions `[N, H, na]`.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(1)
    }

    /// Rolls the sequences.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Raw rewards `r(z_1) .. r(z_H)`, `[N, H]`.
    pub fn rewards(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// Sums of the rewards, each clamped to 0..1, `[N]`.
    pub fn returns(&self) -> &[f32] {
        self.bound.output(1)
    }
}

/// States to images, for people.
pub struct Decode {
    pub(crate) bound: BoundSession,
    batch: usize,
}

impl Decode {
    /// A session for `batch` states.
    pub(crate) fn new(sessions: &Sessions, batch: usize) -> Result<Self, BundleError> {
        Ok(Self {
            bound: sessions.bound(Graph::Decode, batch)?,
            batch,
        })
    }

    /// Batch size N.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// States `[N, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// Decodes the states.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// RGB images with values 0 to 1, `[N, height, width, 3]`.
    pub fn image(&self) -> &[f32] {
        self.bound.output(0)
    }
}
