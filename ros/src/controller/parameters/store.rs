//! The parameters of a running node: their values, and which changes a state allows.

use latco_controller::Config;
use latco_controller::settings::Change;
use thiserror::Error;

use super::configuration::{unknown, value_of, with_values};
use super::declared::{DECLARED, Declared, USE_SIM_TIME, declared};
use crate::managed::lifecycle::State;
use crate::managed::parameters::Value;

/// The reasons why parameters were not set; nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.join("; "))]
pub struct NotSet(pub Vec<String>);

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Names and values of the changed parameters, as they are now.
    pub values: Vec<(&'static str, Value)>,
    /// Whether some of the changes are in effect at once.
    pub live: bool,
}

/// All parameters with their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    config: Config,
    use_sim_time: bool,
}

impl Parameters {
    /// Makes the parameters of a configuration.
    pub fn new(config: Config, use_sim_time: bool) -> Self {
        Self {
            config,
            use_sim_time,
        }
    }

    /// The configuration that the parameters stand for.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the time is that of `/clock`.
    pub fn use_sim_time(&self) -> bool {
        self.use_sim_time
    }

    /// All declarations, by name.
    pub fn declarations() -> impl Iterator<Item = &'static Declared> {
        let before = DECLARED.partition_point(|d| d.name < USE_SIM_TIME.name);
        let (first, last) = DECLARED.split_at(before);
        first.iter().chain([&USE_SIM_TIME]).chain(last)
    }

    /// The declaration of a parameter.
    pub fn declaration(name: &str) -> Option<&'static Declared> {
        if name == USE_SIM_TIME.name {
            Some(&USE_SIM_TIME)
        } else {
            declared(name)
        }
    }

    /// The value of a parameter; `None` for a name that is not declared.
    pub fn get(&self, name: &str) -> Option<Value> {
        if name == USE_SIM_TIME.name {
            Some(Value::Bool(self.use_sim_time))
        } else {
            declared(name).map(|one| value_of(&self.config, one))
        }
    }

    /// Names as `rcl_interfaces/srv/ListParameters` lists them, and the distinct prefixes of these.
    ///
    /// Without `prefixes` all names with fewer than `depth` dots; with them the names that are one, or lie below one with
    /// at most `depth` levels more. A `depth` of 0 is unlimited.
    pub fn list(prefixes: &[String], depth: u64) -> (Vec<String>, Vec<String>) {
        let levels = |rest: &str| rest.split('.').count() as u64;
        let within = |rest: &str| depth == 0 || levels(rest) <= depth;
        let wanted = |name: &str| {
            (prefixes.is_empty() && within(name))
                || prefixes.iter().any(|prefix| {
                    let below = name.strip_prefix(prefix.as_str());
                    match below {
                        Some("") => true,
                        Some(rest) => rest.strip_prefix('.').is_some_and(within),
                        None => false,
                    }
                })
        };
        let names: Vec<String> = Self::declarations()
            .map(|d| d.name.as_ref())
            .filter(|name| wanted(name))
            .map(str::to_owned)
            .collect();
        let mut found: Vec<String> = names
            .iter()
            .filter_map(|name| name.rsplit_once('.'))
            .map(|(prefix, _)| prefix.to_owned())
            .collect();
        found.sort();
        found.dedup();
        (names, found)
    }

    /// Sets all of these parameters, or none, in a node that is in this state.
    ///
    /// # Errors
    /// [`NotSet`] with everything that is wrong: unknown names, wrong types, values out of range by themselves or beside the
    /// others, and changes that have to wait for another state.
    pub fn set(&mut self, changes: &[(String, Value)], state: State) -> Result<Changed, NotSet> {
        let mut errors = Vec::new();
        let mut keys: Vec<(&str, &Value)> = Vec::new();
        let mut use_sim_time = self.use_sim_time;
        let mut changed: Vec<&'static str> = Vec::new();
        let mut live = false;
        for (name, value) in changes {
            let Some(one) = Self::declaration(name) else {
                errors.push(format!("{name}: {}", unknown(name)));
                continue;
            };
            let value_now = self.get(name).unwrap_or_default();
            let wanted = match one.accept(value) {
                Ok(wanted) => wanted,
                Err(reason) => {
                    errors.push(format!("{name}: {reason}"));
                    continue;
                }
            };
            let may_wait = matches!(state, State::Unconfigured | State::Inactive);
            if one.setting.change == Change::NextConfigure && !may_wait && wanted != value_now {
                errors.push(format!(
                    "{name}: takes effect at the next configure and may not be changed while {state}; deactivate first"
                ));
                continue;
            }
            live |= one.setting.change == Change::Live;
            changed.push(&one.name);
            if let (true, Value::Bool(on)) = (*name == USE_SIM_TIME.name, &wanted) {
                use_sim_time = *on;
            } else {
                keys.push((name, value));
            }
        }
        match with_values(&self.config, &keys) {
            Ok(config) if errors.is_empty() => {
                self.config = config;
                self.use_sim_time = use_sim_time;
            }
            Ok(_) => return Err(NotSet(errors)),
            Err(more) => {
                errors.extend(more);
                errors.dedup();
                return Err(NotSet(errors));
            }
        }
        let values = changed
            .into_iter()
            .map(|name| (name, self.get(name).unwrap_or_default()))
            .collect();
        Ok(Changed { values, live })
    }

    /// Names of the parameters whose values differ from those in `configured` and are not in effect before the next
    /// configure.
    pub fn pending(&self, configured: &Self) -> Vec<&'static str> {
        Self::declarations()
            .filter(|d| d.setting.change == Change::NextConfigure)
            .filter(|d| self.get(&d.name) != configured.get(&d.name))
            .map(|d| d.name.as_ref())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters::new(Config::from_toml("[bundle]\npath = 'b'").unwrap(), false)
    }

    fn pairs(values: &[(&str, Value)]) -> Vec<(String, Value)> {
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    #[test]
    fn either_all_parameters_are_set_or_none() {
        let mut parameters = parameters();
        let before = parameters.clone();
        let bad = pairs(&[
            ("robot.velocity_scale", Value::Double(0.5)),
            ("timeouts.camera_ms", Value::Double(-1.0)),
            ("no.such", Value::Bool(true)),
        ]);
        let reason = parameters.set(&bad, State::Active).unwrap_err().to_string();
        for part in ["timeouts.camera_ms", "a number above 0", "no.such"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(parameters, before);
        // Wrong only beside each other.
        let bad = pairs(&[
            ("planner.cem.samples", Value::Integer(10)),
            ("planner.cem.elites", Value::Integer(11)),
        ]);
        let reason = parameters.set(&bad, State::Inactive).unwrap_err();
        assert!(
            reason.to_string().contains("planner.cem.elites"),
            "{reason}"
        );
        assert_eq!(parameters, before);
        let good = pairs(&[("robot.velocity_scale", Value::Double(0.5))]);
        let changed = parameters.set(&good, State::Active).unwrap();
        assert!(changed.live);
        assert_eq!(parameters.config().robot.velocity_scale, 0.5);
    }

    #[test]
    fn what_takes_effect_at_configure_may_not_change_while_active() {
        let mut parameters = parameters();
        let before = parameters.clone();
        let other = pairs(&[("planner.seed", Value::Integer(7))]);
        for state in [State::Active, State::Configuring, State::Deactivating] {
            let reason = parameters.set(&other, state).unwrap_err().to_string();
            assert!(reason.contains("next configure"), "{reason}");
        }
        // The value that it has is no change.
        let same = pairs(&[("planner.seed", parameters.get("planner.seed").unwrap())]);
        assert!(parameters.set(&same, State::Active).is_ok());
        assert!(parameters.pending(&before).is_empty());
        parameters.set(&other, State::Inactive).unwrap();
        assert_eq!(parameters.pending(&before), ["planner.seed"]);
        let sim = pairs(&[("use_sim_time", Value::Bool(true))]);
        parameters.set(&sim, State::Unconfigured).unwrap();
        assert!(parameters.use_sim_time());
        let wrong = pairs(&[("use_sim_time", Value::Integer(1))]);
        let reason = parameters.set(&wrong, State::Inactive).unwrap_err();
        assert!(
            reason.to_string().contains("expected true or false"),
            "{reason}"
        );
    }

    #[test]
    fn lists_are_those_of_rclcpp() {
        let list = |prefixes: &[&str], depth| {
            let prefixes: Vec<String> = prefixes.iter().map(|p| (*p).to_owned()).collect();
            Parameters::list(&prefixes, depth)
        };
        let (all, prefixes) = list(&[], 0);
        assert_eq!(all.len(), DECLARED.len() + 1);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(prefixes.contains(&"planner.latco".to_owned()));
        assert_eq!(list(&[], 1).0, ["use_sim_time"]);
        let timeouts = list(&["timeouts"], 0).0;
        assert_eq!(timeouts, ["timeouts.camera_ms", "timeouts.joints_ms"]);
        let (planner, prefixes) = list(&["planner"], 1);
        assert!(planner.contains(&"planner.kind".to_owned()));
        assert!(!planner.iter().any(|n| n.starts_with("planner.latco.")));
        assert_eq!(prefixes, ["planner"]);
        assert_eq!(list(&["planner.kind"], 1).0, ["planner.kind"]);
        assert!(list(&["plan"], 0).0.is_empty());
    }
}
