//! Configurations as texts, files and recordings.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::path::Path;

use latco_controller::config::{LiveSettings, PlannerKind};
use latco_controller::settings::{Change, ConfigError, Kind, Setting, Settings};
use latco_controller::{Config, Robot};
use latco_models::Manifest;
use toml::Table;

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
fn a_rate_that_turns_multipliers_negative_is_refused_but_for_steps_of_first_order() {
    let text = |kind: &str| {
        format!("[bundle]\npath = 'b'\n[planner]\nkind = '{kind}'\nlatco.multiplier_rate = 1.5")
    };
    let errors = errors_of(&text("gaussian_latco"));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("expected less than 1 with kind = \"gaussian_latco\""),
        "{errors:?}"
    );
    assert!(Config::from_toml(&text("latco_first_order")).is_ok());
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
    assert!(durations >= 5, "{durations}");
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
    let written = include_str!("../../docs/configuration.md").trim_end();
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
fn what_is_gone_is_told_what_replaces_it() {
    let errors = errors_of(
        "[bundle]\npath = 'b'\n[planner]\nkind = 'image_collocation'\ndump_files = 20\n[planner.latco]\n\
         optimiser = 'adam'\n[planner.gaussian_latco]\nstarts = 2\n[planner.ilqr]\niterations_cold = 3\n\
         [planner.image_collocation]\nmultiplier_rate = 0.0",
    );
    for part in [
        "planner.dump_files: is gone: dump_files is always 20",
        "planner.latco.optimiser: is gone: \"adam\" is planner.kind = \"latco_first_order\" now",
        "planner.gaussian_latco.starts: is gone: planner.latco.starts takes its place",
        "planner.ilqr: is gone: [planner.latco] has its iterations_cold, iterations_warm, warm_start now; regularisation is \
         always 0.001",
        "planner.image_collocation: is gone: image collocation is a planner of version 0.1.0 alone",
        "planner.kind: \"image_collocation\" is gone: ",
    ] {
        assert!(
            errors.iter().any(|error| error.starts_with(part)),
            "{part:?} is not in {errors:#?}"
        );
    }
    assert_eq!(errors.len(), 6, "{errors:#?}");
}

/// As earlier versions wrote every setting into recordings; of those that are gone a few of each kind.
const RECORDED: &str = "
    control.max_skipped_frames = 5
    bundle.path = 'b'
    trace.iterations = 300
    [planner]
    kind = 'KIND'
    cold_after_failures = 2
    dump_files = 3
    latco = { optimiser = 'levenberg_marquardt', iterations_cold = 20, stall_iterations = 1000, sampling_elites = 12, starts = 2, \
              damping_policy = 'constant', learning_rate = 0.05, multiplier_every_iterations = 1 }
    gaussian_latco = { iterations_cold = 50, stall_iterations = 1000, sampling_elites = 12, starts = 3, initial_std = 1.0, \
                       sampled_starts = 2, sampling_rounds = 6, starts_below_return = 5.0, samples = 20, sequences = 256 }
    cem = { samples = 64, elites = 8, initial_std = 1.0 }
    mppi = { samples = 32, elites = 4, initial_std = 1.0, gamma = 3.0 }
    shooting_gd = { iterations_cold = 100, warm_start = false, multiplier_every = 5 }
    ilqr = { iterations_cold = 30, largest_regularisation = 1000000.0 }
    image_collocation = { multiplier_rate = 0.1 }
";

fn recorded(kind: &str, change: (&str, &str)) -> Result<Config, ConfigError> {
    let (from, to) = change;
    assert!(RECORDED.contains(from), "{from}");
    Config::recorded(&RECORDED.replace("KIND", kind).replace(from, to))
}

#[test]
fn recordings_of_earlier_versions_have_the_settings_of_their_planner() {
    let same = ("'b'", "'b'");
    let planner = |kind| recorded(kind, same).unwrap().planner;
    let (latco, gaussian) = (planner("latco"), planner("gaussian_latco"));
    assert_eq!((latco.latco.iterations_cold, latco.latco.starts), (20, 2));
    assert!(!latco.latco.warm_sampling, "there was none");
    let moved = &gaussian.latco;
    assert_eq!((moved.iterations_cold, moved.starts), (50, 3));
    assert_eq!((moved.sampled_starts, moved.sampling_rounds), (2, 6));
    assert_eq!(moved.starts_below_return, 5.0);
    let own = &gaussian.gaussian_latco;
    assert_eq!((own.samples, own.sequences, own.tolerance), (20, 256, 0.01));
    assert_eq!(planner("cem").cem.samples, 64);
    let mppi = planner("mppi").cem;
    assert_eq!((mppi.samples, mppi.elites, mppi.gamma), (32, 4, 3.0));
    let gd = planner("shooting_gd").latco;
    assert_eq!((gd.iterations_cold, gd.warm_start), (100, false));
    assert_eq!(planner("ilqr").latco.iterations_cold, 30);
    let text = "bundle.path = 'b'\nplanner.latco = { optimiser = 'adam', multiplier_every_iterations = 5, multiplier_rate = 1.5 }";
    let first_order = Config::recorded(text).unwrap().planner;
    assert_eq!(first_order.kind, PlannerKind::LatcoFirstOrder);
    assert_eq!(first_order.latco.multiplier_rate, 1.5);
    // What this version writes it reads.
    let config = recorded("mppi", same).unwrap();
    assert_eq!(
        Config::recorded(&toml::to_string(&config).unwrap()).unwrap(),
        config
    );
}

#[test]
fn a_recorded_value_that_decided_and_cannot_be_had_is_refused() {
    const KINDS: &str = "latco gaussian_latco cem shooting_gd ilqr";
    for (depend, from, to) in [
        (KINDS, "max_skipped_frames = 5", "max_skipped_frames = 6"),
        (KINDS, "cold_after_failures = 2", "cold_after_failures = 3"),
        ("latco", "1000, sampling_elites = 12, starts = 2", "19"),
        ("latco", "12, starts = 2", "11"),
        ("latco", "'constant'", "'adaptive'"),
        (
            "gaussian_latco",
            "starts = 3, initial_std = 1.0",
            "initial_std = 0.5",
        ),
        (
            "gaussian_latco",
            "1000, sampling_elites = 12, starts = 3",
            "49",
        ),
        (
            "cem",
            "elites = 8, initial_std = 1.0",
            "elites = 8, initial_std = 0.5",
        ),
        (
            "shooting_gd",
            "multiplier_every = 5 ",
            "multiplier_every = 6 ",
        ),
        ("ilqr", "1000000.0", "100.0"),
        ("", "dump_files = 3", "dump_files = 30"),
        ("", "trace.iterations = 300", "trace.iterations = 2"),
    ] {
        for kind in KINDS.split(' ') {
            let read = recorded(kind, (from, to));
            let depends = depend.split(' ').any(|one| one == kind);
            assert_eq!(read.is_err(), depends, "{kind}, {to}: {read:?}");
            if let Err(error) = read {
                let error = error.to_string();
                assert!(
                    error.contains("use the version that recorded it"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn no_joint_goes_where_the_bundle_has_no_data_however_wide_the_configuration_is() {
    let manifest = "../models/bundles/reach/manifest.toml";
    let manifest = Manifest::from_toml(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    let limits = |positions: &str| {
        let robot = format!("joint_names = [\"joint_1\", \"joint_2\", \"joint_3\"]\n{positions}");
        let text = format!("[bundle]\npath = \"b\"\n[robot]\n{robot}");
        let config = Config::from_toml(&text).unwrap();
        let robot = Robot::new(&config, &manifest).unwrap();
        [0, 1, 2].map(|joint| robot.limits().position(joint))
    };
    let bundle = [(-2.1, 2.1), (-2.8, 2.8), (-2.4, 2.4)];
    assert_eq!(limits(""), bundle);
    let wide = "min_position_rad = [-3.1, -3.1, -3.1]\nmax_position_rad = [3.1, 3.1, 3.1]";
    assert_eq!(limits(wide), bundle);
    let narrow = "min_position_rad = [-1.0, -3.1, -3.1]\nmax_position_rad = [3.1, 1.0, 3.1]";
    assert_eq!(limits(narrow), [(-1.0, 2.1), (-2.8, 1.0), (-2.4, 2.4)]);
}
