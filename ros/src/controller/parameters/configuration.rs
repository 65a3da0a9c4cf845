//! Between a configuration and the parameters that are its keys.

use latco_controller::settings::path;
use latco_controller::{Config, ConfigError};
use toml::Table;

use super::declared::{Declared, declared};
use crate::managed::parameters::Value;

/// The value that a parameter has in a configuration.
pub fn value_of(config: &Config, parameter: &Declared) -> Value {
    let table = Table::try_from(config).unwrap_or_default();
    let found = path::find(&table, &parameter.name);
    found.map_or(Value::NotSet, |found| parameter.value(found))
}

/// The configuration with other values, checked as a whole.
///
/// # Errors
/// Everything that is wrong: unknown names, wrong types, values out of range by themselves or beside the others.
pub fn with_values(config: &Config, changes: &[(&str, &Value)]) -> Result<Config, Vec<String>> {
    let mut errors = Vec::new();
    let mut table = match Table::try_from(config) {
        Ok(table) => table,
        Err(error) => return Err(vec![error.to_string()]),
    };
    for (name, value) in changes {
        let accepted = match declared(name) {
            Some(declared) => declared.accept(value),
            None => Err(unknown(name)),
        };
        match accepted.map(|value| value.to_toml()) {
            Ok(Some(value)) => path::put(&mut table, name, value),
            Ok(None) => drop(path::take(&mut table, name)),
            Err(reason) => errors.push(format!("{name}: {reason}")),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    match Config::from_table(table) {
        Ok(config) => Ok(config),
        Err(ConfigError::Fields(fields)) => Err(fields.iter().map(ToString::to_string).collect()),
        Err(error) => Err(vec![error.to_string()]),
    }
}

/// The reason why a parameter that is not declared cannot be set.
#[must_use]
pub fn unknown(name: &str) -> String {
    match Config::instead_of(name) {
        Some(instead) => format!("is gone: {instead}"),
        None => "there is no such parameter".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::from_toml("[bundle]\npath = 'b'").unwrap()
    }

    #[test]
    fn changes_are_checked_together() {
        let few = Value::Integer(10);
        let errors = with_values(&config(), &[("planner.cem.samples", &few)]).unwrap_err();
        assert!(errors[0].starts_with("planner.cem.elites"), "{errors:?}");
        let both = [
            ("planner.cem.samples", &few),
            ("planner.cem.elites", &Value::Integer(5)),
        ];
        let changed = with_values(&config(), &both).unwrap();
        assert_eq!(
            (changed.planner.cem.samples, changed.planner.cem.elites),
            (10, 5)
        );
        let wrong = [
            ("planner.budget", &few),
            ("planner.budget_ms", &Value::Bool(true)),
            ("planner.seed", &few),
        ];
        let errors = with_values(&config(), &wrong).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("no such parameter") && errors[1].contains("found true"));
        for (gone, part) in [
            ("planner.mppi.gamma", "planner.cem.gamma takes its place"),
            ("planner.dump_files", "dump_files is always 20"),
            ("planner.image_collocation.samples", "choose another"),
        ] {
            let errors = with_values(&config(), &[(gone, &few)]).unwrap_err();
            let expected = format!("{gone}: is gone: ");
            assert!(
                errors[0].starts_with(&expected) && errors[0].contains(part),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn an_optional_parameter_can_be_given_up() {
        let set = with_values(&config(), &[("planner.budget_ms", &Value::Integer(40))]).unwrap();
        assert_eq!(set.planner.budget_ms, Some(40.0));
        let unset = with_values(&set, &[("planner.budget_ms", &Value::NotSet)]).unwrap();
        assert_eq!(unset, config());
    }
}
