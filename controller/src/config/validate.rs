//! Ranges of the configuration's values.

use super::{Config, FieldError, Optimiser, PlannerSection, RobotSection};

impl Config {
    /// Adds an error for each value out of range.
    pub(super) fn check(&self, errors: &mut Vec<FieldError>) {
        let mut check = Check(errors);
        if self.bundle.path.is_empty() {
            check.error(
                "bundle.path",
                "expected the folder of a model bundle, found none",
            );
        }
        if let Some(every) = self.bundle.keep_alive_ms
            && every != 0.0
        {
            check.within("bundle.keep_alive_ms", every, 1.0, 60_000.0);
        }
        check.within(
            "bundle.warm_before_image_ms",
            self.bundle.warm_before_image_ms,
            0.0,
            1000.0,
        );
        check_robot(&self.robot, &mut check);
        let control = &self.control;
        check.within(
            "control.command_rate_hz",
            control.command_rate_hz,
            1.0,
            2000.0,
        );
        check.within(
            "control.lead_periods",
            f64::from(control.lead_periods),
            0.0,
            1.0,
        );
        check.at_least(
            "control.replan_every_periods",
            control.replan_every_periods,
            1,
        );
        check.within(
            "control.max_skipped_frames",
            f64::from(control.max_skipped_frames),
            0.0,
            100.0,
        );
        if let Some(validity) = control.plan_validity_ms {
            check.positive("control.plan_validity_ms", validity);
        }
        check_planner(&self.planner, &mut check);
        check.positive("timeouts.camera_ms", self.timeouts.camera_ms);
        check.positive("timeouts.joints_ms", self.timeouts.joints_ms);
        check.not_negative("timeouts.future_stamp_ms", self.timeouts.future_stamp_ms);
        check.within(
            "trace.iterations",
            f64::from(self.trace.iterations),
            1.0,
            100_000.0,
        );
        for (field, name) in [
            ("topics.image", &self.topics.image),
            ("topics.joint_states", &self.topics.joint_states),
            ("topics.commands", &self.topics.commands),
            ("topics.joint_trajectory", &self.topics.joint_trajectory),
            ("node.name", &self.node.name),
        ] {
            if name.is_empty() || name.contains(char::is_whitespace) {
                check.error(
                    field,
                    &format!("expected a name without spaces, found {name:?}"),
                );
            }
        }
        if let Some(id) = self.node.domain_id {
            check.within("node.domain_id", f64::from(id), 0.0, 232.0);
        }
    }
}

fn check_robot(robot: &RobotSection, check: &mut Check<'_>) {
    let lists = [
        ("robot.min_position_rad", &robot.min_position_rad),
        ("robot.max_position_rad", &robot.max_position_rad),
        ("robot.max_velocity_rad_s", &robot.max_velocity_rad_s),
        (
            "robot.max_acceleration_rad_s2",
            &robot.max_acceleration_rad_s2,
        ),
    ];
    check.within("robot.velocity_scale", robot.velocity_scale, 0.01, 1.0);
    let joints = robot.joint_names.len();
    for (index, (field, list)) in lists.iter().enumerate() {
        if list.is_empty() {
            continue;
        }
        if joints == 0 {
            check.error(
                field,
                "given without robot.joint_names: say which joints are meant",
            );
        } else if list.len() != joints {
            check.error(
                field,
                &format!(
                    "expected {joints} values, one a joint, found {}",
                    list.len()
                ),
            );
        }
        for (joint, &value) in list.iter().enumerate() {
            let field = format!("{field}[{joint}]");
            if index < 2 {
                if value.is_nan() {
                    check.error(&field, "expected a number, found nan");
                }
            } else {
                check.positive(&field, value);
            }
        }
    }
    for (joint, (low, high)) in
        (robot.min_position_rad.iter().zip(&robot.max_position_rad)).enumerate()
    {
        if low >= high {
            check.error(
                &format!("robot.min_position_rad[{joint}]"),
                &format!("expected less than max_position_rad ({high}), found {low}"),
            );
        }
    }
    for (index, name) in robot.joint_names.iter().enumerate() {
        if name.is_empty() || robot.joint_names[..index].contains(name) {
            check.error(
                &format!("robot.joint_names[{index}]"),
                &format!("expected a name of its own, found {name:?}"),
            );
        }
    }
}

fn check_planner(planner: &PlannerSection, check: &mut Check<'_>) {
    if let Some(budget) = planner.budget_ms {
        check.positive("planner.budget_ms", budget);
    }
    check.at_least(
        "planner.cold_after_failures",
        planner.cold_after_failures,
        1,
    );
    check.at_least(
        "planner.stop_after_failures",
        planner.stop_after_failures,
        1,
    );
    if planner.dump_dir.as_deref() == Some("") {
        check.error("planner.dump_dir", "expected a folder, found no name");
    }
    if let Some(limit) = planner.dump_above_ms {
        check.positive("planner.dump_above_ms", limit);
    }
    check.within(
        "planner.dump_files",
        f64::from(planner.dump_files),
        1.0,
        10_000.0,
    );
    let latco = &planner.latco;
    check.at_least("planner.latco.iterations_cold", latco.iterations_cold, 1);
    check.at_least("planner.latco.iterations_warm", latco.iterations_warm, 1);
    check.within("planner.latco.starts", f64::from(latco.starts), 1.0, 64.0);
    check.within(
        "planner.latco.sampled_starts",
        f64::from(latco.sampled_starts),
        0.0,
        f64::from(latco.starts),
    );
    check.within(
        "planner.latco.samples",
        f64::from(latco.samples),
        f64::from(latco.sampled_starts.max(1)),
        10_000.0,
    );
    check.within(
        "planner.latco.sampling_rounds",
        f64::from(latco.sampling_rounds),
        1.0,
        1000.0,
    );
    check.within(
        "planner.latco.sampling_elites",
        f64::from(latco.sampling_elites),
        1.0,
        f64::from(latco.samples),
    );
    check.within(
        "planner.latco.starts_below_return",
        latco.starts_below_return,
        0.0,
        1e6,
    );
    check.within(
        "planner.latco.multiplier_relaxation",
        latco.multiplier_relaxation,
        0.0,
        1.0,
    );
    check.at_least("planner.latco.stall_iterations", latco.stall_iterations, 1);
    check.at_least(
        "planner.latco.rollout_every_iterations",
        latco.rollout_every_iterations,
        1,
    );
    for (field, value) in [
        (
            "planner.latco.dynamics_multiplier",
            latco.dynamics_multiplier,
        ),
        ("planner.latco.action_multiplier", latco.action_multiplier),
        ("planner.latco.tolerance", latco.tolerance),
        ("planner.latco.damping", latco.damping),
        ("planner.latco.learning_rate", latco.learning_rate),
    ] {
        check.positive(field, value);
    }
    check.not_negative("planner.latco.multiplier_rate", latco.multiplier_rate);
    check.at_least(
        "planner.latco.multiplier_every_iterations",
        latco.multiplier_every_iterations,
        1,
    );
    if latco.optimiser == Optimiser::LevenbergMarquardt {
        let every = latco.multiplier_every_iterations;
        if every > 1 {
            check.error(
                "planner.latco.multiplier_every_iterations",
                &format!("expected 1 with optimiser = \"levenberg_marquardt\", found {every}"),
            );
        }
        // Beyond it Eq. 10 turns the multipliers of satisfied constraints negative.
        if latco.multiplier_rate >= 1.0 {
            check.error(
                "planner.latco.multiplier_rate",
                &format!(
                    "expected less than 1 with optimiser = \"levenberg_marquardt\", found {}",
                    latco.multiplier_rate
                ),
            );
        }
    }
    check.not_negative("planner.latco.reward_tolerance", latco.reward_tolerance);
    super::gaussian::check(&planner.gaussian_latco, check);
    super::baselines::check(planner, check);
}

pub(super) struct Check<'a>(&'a mut Vec<FieldError>);

impl Check<'_> {
    pub(super) fn error(&mut self, field: &str, message: &str) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }

    pub(super) fn positive(&mut self, field: &str, value: f64) {
        if !(value.is_finite() && value > 0.0) {
            self.error(field, &format!("expected more than 0, found {value}"));
        }
    }

    pub(super) fn not_negative(&mut self, field: &str, value: f64) {
        if !(value.is_finite() && value >= 0.0) {
            self.error(field, &format!("expected 0 or more, found {value}"));
        }
    }

    pub(super) fn at_least(&mut self, field: &str, value: u32, least: u32) {
        if value < least {
            self.error(field, &format!("expected {least} or more, found {value}"));
        }
    }

    pub(super) fn within(&mut self, field: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.error(field, &format!("expected {low} to {high}, found {value}"));
        }
    }
}
