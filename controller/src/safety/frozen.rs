//! A picture that stays the same while the robot moves: a camera that hangs, whose images come with fresh stamps.

use std::time::Duration;

use super::limits::Limits;
use crate::inputs::{JointVec, MAX_JOINTS};
use crate::time::Time;

/// Time for which a picture must stay the same to be frozen.
const FROZEN_AFTER: Duration = Duration::from_millis(500);
/// Share of its range that a joint must have moved under a picture that stays the same, and how far in rad where it has no range.
/// In 30 hours of scripted driving on the five built-in tasks no picture stayed the same for so long even with 0.3 %.
const FROZEN_MOVED: (f64, f64) = (0.007, 0.02);
/// Share of its range from either end within which a joint stands at its end.
const AT_END: f64 = 0.01;
/// How many times as far a joint must have moved that comes after one which stands at its end. An arm that is turned to its end may
/// be out of the picture, and what its outer joints do then is not seen: a quarter of the range.
const BEHIND_END: f64 = 35.0;

/// Since when images have the same content.
#[derive(Clone, Debug, Default)]
pub struct Unchanged {
    /// CRC-32C of the newest image, and the stamp of the first one that was the same.
    same: Option<(u32, Time)>,
}

impl Unchanged {
    /// Notes the pixels of an image: the stamp of the first image in a row that was the same.
    ///
    /// # Real-time
    /// Sums the pixels; no allocation, no waiting.
    pub fn since(&mut self, stamp: Time, pixels: &[u8]) -> Time {
        let sum = crc32c::crc32c(pixels);
        let same = self.same.filter(|(before, _)| *before == sum);
        self.same.insert(same.unwrap_or((sum, stamp))).1
    }
}

/// What is known of one joint.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// How far it must have moved under the same picture, rad.
    far: f64,
    /// Positions beyond which it stands at an end of its range, rad.
    ends: (f64, f64),
}

impl Watched {
    /// A joint that moves between these positions in rad, which are infinite where it has no end.
    fn new((lower, upper): (f64, f64)) -> Self {
        let range = upper - lower;
        if range.is_finite() {
            let near = AT_END * range;
            Self {
                far: FROZEN_MOVED.0 * range,
                ends: (lower + near, upper - near),
            }
        } else {
            Self {
                far: FROZEN_MOVED.1,
                ends: (lower, upper),
            }
        }
    }

    fn is_at_end(self, position: f64) -> bool {
        position <= self.ends.0 || position >= self.ends.1
    }
}

/// Whether the picture stays the same while the robot moves. A robot that stands may see the same picture for ever; one that moves
/// by its joint states cannot, if it is in the picture or carries the camera.
///
/// A joint which stands at its end of the range may have turned all that it carries out of the picture, so that the joints after it have
/// to move much further.
#[derive(Clone, Debug)]
pub struct FrozenPicture {
    joints: heapless::Vec<Watched, MAX_JOINTS>,
    /// Stamps of the first and the newest image of the present content.
    same: Option<(Time, Time)>,
    /// Positions at the first joint states after the first of those images.
    from: Option<JointVec>,
    /// Whether a joint has moved far since.
    has_moved: bool,
}

impl FrozenPicture {
    /// Makes a monitor that has seen nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let joints = (0..limits.joints()).map(|joint| Watched::new(limits.position(joint)));
        Self {
            joints: joints.collect(),
            same: None,
            from: None,
            has_moved: false,
        }
    }

    /// Notes an image, whose content has been the same since the image of `same_since`.
    pub fn look(&mut self, stamp: Time, same_since: Time) {
        if self.same.is_none_or(|(since, _)| since != same_since) {
            (self.from, self.has_moved) = (None, false);
        }
        self.same = Some((same_since, stamp));
    }

    /// Notes positions of the joints, rad.
    pub fn moved(&mut self, positions: &[f64]) {
        if self.same.is_none() {
            return;
        }
        let from = self
            .from
            .get_or_insert_with(|| positions.iter().copied().collect());
        let mut needed = 1.0;
        for ((&now, &then), joint) in positions.iter().zip(from.iter()).zip(&self.joints) {
            self.has_moved |= (now - then).abs() > needed * joint.far;
            if joint.is_at_end(now) && joint.is_at_end(then) {
                needed = BEHIND_END;
            }
        }
    }

    /// Whether the robot has moved far under a picture that has been the same for too long.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let lasts = self
            .same
            .map(|(since, newest)| newest.saturating_since(since));
        self.has_moved && lasts.is_some_and(|lasts| lasts >= FROZEN_AFTER)
    }

    /// Forgets what was seen.
    pub fn forget(&mut self) {
        (self.same, self.from, self.has_moved) = (None, None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::limits::tests::limits;

    const TICK_S: f64 = 0.01;

    #[test]
    fn the_same_picture_is_frozen_under_a_robot_that_moves_and_not_under_one_that_stands() {
        // The first tick at which it is frozen; joints of +-1 rad.
        let frozen = |speed: f64, content_changes: bool| {
            let (mut picture, mut unchanged) =
                (FrozenPicture::new(&limits()), Unchanged::default());
            for tick in 0..200_u8 {
                let now = Time::from_seconds(10.0 + TICK_S * f64::from(tick));
                if tick % 10 == 0 {
                    let pixels = [if content_changes { tick } else { 7 }; 12];
                    picture.look(now, unchanged.since(now, &pixels));
                }
                let position = speed * TICK_S * f64::from(tick);
                picture.moved(&[position.min(1.0), 0.0]);
                if picture.is_frozen() {
                    return Some(tick);
                }
            }
            None
        };
        assert_eq!(frozen(0.0, false), None);
        assert_eq!(frozen(0.5, true), None);
        // Half a second, as 0.014 rad were moved before.
        assert_eq!(frozen(0.5, false), Some(50));
        assert!(frozen(0.014, false).is_some_and(|tick| (100..105).contains(&tick)));
    }

    #[test]
    fn what_moves_behind_a_joint_at_its_end_may_be_out_of_the_picture() {
        // Whether it is frozen after a second in which each joint moved from here to there; joints of +-1 rad.
        let frozen = |from: [f64; 2], to: [f64; 2]| {
            let mut picture = FrozenPicture::new(&limits());
            let (begin, end) = (Time::from_seconds(10.0), Time::from_seconds(11.0));
            picture.look(begin, begin);
            picture.moved(&from);
            picture.look(end, begin);
            picture.moved(&to);
            picture.is_frozen()
        };
        assert!(frozen([0.0, 0.0], [0.0, 0.02]));
        for end in [-1.0, 1.0, 0.985] {
            assert!(!frozen([end, 0.0], [end, 0.4]), "{end}");
            assert!(frozen([end, 0.0], [end, 0.5]), "{end}: a quarter");
            assert!(frozen([end, 0.0], [0.9 * end, 0.0]), "{end}: it leaves it");
        }
        // What comes before it is seen.
        assert!(frozen([0.0, 1.0], [0.02, 1.0]));
    }
}
