//! Between a configuration and the parameters that are its keys.

use latco_controller::{Config, ConfigError};
use toml::{Table, Value as Toml};

use super::declared::{DECLARED, Declared, declared};
use crate::managed::parameters::{Kind, Value};

/// The value that a parameter has in a configuration.
pub fn value_of(config: &Config, parameter: &Declared) -> Value {
    Table::try_from(config)
        .ok()
        .and_then(|table| from_table(&table, parameter))
        .unwrap_or_default()
}

/// All parameters with their values in a configuration, by name.
pub fn values_of(config: &Config) -> Vec<(&'static Declared, Value)> {
    let table = Table::try_from(config).unwrap_or_default();
    DECLARED
        .iter()
        .map(|declared| (declared, from_table(&table, declared).unwrap_or_default()))
        .collect()
}

fn from_table(table: &Table, parameter: &Declared) -> Option<Value> {
    let mut parts = parameter.name.split('.');
    let mut found = table.get(parts.next()?)?;
    for part in parts {
        found = found.get(part)?;
    }
    let value = match (parameter.kind, found) {
        (_, Toml::Boolean(v)) => Value::Bool(*v),
        (Kind::Double, Toml::Integer(v)) => Value::Double(*v as f64),
        (_, Toml::Integer(v)) => Value::Integer(*v),
        (_, Toml::Float(v)) => Value::Double(*v),
        (_, Toml::String(v)) => Value::String(v.clone()),
        (Kind::Doubles, Toml::Array(v)) => {
            Value::Doubles(v.iter().filter_map(Toml::as_float).collect())
        }
        (_, Toml::Array(v)) => Value::Strings(
            v.iter()
                .filter_map(Toml::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        _ => return None,
    };
    Some(value)
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
            None => Err("there is no such parameter".to_owned()),
        };
        match accepted {
            Ok(value) => set(&mut table, name, value.to_toml()),
            Err(reason) => errors.push(format!("{name}: {reason}")),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let text = toml::to_string(&table).map_err(|error| vec![error.to_string()])?;
    match Config::from_toml(&text) {
        Ok(config) => Ok(config),
        Err(ConfigError::Fields(fields)) => Err(fields.iter().map(ToString::to_string).collect()),
        Err(error) => Err(vec![error.to_string()]),
    }
}

/// Sets a key, or removes it.
fn set(table: &mut Table, path: &str, value: Option<Toml>) {
    match path.split_once('.') {
        Some((section, rest)) => {
            let section = table
                .entry(section)
                .or_insert_with(|| Toml::Table(Table::new()));
            if let Toml::Table(section) = section {
                set(section, rest, value);
            }
        }
        None => {
            table.remove(path);
            if let Some(value) = value {
                table.insert(path.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Range;
    use super::*;

    fn config() -> Config {
        Config::from_toml("[bundle]\npath = 'b'").unwrap()
    }

    #[test]
    fn every_key_of_the_configuration_is_a_parameter() {
        fn names(prefix: &str, table: &Table, found: &mut BTreeSet<String>) {
            for (key, value) in table {
                match value {
                    Toml::Table(table) => names(&format!("{prefix}{key}."), table, found),
                    _ => {
                        found.insert(format!("{prefix}{key}"));
                    }
                }
            }
        }
        let mut keys = BTreeSet::new();
        names("", &Table::try_from(config()).unwrap(), &mut keys);
        keys.retain(|key| !key.starts_with("topics.") && !key.starts_with("node."));
        let known: BTreeSet<String> = DECLARED.iter().map(|d| d.name.to_owned()).collect();
        let missing: Vec<_> = keys.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "add {missing:?} to parameters/declared.rs"
        );
        // The other way round: what has no default is optional, and a value for it is taken.
        for name in known.difference(&keys) {
            let one = declared(name).unwrap();
            assert!(one.is_optional, "{name} is no key of the configuration");
            let value = match one.kind {
                Kind::Double => Value::Double(7.0),
                _ => Value::String("x".into()),
            };
            let changed = with_values(&config(), &[(name, &value)]).unwrap();
            assert_eq!(value_of(&changed, one), value, "{name}");
            assert_eq!(value_of(&config(), one), Value::NotSet, "{name}");
        }
    }

    #[test]
    fn the_declared_ranges_are_those_of_the_configuration() {
        for declared in DECLARED {
            let number = |v: f64| match declared.kind {
                Kind::Integer => Value::Integer(v as i64),
                _ => Value::Double(v),
            };
            let (inside, outside) = match declared.range {
                Range::Within(low, high) => {
                    let step = if declared.kind == Kind::Integer {
                        1.0
                    } else {
                        1e-3
                    };
                    (vec![low, high], vec![low - step, high + step])
                }
                Range::Positive => (vec![1e-6, 1e6], vec![0.0, -1.0, f64::INFINITY]),
                _ => continue,
            };
            // Beyond the declared range the configuration itself refuses as well.
            for value in outside.into_iter().filter(|v| v.abs() < 1e18) {
                let mut table = Table::try_from(config()).unwrap();
                set(&mut table, declared.name, number(value).to_toml());
                let refused = Config::from_toml(&toml::to_string(&table).unwrap()).is_err();
                assert!(refused, "{} = {value}", declared.name);
                assert!(
                    declared.accept(&number(value)).is_err(),
                    "{} = {value}",
                    declared.name
                );
            }
            for value in inside.into_iter().filter(|v| v.abs() < 1e18) {
                assert!(
                    declared.accept(&number(value)).is_ok(),
                    "{} = {value}",
                    declared.name
                );
            }
        }
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
        assert!(errors[0].contains("no such parameter") && errors[1].contains("a bool"));
    }

    #[test]
    fn an_optional_parameter_can_be_given_up() {
        let set = with_values(&config(), &[("planner.budget_ms", &Value::Integer(40))]).unwrap();
        assert_eq!(set.planner.budget_ms, Some(40.0));
        let unset = with_values(&set, &[("planner.budget_ms", &Value::NotSet)]).unwrap();
        assert_eq!(unset, config());
    }
}
