//! Configurations as texts.

use std::path::Path;

use toml::Table;

use super::{Config, LiveSettings};
use crate::settings::{Change, ConfigError, Kind, Setting, Settings};

fn errors_of(text: &str) -> Vec<String> {
    match Config::from_toml(text) {
        Err(ConfigError::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("expected field errors, found {other:?}"),
    }
}

#[test]
fn every_mistake_is_reported_at_once_with_its_path() {
    let errors = errors_of(
        r#"
        surprise = 1
        [bundle]
        path = "b"
        providers = ["cuda", "gpu"]
        keep_alive_ms = 0.1
        warm_before_image_ms = -1.0
        [control]
        command_rate_hz = -100
        output = "torques"
        rate = 3
        [planner]
        budget_ms = "fast"
        [planner.latco]
        damping = -1.0
        iterations_warm = 0
        [planner.cem]
        elites = 2000
        [robots]
        joint_names = []
        "#,
    );
    let expected = [
        ("surprise", "unknown key"),
        ("robots", "unknown key"),
        ("bundle.providers", "unknown provider \"gpu\""),
        (
            "bundle.keep_alive_ms",
            "expected 0, or 1 or more, found 0.1",
        ),
        ("bundle.warm_before_image_ms", "-1"),
        ("control.command_rate_hz", "-100"),
        ("control.output", "torques"),
        (
            "control.rate",
            "unknown key, expected one of command_rate_hz",
        ),
        (
            "planner.budget_ms",
            "expected a number above 0 and up to 86400000, found \"fast\"",
        ),
        ("planner.latco.damping", "-1"),
        ("planner.latco.iterations_warm", "0"),
        (
            "planner.cem.elites",
            "at most planner.cem.samples (1000), found 2000",
        ),
    ];
    for (field, part) in expected {
        assert!(
            errors
                .iter()
                .any(|e| e.starts_with(&format!("{field}:")) && e.contains(part)),
            "no error of {field} with {part:?} in {errors:#?}"
        );
    }
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
}

#[test]
fn settings_of_one_optimiser_are_refused_for_the_other() {
    let latco = |lines: &str| errors_of(&format!("[bundle]\npath = 'b'\n[planner.latco]\n{lines}"));
    let rates = "multiplier_rate = 1.5\nmultiplier_every_iterations = 5";
    let errors = latco(rates);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].contains("expected 1 with optimiser"),
        "{errors:?}"
    );
    assert!(
        errors[1].contains("expected less than 1 with optimiser"),
        "{errors:?}"
    );
    let text = format!("[bundle]\npath = 'b'\n[planner.latco]\noptimiser = 'adam'\n{rates}");
    assert!(Config::from_toml(&text).is_ok());
}

#[test]
fn a_name_with_another_unit_is_refused_and_the_right_one_named() {
    let errors = errors_of("[bundle]\npath = 'b'\n[robot]\nmax_velocity_deg_s = [10.0]");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("max_velocity_rad_s"), "{errors:?}");
}

#[test]
fn a_missing_bundle_is_an_error() {
    let errors = errors_of("");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("bundle.path:"), "{errors:?}");
}

#[test]
fn sections_of_the_wrong_shape_are_errors() {
    let errors = errors_of("planner = 3\n[bundle]\npath = 'b'");
    assert_eq!(errors, ["planner: expected a section, found 3"]);
}

#[test]
fn what_is_written_can_be_read_back() {
    let text = "[bundle]\npath = 'b'\nproviders = ['tensorrt', 'cpu']\n[planner]\nkind = 'cem'";
    let config = Config::from_toml(text).unwrap();
    assert_eq!(config.bundle.providers.to_string(), "tensorrt,cpu");
    let text = toml::to_string(&config).unwrap();
    assert_eq!(Config::from_toml(&text).unwrap(), config);
}

#[test]
fn a_missing_file_names_the_file() {
    let error = Config::load(Path::new("no/such.toml")).unwrap_err();
    assert!(error.to_string().contains("no/such.toml"), "{error}");
}

/// Calls a function for each setting that is not a table, with its path.
fn each(at: &str, settings: &[Setting], see: &mut dyn FnMut(String, &Setting)) {
    for setting in settings {
        let path = format!("{at}{}", setting.name);
        match setting.kind {
            Kind::Section(inner) => each(&format!("{path}."), inner, see),
            _ => see(path, setting),
        }
    }
}

#[test]
fn a_default_is_a_value_that_is_accepted() {
    let defaults = Table::try_from(Config::default()).unwrap();
    each("", Config::declarations(), &mut |path, setting| {
        let mut parts = path.split('.');
        let first = defaults.get(parts.next().unwrap());
        let found = parts.fold(first, |found, part| found?.get(part));
        match found {
            None => assert!(setting.is_optional, "{path}"),
            Some(value) => {
                let accepted = setting.accept(value);
                assert_eq!(
                    accepted.is_ok(),
                    path != "bundle.path",
                    "{path}: {accepted:?}"
                );
            }
        }
    });
}

#[test]
fn every_duration_has_a_largest_value_that_clocks_can_add() {
    let mut durations = 0;
    each("", Config::declarations(), &mut |path, setting| {
        if setting.unit() == Some("ms") {
            durations += 1;
            let range = setting.range;
            assert!(
                range.low >= 0.0 && range.high <= 86_400_000.0,
                "{path}: {range:?}"
            );
        }
    });
    assert!(durations >= 8, "{durations}");
    let errors = errors_of("[bundle]\npath = 'b'\n[planner]\nbudget_ms = 1e300");
    assert!(
        errors[0].starts_with("planner.budget_ms: expected a number above 0"),
        "{errors:?}"
    );
}

#[test]
fn what_may_change_live_is_what_a_running_controller_takes_over() {
    let plain = LiveSettings::of(&Config::default());
    each("", Config::declarations(), &mut |path, setting| {
        // Two numbers of which each setting allows one.
        let changed = ["0.5", "7.0"].iter().find_map(|number| {
            let text = format!("bundle.path = 'b'\n{path} = {number}");
            Config::from_toml(&text).ok()
        });
        let is_taken = changed.is_some_and(|changed| LiveSettings::of(&changed) != plain);
        assert_eq!(setting.change == Change::Live, is_taken, "{path}");
    });
}

#[test]
fn the_document_is_that_of_the_declarations() {
    let written = include_str!("../../../docs/configuration.md").trim_end();
    let declared = Config::documentation();
    let mut pairs = written.lines().zip(declared.trim_end().lines());
    let differing = pairs.find(|(written, declared)| written != declared);
    assert!(
        written == declared.trim_end(),
        "docs/configuration.md is older than the declarations: cargo run --release --bin latco -- config docs > \
         docs/configuration.md; first difference: {differing:#?}"
    );
}

#[test]
fn what_is_gone_is_told_what_replaces_it_and_recordings_are_read() {
    let text = "[bundle]\npath = 'b'\n[planner]\nkind = 'image_collocation'\n[planner.latco]\ndamping_policy = 'adaptive'\n\
                [planner.image_collocation]\nmultiplier_rate = 0.0";
    let errors = errors_of(text);
    for (error, part) in errors.iter().zip([
        "planner.image_collocation: is gone: image collocation is a planner of version 0.1.0 alone",
        "planner.kind: \"image_collocation\" is gone: ",
        "planner.latco.damping_policy: is gone: the damping is always constant",
    ]) {
        assert!(error.starts_with(part), "{part:?} is not in {errors:#?}");
    }
    assert_eq!(errors.len(), 3, "{errors:#?}");
    // As earlier versions wrote every setting into recordings.
    let text = text.replace("kind = 'image_collocation'", "kind = 'latco'");
    let text = text.replace("'adaptive'", "'constant'");
    assert_eq!(Config::recorded(&text).unwrap().bundle.path, "b");
    assert_eq!(errors_of(&text).len(), 1);
}
