//! Joint states: checks, and the way from the messages of one or several publishers into the order of the joints of a
//! model. The controller, the trainer and `latco plan` read them through the same [`JointStates`].

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
    /// Joints that were asked for have come in no message.
    #[error(
        "joint state: expected the joints {expected:?}, not found: {missing:?} (found {found:?}); name the joints as the robot does"
    )]
    Missing {
        /// Joints that were asked for.
        expected: Vec<String>,
        /// Joints that are missing.
        missing: Vec<String>,
        /// Names in the messages so far.
        found: Vec<String>,
    },
    /// One publisher of joint states has fallen silent while another goes on.
    #[error(
        "joint state: joint `{name}` last came {age_s:.2} s before the others, expected at most {limit_s:.2} s; look at what publishes it"
    )]
    Stale {
        /// Name of the joint.
        name: String,
        /// Time since it came, s.
        age_s: f64,
        /// Largest time that is allowed, s.
        limit_s: f64,
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

/// Time for which joints that have not come yet are waited for, ns: publishers start one after the other.
const START_NS: i64 = 1_000_000_000;
/// Largest age of a joint beside the others in a recording, ns.
pub const RECORDED_AGE_NS: i64 = 1_000_000_000;
/// Most names of a robot that are kept for errors.
const MOST_NAMES: usize = 64;

/// What a message of joint states made of what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// All joints are known: [`JointStates::positions`] and [`JointStates::velocities`] are a new sample.
    Sample,
    /// The message has a part of the joints, and the others are about to come.
    Part,
    /// The message has none of the joints: it is of another part of the robot.
    Foreign,
}

/// The joints of a model or robot in their order, put together by name from messages that may each have a part of them.
///
/// A sample is complete with the message that brings the last joint that is not known anew. A part that comes more seldom
/// than another is not waited for: its last values are taken, up to an age.
#[derive(Debug, Clone)]
pub struct JointStates {
    names: Vec<String>,
    positions: Vec<f32>,
    velocities: Vec<f32>,
    joints: Vec<Joint>,
    /// Largest age of a joint beside the others, ns.
    limit_ns: i64,
    first_ns: Option<i64>,
    /// Names in the messages so far.
    found: Vec<String>,
    velocities_unknown: bool,
}

/// What is known of one joint.
#[derive(Debug, Clone, Copy, Default)]
struct Joint {
    /// When it came; `None` before.
    at_ns: Option<i64>,
    /// Whether it came since the last sample.
    fresh: bool,
    /// Whether it comes more seldom than others, which do not wait for it.
    seldom: bool,
}

impl JointStates {
    /// Makes the order that `names` gives. Joints older than `limit_ns` beside the others make no sample.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>, limit_ns: i64) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let count = names.len();
        Self {
            names,
            positions: vec![0.0; count],
            velocities: vec![0.0; count],
            joints: vec![Joint::default(); count],
            limit_ns,
            first_ns: None,
            found: Vec::new(),
            velocities_unknown: false,
        }
    }

    /// Names in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Positions of the last sample, `[joints]`.
    pub fn positions(&self) -> &[f32] {
        &self.positions
    }

    /// Velocities of the last sample, `[joints]`; zero where a robot does not tell them.
    pub fn velocities(&self) -> &[f32] {
        &self.velocities
    }

    /// Whether some joint came without a velocity: an empty list, or NaN, as of a joint without a velocity interface.
    pub fn velocities_unknown(&self) -> bool {
        self.velocities_unknown
    }

    /// Takes a message that came at `at_ns`, on any clock that goes forward; joints that are not asked for are ignored.
    ///
    /// # Real-time
    /// No allocation but in errors and for names that are new.
    ///
    /// # Errors
    /// [`JointStateError`]; there is no sample then.
    pub fn take(&mut self, message: &JointState, at_ns: i64) -> Result<Joined, JointStateError> {
        self.check(message)?;
        for name in &message.name {
            if self.found.len() < MOST_NAMES && !self.found.contains(name) {
                self.found.push(name.clone());
            }
        }
        let first_ns = *self.first_ns.get_or_insert(at_ns);
        let place = |name: &String| message.name.iter().position(|other| other == name);
        let mut has_any = false;
        let mut again = false;
        for (joint, name) in self.names.iter().enumerate() {
            let Some(at) = place(name) else { continue };
            let known = &mut self.joints[joint];
            again |= known.fresh && !known.seldom;
            if known.fresh {
                known.seldom = false;
            }
            (known.at_ns, known.fresh, has_any) = (Some(at_ns), true, true);
            let velocity = message.velocity.get(at).copied().unwrap_or(f64::NAN);
            self.velocities_unknown |= velocity.is_nan();
            self.positions[joint] = message.position[at] as f32;
            self.velocities[joint] = if velocity.is_nan() {
                0.0
            } else {
                velocity as f32
            };
        }
        if !has_any && !self.names.is_empty() {
            let waited = at_ns.saturating_sub(first_ns) > START_NS;
            return match self.missing().filter(|_| waited) {
                // Nothing of the robot came so far.
                Some(error) if self.joints.iter().all(|joint| joint.at_ns.is_none()) => Err(error),
                _ => Ok(Joined::Foreign),
            };
        }
        if let Some(missing) = self.missing() {
            return match at_ns.saturating_sub(first_ns) > START_NS {
                true => Err(missing),
                false => Ok(Joined::Part),
            };
        }
        if again {
            // Whoever has not come while another came twice is not waited for.
            self.joints
                .iter_mut()
                .for_each(|joint| joint.seldom = !joint.fresh);
        }
        if self
            .joints
            .iter()
            .any(|joint| !joint.fresh && !joint.seldom)
        {
            return Ok(Joined::Part);
        }
        for (joint, name) in self.joints.iter_mut().zip(&self.names) {
            joint.fresh = false;
            let age_ns = at_ns.saturating_sub(joint.at_ns.unwrap_or(at_ns));
            if age_ns > self.limit_ns {
                return Err(JointStateError::Stale {
                    name: name.clone(),
                    age_s: age_ns as f64 * 1e-9,
                    limit_s: self.limit_ns as f64 * 1e-9,
                });
            }
        }
        Ok(Joined::Sample)
    }

    /// The error of joints that have come in no message so far; `None` where all have.
    pub fn missing(&self) -> Option<JointStateError> {
        let known = self.joints.iter().zip(&self.names);
        let missing: Vec<String> = known
            .filter(|(joint, _)| joint.at_ns.is_none())
            .map(|(_, name)| name.clone())
            .collect();
        (!missing.is_empty()).then(|| JointStateError::Missing {
            expected: self.names.clone(),
            missing,
            found: self.found.clone(),
        })
    }

    /// Refuses a message before anything of it is taken.
    fn check(&self, message: &JointState) -> Result<(), JointStateError> {
        let count = message.name.len();
        let velocities = message.velocity.len();
        for (quantity, found, may_be_empty) in [
            ("position", message.position.len(), false),
            ("velocity", velocities, true),
        ] {
            if found != count && !(may_be_empty && found == 0) {
                return Err(JointStateError::Length {
                    quantity,
                    expected: count,
                    found,
                });
            }
        }
        for name in &self.names {
            let mut places = (0..count).filter(|at| message.name[*at] == *name);
            let Some(at) = places.next() else { continue };
            if places.next().is_some() {
                return Err(JointStateError::Duplicate { name: name.clone() });
            }
            let velocity = message.velocity.get(at).copied().unwrap_or(f64::NAN);
            for (quantity, value, may_be_nan) in [
                ("position", message.position[at], false),
                ("velocity", velocity, true),
            ] {
                if !((value as f32).is_finite() || may_be_nan && value.is_nan()) {
                    return Err(JointStateError::NotFinite {
                        name: name.clone(),
                        quantity,
                        value,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn state(names: &[&str], position: &[f64], velocity: &[f64]) -> JointState {
        JointState {
            name: names.iter().map(|name| (*name).to_owned()).collect(),
            position: position.to_vec(),
            velocity: velocity.to_vec(),
            ..JointState::default()
        }
    }

    fn joints() -> JointStates {
        JointStates::new(["a", "b"], 200 * MS)
    }

    fn read(message: &JointState) -> Result<(Vec<f32>, Vec<f32>, bool), JointStateError> {
        let mut joints = joints();
        assert_eq!(joints.take(message, 0)?, Joined::Sample);
        let (positions, velocities) = (joints.positions().to_vec(), joints.velocities().to_vec());
        Ok((positions, velocities, !joints.velocities_unknown()))
    }

    #[test]
    fn joints_are_found_by_name_whatever_their_order() {
        let message = state(&["x", "b", "a"], &[9.0, 2.0, 1.0], &[8.0, 0.2, 0.1]);
        assert_eq!(read(&message), Ok((vec![1.0, 2.0], vec![0.1, 0.2], true)));
        let nan = f64::NAN;
        for (velocity, expected) in [(&[][..], [0.0, 0.0]), (&[nan, 0.5], [0.0, 0.5])] {
            let message = state(&["a", "b"], &[1.0, 2.0], velocity);
            let expected = Ok((vec![1.0, 2.0], expected.to_vec(), false));
            assert_eq!(read(&message), expected, "{velocity:?}");
        }
    }

    #[test]
    fn joint_states_that_cannot_be_used_are_refused_with_the_reason() {
        let text = |message: JointState| read(&message).unwrap_err().to_string();
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

    #[test]
    fn parts_of_one_rate_make_a_sample_with_the_last_of_them() {
        let mut joints = joints();
        for tick in 0..5 {
            let (at, value) = (tick * 20 * MS, tick as f64);
            let foreign = joints.take(&state(&["gripper"], &[9.0], &[]), at);
            assert_eq!(foreign, Ok(Joined::Foreign));
            let part = joints.take(&state(&["b"], &[value], &[]), at + MS);
            assert_eq!(part, Ok(Joined::Part));
            let whole = joints.take(&state(&["a"], &[-value], &[]), at + 2 * MS);
            assert_eq!(whole, Ok(Joined::Sample));
            assert_eq!(joints.positions(), [-value as f32, value as f32]);
        }
    }

    #[test]
    fn a_seldom_part_is_not_waited_for_but_may_not_get_too_old() {
        let mut joints = joints();
        let mut samples = 0;
        for tick in 0..50_i64 {
            let at = tick * 10 * MS;
            if tick % 10 == 0 {
                joints
                    .take(&state(&["b"], &[tick as f64], &[]), at)
                    .unwrap();
            }
            let taken = joints
                .take(&state(&["a"], &[tick as f64], &[]), at + MS)
                .unwrap();
            samples += usize::from(taken == Joined::Sample);
        }
        assert!(samples >= 48, "{samples}");
        assert_eq!(joints.positions(), [49.0, 40.0]);
        let stale = joints
            .take(&state(&["a"], &[0.0], &[]), 620 * MS)
            .unwrap_err();
        assert!(
            stale.to_string().contains("joint `b` last came 0.22 s"),
            "{stale}"
        );
        // It comes back.
        joints.take(&state(&["b"], &[5.0], &[]), 630 * MS).unwrap();
        let taken = joints.take(&state(&["a"], &[6.0], &[]), 631 * MS);
        assert_eq!(taken, Ok(Joined::Sample));
    }

    #[test]
    fn joints_that_never_come_are_named_after_a_while() {
        let mut joints = joints();
        let message = state(&["a", "c"], &[1.0, 2.0], &[]);
        assert_eq!(joints.take(&message, 0), Ok(Joined::Part));
        let found = joints.take(&message, 2000 * MS).unwrap_err().to_string();
        assert!(
            found.contains("not found: [\"b\"]") && found.contains("\"c\""),
            "{found}"
        );
    }
}
