//! Whether a model was trained for a robot.

use std::fmt::Debug;

use crate::robot::Robot;

/// The facts of a robot that a model was trained with.
#[derive(Clone, Copy, Debug)]
pub struct TrainedWith<'a> {
    /// Names of the joints, in the order of the actions.
    pub joint_names: &'a [String],
    /// Width and height of the images, pixels.
    pub image: (usize, usize),
    /// Time between two images, s.
    pub control_period_s: f64,
}

impl TrainedWith<'_> {
    /// The differences to a robot, one sentence each; none where the model fits.
    #[must_use]
    pub fn mismatches(&self, robot: &dyn Robot) -> Vec<String> {
        let side = robot.image_size();
        let compared: [(&str, &dyn Debug, &dyn Debug); 3] = [
            ("joint names", &self.joint_names, &robot.joint_names()),
            ("image sides", &self.image, &(side, side)),
            (
                "control period in s",
                &self.control_period_s,
                &robot.control_period_s(),
            ),
        ];
        let texts = compared
            .map(|(what, bundle, robot)| (what, format!("{bundle:?}"), format!("{robot:?}")));
        (texts.into_iter())
            .filter(|(_, bundle, robot)| bundle != robot)
            .map(|(what, bundle, robot)| {
                format!("{what}: the bundle has {bundle}, the robot {robot}")
            })
            .collect()
    }
}
