//! The differentiated graphs as typed sessions, as those of [`crate::graphs`].

use super::COTANGENT;
use super::models::{TARGET, VIOLATION};
use crate::error::RunError;
use crate::graph::{Element, Graph, Port};
use crate::manifest::Manifest;
use crate::session::{Bound, Ports};

/// An input of the filter step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObserveInput {
    /// `[N, height, width, 3]`
    Image,
    /// `[N, 2 nj]`
    Joints,
    /// `[N, n]`
    State,
    /// `[N, na]`
    Action,
}

impl ObserveInput {
    /// Its name in the graph.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Joints => "joints",
            Self::State => "state",
            Self::Action => "action",
        }
    }
}

/// The filter step, and `v' d mean / d x` for a cotangent v of the posterior means and some of its inputs x.
pub struct ObserveGradient {
    bound: Bound,
    batch: usize,
    joints: bool,
    by: Vec<ObserveInput>,
}

impl ObserveGradient {
    /// What the session has for `manifest`; of a model that does not take joints, they are no input.
    pub(crate) fn ports(manifest: &Manifest, by: &[ObserveInput]) -> Ports {
        let mut inputs = Graph::Observe.inputs(manifest);
        for port in &mut inputs {
            port.element = Element::F32;
        }
        let mean = Graph::Observe.outputs(manifest).remove(0);
        let mut outputs = vec![mean.clone()];
        outputs.extend((inputs.iter()).filter_map(|port| {
            let is_wanted = by.iter().any(|input| input.name() == port.name);
            is_wanted.then(|| derivative(port))
        }));
        inputs.push(renamed(&mean, COTANGENT));
        Ports {
            batch_name: Graph::Observe.batch_name(),
            inputs,
            outputs,
        }
    }

    /// `by` in the order of the outputs of `bound`.
    pub(crate) fn new(bound: Bound, batch: usize, joints: bool, by: Vec<ObserveInput>) -> Self {
        Self {
            bound,
            batch,
            joints,
            by,
        }
    }

    /// Batch size N.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// RGB images in units of bytes, 0 to 255, `[N, height, width, 3]`.
    pub fn image_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// As in [`Observe`](crate::Observe), `[N, 2 nj]`.
    pub fn joints_mut(&mut self) -> Option<&mut [f32]> {
        self.joints.then(|| self.bound.input(1))
    }

    /// Posterior means of the previous step `[N, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(1 + usize::from(self.joints))
    }

    /// Normalised actions of the previous step `[N, na]`.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(2 + usize::from(self.joints))
    }

    /// The cotangent v, `[N, n]`.
    pub fn cotangent_mut(&mut self) -> &mut [f32] {
        self.bound.input(3 + usize::from(self.joints))
    }

    /// Computes the posterior and the derivatives.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Posterior mean states `[N, n]`.
    pub fn mean(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// `v' d mean / d input`, of the shape of the input; empty for one that was not asked for.
    pub fn by(&self, input: ObserveInput) -> &[f32] {
        match self.by.iter().position(|by| *by == input) {
            Some(place) => self.bound.output(1 + place),
            None => &[],
        }
    }
}

/// How far images are from those that the prior predicts, and the derivatives of a weighted sum of that:
///
/// ```text
/// e_t = |target_t - decode(mu(z_t, a_t))|^2,   sum_t w_t e_t
/// ```
pub struct PredictionError {
    pub(crate) bound: Bound,
    pub(crate) steps: usize,
}

impl PredictionError {
    /// What the session has for `manifest`.
    pub(crate) fn ports(manifest: &Manifest) -> Ports {
        let mut inputs = Graph::Dynamics.inputs(manifest);
        inputs.push(renamed(&Graph::Decode.outputs(manifest)[0], TARGET));
        let violation = Port {
            name: VIOLATION,
            element: Element::F32,
            shape: Vec::new(),
        };
        let mut outputs = vec![violation.clone()];
        outputs.extend(inputs.iter().map(derivative));
        inputs.push(renamed(&violation, COTANGENT));
        Ports {
            batch_name: Graph::Dynamics.batch_name(),
            inputs,
            outputs,
        }
    }

    /// Number of steps T.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// States z_t, `[T, n]`.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.bound.input(0)
    }

    /// Normalised actions a_t, `[T, na]`.
    pub fn action_mut(&mut self) -> &mut [f32] {
        self.bound.input(1)
    }

    /// Images with values 0 to 1, `[T, height, width, 3]`.
    pub fn target_mut(&mut self) -> &mut [f32] {
        self.bound.input(2)
    }

    /// Weights w_t, `[T]`.
    pub fn weight_mut(&mut self) -> &mut [f32] {
        self.bound.input(3)
    }

    /// Computes errors and derivatives.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.bound.run()
    }

    /// Squared distances e_t, summed over the pixels, `[T]`.
    pub fn violation(&self) -> &[f32] {
        self.bound.output(0)
    }

    /// Derivatives by the states, `[T, n]`.
    pub fn by_state(&self) -> &[f32] {
        self.bound.output(1)
    }

    /// Derivatives by the actions, `[T, na]`.
    pub fn by_action(&self) -> &[f32] {
        self.bound.output(2)
    }

    /// Derivatives by the images, `[T, height, width, 3]`.
    pub fn by_target(&self) -> &[f32] {
        self.bound.output(3)
    }
}

fn renamed(port: &Port, name: &'static str) -> Port {
    Port {
        name,
        ..port.clone()
    }
}

/// The output [`super::by`] an input.
fn derivative(port: &Port) -> Port {
    let name = match port.name {
        "image" => "by_image",
        "joints" => "by_joints",
        "state" => "by_state",
        "action" => "by_action",
        _ => "by_target",
    };
    renamed(port, name)
}
