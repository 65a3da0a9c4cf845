//! What the actions of a model are commands of.

use serde::{Deserialize, Serialize};

crate::named! {
    /// The kind of command that one action stands for.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ActionKind {
        /// Velocity of a joint, rad/s.
        #[default]
        JointVelocity => "joint_velocity",
        /// Position of a joint, rad. The action is its change from the last one sent, within a control period: a model that had to
        /// tell where in its whole range a joint is sent would have to resolve a few hundredths of that.
        JointPosition => "joint_position",
        /// Change of a joint's position within a control period, rad. It is sent as a position, as that is what controllers take; in
        /// recordings the commands are the changes.
        JointPositionChange => "joint_position_change",
        /// Velocity of the end effector along x, m/s.
        TwistLinearX => "twist_linear_x",
        /// Velocity of the end effector along y, m/s.
        TwistLinearY => "twist_linear_y",
        /// Velocity of the end effector along z, m/s.
        TwistLinearZ => "twist_linear_z",
        /// Angular velocity of the end effector about x, rad/s.
        TwistAngularX => "twist_angular_x",
        /// Angular velocity of the end effector about y, rad/s.
        TwistAngularY => "twist_angular_y",
        /// Angular velocity of the end effector about z, rad/s.
        TwistAngularZ => "twist_angular_z",
    }
}

impl ActionKind {
    /// Whether it moves one joint.
    #[must_use]
    pub const fn is_of_joint(self) -> bool {
        matches!(
            self,
            Self::JointVelocity | Self::JointPosition | Self::JointPositionChange
        )
    }

    /// The place of a component of a twist in `geometry_msgs/Twist`, from 0 (linear x) to 5 (angular z).
    #[must_use]
    pub const fn twist_axis(self) -> Option<usize> {
        match self {
            Self::TwistLinearX => Some(0),
            Self::TwistLinearY => Some(1),
            Self::TwistLinearZ => Some(2),
            Self::TwistAngularX => Some(3),
            Self::TwistAngularY => Some(4),
            Self::TwistAngularZ => Some(5),
            _ => None,
        }
    }

    /// Whether what is sent to the robot are positions.
    #[must_use]
    pub const fn sends_position(self) -> bool {
        matches!(self, Self::JointPosition | Self::JointPositionChange)
    }
}

impl std::str::FromStr for ActionKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("expected kinds of actions ({names}; a gripper is a joint like the others), found {name:?}")
        })
    }
}

/// Checks that one robot can be driven by actions of these kinds together.
///
/// # Errors
/// What was expected and what was found.
pub fn check_kinds(kinds: &[ActionKind]) -> Result<(), String> {
    let list = || {
        kinds
            .iter()
            .map(|kind| kind.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let velocities = kinds.iter().all(|kind| *kind == ActionKind::JointVelocity);
    let positions = kinds
        .iter()
        .all(|kind| kind.is_of_joint() && kind.sends_position());
    let twists = kinds.iter().all(|kind| kind.twist_axis().is_some());
    if !(velocities || positions || twists) {
        return Err(format!(
            "expected joint velocities alone, joint positions and their changes alone, or components of a twist alone (a gripper \
             is a joint like the others), found {}",
            list()
        ));
    }
    let twice = kinds
        .iter()
        .enumerate()
        .any(|(at, kind)| twists && kinds[..at].contains(kind));
    if twice {
        return Err(format!(
            "expected each component of a twist once, found {}",
            list()
        ));
    }
    Ok(())
}

/// Meaning of the actions. The graphs take normalised actions, `|a| <= limit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Command per unit of action in the unit of its kind, one per action: joint velocity in rad/s for joint velocities, change
    /// of position within a control period in rad for positions.
    pub scale: Vec<f32>,
    /// Largest magnitude of a normalised action.
    pub limit: f32,
    /// Kind of each action; empty if all are joint velocities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<ActionKind>,
}

impl Action {
    /// The kind of an action.
    #[must_use]
    pub fn kind(&self, action: usize) -> ActionKind {
        self.kind.get(action).copied().unwrap_or_default()
    }

    /// The kinds of all actions.
    #[must_use]
    pub fn kinds(&self) -> Vec<ActionKind> {
        (0..self.scale.len())
            .map(|action| self.kind(action))
            .collect()
    }

    /// Adds a sentence for each contradiction in the meaning of `actions` actions.
    pub(crate) fn check(&self, actions: usize, found: &mut Vec<String>) {
        if !(self.limit.is_finite() && self.limit > 0.0) {
            found.push(format!(
                "action.limit is {}, expected a positive number",
                self.limit
            ));
        }
        for (name, len, may_be_empty) in [
            ("action.scale", self.scale.len(), false),
            ("action.kind", self.kind.len(), true),
        ] {
            if len != actions && !(may_be_empty && len == 0) {
                found.push(format!("{name} has {len} entries, expected {actions}"));
            }
        }
        if self.scale.iter().any(|s| !s.is_finite()) {
            found.push("action.scale has an entry that is not finite".to_owned());
        }
        if let Err(error) = check_kinds(&self.kind) {
            found.push(format!("action.kind: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ActionKind::*;
    use super::*;

    #[test]
    fn kinds_that_go_together_are_taken_and_others_are_named() {
        for good in [
            &[][..],
            &[JointVelocity, JointVelocity],
            &[JointPosition, JointPositionChange],
            &[TwistLinearX, TwistAngularZ],
        ] {
            assert_eq!(check_kinds(good), Ok(()), "{good:?}");
        }
        for bad in [
            &[JointVelocity, JointPosition][..],
            &[TwistLinearX, JointVelocity],
            &[TwistLinearX, TwistLinearX],
        ] {
            let error = check_kinds(bad).unwrap_err();
            assert!(error.contains(bad[0].name()), "{error}");
        }
    }

    #[test]
    fn each_kind_is_called_in_configurations_as_in_manifests() {
        for kind in ActionKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let text = toml::Value::try_from(kind).unwrap();
            assert_eq!(text.as_str(), Some(kind.name()));
        }
        let error = "gripper".parse::<ActionKind>().unwrap_err();
        assert!(error.contains("is a joint"), "{error}");
    }
}
