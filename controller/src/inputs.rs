//! The inputs of the controller, and the checks that nothing wrong gets any further.

use crate::time::Time;

/// Largest number of joints (and actions) of a robot.
pub const MAX_JOINTS: usize = 16;

/// How far in the future a stamp may lie, s: clocks that are kept by NTP agree much better, and a robot whose clocks disagree by
/// more is not driven on them.
pub const FUTURE_STAMP_S: f64 = 0.2;

/// One number per joint.
pub type JointVec = heapless::Vec<f64, MAX_JOINTS>;

/// A camera image, tightly packed rgb8.
#[derive(Clone, Copy, Debug)]
pub struct ImageInput<'a> {
    /// Time at which the image was taken.
    pub stamp: Time,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Pixels, `[height, width, 3]` bytes.
    pub pixels: &'a [u8],
}

/// A sample of the robot's joints, in the order of the bundle.
#[derive(Clone, Copy, Debug)]
pub struct JointInput<'a> {
    /// Time at which the sample was taken.
    pub stamp: Time,
    /// Positions in rad, one a joint.
    pub positions: &'a [f64],
    /// Velocities in rad/s, one a joint.
    pub velocities: &'a [f64],
}

/// The inputs of one step of the controller; both are optional.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// The newest image.
    pub image: Option<ImageInput<'a>>,
    /// The newest joint states.
    pub joints: Option<JointInput<'a>>,
}

/// The reason why an input was refused, or could not be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// The stamp equals the last one.
    #[error("{0} with a stamp that came before: ignored")]
    RepeatedStamp(Source),
    /// The stamp is older than the last one.
    #[error("{source_} is {older_s:.3} s older than the one before: ignored")]
    OlderStamp {
        /// The input concerned.
        source_: Source,
        /// How much older it is, in s.
        older_s: f64,
    },
    /// The stamp lies further in the future than the tolerance.
    #[error("{source_} lies {ahead_s:.3} s in the future: check that the clocks agree")]
    FutureStamp {
        /// The input concerned.
        source_: Source,
        /// How far in the future it lies, in s.
        ahead_s: f64,
    },
    /// The image has another size than the model was trained with.
    #[error(
        "expected an image of {expected_width}x{expected_height} ({expected_bytes} bytes), found \
         {width}x{height} ({bytes} bytes): set the camera's size or use another bundle"
    )]
    ImageSize {
        /// Number of columns that the model takes.
        expected_width: usize,
        /// Number of rows that the model takes.
        expected_height: usize,
        /// Number of bytes of such an image.
        expected_bytes: usize,
        /// Number of columns of the image.
        width: usize,
        /// Number of rows of the image.
        height: usize,
        /// Number of bytes of the image.
        bytes: usize,
    },
    /// The joint states do not have one number per joint.
    #[error(
        "expected {expected} joint positions and velocities, found {positions} and {velocities}"
    )]
    JointCount {
        /// Number of joints of the robot.
        expected: usize,
        /// Number of positions in the message.
        positions: usize,
        /// Number of velocities in the message.
        velocities: usize,
    },
    /// A joint state is NaN or infinite.
    #[error("joint {joint} has a position or velocity that is not finite: ignored")]
    NonFiniteJoint {
        /// Index of the first such joint.
        joint: usize,
    },
    /// A joint position beyond the joint's limits by more than a margin.
    #[error(
        "joint {joint} is said to be at {position:.3}, which its limits of {lower:.3} to {upper:.3} do not allow: check the \
         joint states and robot.min_position_rad and robot.max_position_rad, or train with data from there: the bundle has been no further"
    )]
    OutsideLimits {
        /// Index of the first such joint.
        joint: usize,
        /// Its position, rad.
        position: f64,
        /// Its lowest position, rad.
        lower: f64,
        /// Its highest position, rad.
        upper: f64,
    },
    /// A joint velocity beyond any that the joint can have.
    #[error(
        "joint {joint} is said to move at {velocity:.3} rad/s, and cannot be faster than {possible:.3}: check the joint states, or \
         set robot.max_velocity_rad_s"
    )]
    ImpossibleVelocity {
        /// Index of the first such joint.
        joint: usize,
        /// Its velocity, rad/s.
        velocity: f64,
        /// The highest that is believed, rad/s.
        possible: f64,
    },
    /// A joint position further from the last one than the joint can have moved since.
    #[error(
        "joint {joint} is said to have moved by {moved:.3}, and can have moved by {possible:.3} at most since the joint states \
         before: check the joint states, or call ~/reset if the robot was put elsewhere"
    )]
    ImpossibleMove {
        /// Index of the first such joint.
        joint: usize,
        /// How far it is from the last position, rad.
        moved: f64,
        /// How far it can be, rad.
        possible: f64,
    },
    /// The model takes joint states and none were received yet.
    #[error("no joint states were received yet; the model needs them beside the image")]
    NoJoints,
    /// The joint states nearest to the image are too old for it.
    #[error("the joint states are {age_s:.3} s older than the image")]
    StaleJoints {
        /// Age of the joint states in s.
        age_s: f64,
    },
    /// The image came before the next model step is due; not a fault.
    #[error("the image comes {early_s:.3} s before the next model step is due: not needed")]
    NotDue {
        /// How early the image came, in s.
        early_s: f64,
    },
    /// The model gave a belief that is not finite, or failed.
    #[error("the belief could not be computed: {0}")]
    Model(String),
}

/// An input of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The camera.
    Image,
    /// The joint states.
    Joints,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Image => "an image",
            Self::Joints => "a joint state",
        })
    }
}

/// How many inputs were taken and how many were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputCounts {
    /// Number of images that stepped the belief.
    pub images: u64,
    /// Number of joint states that were taken.
    pub joints: u64,
    /// Number of stamps that equalled the one before.
    pub repeated: u64,
    /// Number of stamps that were older than the last.
    pub older: u64,
    /// Number of stamps in the future.
    pub future: u64,
    /// Number of images of the wrong size.
    pub wrong_size: u64,
    /// Number of joint states of the wrong length.
    pub wrong_count: u64,
    /// Number of joint states that were not finite.
    pub non_finite: u64,
    /// Number of joint states outside the joints' limits, faster than the joints can be, or further away than they can move.
    pub impossible: u64,
    /// Number of images without joint states near enough.
    pub without_joints: u64,
    /// Number of images between two model steps, which are not needed.
    pub not_due: u64,
    /// Number of failures of the model.
    pub model: u64,
    /// Number of model steps that were bridged for want of an image.
    pub skipped_steps: u64,
    /// Number of times that the belief began anew.
    pub restarts: u64,
}

impl InputCounts {
    /// Counts a refusal.
    pub fn refuse(&mut self, error: &InputError) {
        let counter = match error {
            InputError::RepeatedStamp(_) => &mut self.repeated,
            InputError::OlderStamp { .. } => &mut self.older,
            InputError::FutureStamp { .. } => &mut self.future,
            InputError::ImageSize { .. } => &mut self.wrong_size,
            InputError::JointCount { .. } => &mut self.wrong_count,
            InputError::NonFiniteJoint { .. } => &mut self.non_finite,
            InputError::OutsideLimits { .. }
            | InputError::ImpossibleVelocity { .. }
            | InputError::ImpossibleMove { .. } => &mut self.impossible,
            InputError::NoJoints | InputError::StaleJoints { .. } => &mut self.without_joints,
            InputError::NotDue { .. } => &mut self.not_due,
            InputError::Model(_) => &mut self.model,
        };
        *counter += 1;
    }
}

/// Refuses a stamp that repeats, goes back or lies in the future.
pub(crate) fn check_stamp(
    source: Source,
    stamp: Time,
    last: Option<Time>,
    now: Time,
    future_s: f64,
) -> Result<(), InputError> {
    if let Some(last) = last {
        if stamp == last {
            return Err(InputError::RepeatedStamp(source));
        }
        if stamp < last {
            return Err(InputError::OlderStamp {
                source_: source,
                older_s: last.seconds_since(stamp),
            });
        }
    }
    let ahead_s = stamp.seconds_since(now);
    if ahead_s > future_s {
        return Err(InputError::FutureStamp {
            source_: source,
            ahead_s,
        });
    }
    Ok(())
}

impl JointInput<'_> {
    /// Refuses samples of the wrong length or with numbers that are not finite.
    ///
    /// # Errors
    /// [`InputError::JointCount`], [`InputError::NonFiniteJoint`].
    pub(crate) fn check(&self, joints: usize) -> Result<(), InputError> {
        if self.positions.len() != joints || self.velocities.len() != joints {
            return Err(InputError::JointCount {
                expected: joints,
                positions: self.positions.len(),
                velocities: self.velocities.len(),
            });
        }
        let finite = |joint: &usize| {
            self.positions[*joint].is_finite() && self.velocities[*joint].is_finite()
        };
        match (0..joints).find(|joint| !finite(joint)) {
            Some(joint) => Err(InputError::NonFiniteJoint { joint }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_that_repeat_go_back_or_lie_ahead_are_refused() {
        let now = Time::from_seconds(10.0);
        let last = Some(Time::from_seconds(9.0));
        let check =
            |seconds: f64| check_stamp(Source::Image, Time::from_seconds(seconds), last, now, 0.2);
        assert_eq!(check(9.5), Ok(()));
        assert_eq!(check(10.1), Ok(()));
        assert_eq!(check(9.0), Err(InputError::RepeatedStamp(Source::Image)));
        assert!(matches!(check(8.9), Err(InputError::OlderStamp { .. })));
        assert!(matches!(check(10.3), Err(InputError::FutureStamp { .. })));
    }

    #[test]
    fn joint_samples_with_nan_or_of_another_length_are_refused() {
        let sample = |positions: &'static [f64], velocities: &'static [f64]| JointInput {
            stamp: Time(0),
            positions,
            velocities,
        };
        assert_eq!(sample(&[0.0, 1.0], &[0.0, 0.0]).check(2), Ok(()));
        assert_eq!(
            sample(&[0.0, f64::NAN], &[0.0, 0.0]).check(2),
            Err(InputError::NonFiniteJoint { joint: 1 })
        );
        assert_eq!(
            sample(&[0.0, 1.0], &[f64::INFINITY, 0.0]).check(2),
            Err(InputError::NonFiniteJoint { joint: 0 })
        );
        let error = sample(&[0.0], &[]).check(2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected 2 joint positions and velocities, found 1 and 0"
        );
    }
}
