//! Joint states: checks and the way into the order of the joints of a model.

use crate::messages::JointState;

/// Why a joint state cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JointStateError {
    /// The arrays of the message have different lengths.
    #[error(
        "joint state: expected {expected} values of {quantity} as there are names, found {found}"
    )]
    Length {
        /// `position` or `velocity`.
        quantity: &'static str,
        /// Number of joint names.
        expected: usize,
        /// Number of values.
        found: usize,
    },
    /// Joints that were asked for are not in the message.
    #[error(
        "joint state: expected the joints {expected:?}, not found: {missing:?} (found {found:?}); set the joint names of the configuration"
    )]
    Missing {
        /// Joints that were asked for.
        expected: Vec<String>,
        /// Joints that are missing.
        missing: Vec<String>,
        /// Names in the message.
        found: Vec<String>,
    },
    /// A joint stands twice in the message.
    #[error("joint state: expected every joint once, found `{name}` more than once")]
    Duplicate {
        /// Name of the joint.
        name: String,
    },
    /// A value is NaN or infinite.
    #[error("joint state: expected a finite {quantity} of joint `{name}`, found {value}")]
    NotFinite {
        /// Name of the joint.
        name: String,
        /// `position` or `velocity`.
        quantity: &'static str,
        /// The value that was found.
        value: f64,
    },
}

/// The joints of a model or robot in their order; maps joint states by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JointOrder {
    names: Vec<String>,
}

impl JointOrder {
    /// Makes the order that `names` gives.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    /// Names in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of joints.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no joints.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Writes positions and velocities, each `[len]`, in this order; joints that are not asked for
    /// are ignored. Gives whether the message has velocities; without them `velocities` are zero.
    ///
    /// # Real-time
    /// No allocation but in errors.
    ///
    /// # Errors
    /// [`JointStateError`]; the outputs are then not to be used.
    ///
    /// # Panics
    /// When an output is shorter than [`Self::len`].
    pub fn read_into(
        &self,
        message: &JointState,
        positions: &mut [f32],
        velocities: &mut [f32],
    ) -> Result<bool, JointStateError> {
        let count = message.name.len();
        let has_velocities = !message.velocity.is_empty();
        for (quantity, found) in [
            ("position", message.position.len()),
            (
                "velocity",
                if has_velocities {
                    message.velocity.len()
                } else {
                    count
                },
            ),
        ] {
            if found != count {
                return Err(JointStateError::Length {
                    quantity,
                    expected: count,
                    found,
                });
            }
        }
        for (joint, name) in self.names.iter().enumerate() {
            let mut places = (0..count).filter(|at| message.name[*at] == *name);
            let Some(at) = places.next() else {
                return Err(self.missing(message));
            };
            if places.next().is_some() {
                return Err(JointStateError::Duplicate { name: name.clone() });
            }
            let velocity = if has_velocities {
                message.velocity[at]
            } else {
                0.0
            };
            for (quantity, value, out) in [
                ("position", message.position[at], &mut positions[joint]),
                ("velocity", velocity, &mut velocities[joint]),
            ] {
                if !(value as f32).is_finite() {
                    return Err(JointStateError::NotFinite {
                        name: name.clone(),
                        quantity,
                        value,
                    });
                }
                *out = value as f32;
            }
        }
        Ok(has_velocities)
    }

    fn missing(&self, message: &JointState) -> JointStateError {
        let missing = self
            .names
            .iter()
            .filter(|name| !message.name.contains(name));
        JointStateError::Missing {
            expected: self.names.clone(),
            missing: missing.cloned().collect(),
            found: message.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(names: &[&str], position: &[f64], velocity: &[f64]) -> JointState {
        JointState {
            name: names.iter().map(|name| (*name).to_owned()).collect(),
            position: position.to_vec(),
            velocity: velocity.to_vec(),
            ..JointState::default()
        }
    }

    fn read(message: &JointState) -> Result<([f32; 2], [f32; 2], bool), JointStateError> {
        let (mut positions, mut velocities) = ([f32::NAN; 2], [f32::NAN; 2]);
        let known =
            JointOrder::new(["a", "b"]).read_into(message, &mut positions, &mut velocities)?;
        Ok((positions, velocities, known))
    }

    #[test]
    fn joints_are_found_by_name_whatever_their_order() {
        let message = state(&["x", "b", "a"], &[9.0, 2.0, 1.0], &[8.0, 0.2, 0.1]);
        assert_eq!(read(&message), Ok(([1.0, 2.0], [0.1, 0.2], true)));
        let message = state(&["a", "b"], &[1.0, 2.0], &[]);
        assert_eq!(read(&message), Ok(([1.0, 2.0], [0.0, 0.0], false)));
    }

    #[test]
    fn joint_states_that_cannot_be_used_are_refused_with_the_reason() {
        let text = |message: JointState| read(&message).unwrap_err().to_string();
        let found = text(state(&["a", "c"], &[1.0, 2.0], &[]));
        assert!(
            found.contains("not found: [\"b\"]") && found.contains("\"c\""),
            "{found}"
        );
        let found = text(state(&["a", "b", "a"], &[1.0; 3], &[]));
        assert!(found.contains("`a` more than once"), "{found}");
        let found = text(state(&["a", "b"], &[1.0, f64::NAN], &[]));
        assert!(
            found.contains("position of joint `b`") && found.contains("NaN"),
            "{found}"
        );
        let found = text(state(&["a", "b"], &[1.0, 2.0], &[1e300, 0.0]));
        assert!(found.contains("velocity of joint `a`"), "{found}");
        let found = text(state(&["a", "b"], &[1.0], &[]));
        assert!(
            found.contains("expected 2 values of position") && found.contains("found 1"),
            "{found}"
        );
        let found = text(state(&["a", "b"], &[1.0, 2.0], &[1.0]));
        assert!(found.contains("2 values of velocity"), "{found}");
    }
}
