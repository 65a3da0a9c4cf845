//! The value of a ROS parameter.

use std::fmt;

/// A value, of one of the types of `rcl_interfaces/msg/ParameterType`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// None.
    #[default]
    NotSet,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// List of truth values.
    Bools(Vec<bool>),
    /// List of whole numbers.
    Integers(Vec<i64>),
    /// List of numbers.
    Doubles(Vec<f64>),
    /// List of texts.
    Strings(Vec<String>),
}

/// The type of a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `PARAMETER_NOT_SET`
    NotSet = 0,
    /// `PARAMETER_BOOL`
    Bool = 1,
    /// `PARAMETER_INTEGER`
    Integer = 2,
    /// `PARAMETER_DOUBLE`
    Double = 3,
    /// `PARAMETER_STRING`
    String = 4,
    /// `PARAMETER_BYTE_ARRAY`
    Bytes = 5,
    /// `PARAMETER_BOOL_ARRAY`
    Bools = 6,
    /// `PARAMETER_INTEGER_ARRAY`
    Integers = 7,
    /// `PARAMETER_DOUBLE_ARRAY`
    Doubles = 8,
    /// `PARAMETER_STRING_ARRAY`
    Strings = 9,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSet => "nothing",
            Self::Bool => "a bool",
            Self::Integer => "an integer",
            Self::Double => "a double",
            Self::String => "a string",
            Self::Bytes => "a byte array",
            Self::Bools => "a bool array",
            Self::Integers => "an integer array",
            Self::Doubles => "a double array",
            Self::Strings => "a string array",
        })
    }
}

impl Value {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotSet => Kind::NotSet,
            Self::Bool(_) => Kind::Bool,
            Self::Integer(_) => Kind::Integer,
            Self::Double(_) => Kind::Double,
            Self::String(_) => Kind::String,
            Self::Bytes(_) => Kind::Bytes,
            Self::Bools(_) => Kind::Bools,
            Self::Integers(_) => Kind::Integers,
            Self::Doubles(_) => Kind::Doubles,
            Self::Strings(_) => Kind::Strings,
        }
    }

    /// As it stands in a configuration; none for [`Value::NotSet`], and for bytes, which configurations do not have.
    pub fn to_toml(&self) -> Option<toml::Value> {
        fn list<T: Clone>(values: &[T], wrap: fn(T) -> toml::Value) -> toml::Value {
            toml::Value::Array(values.iter().cloned().map(wrap).collect())
        }
        Some(match self {
            Self::NotSet | Self::Bytes(_) => return None,
            Self::Bool(value) => toml::Value::Boolean(*value),
            Self::Integer(value) => toml::Value::Integer(*value),
            Self::Double(value) => toml::Value::Float(*value),
            Self::String(value) => toml::Value::String(value.clone()),
            Self::Bools(values) => list(values, toml::Value::Boolean),
            Self::Integers(values) => list(values, toml::Value::Integer),
            Self::Doubles(values) => list(values, toml::Value::Float),
            Self::Strings(values) => list(values, toml::Value::String),
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str("not set"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Bytes(values) => write!(f, "{values:?}"),
            Self::Bools(values) => write!(f, "{values:?}"),
            Self::Integers(values) => write!(f, "{values:?}"),
            Self::Doubles(values) => write!(f, "{values:?}"),
            Self::Strings(values) => write!(f, "{values:?}"),
        }
    }
}
