//! `rcl_interfaces`: parameters as they stand in messages.

use latco_bag::messages::RosMessage;
use latco_controller::settings::Change;
use ros2_client::builtin_interfaces;
use ros2_client::parameters::raw;
use serde::{Deserialize, Serialize};

use super::declared::Declared;
use crate::managed::parameters::{Kind, Value};

/// `rcl_interfaces/msg/ParameterEvent`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParameterEvent(pub raw::ParameterEvent);

impl ParameterEvent {
    /// Makes the event that these parameters of a node have changed at `now_ns`, nanoseconds since the Unix
    /// epoch.
    pub fn changed(node: &str, values: &[(&'static str, Value)], now_ns: i64) -> Self {
        Self(raw::ParameterEvent {
            stamp: builtin_interfaces::Time::from_nanos(now_ns),
            node: node.to_owned(),
            new_parameters: Vec::new(),
            changed_parameters: values
                .iter()
                .map(|(name, value)| raw::Parameter {
                    name: (*name).to_owned(),
                    value: to_message(value),
                })
                .collect(),
            deleted_parameters: Vec::new(),
        })
    }
}

impl RosMessage for ParameterEvent {
    const TYPE: &'static str = "rcl_interfaces/msg/ParameterEvent";
}

/// Converts a value from a message; it is not set where the message's type is none that there is.
pub fn from_message(message: raw::ParameterValue) -> Value {
    let kinds = [
        Kind::NotSet,
        Kind::Bool,
        Kind::Integer,
        Kind::Double,
        Kind::String,
        Kind::Bytes,
        Kind::Bools,
        Kind::Integers,
        Kind::Doubles,
        Kind::Strings,
    ];
    match kinds.get(usize::from(message.ptype)) {
        None | Some(Kind::NotSet) => Value::NotSet,
        Some(Kind::Bool) => Value::Bool(message.boolean_value),
        Some(Kind::Integer) => Value::Integer(message.int_value),
        Some(Kind::Double) => Value::Double(message.double_value),
        Some(Kind::String) => Value::String(message.string_value),
        Some(Kind::Bytes) => Value::Bytes(message.byte_array),
        Some(Kind::Bools) => Value::Bools(message.bool_array),
        Some(Kind::Integers) => Value::Integers(message.int_array),
        Some(Kind::Doubles) => Value::Doubles(message.double_array),
        Some(Kind::Strings) => Value::Strings(message.string_array),
    }
}

/// Converts a value to a message.
pub fn to_message(value: &Value) -> raw::ParameterValue {
    let mut message = raw::ParameterValue {
        ptype: value.kind() as u8,
        boolean_value: false,
        int_value: 0,
        double_value: 0.0,
        string_value: String::new(),
        byte_array: Vec::new(),
        bool_array: Vec::new(),
        int_array: Vec::new(),
        double_array: Vec::new(),
        string_array: Vec::new(),
    };
    match value.clone() {
        Value::NotSet => {}
        Value::Bool(v) => message.boolean_value = v,
        Value::Integer(v) => message.int_value = v,
        Value::Double(v) => message.double_value = v,
        Value::String(v) => message.string_value = v,
        Value::Bytes(v) => message.byte_array = v,
        Value::Bools(v) => message.bool_array = v,
        Value::Integers(v) => message.int_array = v,
        Value::Doubles(v) => message.double_array = v,
        Value::Strings(v) => message.string_array = v,
    }
    message
}

/// The descriptor of a parameter; for one that is not declared it holds only the name.
pub fn descriptor(name: &str, declared: Option<&Declared>) -> raw::ParameterDescriptor {
    let mut message = raw::ParameterDescriptor {
        name: name.to_owned(),
        r#type: Kind::NotSet as u8,
        description: String::new(),
        additional_constraints: String::new(),
        read_only: false,
        dynamic_typing: false,
        floating_point_range: Vec::new(),
        integer_range: Vec::new(),
    };
    let Some(one) = declared else { return message };
    let setting = &one.setting;
    message.r#type = one.kind() as u8;
    message.description = setting.description();
    if let Some(unit) = setting.unit() {
        message.description += &format!(" Unit: {unit}.");
    }
    // Setting it to nothing changes its type.
    message.dynamic_typing = setting.is_optional;
    let mut constraints = vec![match setting.change {
        Change::Live => "takes effect at once, in every state".to_owned(),
        Change::NextConfigure | Change::Fixed => {
            "takes effect at the next configure; may not be changed while the node is active"
                .to_owned()
        }
    }];
    constraints.push(setting.expected());
    if setting.is_optional {
        constraints.push("may be not set".to_owned());
    }
    let range = setting.range;
    match one.kind() {
        Kind::Integer => message.integer_range.push(raw::IntegerRange {
            from_value: range.low as i64,
            to_value: range.high as i64,
            step: 1,
        }),
        Kind::Double => message.floating_point_range.push(raw::FloatingPointRange {
            from_value: match range.is_low_excluded {
                true => range.low.next_up(),
                false => range.low,
            },
            to_value: range.high,
            step: 0.0,
        }),
        _ => {}
    }
    message.additional_constraints = constraints.join("; ");
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::parameters::{Parameters, declared};

    #[test]
    fn values_survive_the_way_there_and_back() {
        for value in [
            Value::NotSet,
            Value::Bool(true),
            Value::Integer(-7),
            Value::Double(0.25),
            Value::String("x".into()),
            Value::Bytes(vec![1, 2]),
            Value::Bools(vec![true, false]),
            Value::Integers(vec![1, -1]),
            Value::Doubles(vec![0.5]),
            Value::Strings(vec!["a".into()]),
        ] {
            assert_eq!(from_message(to_message(&value)), value);
        }
        let mut strange = to_message(&Value::Bool(true));
        strange.ptype = 77;
        assert_eq!(from_message(strange), Value::NotSet);
    }

    #[test]
    fn every_descriptor_says_what_it_is_and_when_it_takes_effect() {
        for one in Parameters::declarations() {
            let said = descriptor(&one.name, Some(one));
            assert!(!said.description.is_empty(), "{}", one.name);
            assert_eq!(said.r#type, one.kind() as u8);
            let live = said.additional_constraints.contains("at once");
            assert_eq!(live, one.setting.change == Change::Live, "{}", one.name);
        }
        let scale = descriptor("robot.velocity_scale", declared("robot.velocity_scale"));
        let range = &scale.floating_point_range[0];
        assert_eq!((range.from_value, range.to_value), (0.01, 1.0));
        let samples = descriptor("planner.cem.samples", declared("planner.cem.samples"));
        assert_eq!(samples.integer_range[0].to_value, 100_000);
        assert_eq!(descriptor("x", None).r#type, 0);
    }
}
