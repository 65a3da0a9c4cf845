//! The graphs of a bundle as typed sessions: write the inputs, [`run`](Dynamics::run), read the outputs.
//!
//! Every session belongs to one thread and has a fixed batch size. After construction `run` makes no Rust heap
//! allocation; buffers are row-major and keep their contents between runs.

use crate::error::{BundleError, RunError};
use crate::graph::Graph;
use crate::manifest::{DynamicsKind, Manifest};
use crate::session::BoundSession;
use crate::sessions::Sessions;

/// Declares the session of a graph: the name of its batch size, what else it keeps of the manifest, and its inputs and outputs
/// of numbers with their positions. From it come the struct, its constructor, `run` and an accessor for each.
macro_rules! session {
    (
        $(#[$meta:meta])*
        $Name:ident by $(#[$batch_meta:meta])* $batch:ident $(, $(#[$kept_meta:meta])* $kept:ident: $Kept:ty = $keep:expr)*;
        inputs { $($(#[$in_meta:meta])* $input:ident = $in_at:literal,)* }
        outputs { $($(#[$out_meta:meta])* $output:ident = $out_at:literal,)* }
    ) => {
        $(#[$meta])*
        pub struct $Name {
            pub(crate) bound: BoundSession,
            $batch: usize,
            $($kept: $Kept,)*
        }

        impl $Name {
            /// Makes a session for a batch of this size.
            pub(crate) fn new(sessions: &Sessions, $batch: usize) -> Result<Self, BundleError> {
                $(let keep: fn(&Manifest) -> $Kept = $keep; let $kept = keep(&sessions.manifest);)*
                let bound = sessions.bound(Graph::$Name, $batch)?;
                Ok(Self { bound, $batch, $($kept),* })
            }

            $(#[$batch_meta])*
            pub fn $batch(&self) -> usize {
                self.$batch
            }

            $($(#[$kept_meta])* pub fn $kept(&self) -> $Kept {
                self.$kept
            })*

            $($(#[$in_meta])* pub fn $input(&mut self) -> &mut [f32] {
                self.bound.input($in_at)
            })*

            /// Computes the outputs.
            ///
            /// # Errors
            /// ONNX Runtime's reason.
            pub fn run(&mut self) -> Result<(), RunError> {
                self.bound.run()
            }

            $($(#[$out_meta])* pub fn $output(&self) -> &[f32] {
                self.bound.output($out_at)
            })*
        }
    };
}

session! {
    /// The filter step: `[N]` images, joints, previous states and actions to posteriors. Eq. 2 of Rybkin et al. 2021.
    Observe by
        /// Batch size N.
        batch,
        /// Whether the model takes joint states.
        has_joints: bool = |manifest| manifest.joints.observed;
    inputs {}
    outputs {
        /// Posterior mean states `[s, h]`, `[N, n]`.
        mean = 0,
        /// Posterior standard deviations of the stochastic part `[N, ns]`.
        std = 1,
    }
}

impl Observe {
    /// Raw RGB images `[N, height, width, 3]`.
    pub fn image_mut(&mut self) -> &mut [u8] {
        self.bound.input(0)
    }

    /// Raw joint positions (rad) then velocities (rad/s) `[N, 2 nj]`; `None` if the model does not take them.
    pub fn joints_mut(&mut self) -> Option<&mut [f32]> {
        self.has_joints.then(|| self.bound.input(1))
    }

    /// Posterior means of the previous step `[N, n]`; zeros at the start of an episode.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(1 + usize::from(self.has_joints))
    }

    /// Normalised actions of the previous step `[N, na]`; zeros at the start of an episode.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(2 + usize::from(self.has_joints))
    }
}

session! {
    /// The prior step for T states of a plan at once, with what is needed to apply its Jacobian.
    Dynamics by
        /// Number of steps T.
        steps,
        /// Whether the Jacobian is given as gate factors or as matrices.
        kind: DynamicsKind = |manifest| manifest.dynamics.kind;
    inputs {
        /// States `[T, n]`.
        state_mut = 0,
        /// Normalised actions `[T, na]`.
        action_mut = 1,
    }
    outputs {
        /// Prior mean states `mu(z_t, a_t)`, `[T, n]`. Eq. 6 of Rybkin et al. 2021.
        mean = 0,
        /// Prior standard deviations of the stochastic part `[T, ns]`.
        std = 1,
    }
}

impl Dynamics {
    /// Gate factors `[T, 2 hidden + 5 nd]`, a row being `[slope1, u, Au, Ac, Acr, Ar, slope2]` (see [`crate::factors`]);
    /// empty for [`DynamicsKind::Dense`].
    pub fn factors(&self) -> &[f32] {
        self.jacobian(DynamicsKind::GruFactors, 2)
    }

    /// `d mu / d z`, `[T, n, n]` (row: output); empty for [`DynamicsKind::GruFactors`].
    pub fn jacobian_state(&self) -> &[f32] {
        self.jacobian(DynamicsKind::Dense, 2)
    }

    /// `d mu / d a`, `[T, n, na]` (row: output); empty for [`DynamicsKind::GruFactors`].
    pub fn jacobian_action(&self) -> &[f32] {
        self.jacobian(DynamicsKind::Dense, 3)
    }

    /// The output at this position, which only graphs of this kind have.
    fn jacobian(&self, kind: DynamicsKind, output: usize) -> &[f32] {
        match self.kind == kind {
            true => self.bound.output(output),
            false => &[],
        }
    }
}

session! {
    /// The reward head and its gradient for T states at once.
    Reward by
        /// Number of steps T.
        steps;
    inputs {
        /// States `[T, n]`.
        state_mut = 0,
    }
    outputs {
        /// Rewards `r(z_t)`, `[T]`.
        reward = 0,
        /// `d r / d z`, `[T, n]`.
        gradient = 1,
    }
}

session! {
    /// N action sequences rolled through the prior mean.
    Rollout by
        /// Number of sequences N.
        batch,
        /// Steps H per sequence: the horizon the model was trained for.
        horizon: usize = |manifest| manifest.dims.horizon;
    inputs {
        /// Start states `[N, n]`.
        state_mut = 0,
        /// Normalised actions `[N, H, na]`.
        action_mut = 1,
    }
    outputs {
        /// Raw rewards `r(z_1) .. r(z_H)`, `[N, H]`.
        rewards = 0,
        /// Sums of the rewards, each clamped to 0..1, `[N]`.
        returns = 1,
    }
}

session! {
    /// States to images, for people.
    Decode by
        /// Batch size N.
        batch;
    inputs {
        /// States `[N, n]`.
        state_mut = 0,
    }
    outputs {
        /// RGB images with values 0 to 1, `[N, height, width, 3]`.
        image = 0,
    }
}
