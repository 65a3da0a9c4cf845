//! Reading a configuration so that every mistake in it is found in one go.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Config;

/// One mistake, with the path of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// For example `planner.latco.damping`.
    pub field: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("the configuration is not valid TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Everything that is wrong with the fields.
    #[error("the configuration has {} error{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, list(.0))]
    Fields(Vec<FieldError>),
}

fn list(errors: &[FieldError]) -> String {
    errors.iter().fold(String::new(), |text, error| {
        text + "\n  " + &error.to_string()
    })
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], with every mistake of the file at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        Self::from_toml(&text)
    }

    /// Reads and checks a text.
    ///
    /// # Errors
    /// [`ConfigError`], with every mistake of the text at once.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut errors = Vec::new();
        let mut root: Table = toml::from_str(text)?;
        let mut planner = take_section(&mut root, "planner", "", &mut errors);
        refuse_removed(&mut planner, &mut errors);
        let mut latco = take_section(&mut planner, "latco", "planner.", &mut errors);
        drop_gone(&mut latco, "planner.latco", &mut errors);
        let mut of_planner = |name: &str| take_section(&mut planner, name, "planner.", &mut errors);
        let gaussian_latco = of_planner("gaussian_latco");
        let (cem, mppi) = (of_planner("cem"), of_planner("mppi"));
        let shooting_gd = of_planner("shooting_gd");
        let shooting_gn = of_planner("shooting_gn");
        let ilqr = of_planner("ilqr");
        let mut section = |name: &str, errors: &mut _| take_section(&mut root, name, "", errors);
        let mut config = Config {
            bundle: parse(section("bundle", &mut errors), "bundle", &mut errors),
            robot: parse(section("robot", &mut errors), "robot", &mut errors),
            control: parse(section("control", &mut errors), "control", &mut errors),
            planner: parse(planner, "planner", &mut errors),
            timeouts: parse(section("timeouts", &mut errors), "timeouts", &mut errors),
            trace: parse(section("trace", &mut errors), "trace", &mut errors),
            topics: parse(section("topics", &mut errors), "topics", &mut errors),
            node: parse(section("node", &mut errors), "node", &mut errors),
        };
        config.planner.latco = parse(latco, "planner.latco", &mut errors);
        config.planner.gaussian_latco =
            parse(gaussian_latco, "planner.gaussian_latco", &mut errors);
        config.planner.cem = parse(cem, "planner.cem", &mut errors);
        config.planner.mppi = parse(mppi, "planner.mppi", &mut errors);
        config.planner.shooting_gd = parse(shooting_gd, "planner.shooting_gd", &mut errors);
        config.planner.shooting_gn = parse(shooting_gn, "planner.shooting_gn", &mut errors);
        config.planner.ilqr = parse(ilqr, "planner.ilqr", &mut errors);
        for (name, value) in root {
            let what = if value.is_table() { "section" } else { "key" };
            errors.push(FieldError {
                field: name,
                message: format!(
                    "unknown {what}, expected one of the sections bundle, robot, control, \
                     planner, timeouts, trace, topics, node"
                ),
            });
        }
        config.check(&mut errors);
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Fields(errors))
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Fields`] with all that are out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut errors = Vec::new();
        self.check(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Fields(errors))
        }
    }
}

/// Takes out what a planner of earlier versions was configured by, with what replaces it.
fn refuse_removed(planner: &mut Table, errors: &mut Vec<FieldError>) {
    let kind = planner.get("kind").and_then(Value::as_str);
    if let Some(advice) = kind.and_then(super::removed_planner) {
        errors.push(FieldError {
            field: "planner.kind".to_owned(),
            message: advice.to_owned(),
        });
        planner.remove("kind");
    }
    let sections: Vec<String> = planner.keys().cloned().collect();
    for name in sections {
        if let Some(advice) = super::removed_planner(&name) {
            errors.push(FieldError {
                field: format!("planner.{name}"),
                message: advice.to_owned(),
            });
            planner.remove(&name);
        }
    }
}

fn take_section(
    parent: &mut Table,
    name: &str,
    prefix: &str,
    errors: &mut Vec<FieldError>,
) -> Table {
    match parent.remove(name) {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(other) => {
            errors.push(FieldError {
                field: format!("{prefix}{name}"),
                message: format!("expected a section, found {}", other.type_str()),
            });
            Table::new()
        }
    }
}

/// Keys that are gone: section, key, the value that means what is always done now (so that an old
/// recording is still read), and what to do about any other value.
const GONE: &[(&str, &str, &str, &str)] = &[(
    "planner.latco",
    "damping_policy",
    "constant",
    "the damping is always constant, an adaptive one made worse plans; remove the line",
)];

/// Takes the keys that are gone out of a section, with an error for each that asks for what is gone.
fn drop_gone(section: &mut Table, path: &str, errors: &mut Vec<FieldError>) {
    for (_, key, neutral, advice) in GONE.iter().filter(|gone| gone.0 == path) {
        if let Some(value) = section.remove(*key)
            && value.as_str() != Some(neutral)
        {
            errors.push(FieldError {
                field: format!("{path}.{key}"),
                message: format!("found {value}, but {advice}"),
            });
        }
    }
}

/// Reads a section key by key, so that each wrong key gives its own error; the right ones count.
fn parse<T: DeserializeOwned + Default>(
    table: Table,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> T {
    let mut good = Table::new();
    for (key, value) in table {
        let mut single = Table::new();
        single.insert(key.clone(), value.clone());
        match single.try_into::<T>() {
            Ok(_) => {
                good.insert(key, value);
            }
            Err(error) => errors.push(FieldError {
                field: format!("{path}.{key}"),
                message: error.message().trim().replace('\n', " "),
            }),
        }
    }
    good.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PlannerKind;

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
            ("robots", "unknown section"),
            ("bundle.providers", "unknown provider \"gpu\""),
            ("bundle.keep_alive_ms", "expected 1 to 60000, found 0.1"),
            ("bundle.warm_before_image_ms", "-1"),
            ("control.command_rate_hz", "-100"),
            ("control.output", "torques"),
            ("control.rate", "unknown field"),
            ("planner.budget_ms", "expected"),
            ("planner.latco.damping", "-1"),
            ("planner.latco.iterations_warm", "0"),
            ("planner.cem.elites", "2000"),
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
    fn a_key_that_is_gone_is_named_unless_it_asks_for_what_is_always_done() {
        let text = |policy: &str| {
            format!("[bundle]\npath = 'b'\n[planner.latco]\ndamping_policy = '{policy}'")
        };
        let errors = errors_of(&text("adaptive"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("planner.latco.damping_policy: found \"adaptive\""),
            "{errors:?}"
        );
        assert!(Config::from_toml(&text("constant")).is_ok());
    }

    #[test]
    fn settings_of_one_optimiser_are_refused_for_the_other() {
        let latco =
            |lines: &str| errors_of(&format!("[bundle]\npath = 'b'\n[planner.latco]\n{lines}"));
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
    fn image_collocation_is_refused_with_what_replaces_it() {
        let errors = errors_of(
            "[bundle]\npath = 'b'\n[planner]\nkind = 'image_collocation'\n\
             [planner.image_collocation]\nmultiplier_rate = 0.0",
        );
        let fields: Vec<&str> = errors.iter().filter_map(|e| e.split(':').next()).collect();
        let section = "planner.image_collocation";
        assert_eq!(fields, ["planner.kind", section], "{errors:?}");
        assert!(
            (errors.iter()).all(|e| e.contains("latco-train experiment table3")),
            "{errors:?}"
        );
        let of_command = "image_collocation".parse::<PlannerKind>().unwrap_err();
        assert!(of_command.to_string().contains("experiment table3"));
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
        assert_eq!(errors, ["planner: expected a section, found integer"]);
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
}
