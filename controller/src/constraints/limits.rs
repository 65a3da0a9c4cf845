//! Everything that plans of one robot have to keep, as inequalities for the solver, as a penalty for the others and as a brake.

use latco_solver::{Inequalities, InequalityRows};
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::motion::Motion;
use super::region::{Middles, Place, Region, Solid};
use crate::config::{Config, MAX_REGIONS};
use crate::inputs::{JointVec, MAX_JOINTS};
use crate::safety::Limits;
use crate::time::Time;

/// What an action sequence is worth less for each m (or rad) and step by which it violates its constraints.
const PENALTY: f64 = 100.0;
/// Distance in m (or rad) at which the brake stops the robot: joints are not measured any better.
const CLEARANCE: f64 = 0.01;
/// Time in s beyond which a region that moves is planned for as one that has come to rest: nobody knows where it goes then.
const FORESEEN_S: f64 = 1.0;
/// Violation in m or rad that costs nothing: the solver's tolerance.
const TOLERANCE: f64 = 1e-3;

/// The slope of an inequality by each joint.
type Slope = [f64; MAX_JOINTS];

/// Regions to keep out of, a box for the tip and the ends of the joints, for plans from where the robot is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    chain: Option<Chain>,
    /// Regions that no part of the chain may be in.
    regions: heapless::Vec<Region, MAX_REGIONS>,
    /// The box that the tip has to be in.
    tip_box: Option<Region>,
    /// Distance in m from the middle line of a link to its surface.
    link_radius: f64,
    /// Distance in m that plans keep beyond the regions.
    margin: f64,
    /// Lowest and highest position of each joint in plans, rad; empty where plans do not know of them.
    bounds: heapless::Vec<(f64, f64), MAX_JOINTS>,
    /// Where the joints are when the plan begins, rad.
    start: JointVec,
    /// How far the action 1 moves each joint in a step, rad.
    step: JointVec,
    /// Time of a step in s.
    period: f64,
    /// Time in s from when the regions are where they are to when the plan begins.
    lead: f64,
}

/// Number of inequalities at each step of plans with this configuration.
#[must_use]
pub fn rows(config: &Config, joints: usize) -> usize {
    let section = &config.keep_out;
    let regions = section.balls_m.len() / 4 + section.boxes_m.len() / 6;
    let of_tip = usize::from(!section.tip_box_m.is_empty());
    let of_joints = if section.joint_margin_rad.is_some() {
        2 * joints
    } else {
        0
    };
    regions * joints + of_tip + of_joints
}

impl Constraints {
    /// Makes the constraints of a checked configuration for joints with these limits and a control period in s; `None` where
    /// it has none.
    #[must_use]
    pub fn new(config: &Config, limits: &Limits, period_s: f64) -> Option<Self> {
        let (section, joints) = (&config.keep_out, limits.scale.len());
        if rows(config, joints) == 0 {
            return None;
        }
        let place = |v: &[f64]| [v[0], v[1], v[2]];
        let of_box = |v: &[f64]| Region {
            middle: place(v),
            velocity: [0.0; 3],
            solid: Solid::Box([0.5 * v[3], 0.5 * v[4], 0.5 * v[5]]),
        };
        let balls = section.balls_m.chunks_exact(4).map(|v| Region {
            middle: place(v),
            velocity: [0.0; 3],
            solid: Solid::Ball(v[3]),
        });
        let boxes = section.boxes_m.chunks_exact(6).map(of_box);
        let bounds = (section.joint_margin_rad.iter())
            .flat_map(|&margin| (0..joints).map(move |joint| (joint, margin)))
            .map(|(joint, margin)| {
                let (low, high) = limits.position(joint);
                (low + margin, high - margin)
            });
        Some(Self {
            chain: Chain::new(&config.kinematics),
            regions: balls.chain(boxes).take(MAX_REGIONS).collect(),
            tip_box: (section.tip_box_m.len() == 6).then(|| of_box(&section.tip_box_m)),
            link_radius: config.kinematics.link_radius_m,
            margin: section.margin_m,
            bounds: bounds.collect(),
            start: (0..joints).map(|_| 0.0).collect(),
            step: limits.scale.iter().map(|scale| scale * period_s).collect(),
            period: period_s,
            lead: 0.0,
        })
    }

    /// The regions in their order: balls, then boxes.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Where the regions are now.
    #[must_use]
    pub fn middles(&self) -> Middles {
        self.regions.iter().map(|region| region.middle).collect()
    }

    /// Moves the regions, in their order; one whose place is not finite is away. Places beyond their number change nothing.
    pub fn move_regions(&mut self, middles: &[Place]) {
        for (region, &middle) in self.regions.iter_mut().zip(middles) {
            region.middle = middle;
        }
    }

    /// Sets how fast the regions move at a time, by where they were before.
    pub fn foresee(&mut self, motion: &Motion, time: Time) {
        for (number, region) in self.regions.iter_mut().enumerate() {
            region.velocity = motion.velocity(time, number, region.middle);
        }
    }

    /// Sets where the joints are when the plan begins: at `positions` in rad, and then moved by `action` for one step each.
    pub fn start_from(&mut self, positions: &[f64], actions: &[f32]) {
        let mut start: JointVec = positions.iter().copied().take(self.step.len()).collect();
        for action in actions.chunks_exact(self.step.len()) {
            self.advance(&mut start, action);
        }
        self.lead = (actions.len() / self.step.len()) as f64 * self.period;
        self.start = start;
    }

    /// Moves the joints by one step.
    fn advance(&self, positions: &mut [f64], action: &[f32]) {
        for ((position, step), action) in positions.iter_mut().zip(&self.step).zip(action) {
            *position += step * f64::from(*action);
        }
    }

    /// The time in s from now to the end of a step of the plan, as far as regions are foreseen.
    fn ahead(&self, step: usize) -> f64 {
        FORESEEN_S.min(self.lead + (step + 1) as f64 * self.period)
    }

    /// Calls `take` with value and slope of every inequality, with the joints at `positions` in rad, the regions where they are
    /// in `ahead` s, and `margin` in m.
    fn each(&self, positions: &[f64], ahead: f64, margin: f64, mut take: impl FnMut(f64, &Slope)) {
        let mut slope = [0.0; MAX_JOINTS];
        for (joint, &(low, high)) in self.bounds.iter().enumerate() {
            for (sign, value) in [
                (-1.0, low - positions[joint]),
                (1.0, positions[joint] - high),
            ] {
                slope[joint] = sign;
                // a joint that has no end
                take(if value.is_finite() { value } else { -1.0 }, &slope);
                slope[joint] = 0.0;
            }
        }
        let Some(chain) = &self.chain else { return };
        let posed = chain.at(positions);
        let last = chain.joints() - 1;
        if let Some(tip_box) = &self.tip_box {
            let (distance, direction) = tip_box.distance(posed.tip());
            for (joint, slope) in slope.iter_mut().enumerate().take(last + 1) {
                *slope = posed.slope(last, posed.tip(), direction, joint);
            }
            take(distance + margin, &slope);
        }
        for region in self.regions.iter().map(|region| region.after(ahead)) {
            for link in 0..=last {
                if !region.is_there() {
                    take(-1.0, &[0.0; MAX_JOINTS]);
                    continue;
                }
                let (point, distance, direction) = region.nearest(posed.link(link));
                for (joint, slope) in slope.iter_mut().enumerate().take(last + 1) {
                    *slope = -posed.slope(link, point, direction, joint);
                }
                take(margin + self.link_radius - distance, &slope);
            }
        }
    }

    /// What an action sequence `[H, na]` is worth less, for what it violates.
    ///
    /// # Real-time
    /// No allocation; linear in the steps.
    #[must_use]
    pub fn penalty(&self, actions: &[f32]) -> f32 {
        let mut positions = self.start.clone();
        let mut sum = 0.0;
        for (step, action) in actions.chunks_exact(self.step.len()).enumerate() {
            self.advance(&mut positions, action);
            self.each(&positions, self.ahead(step), self.margin, |value, _| {
                sum += (value - TOLERANCE).max(0.0);
            });
        }
        (PENALTY * sum) as f32
    }

    /// The share of `velocities` in rad/s by which the robot at `positions` in rad comes no nearer to what it has to keep away
    /// from than it can stop: what is left of the distance is used up in `stop_s` at the soonest. What leads away is not held
    /// back.
    ///
    /// # Real-time
    /// No allocation; linear in the regions and joints.
    #[must_use]
    pub fn allowed_share(&self, positions: &[f64], velocities: &[f64], stop_s: f64) -> f64 {
        let mut share: f64 = 1.0;
        self.each(positions, 0.0, CLEARANCE, |value, slope| {
            let toward: f64 = slope.iter().zip(velocities).map(|(s, v)| s * v).sum();
            let nearer = toward * stop_s;
            if toward > 0.0 && nearer > -value {
                share = share.min((-value).max(0.0) / nearer);
            }
        });
        share
    }
}

impl Inequalities<f32> for Constraints {
    fn rows(&self) -> usize {
        let of_tip = usize::from(self.tip_box.is_some());
        2 * self.bounds.len() + of_tip + self.regions.len() * self.step.len()
    }

    fn evaluate(&self, actions: &[f32], rows: &mut InequalityRows<'_, f32>) {
        let mut positions = self.start.clone();
        let na = self.step.len();
        let mut values = rows.values.iter_mut();
        let mut slopes = rows.slopes.chunks_exact_mut(na);
        for (step, action) in actions.chunks_exact(na).enumerate() {
            self.advance(&mut positions, action);
            self.each(&positions, self.ahead(step), self.margin, |value, slope| {
                let (Some(to), Some(row)) = (values.next(), slopes.next()) else {
                    return;
                };
                *to = value as f32;
                for ((to, slope), step) in row.iter_mut().zip(slope).zip(&self.step) {
                    *to = (slope * step) as f32;
                }
            });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{KeepOutSection, KinematicsSection};
    use crate::safety::limits::tests::limits;

    /// Two links of 1 m from the origin along x, a ball of 0.2 m beside the middle of the second, and ends for the joints.
    pub(crate) fn config() -> Config {
        Config {
            kinematics: KinematicsSection {
                joint_axes: [0.0, 0.0, 1.0].repeat(2),
                joint_points_m: vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
                tip_m: vec![2.0, 0.0, 0.0],
                link_radius_m: 0.05,
            },
            keep_out: KeepOutSection {
                balls_m: vec![1.5, 0.5, 0.0, 0.2],
                margin_m: 0.05,
                joint_margin_rad: Some(0.1),
                ..KeepOutSection::default()
            },
            ..Config::default()
        }
    }

    fn constraints() -> Constraints {
        Constraints::new(&config(), &limits(), 0.1).unwrap()
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        let constraints = constraints();
        let count = rows(&config(), 2);
        assert_eq!(constraints.rows(), count);
        let at = |actions: &[f32]| {
            let (mut values, mut slopes) = (vec![0.0; 4 * count], vec![0.0; 8 * count]);
            constraints.evaluate(
                actions,
                &mut InequalityRows {
                    values: &mut values,
                    slopes: &mut slopes,
                },
            );
            (values, slopes)
        };
        let actions = [0.9, -0.4, 0.3, 0.8, -0.7, 1.4, 0.2, -0.2];
        let (_, slopes) = at(&actions);
        for joint in 0..2 {
            // the sum of the actions up to any step grows by the change of the first
            let moved = |by: f32| {
                let mut moved = actions;
                moved[joint] += by;
                at(&moved).0
            };
            let (more, less) = (moved(0.05), moved(-0.05));
            for i in 0..4 * count {
                let difference = (more[i] - less[i]) / 0.1;
                let slope = slopes[2 * i + joint];
                assert!(
                    (difference - slope).abs() < 2e-4,
                    "{i}: {difference} {slope}"
                );
            }
        }
    }

    #[test]
    fn what_leads_into_a_region_costs_and_a_region_that_is_away_does_not() {
        let mut constraints = constraints();
        let (still, toward) = ([0.0; 16], [1.0; 16]);
        assert_eq!(constraints.penalty(&still), 0.0);
        constraints.start_from(&[0.1, 0.1], &[]);
        let costs = constraints.penalty(&toward);
        assert!(costs > 1.0, "{costs}");
        constraints.move_regions(&[[f64::NAN, 0.0, 0.0]]);
        assert_eq!(constraints.penalty(&toward), 0.0);
        constraints.move_regions(&[[1.5, 0.5, 0.0]]);
        assert_eq!(constraints.penalty(&toward), costs);
    }

    #[test]
    fn a_region_is_kept_away_from_where_it_will_be() {
        let mut constraints = constraints();
        let still = [0.0; 16];
        let mut motion = Motion::default();
        let coming = |ms: i64| [1.5, 0.5 + 0.4e-3 * (500 - ms) as f64, 0.0];
        for ms in (0..=500).step_by(100) {
            motion.note(Time(ms * 1_000_000), &[coming(ms)].into_iter().collect());
        }
        constraints.foresee(&motion, Time(500_000_000));
        assert!(constraints.penalty(&still) > 1.0);
        // It is as near as that only in 0.8 s: a robot that was told so late is not braked yet.
        assert_eq!(constraints.allowed_share(&[0.0; 2], &[0.1; 2], 0.1), 1.0);
        motion = Motion::default();
        constraints.foresee(&motion, Time(500_000_000));
        assert_eq!(constraints.penalty(&still), 0.0);
    }

    #[test]
    fn an_arm_that_is_braked_by_the_share_never_reaches_the_region() {
        let constraints = constraints();
        let (mut positions, velocities) = ([0.0, 0.0], [0.5, 0.8]);
        let gap = |positions: &[f64]| {
            let mut largest = f64::NEG_INFINITY;
            constraints.each(positions, 0.0, 0.0, |value, _| largest = largest.max(value));
            -largest
        };
        for _ in 0..1000 {
            let share = constraints.allowed_share(&positions, &velocities, 0.1);
            assert!((0.0..=1.0).contains(&share));
            for (position, velocity) in positions.iter_mut().zip(velocities) {
                *position += share * velocity * 0.01;
            }
            assert!(gap(&positions) > 0.0, "{positions:?}");
        }
        // A centimetre is kept from it.
        let gap = gap(&positions);
        assert!(gap < 0.02, "it stops {gap} m away: {positions:?}");
        let away = velocities.map(|v| -v);
        assert_eq!(constraints.allowed_share(&positions, &away, 0.1), 1.0);
    }
}
