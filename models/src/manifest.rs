//! `manifest.toml`: what a bundle is, how its numbers relate to the robot, and the sum of every file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::action::{Action, ActionKind};
use crate::sum::sha256;
use crate::surprise::ExpectedSurprise;

/// The format version this crate writes and reads.
pub const FORMAT_VERSION: u32 = 2;

/// The format version before it, which [`crate::convert()`] reads.
pub(crate) const OLD_VERSION: i64 = 1;

/// File name of the manifest in a bundle folder.
pub const MANIFEST_FILE: &str = "manifest.toml";

/// Contents of `manifest.toml`. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format; see [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Task the model was trained for, for example `reach`.
    pub task: String,
    /// Seconds between two model steps.
    pub control_period_s: f64,
    /// Version of the trainer that wrote the bundle.
    pub trainer_version: String,
    /// Sum over the training data, as the trainer defines it; empty for random weights.
    pub data_hash: String,
    /// [`Manifest::sum`] of the bundle of an earlier format that this one was converted from: what was recorded with that
    /// one is of this model, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted_from: Option<String>,
    /// Sizes.
    pub dims: Dims,
    /// The camera image that `observe` takes.
    pub image: Image,
    /// Meaning of the actions.
    pub action: Action,
    /// Joints of the robot, in the order of actions, commands and observations.
    pub joints: Joints,
    /// Meaning of the reward output.
    pub reward: RewardHead,
    /// Kind of the dynamics graph.
    pub dynamics: Dynamics,
    /// Measurements made after training, by name.
    #[serde(default)]
    pub gates: BTreeMap<String, Gate>,
    /// How far posteriors are expected to be from their priors; none if that was not calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surprise: Option<ExpectedSurprise>,
    /// Sum and size of every other file of the bundle, by file name.
    pub files: BTreeMap<String, FileSum>,
}

/// Sizes of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dims {
    /// Stochastic part of the state, ns.
    pub stoch: usize,
    /// Deterministic (GRU) part of the state, nd; 0 for a model without one, whose dynamics are of the kind `dense`.
    pub deter: usize,
    /// Actions, na.
    pub action: usize,
    /// Width of the dense layers of the RSSM.
    pub hidden: usize,
    /// Steps for which the model was trained and the rollout graph is unrolled, H.
    pub horizon: usize,
}

impl Dims {
    /// Size of a state `[s, h]`: n = ns + nd.
    pub fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// Columns of the `factors` output of the dynamics graph: `2 hidden + 5 nd`.
    pub fn factors(&self) -> usize {
        2 * self.hidden + 5 * self.deter
    }
}

/// The camera image. `observe` takes raw bytes; the scaling is part of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Pixel layout; `rgb8` is the only one.
    pub encoding: String,
    /// Inside the graph a byte b becomes `b * scale + offset`.
    pub scale: f32,
    /// See `scale`.
    pub offset: f32,
}

/// Joints of the robot. `names` may be empty for a robot whose data has no joint states.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joints {
    /// Names in order.
    pub names: Vec<String>,
    /// Whether `observe` takes the input `joints` (positions then velocities, raw).
    pub observed: bool,
    /// Lower position limits, rad.
    pub position_lower_rad: Vec<f64>,
    /// Upper position limits, rad.
    pub position_upper_rad: Vec<f64>,
    /// Velocity limits, rad/s.
    pub velocity_limit_rad_s: Vec<f64>,
    /// Means that the `observe` graph subtracts, positions then velocities; empty if not observed.
    pub mean: Vec<f32>,
    /// Deviations that the `observe` graph divides by; empty if not observed.
    pub std: Vec<f32>,
}

/// What the reward graph predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// The reward itself, by regression.
    Regression,
    /// The logit of a 0/1 reward.
    BernoulliLogit,
}

/// The reward head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardHead {
    /// What the reward graph predicts.
    pub kind: RewardKind,
    /// Rewards that plans may be promised.
    #[serde(default)]
    pub range: RewardRange,
    /// What is taken off in states far from the data; none if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty: Option<Penalty>,
    /// Where this is given, the head foresees: in a state without reward it gives the next one of the recorded episodes, times
    /// this to the power of the steps until it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<f32>,
}

/// How it is told that a state is far from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PenaltyKind {
    /// The disagreement of an ensemble of heads beside the prior tells it.
    Ensemble,
}

/// The penalty that the graphs `reward` and `rollout` take off the output of the reward head:
/// `weight (1 - 1 / (1 + x^2))`, x being the disagreement over its reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// What is penalised.
    pub kind: PenaltyKind,
    /// Heads of the ensemble.
    pub heads: usize,
    /// Most that is taken off, in the unit of the reward head's output.
    pub weight: f32,
    /// Disagreement at which half of it is taken off: the variance over the heads, in units of the
    /// prior's typical variance.
    pub reference: f32,
}

/// Least and largest reward: of 0, 1 and those in the training data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardRange {
    /// The least, at most 0.
    pub low: f32,
    /// The largest, at least 1.
    pub high: f32,
}

impl Default for RewardRange {
    fn default() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
        }
    }
}

impl RewardRange {
    /// The range of these rewards, those that are not finite left out.
    pub fn of(rewards: impl IntoIterator<Item = f32>) -> Self {
        let finite = rewards.into_iter().filter(|r| r.is_finite());
        finite.fold(Self::default(), |range, reward| Self {
            low: range.low.min(reward),
            high: range.high.max(reward),
        })
    }

    /// The nearest reward within the range.
    #[must_use]
    pub fn clamp(&self, reward: f32) -> f32 {
        reward.clamp(self.low, self.high)
    }
}

impl RewardHead {
    /// The reward that `output` of the reward graph means.
    #[must_use]
    pub fn reward(&self, output: f32) -> f32 {
        match self.kind {
            RewardKind::Regression => output,
            RewardKind::BernoulliLogit => 1.0 / (1.0 + (-output).exp()),
        }
    }

    /// The reward that `output` of the reward graph means, within the range: what plans may be promised.
    #[must_use]
    pub fn expected(&self, output: f32) -> f32 {
        self.range.clamp(self.reward(output))
    }

    /// What of an expected reward is paid in its own step. Of a head that foresees it is what lies above the
    /// discounted reward, as a share of what is left to the whole one, which takes rewards to be 0 or the largest.
    #[must_use]
    pub fn paid(&self, expected: f32) -> f32 {
        match self.discount {
            None => expected,
            Some(discount) => {
                let whole = self.range.high;
                (expected - discount * whole).max(0.0) / (1.0 - discount)
            }
        }
    }

    /// What a plan of these expected rewards promises to be paid.
    #[must_use]
    pub fn promised(&self, rewards: &[f32]) -> f32 {
        rewards.iter().map(|reward| self.paid(*reward)).sum()
    }
}

/// What the dynamics graph gives besides mean and deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynamicsKind {
    /// `factors` `[T, 2 hidden + 5 nd]`; the weights are the constants `input.kernel`, `gru_input.kernel`,
    /// `gru_recurrent.kernel`, `prior.kernel` and `prior_mean.kernel` of the graph, `[in, out]`, gates in the order update,
    /// reset, candidate.
    GruFactors,
    /// `jacobian_state` `[T, n, n]` and `jacobian_action` `[T, n, na]`.
    Dense,
}

/// Kind of the dynamics graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dynamics {
    /// Kind.
    pub kind: DynamicsKind,
    /// Smallest standard deviation, added to the softplus.
    pub min_std: f32,
}

/// One measurement made after training; see [`crate::gates`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Measured value; none if it could not be measured.
    #[serde(default)]
    pub value: Option<f64>,
    /// Value it is compared with.
    pub threshold: f64,
    /// Whether the value is good enough (some gates want it high, others low); none if it could not be measured.
    #[serde(default)]
    pub passed: Option<bool>,
    /// What it was measured over, or why it was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Sum and size of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSum {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Reads a manifest from TOML text.
    ///
    /// # Errors
    /// Not TOML, a missing key, an unknown key or a value of the wrong type, with line and key.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The manifest as TOML text.
    ///
    /// # Errors
    /// Integers above `i64::MAX`, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// SHA-256 over names and sums of all files of the bundle: what a recording knows it by.
    pub fn sum(&self) -> String {
        let lines: String = (self.files.iter())
            .map(|(name, file)| format!("{name} {}\n", file.sha256))
            .collect();
        sha256(lines.as_bytes())
    }

    /// Whether a recording that knows its bundle by `sum` was made with this model.
    pub fn is_known_by(&self, sum: &str) -> bool {
        self.sum() == sum || self.converted_from.as_deref() == Some(sum)
    }

    /// Everything that is contradictory inside the manifest, one sentence each; empty if it is sound.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.format_version != FORMAT_VERSION {
            found.push(format!(
                "format_version is {}, this program reads {FORMAT_VERSION}",
                self.format_version
            ));
        }
        if !(self.control_period_s.is_finite() && self.control_period_s > 0.0) {
            found.push(format!(
                "control_period_s is {}, expected a positive number of seconds",
                self.control_period_s
            ));
        }
        for (name, size) in [
            ("dims.stoch", self.dims.stoch),
            ("dims.deter", self.dims.deter),
            ("dims.action", self.dims.action),
            ("dims.hidden", self.dims.hidden),
            ("dims.horizon", self.dims.horizon),
            ("image.height", self.image.height),
            ("image.width", self.image.width),
        ] {
            let least =
                usize::from(name != "dims.deter" || self.dynamics.kind != DynamicsKind::Dense);
            if size < least || size > 65_536 {
                found.push(format!("{name} is {size}, expected {least} to 65536"));
            }
        }
        if self.image.encoding != "rgb8" {
            found.push(format!(
                "image.encoding is {:?}, expected \"rgb8\"",
                self.image.encoding
            ));
        }
        self.action.check(self.dims.action, &mut found);
        let joints = self.joints.names.len();
        for (name, len, expected) in [
            (
                "joints.position_lower_rad",
                self.joints.position_lower_rad.len(),
                joints,
            ),
            (
                "joints.position_upper_rad",
                self.joints.position_upper_rad.len(),
                joints,
            ),
            (
                "joints.velocity_limit_rad_s",
                self.joints.velocity_limit_rad_s.len(),
                joints,
            ),
        ] {
            if len != expected {
                found.push(format!("{name} has {len} entries, expected {expected}"));
            }
        }
        let inputs = if self.joints.observed { 2 * joints } else { 0 };
        for (name, len) in [
            ("joints.mean", self.joints.mean.len()),
            ("joints.std", self.joints.std.len()),
        ] {
            if len != inputs {
                found.push(format!("{name} has {len} entries, expected {inputs}"));
            }
        }
        if self.joints.observed && joints == 0 {
            found.push("joints.observed is true but joints.names is empty".to_owned());
        }
        self.check_values(&mut found);
        if let Some(surprise) = &self.surprise {
            let bytes = self
                .image
                .height
                .saturating_mul(self.image.width)
                .saturating_mul(3);
            surprise.check(self.dims.stoch, bytes, &mut found);
        }
        found
    }

    fn check_values(&self, found: &mut Vec<String>) {
        if let Some(discount) = self.reward.discount
            && !(0.0..1.0).contains(&discount)
        {
            found.push(format!(
                "reward.discount is {discount}, expected at least 0 and less than 1"
            ));
        }
        if let Some(penalty) = &self.reward.penalty {
            if penalty.heads < 2 {
                found.push(format!(
                    "reward.penalty.heads is {}, expected 2 or more",
                    penalty.heads
                ));
            }
            for (name, value) in [("weight", penalty.weight), ("reference", penalty.reference)] {
                if !(value.is_finite() && value > 0.0) {
                    found.push(format!(
                        "reward.penalty.{name} is {value}, expected a positive number"
                    ));
                }
            }
        }
        if self.joints.std.iter().any(|&s| !(s.is_finite() && s > 0.0)) {
            found.push("joints.std has an entry that is not positive".to_owned());
        }
        if self
            .joints
            .velocity_limit_rad_s
            .iter()
            .any(|&v| !(v.is_finite() && v > 0.0))
        {
            found.push("joints.velocity_limit_rad_s has an entry that is not positive".to_owned());
        }
        let bounds = self
            .joints
            .position_lower_rad
            .iter()
            .zip(&self.joints.position_upper_rad);
        for (name, (lower, upper)) in self.joints.names.iter().zip(bounds) {
            if lower.partial_cmp(upper) != Some(std::cmp::Ordering::Less) {
                found.push(format!(
                    "joint {name:?} has position limits {lower} to {upper} rad, expected lower < upper"
                ));
            }
        }
        let RewardRange { low, high } = self.reward.range;
        // Not finite numbers fail, too.
        if !(low <= 0.0 && high >= 1.0 && (high - low).is_finite()) {
            found.push(format!(
                "reward.range is {low} to {high}, expected at most 0 to at least 1"
            ));
        }
        for (name, gate) in &self.gates {
            let finite = gate.value.is_none_or(f64::is_finite) && gate.threshold.is_finite();
            if !finite || gate.value.is_some() != gate.passed.is_some() {
                found.push(format!(
                    "gates.{name} has value {:?}, threshold {} and passed {:?}, expected finite numbers, and value and \
                     passed both or neither",
                    gate.value, gate.threshold, gate.passed
                ));
            }
        }
        let mut sorted = self.joints.names.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            found.push("joints.names has a name twice".to_owned());
        }
    }
}
