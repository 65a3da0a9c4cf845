//! Regions of space, and how far from them something is.

use serde::{Deserialize, Serialize};

use crate::config::MAX_REGIONS;

/// A place or a direction: x, y, z in m, in the frame of the robot's base.
pub type Place = [f64; 3];

/// The middles of regions, in the order of the configuration: balls, then boxes.
pub type Middles = heapless::Vec<Place, MAX_REGIONS>;

/// Number of halvings by which the point of a line that is nearest to a box is found: to a millionth of its length.
const HALVINGS: usize = 20;

/// The shape of a region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Solid {
    /// All within this distance in m of the middle.
    Ball(f64),
    /// All within these distances in m of the middle along the axes.
    Box(Place),
}

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// The middle; not finite for a region that is away.
    pub middle: Place,
    /// The velocity of the middle in m/s.
    pub velocity: Place,
    /// The shape.
    pub solid: Solid,
}

impl Region {
    /// The region where it will be in so many seconds, if it goes on as it moves now.
    #[must_use]
    pub fn after(&self, seconds: f64) -> Self {
        Self {
            middle: add(self.middle, scaled(self.velocity, seconds)),
            ..*self
        }
    }

    /// Whether the region is anywhere.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.middle.iter().all(|x| x.is_finite())
    }

    /// The distance in m of a point from the surface, negative inside, and the direction in which it grows. It is a convex
    /// function of the point.
    #[must_use]
    pub fn distance(&self, point: Place) -> (f64, Place) {
        let from = subtract(point, self.middle);
        let (outside, extra) = match self.solid {
            Solid::Ball(radius) => (from, radius),
            Solid::Box(half) => {
                let beyond: Place = std::array::from_fn(|axis| from[axis].abs() - half[axis]);
                let signed = |axis: usize| beyond[axis].max(0.0).copysign(from[axis]);
                let nearest = (0..3).fold(0, |a, b| if beyond[b] > beyond[a] { b } else { a });
                if beyond[nearest] <= 0.0 {
                    let mut direction = [0.0; 3];
                    direction[nearest] = 1.0_f64.copysign(from[nearest]);
                    return (beyond[nearest], direction);
                }
                (std::array::from_fn(signed), 0.0)
            }
        };
        let length = length(outside);
        if length > 0.0 {
            (length - extra, scaled(outside, 1.0 / length))
        } else {
            (-extra, [1.0, 0.0, 0.0])
        }
    }

    /// The point of a line that is nearest to the region, with its distance in m and the direction in which that grows.
    #[must_use]
    pub fn nearest(&self, [start, end]: [Place; 2]) -> (Place, f64, Place) {
        let along = subtract(end, start);
        let share = match self.solid {
            Solid::Ball(_) => {
                let share = dot(along, subtract(self.middle, start)) / dot(along, along);
                // a line without length has none
                if share.is_finite() {
                    share.clamp(0.0, 1.0)
                } else {
                    0.0
                }
            }
            Solid::Box(_) => self.halved(start, along),
        };
        let point = add(start, scaled(along, share));
        let (distance, direction) = self.distance(point);
        (point, distance, direction)
    }
}

impl Region {
    /// The share of the line at which the distance, which is convex, is least.
    fn halved(&self, start: Place, along: Place) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let share = 0.5 * (low + high);
            let (_, direction) = self.distance(add(start, scaled(along, share)));
            if dot(direction, along) > 0.0 {
                high = share;
            } else {
                low = share;
            }
        }
        0.5 * (low + high)
    }
}

pub(super) fn add(a: Place, b: Place) -> Place {
    std::array::from_fn(|i| a[i] + b[i])
}

pub(super) fn subtract(a: Place, b: Place) -> Place {
    std::array::from_fn(|i| a[i] - b[i])
}

pub(super) fn scaled(a: Place, by: f64) -> Place {
    a.map(|x| by * x)
}

pub(super) fn dot(a: Place, b: Place) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Place, b: Place) -> Place {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(super) fn length(a: Place) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALL: Region = Region {
        middle: [0.2, -0.1, 0.3],
        velocity: [0.0; 3],
        solid: Solid::Ball(0.25),
    };
    const BOX: Region = Region {
        middle: [0.2, -0.1, 0.3],
        velocity: [0.0; 3],
        solid: Solid::Box([0.1, 0.3, 0.2]),
    };

    #[test]
    fn distances_are_those_of_ball_and_box() {
        let distance = |region: Region, point| region.distance(point).0;
        assert!((distance(BALL, [0.2, 0.4, 0.3]) - 0.25).abs() < 1e-12);
        assert!((distance(BALL, [0.2, -0.1, 0.3]) + 0.25).abs() < 1e-12);
        assert!((distance(BOX, [0.5, -0.1, 0.3]) - 0.2).abs() < 1e-12);
        assert!(
            (distance(BOX, [0.6, 0.6, 0.3]) - 0.5).abs() < 1e-12,
            "corner"
        );
        assert!((distance(BOX, [0.26, -0.1, 0.3]) + 0.04).abs() < 1e-12);
    }

    #[test]
    fn the_direction_is_that_in_which_the_distance_grows() {
        for region in [BALL, BOX] {
            for point in [[0.9, 0.4, -0.2], [0.21, 0.35, 0.32], [0.25, -0.12, 0.31]] {
                let (_, direction) = region.distance(point);
                for axis in 0..3 {
                    let at = |by: f64| {
                        let mut moved = point;
                        moved[axis] += by;
                        region.distance(moved).0
                    };
                    let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                    assert!((slope - direction[axis]).abs() < 1e-6, "{point:?}");
                }
            }
        }
    }

    #[test]
    fn the_nearest_point_of_a_line_is_nearer_than_a_thousand_others() {
        let lines = [
            [[-0.5, -0.5, 0.0], [0.9, 0.4, 0.5]],
            [[0.6, 0.6, 0.6], [0.5, -0.9, 0.1]],
            [[0.2, -0.1, 0.3], [0.2, 0.9, 0.3]],
        ];
        for region in [BALL, BOX] {
            for [start, end] in lines {
                let (_, nearest, _) = region.nearest([start, end]);
                let along = subtract(end, start);
                let other = (0..=1000)
                    .map(|i| add(start, scaled(along, f64::from(i) * 1e-3)))
                    .map(|point| region.distance(point).0)
                    .fold(f64::INFINITY, f64::min);
                assert!(nearest < other + 1e-5, "{nearest} {other}");
            }
        }
    }
}
