//! What settings have to be beside each other.

use super::keep_out_rules;
use super::planner::{PlannerKind, PlannerSection};
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
        goal(self, errors);
    }
}

fn robot(robot: &RobotSection, errors: &mut Vec<FieldError>) {
    let joints = robot.joint_names.len();
    for (key, list) in [
        ("min_position_rad", &robot.min_position_rad),
        ("max_position_rad", &robot.max_position_rad),
        ("max_velocity_rad_s", &robot.max_velocity_rad_s),
        ("max_acceleration_rad_s2", &robot.max_acceleration_rad_s2),
        ("max_jerk_rad_s3", &robot.max_jerk_rad_s3),
        ("max_tracking_error_rad", &robot.max_tracking_error_rad),
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
    let twist = robot.max_twist.len();
    if twist != 0 && twist != 4 {
        errors.push(FieldError::new(
            "robot.max_twist",
            format!("expected 4 values: linear speed and acceleration, angular speed and acceleration, found {twist}"),
        ));
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

fn goal(config: &Config, errors: &mut Vec<FieldError>) {
    let (goal, kind) = (&config.goal, config.planner.kind);
    if goal.image.is_some() && goal.weight == 0.0 {
        let message = "given without goal.weight: say how much it counts, 1 for nothing else";
        errors.push(FieldError::new("goal.image", message));
    }
    let knows_none = matches!(
        kind,
        PlannerKind::GaussianLatco | PlannerKind::LatcoFirstOrder
    );
    if goal.weight > 0.0 && knows_none {
        let message = format!(
            "expected 0 with planner.kind = \"{kind}\", which plans to no picture, found {}; take another planner, such as latco",
            goal.weight
        );
        errors.push(FieldError::new("goal.weight", message));
    }
}

fn planner(planner: &PlannerSection, errors: &mut Vec<FieldError>) {
    let (latco, cem) = (&planner.latco, &planner.cem);
    // What the sampled starts are chosen from.
    let sequences = match planner.kind {
        PlannerKind::GaussianLatco => {
            ("gaussian_latco.sequences", planner.gaussian_latco.sequences)
        }
        _ => ("latco.samples", latco.samples),
    };
    let sampled = ("latco.sampled_starts", latco.sampled_starts);
    for ((key, least), (other, most)) in [
        (sampled, ("latco.starts", latco.starts)),
        (sampled, sequences),
        (("cem.elites", cem.elites), ("cem.samples", cem.samples)),
    ] {
        if least > most {
            errors.push(FieldError::new(
                format!("planner.{key}"),
                format!("expected at most planner.{other} ({most}), found {least}"),
            ));
        }
    }
    // Beyond it Eq. 10 turns the multipliers of satisfied constraints negative.
    if latco.multiplier_rate >= 1.0 && planner.kind != PlannerKind::LatcoFirstOrder {
        errors.push(FieldError::new(
            "planner.latco.multiplier_rate",
            format!(
                "expected less than 1 with kind = \"{}\", found {}",
                planner.kind, latco.multiplier_rate
            ),
        ));
    }
}
