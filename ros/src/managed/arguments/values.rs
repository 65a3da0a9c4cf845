//! YAML as ROS reads it: parameter files, and the value of `-p name:=value`.
//!
//! Plain scalars have the types that ROS gives them (`yes` and `on` are true, `0x10` is 16); lists hold values of one
//! type, and of whole numbers and others together are lists of doubles.

use latco_bag::Yaml;

use crate::managed::parameters::Value;

/// Reads one value, as after `name:=`.
pub(super) fn parse_value(text: &str) -> Result<Value, String> {
    match Yaml::parse(text)? {
        Some(node) => to_value(&node).map_err(|(_, reason)| reason),
        None => Err("expected a value, found none".to_owned()),
    }
}

/// Converts a node to a value; the error is the line and what is wrong there.
pub(super) fn to_value(node: &Yaml) -> Result<Value, (usize, String)> {
    match node {
        Yaml::Scalar { line, .. } => match scalar(node) {
            Some(Value::NotSet) | None => Err((*line, "expected a value, found none".to_owned())),
            Some(value) => Ok(value),
        },
        Yaml::List(line, nodes) => {
            let values: Option<Vec<Value>> = nodes.iter().map(scalar).collect();
            let wrong = "expected a list of values, found a list or map in it";
            let values = values.ok_or_else(|| (*line, wrong.to_owned()))?;
            list(&values).map_err(|reason| (*line, reason))
        }
        Yaml::Map(entries) => Err((
            entries.first().map_or(1, |(_, line, _)| *line),
            "expected a value, found a map".to_owned(),
        )),
    }
}

/// The value of a scalar; `None` for a list or map.
pub(super) fn scalar(node: &Yaml) -> Option<Value> {
    match node {
        Yaml::Scalar { text, is_plain, .. } if *is_plain => Some(plain(text)),
        Yaml::Scalar { text, .. } => Some(Value::String(text.clone())),
        _ => None,
    }
}

/// Makes a list of the one type that its elements have.
fn list(values: &[Value]) -> Result<Value, String> {
    fn all<T>(values: &[Value], take: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        values.iter().map(take).collect()
    }
    let number = |value: &Value| match value {
        Value::Integer(v) => Some(*v as f64),
        Value::Double(v) => Some(*v),
        _ => None,
    };
    let bools = all(values, |v| match v {
        Value::Bool(v) => Some(*v),
        _ => None,
    });
    let integers = all(values, |v| match v {
        Value::Integer(v) => Some(*v),
        _ => None,
    });
    let strings = all(values, |v| match v {
        Value::String(v) => Some(v.clone()),
        _ => None,
    });
    // An empty list has no type of its own; texts can be told from numbers where it is used.
    if let Some(values) = strings {
        return Ok(Value::Strings(values));
    }
    if let Some(values) = bools {
        return Ok(Value::Bools(values));
    }
    if let Some(values) = integers {
        return Ok(Value::Integers(values));
    }
    all(values, number).map(Value::Doubles).ok_or_else(|| {
        let kinds: Vec<String> = values.iter().map(|v| v.kind().to_string()).collect();
        format!(
            "expected values of one type in a list, found {}",
            kinds.join(", ")
        )
    })
}

/// The value of a scalar without quotes, in the type that ROS gives it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::NotSet,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Value::Double(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Double(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Double(f64::NEG_INFINITY),
        _ => {}
    }
    let hexadecimal = text
        .strip_prefix("0x")
        .and_then(|digits| i64::from_str_radix(digits, 16).ok());
    if let Some(value) = text.parse().ok().or(hexadecimal) {
        return Value::Integer(value);
    }
    // Rust also reads "inf" and "nan" as numbers, which are texts here.
    let numeric = text.contains(|c: char| c.is_ascii_digit());
    match text.parse() {
        Ok(value) if numeric => Value::Double(value),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_that_ros_gives_them() {
        for (text, value) in [
            ("3", Value::Integer(3)),
            ("-7", Value::Integer(-7)),
            ("0x10", Value::Integer(16)),
            ("3.0", Value::Double(3.0)),
            ("1e-3", Value::Double(1e-3)),
            (".inf", Value::Double(f64::INFINITY)),
            ("on", Value::Bool(true)),
            ("False", Value::Bool(false)),
            ("latco", Value::String("latco".into())),
            ("inf", Value::String("inf".into())),
            ("'3'", Value::String("3".into())),
            ("\"yes\"", Value::String("yes".into())),
            ("!!str 3", Value::String("3".into())),
            ("[1, 2]", Value::Integers(vec![1, 2])),
            ("[1, 2.5]", Value::Doubles(vec![1.0, 2.5])),
            ("[a, b]", Value::Strings(vec!["a".into(), "b".into()])),
            ("[true, no]", Value::Bools(vec![true, false])),
            ("[]", Value::Strings(vec![])),
        ] {
            assert_eq!(parse_value(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in [
            "",
            "~",
            "{a: 1}",
            "[1, a]",
            "[[1], [2]]",
            "*x",
            "[1",
            "a: b: c",
            "--- 1\n--- 2",
        ] {
            assert!(
                parse_value(text).is_err(),
                "{text}: {:?}",
                parse_value(text)
            );
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = "[".repeat(10_000);
        assert!(Yaml::parse(&deep).is_err());
    }

    #[test]
    fn a_key_given_twice_is_an_error_with_its_line() {
        assert_eq!(
            Yaml::parse("a: 1\nb: 2\na: 3"),
            Err("line 3: a is given twice".into())
        );
    }
}
