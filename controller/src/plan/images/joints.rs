//! Joints along a plan: positions are the sum of the velocities that the actions command.

use latco_models::Manifest;

/// Joint positions and velocities under actions.
///
/// ```text
/// q_{t+1} = clamp(q_t + dt s a_t),   v_{t+1} = s a_t
/// ```
///
/// with the control period dt, the scale s of the actions, and the position limits of the model's robot.
pub(super) struct Kinematics {
    joints: Vec<Joint>,
    /// Numbers of an action.
    action_size: usize,
    /// Control period, s.
    period: f32,
    /// q_1, v_1 .. q_H, v_H, rad and rad/s, `[H, 2 nj]`; empty if the model takes no joints.
    rows: Vec<f32>,
}

struct Joint {
    /// rad/s for an action of 1.
    scale: f32,
    /// Position limits, rad.
    limits: [f32; 2],
    /// Where it is if nobody has told: the middle of the data, rad.
    usual: f32,
    /// q_0, rad.
    start: f32,
}

impl Kinematics {
    /// For the robot of a bundle and plans of `horizon` steps.
    pub(super) fn new(manifest: &Manifest, horizon: usize) -> Self {
        let (of, scale) = (&manifest.joints, &manifest.action.scale);
        let count = if of.observed { of.names.len() } else { 0 };
        let joint = |index: usize| {
            let usual = of.mean.get(index).copied().unwrap_or(0.0);
            Joint {
                scale: scale.get(index).copied().unwrap_or(0.0),
                limits: [
                    of.position_lower_rad[index] as f32,
                    of.position_upper_rad[index] as f32,
                ],
                usual,
                start: usual,
            }
        };
        Self {
            joints: (0..count).map(joint).collect(),
            action_size: scale.len(),
            period: manifest.control_period_s as f32,
            rows: vec![0.0; 2 * count * horizon],
        }
    }

    /// A plan begins at these positions, rad, `[nj]`; at usual ones if they are not known.
    pub(super) fn begin(&mut self, positions: Option<&[f32]>) {
        for (index, joint) in self.joints.iter_mut().enumerate() {
            let known = positions.and_then(|positions| positions.get(index));
            joint.start = known.copied().unwrap_or(joint.usual);
        }
    }

    /// Follows normalised actions, `[H, na]`.
    pub(super) fn integrate(&mut self, actions: &[f32]) {
        let count = self.joints.len();
        for (index, joint) in self.joints.iter().enumerate() {
            let mut position = joint.start;
            let steps = actions.chunks_exact(self.action_size);
            let rows = self.rows.chunks_exact_mut((2 * count).max(1));
            for (row, action) in rows.zip(steps) {
                let velocity = joint.scale * action.get(index).copied().unwrap_or(0.0);
                let [lower, upper] = joint.limits;
                position = (position + self.period * velocity).max(lower).min(upper);
                row[index] = position;
                row[count + index] = velocity;
            }
        }
    }

    /// Positions and velocities as the filter step takes them, `[H, 2 nj]`.
    pub(super) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// Adds to the slopes by the actions `[H, na]` those that come through the joints, from the slopes by
    /// these, `[H, 2 nj]`. A position at its limit does not move.
    pub(super) fn pull_back(&self, by_joints: &[f32], by_actions: &mut [f32]) {
        let count = self.joints.len();
        for (index, joint) in self.joints.iter().enumerate().take(self.action_size) {
            let [lower, upper] = joint.limits;
            let mut by_position = 0.0;
            let rows = self.rows.chunks_exact((2 * count).max(1));
            let slopes = by_joints.chunks_exact((2 * count).max(1));
            let steps = by_actions.chunks_exact_mut(self.action_size);
            for ((row, slope), by_action) in rows.zip(slopes).zip(steps).rev() {
                by_position += slope[index];
                if row[index] <= lower || row[index] >= upper {
                    by_position = 0.0;
                }
                by_action[index] +=
                    joint.scale * (self.period * by_position + slope[count + index]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinematics() -> Kinematics {
        let joint = |scale, upper| Joint {
            scale,
            limits: [-1.0, upper],
            usual: 0.1,
            start: 0.0,
        };
        Kinematics {
            joints: vec![joint(0.5, 2.0), joint(2.0, 0.5)],
            action_size: 2,
            period: 0.2,
            rows: vec![0.0; 3 * 4],
        }
    }

    #[test]
    fn positions_are_summed_up_and_stay_within_their_limits() {
        let mut joints = kinematics();
        joints.begin(Some(&[0.0, 0.2]));
        joints.integrate(&[1.0, 0.5, -1.0, 0.5, 0.5, -1.0]);
        let expected = [
            [0.1, 0.4, 0.5, 1.0],
            [0.0, 0.5, -0.5, 1.0],
            [0.05, 0.1, 0.25, -2.0],
        ];
        for (found, expected) in joints.rows().iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-6, "{:?}", joints.rows());
        }
        joints.begin(None);
        joints.integrate(&[0.0; 6]);
        assert_eq!(joints.rows()[8..10], [0.1, 0.1]);
    }

    #[test]
    fn slopes_are_those_of_differences() {
        let mut joints = kinematics();
        joints.begin(Some(&[0.0, 0.2]));
        // The second joint reaches its limit in the second step.
        let actions = [1.0, 0.5, -1.0, 0.7, 0.5, -1.0];
        let weights: Vec<f32> = (0..12).map(|i| (i as f32).sin()).collect();
        let mut value = |actions: &[f32]| -> f32 {
            joints.integrate(actions);
            let pairs = joints.rows().iter().zip(&weights);
            pairs.map(|(row, weight)| row * weight).sum()
        };
        let step = 1e-2;
        let expected: Vec<f32> = (0..6)
            .map(|index| {
                let mut moved = actions;
                moved[index] += step;
                let above = value(&moved);
                moved[index] -= 2.0 * step;
                (above - value(&moved)) / (2.0 * step)
            })
            .collect();
        joints.integrate(&actions);
        let mut found = vec![0.0; 6];
        joints.pull_back(&weights, &mut found);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }
}
