//! The kinematics of an arm: a chain of revolute joints.

use serde::{Deserialize, Serialize};

use super::region::{Place, add, cross, scaled, subtract};
use crate::config::KinematicsSection;
use crate::inputs::MAX_JOINTS;

/// A chain of revolute joints, given by their axes when all joints stand at 0: the product of exponentials (Lynch and Park,
/// Modern Robotics, section 4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// Axis of each joint at 0, of length 1, and a point on it in m.
    joints: heapless::Vec<(Place, Place), MAX_JOINTS>,
    /// The tip at 0, in m.
    tip: Place,
}

/// The chain in one posture.
#[derive(Clone, Debug)]
pub struct Posed {
    /// Axis of each joint, and the point on it.
    joints: heapless::Vec<(Place, Place), MAX_JOINTS>,
    tip: Place,
}

impl Chain {
    /// Makes the chain of a checked configuration; `None` where it has no kinematics.
    #[must_use]
    pub fn new(section: &KinematicsSection) -> Option<Self> {
        let place = |values: &[f64]| [values[0], values[1], values[2]];
        let axes = section.joint_axes.chunks_exact(3).map(place);
        let points = section.joint_points_m.chunks_exact(3).map(place);
        let joints: heapless::Vec<_, MAX_JOINTS> = axes
            .zip(points)
            .map(|(axis, point)| (scaled(axis, 1.0 / super::region::length(axis)), point))
            .collect();
        (section.tip_m.len() == 3 && !joints.is_empty()).then(|| Self {
            joints,
            tip: place(&section.tip_m),
        })
    }

    /// Number of joints, which is also that of the links: from each joint to the next, and from the last to the tip.
    #[must_use]
    pub fn joints(&self) -> usize {
        self.joints.len()
    }

    /// The chain with its joints at `positions`, in rad.
    #[must_use]
    pub fn at(&self, positions: &[f64]) -> Posed {
        // columns of the rotation of all joints so far, and where they bring the origin
        let mut rotation = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let mut origin = [0.0; 3];
        let turned = |rotation: &[Place; 3], v: Place| {
            let [x, y, z] = *rotation;
            add(add(scaled(x, v[0]), scaled(y, v[1])), scaled(z, v[2]))
        };
        let mut joints = heapless::Vec::new();
        for (&(axis, point), &angle) in self.joints.iter().zip(positions) {
            let axis = turned(&rotation, axis);
            let point = add(turned(&rotation, point), origin);
            // as many as there are joints
            let _ = joints.push((axis, point));
            let (sin, cos) = angle.sin_cos();
            let turn = |v: Place| {
                let along = scaled(axis, (1.0 - cos) * super::region::dot(axis, v));
                add(add(scaled(v, cos), scaled(cross(axis, v), sin)), along)
            };
            rotation = rotation.map(turn);
            origin = add(point, turn(subtract(origin, point)));
        }
        Posed {
            joints,
            tip: add(turned(&rotation, self.tip), origin),
        }
    }
}

impl Posed {
    /// The tip, in m.
    #[must_use]
    pub fn tip(&self) -> Place {
        self.tip
    }

    /// Both ends of a link, in m.
    #[must_use]
    pub fn link(&self, link: usize) -> [Place; 2] {
        let end = self.joints.get(link + 1).map_or(self.tip, |joint| joint.1);
        [self.joints[link].1, end]
    }

    /// The velocity of a point of a link in m per rad of joint `joint`, in the direction `toward`.
    #[must_use]
    pub fn slope(&self, link: usize, point: Place, toward: Place, joint: usize) -> f64 {
        if joint > link {
            return 0.0;
        }
        let (axis, origin) = self.joints[joint];
        super::region::dot(cross(axis, subtract(point, origin)), toward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three links of different lengths about axes that are not parallel.
    fn section() -> KinematicsSection {
        KinematicsSection {
            joint_axes: vec![0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.6, 0.0, 0.8],
            joint_points_m: vec![0.0, 0.0, 0.1, 0.0, 0.0, 0.4, 0.3, 0.0, 0.4],
            tip_m: vec![0.5, 0.1, 0.4],
            ..KinematicsSection::default()
        }
    }

    #[test]
    fn a_planar_arm_is_where_its_angles_put_it() {
        let chain = Chain::new(&KinematicsSection {
            joint_axes: [0.0, 0.0, 1.0].repeat(3),
            joint_points_m: vec![0.0, -0.85, 0.0, 0.0, -0.25, 0.0, 0.0, 0.25, 0.0],
            tip_m: vec![0.0, 0.47, 0.0],
            ..KinematicsSection::default()
        })
        .unwrap();
        let angles = [0.4, -0.9, 0.7];
        let posed = chain.at(&angles);
        let (mut place, mut angle) = ([0.0, -0.85], std::f64::consts::FRAC_PI_2);
        for (link, (length, turn)) in [0.6, 0.5, 0.22].into_iter().zip(angles).enumerate() {
            angle += turn;
            let [start, end] = posed.link(link);
            assert!((start[0] - place[0]).hypot(start[1] - place[1]) < 1e-12);
            place = [
                place[0] + length * angle.cos(),
                place[1] + length * angle.sin(),
            ];
            assert!((end[0] - place[0]).hypot(end[1] - place[1]) < 1e-12);
        }
    }

    #[test]
    fn slopes_are_those_of_the_points() {
        let chain = Chain::new(&section()).unwrap();
        let angles = [0.3, -0.8, 1.1];
        let toward = [0.2, -0.5, 0.7];
        for joint in 0..3 {
            let at = |by: f64| {
                let mut moved = angles;
                moved[joint] += by;
                chain.at(&moved)
            };
            for link in 0..3 {
                let end = |posed: &Posed| super::super::region::dot(posed.link(link)[1], toward);
                let difference = (end(&at(1e-6)) - end(&at(-1e-6))) / 2e-6;
                let posed = chain.at(&angles);
                let slope = posed.slope(link, posed.link(link)[1], toward, joint);
                assert!((slope - difference).abs() < 1e-8, "{joint} {link}");
            }
        }
    }

    #[test]
    fn without_a_tip_there_is_no_chain() {
        assert_eq!(Chain::new(&KinematicsSection::default()), None);
    }
}
