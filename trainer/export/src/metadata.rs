//! What a bundle says about itself besides its weights.

use std::collections::BTreeMap;

use latco_models::manifest::{
    Action, ActionKind, Dynamics, DynamicsKind, FORMAT_VERSION, Gate, Image, Joints, Manifest,
    Penalty, PenaltyKind, RewardHead, RewardKind, RewardRange,
};

use latco_reference::RssmWeights;

/// What a bundle says about itself besides its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Task, for example `reach`.
    pub task: String,
    /// Seconds between two model steps.
    pub control_period_s: f64,
    /// Version of the trainer.
    pub trainer_version: String,
    /// Sum over the training data; empty for random weights.
    pub data_hash: String,
    /// Trained horizon H; the rollout graph is unrolled over it.
    pub horizon: usize,
    /// Rows of the camera image.
    pub image_height: usize,
    /// Columns of the camera image.
    pub image_width: usize,
    /// Command per unit of action `[na]`, rad/s for joint velocities.
    pub action_scale: Vec<f32>,
    /// Kind of each action `[na]`; empty if all are joint velocities.
    pub action_kinds: Vec<ActionKind>,
    /// Largest magnitude of a normalised action.
    pub action_limit: f32,
    /// Joint names in order; empty if the data have no joint states.
    pub joint_names: Vec<String>,
    /// Lower position limits, rad, one per joint.
    pub position_lower_rad: Vec<f64>,
    /// Upper position limits, rad, one per joint.
    pub position_upper_rad: Vec<f64>,
    /// Velocity limits, rad/s, one per joint.
    pub velocity_limit_rad_s: Vec<f64>,
    /// What the reward head predicts.
    pub reward_kind: RewardKind,
    /// Rewards that plans may be promised.
    pub reward_range: RewardRange,
    /// What foreseen rewards are discounted by in every step; none if the head foresees none.
    pub reward_discount: Option<f32>,
    /// Measurements made after training.
    pub gates: BTreeMap<String, Gate>,
}

impl Metadata {
    /// The manifest of a bundle of these weights, without its files' sums.
    pub fn manifest(&self, weights: &RssmWeights, kind: DynamicsKind) -> Manifest {
        let (mean, std) = match &weights.joints {
            Some(joints) => (joints.mean.to_vec(), joints.std.to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        Manifest {
            format_version: FORMAT_VERSION,
            task: self.task.clone(),
            control_period_s: self.control_period_s,
            trainer_version: self.trainer_version.clone(),
            data_hash: self.data_hash.clone(),
            converted_from: None,
            dims: weights.step.dims(self.horizon),
            image: Image {
                height: self.image_height,
                width: self.image_width,
                encoding: "rgb8".to_owned(),
                scale: weights.pixels.scale,
                offset: weights.pixels.offset,
            },
            action: Action {
                scale: self.action_scale.clone(),
                limit: self.action_limit,
                kind: self.action_kinds.clone(),
            },
            joints: Joints {
                names: self.joint_names.clone(),
                observed: weights.joints.is_some(),
                position_lower_rad: self.position_lower_rad.clone(),
                position_upper_rad: self.position_upper_rad.clone(),
                velocity_limit_rad_s: self.velocity_limit_rad_s.clone(),
                mean,
                std,
            },
            reward: RewardHead {
                kind: self.reward_kind,
                range: self.reward_range,
                penalty: weights.penalty.as_ref().map(|penalty| Penalty {
                    kind: PenaltyKind::Ensemble,
                    heads: penalty.heads,
                    weight: penalty.weight,
                    reference: penalty.reference,
                }),
                discount: self.reward_discount,
            },
            dynamics: Dynamics {
                kind,
                min_std: weights.step.min_std,
            },
            surprise: None,
            gates: self.gates.clone(),
            files: BTreeMap::new(),
        }
    }
}
