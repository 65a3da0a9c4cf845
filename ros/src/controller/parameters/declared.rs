//! The parameters of the controller node: the settings of its configuration.
//!
//! Names of topics and of the node are no parameters: those are remapped.

use std::borrow::Cow;
use std::sync::LazyLock;

use latco_controller::Config;
use latco_controller::settings::{Change, Kind as SettingKind, Setting, SettingType, Settings};

use crate::managed::parameters::{Kind, Value};

/// One parameter.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Path of the key in the configuration.
    pub name: Cow<'static, str>,
    /// What the configuration says of it.
    pub setting: Setting,
}

/// The parameter that every ROS node has; it is no key of the configuration.
pub static USE_SIM_TIME: Declared = Declared {
    name: Cow::Borrowed("use_sim_time"),
    setting: Setting::new(
        "use_sim_time",
        "Whether the time is that of `/clock`.",
        (bool::KIND, bool::RANGE, bool::IS_OPTIONAL),
        bool::check,
    ),
};

/// All parameters that are keys of the configuration, by name.
pub static DECLARED: LazyLock<Vec<Declared>> = LazyLock::new(|| {
    let mut found = Vec::new();
    collect("", Config::declarations(), &mut found);
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
});

fn collect(at: &str, settings: &[Setting], found: &mut Vec<Declared>) {
    for setting in settings.iter().filter(|one| one.change != Change::Fixed) {
        let name = format!("{at}{}", setting.name);
        match setting.kind {
            SettingKind::Section(inner) => collect(&format!("{name}."), inner, found),
            _ => found.push(Declared {
                name: name.into(),
                setting: *setting,
            }),
        }
    }
}

/// The declaration of a parameter.
pub fn declared(name: &str) -> Option<&'static Declared> {
    let index = DECLARED.binary_search_by(|declared| declared.name.as_ref().cmp(name));
    index.ok().map(|index| &DECLARED[index])
}

impl Declared {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self.setting.kind {
            SettingKind::Flag => Kind::Bool,
            SettingKind::Integer => Kind::Integer,
            SettingKind::Number => Kind::Double,
            SettingKind::Text | SettingKind::Choice(_) => Kind::String,
            SettingKind::Numbers => Kind::Doubles,
            SettingKind::Integers => Kind::Integers,
            SettingKind::Texts => Kind::Strings,
            SettingKind::Section(_) => Kind::NotSet,
        }
    }

    /// A value of this parameter's type: whole numbers also stand for doubles, and an empty list for one of every type.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn accept(&self, value: &Value) -> Result<Value, String> {
        match value.to_toml() {
            Some(given) => Ok(self.value(&self.setting.accept(&given)?)),
            None if *value == Value::NotSet && self.setting.is_optional => Ok(Value::NotSet),
            None => Err(format!(
                "expected {}, found {value}",
                self.setting.expected()
            )),
        }
    }

    /// A value as it stands in the configuration, as one of this parameter's type.
    pub fn value(&self, kept: &toml::Value) -> Value {
        Value::from_toml(kept, self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_configuration_but_names_is_a_parameter() {
        assert!(DECLARED.windows(2).all(|pair| pair[0].name < pair[1].name));
        for one in DECLARED.iter() {
            assert_eq!(
                declared(&one.name).map(|found| &found.name),
                Some(&one.name)
            );
        }
        let names = ["topics.image", "node.name", "planner.budget"];
        assert!(names.iter().all(|name| declared(name).is_none()));
        // bundle, robot, control, timeouts, trace and planner are; topics, node, goal and bundle.trusted_keys, twelve keys, are not.
        let settings = latco_controller::settings::count(Config::declarations());
        assert_eq!(DECLARED.len() + 12, settings);
    }

    #[test]
    fn whole_numbers_stand_for_doubles_and_other_types_are_refused() {
        let budget = declared("planner.budget_ms").unwrap();
        assert_eq!(budget.accept(&Value::Integer(40)), Ok(Value::Double(40.0)));
        assert_eq!(budget.accept(&Value::NotSet), Ok(Value::NotSet));
        for (value, part) in [
            (Value::Double(-1.0), "a number above 0"),
            (Value::Double(f64::NAN), "found nan"),
            // A time that no clock can add.
            (Value::Double(1e300), "up to 86400000"),
            (Value::Bytes(vec![1]), "found [1]"),
            (Value::String("fast".into()), "found \"fast\""),
        ] {
            let reason = budget.accept(&value).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
        let kind = declared("planner.kind").unwrap();
        let reason = kind.accept(&Value::String("a_star".into())).unwrap_err();
        assert!(reason.contains("one of latco, "), "{reason}");
        assert!(kind.accept(&Value::NotSet).is_err());
        let limits = declared("robot.max_velocity_rad_s").unwrap();
        assert_eq!(
            limits.accept(&Value::Strings(vec![])),
            Ok(Value::Doubles(vec![]))
        );
    }
}
