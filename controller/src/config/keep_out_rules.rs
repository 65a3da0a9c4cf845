//! What the settings of `keep_out` and `kinematics` have to be beside each other and the rest.

use super::keep_out::MAX_REGIONS;
use super::latco::SolverKind;
use super::planner::PlannerKind;
use super::root::Config;
use crate::settings::FieldError;

/// Adds a mistake for each value that does not fit the others.
pub(super) fn check(config: &Config, errors: &mut Vec<FieldError>) {
    let (arm, keep_out) = (&config.kinematics, &config.keep_out);
    let mut refuse = |path: &str, message: String| errors.push(FieldError::new(path, message));
    let joints = config.robot.joint_names.len();
    for (path, values) in [
        ("kinematics.joint_axes", &arm.joint_axes),
        ("kinematics.joint_points_m", &arm.joint_points_m),
    ] {
        let expected = if joints > 0 {
            3 * joints
        } else {
            arm.joint_axes.len().next_multiple_of(3)
        };
        if !values.is_empty() && values.len() != expected
            || values.is_empty() != arm.tip_m.is_empty()
        {
            let found = values.len();
            refuse(
                path,
                format!(
                    "expected {expected} numbers, three a joint, beside kinematics.tip_m, found {found}"
                ),
            );
        }
    }
    if arm.joint_axes.chunks_exact(3).any(|axis| axis == [0.0; 3]) {
        refuse(
            "kinematics.joint_axes",
            "expected axes with a direction, found one of zeros".to_owned(),
        );
    }
    for (path, values, size, is_list) in [
        ("kinematics.tip_m", &arm.tip_m, 3, false),
        ("keep_out.balls_m", &keep_out.balls_m, 4, true),
        ("keep_out.boxes_m", &keep_out.boxes_m, 6, true),
        ("keep_out.tip_box_m", &keep_out.tip_box_m, 6, false),
    ] {
        if values.len() % size != 0 || (!is_list && values.len() > size) {
            let found = values.len();
            refuse(path, format!("expected {size} numbers each, found {found}"));
        } else if values
            .chunks_exact(size)
            .any(|one| one[3..].iter().any(|size| *size <= 0.0))
        {
            refuse(path, "expected sizes above 0, found another".to_owned());
        } else if size > 3 && !values.is_empty() && arm.tip_m.is_empty() {
            refuse(
                path,
                "given without kinematics: say where the joints are".to_owned(),
            );
        }
    }
    let regions = keep_out.balls_m.len() / 4 + keep_out.boxes_m.len() / 6;
    if regions > MAX_REGIONS {
        refuse(
            "keep_out.balls_m",
            format!("expected at most {MAX_REGIONS} regions with the boxes, found {regions}"),
        );
    }
    let planner = &config.planner;
    let is_constrained =
        regions > 0 || !keep_out.tip_box_m.is_empty() || keep_out.joint_margin_rad.is_some();
    if is_constrained
        && planner.kind == PlannerKind::Latco
        && planner.latco.solver == SolverKind::BlockTridiagonal
    {
        refuse(
            "planner.latco.solver",
            "expected \"reduced\" where there is anything in keep_out: the block-tridiagonal solver does not plan round it"
                .to_owned(),
        );
    }
    if is_constrained && planner.kind == PlannerKind::LatcoFirstOrder {
        refuse(
            "planner.kind",
            "expected another planner where there is anything in keep_out: LatCo by steps of first order does not plan round it"
                .to_owned(),
        );
    }
}
