//! The five graphs of a bundle and their inputs and outputs.

use serde::{Deserialize, Serialize};

use crate::manifest::{DynamicsKind, Manifest};

crate::named! {
    /// A graph of a bundle.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Graph {
        /// The filter step: camera image, joints, previous state and action to the posterior.
        Observe => "observe",
        /// The prior step: states and actions to the prior mean, with what the solver needs for the Jacobian.
        Dynamics => "dynamics",
        /// The reward head: states to rewards and their gradients.
        Reward => "reward",
        /// The rollout: a start state and action sequences to rewards.
        Rollout => "rollout",
        /// The decoder: states to images, for people.
        Decode => "decode",
    }
}

crate::named! {
    /// Element type of an input or output.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Element {
        /// A 32-bit float.
        F32 => "f32",
        /// A byte.
        U8 => "u8",
    }
}

/// The name, element type and shape of an input or output. The first dimension of the tensor is the batch and
/// is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name of the input or output in the graph.
    pub name: &'static str,
    /// Element type.
    pub element: Element,
    /// Shape after the batch dimension.
    pub shape: Vec<usize>,
}

impl Port {
    fn new(name: &'static str, shape: &[usize]) -> Self {
        Self {
            name,
            element: Element::F32,
            shape: shape.to_vec(),
        }
    }
}

impl Graph {
    /// Name of the graph's file in the bundle.
    pub fn file(self) -> &'static str {
        match self {
            Self::Observe => "observe.onnx",
            Self::Dynamics => "dynamics.onnx",
            Self::Reward => "reward.onnx",
            Self::Rollout => "rollout.onnx",
            Self::Decode => "decode.onnx",
        }
    }

    /// Name of the dynamic first dimension: `T` where the rows are time steps of one plan, else `N`.
    pub fn batch_name(self) -> &'static str {
        match self {
            Self::Dynamics | Self::Reward => "T",
            Self::Observe | Self::Rollout | Self::Decode => "N",
        }
    }

    /// The inputs in order, for the sizes in `manifest`.
    pub fn inputs(self, manifest: &Manifest) -> Vec<Port> {
        let dims = &manifest.dims;
        let state = Port::new("state", &[dims.state()]);
        let action = Port::new("action", &[dims.action]);
        match self {
            Self::Observe => {
                let mut ports = vec![Port {
                    name: "image",
                    element: Element::U8,
                    shape: vec![manifest.image.height, manifest.image.width, 3],
                }];
                if manifest.joints.observed {
                    ports.push(Port::new("joints", &[2 * manifest.joints.names.len()]));
                }
                ports.extend([state, action]);
                ports
            }
            Self::Dynamics => vec![state, action],
            Self::Reward | Self::Decode => vec![state],
            Self::Rollout => vec![state, Port::new("action", &[dims.horizon, dims.action])],
        }
    }

    /// The outputs in order, for the sizes in `manifest`.
    pub fn outputs(self, manifest: &Manifest) -> Vec<Port> {
        let dims = &manifest.dims;
        let (n, ns) = (dims.state(), dims.stoch);
        match self {
            Self::Observe => vec![Port::new("mean", &[n]), Port::new("std", &[ns])],
            Self::Dynamics => {
                let mut ports = vec![Port::new("mean", &[n]), Port::new("std", &[ns])];
                match manifest.dynamics.kind {
                    DynamicsKind::GruFactors => {
                        ports.push(Port::new("factors", &[dims.factors()]));
                    }
                    DynamicsKind::Dense => {
                        ports.push(Port::new("jacobian_state", &[n, n]));
                        ports.push(Port::new("jacobian_action", &[n, dims.action]));
                    }
                }
                ports
            }
            Self::Reward => vec![Port::new("reward", &[]), Port::new("gradient", &[n])],
            Self::Rollout => vec![
                Port::new("rewards", &[dims.horizon]),
                Port::new("returns", &[]),
            ],
            Self::Decode => vec![Port::new(
                "image",
                &[manifest.image.height, manifest.image.width, 3],
            )],
        }
    }
}
