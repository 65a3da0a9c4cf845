//! What settings have to be beside each other.

use super::keep_out_rules;
use super::latco::{LatcoSection, Optimiser};
use super::planner::PlannerSection;
use super::root::Config;
use super::sections::RobotSection;
use crate::settings::{FieldError, Settings};

impl Settings for Config {
    fn check_together(&self, errors: &mut Vec<FieldError>) {
        if let Some(every) = self.bundle.keep_alive_ms
            && every > 0.0
            && every < 1.0
        {
            errors.push(FieldError::new(
                "bundle.keep_alive_ms",
                format!("expected 0, or 1 or more, found {every}"),
            ));
        }
        robot(&self.robot, errors);
        keep_out_rules::check(self, errors);
        planner(&self.planner, errors);
    }
}

fn robot(robot: &RobotSection, errors: &mut Vec<FieldError>) {
    let joints = robot.joint_names.len();
    for (key, list) in [
        ("min_position_rad", &robot.min_position_rad),
        ("max_position_rad", &robot.max_position_rad),
        ("max_velocity_rad_s", &robot.max_velocity_rad_s),
        ("max_acceleration_rad_s2", &robot.max_acceleration_rad_s2),
    ] {
        let message = match (list.len(), joints) {
            (0, _) => continue,
            (_, 0) => "given without robot.joint_names: say which joints are meant".to_owned(),
            (found, joints) if found != joints => {
                format!("expected {joints} values, one a joint, found {found}")
            }
            _ => continue,
        };
        errors.push(FieldError::new(format!("robot.{key}"), message));
    }
    let positions = robot.min_position_rad.iter().zip(&robot.max_position_rad);
    for (joint, (low, high)) in positions.enumerate() {
        if low >= high {
            errors.push(FieldError::new(
                format!("robot.min_position_rad[{joint}]"),
                format!("expected less than max_position_rad ({high}), found {low}"),
            ));
        }
    }
    for (index, name) in robot.joint_names.iter().enumerate() {
        if name.is_empty() || robot.joint_names[..index].contains(name) {
            errors.push(FieldError::new(
                format!("robot.joint_names[{index}]"),
                format!("expected a name of its own, found {name:?}"),
            ));
        }
    }
}

fn planner(planner: &PlannerSection, errors: &mut Vec<FieldError>) {
    let (latco, gaussian) = (&planner.latco, &planner.gaussian_latco);
    let (cem, mppi) = (&planner.cem, &planner.mppi);
    for (key, least, most, other) in [
        (
            "latco.sampled_starts",
            latco.sampled_starts,
            latco.starts,
            "latco.starts",
        ),
        (
            "latco.sampled_starts",
            latco.sampled_starts,
            latco.samples,
            "latco.samples",
        ),
        (
            "latco.sampling_elites",
            latco.sampling_elites,
            latco.samples,
            "latco.samples",
        ),
        (
            "gaussian_latco.sampled_starts",
            gaussian.sampled_starts,
            gaussian.starts,
            "gaussian_latco.starts",
        ),
        (
            "gaussian_latco.sampled_starts",
            gaussian.sampled_starts,
            gaussian.sequences,
            "gaussian_latco.sequences",
        ),
        (
            "gaussian_latco.sampling_elites",
            gaussian.sampling_elites,
            gaussian.sequences,
            "gaussian_latco.sequences",
        ),
        ("cem.elites", cem.elites, cem.samples, "cem.samples"),
        ("mppi.elites", mppi.elites, mppi.samples, "mppi.samples"),
    ] {
        if least > most {
            errors.push(FieldError::new(
                format!("planner.{key}"),
                format!("expected at most planner.{other} ({most}), found {least}"),
            ));
        }
    }
    let ilqr = &planner.ilqr;
    if ilqr.largest_regularisation < ilqr.regularisation {
        let (first, largest) = (ilqr.regularisation, ilqr.largest_regularisation);
        errors.push(FieldError::new(
            "planner.ilqr.largest_regularisation",
            format!("expected planner.ilqr.regularisation ({first}) or more, found {largest}"),
        ));
    }
    second_order(latco, errors);
}

/// What the solvers of second order cannot do.
fn second_order(latco: &LatcoSection, errors: &mut Vec<FieldError>) {
    if latco.optimiser != Optimiser::LevenbergMarquardt {
        return;
    }
    let every = latco.multiplier_every_iterations;
    if every > 1 {
        errors.push(FieldError::new(
            "planner.latco.multiplier_every_iterations",
            format!("expected 1 with optimiser = \"levenberg_marquardt\", found {every}"),
        ));
    }
    // Beyond it Eq. 10 turns the multipliers of satisfied constraints negative.
    if latco.multiplier_rate >= 1.0 {
        let rate = latco.multiplier_rate;
        errors.push(FieldError::new(
            "planner.latco.multiplier_rate",
            format!("expected less than 1 with optimiser = \"levenberg_marquardt\", found {rate}"),
        ));
    }
}
