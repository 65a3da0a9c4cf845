//! The value of a ROS parameter.

use std::fmt;

/// A value, of one of the types of `rcl_interfaces/msg/ParameterType`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// The parameter is not set.
    #[default]
    NotSet,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Double(f64),
    /// A text.
    String(String),
    /// A list of bytes.
    Bytes(Vec<u8>),
    /// A list of truth values.
    Bools(Vec<bool>),
    /// A list of whole numbers.
    Integers(Vec<i64>),
    /// A list of floating-point numbers.
    Doubles(Vec<f64>),
    /// A list of texts.
    Strings(Vec<String>),
}

/// The type of a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The type `PARAMETER_NOT_SET`.
    NotSet = 0,
    /// The type `PARAMETER_BOOL`.
    Bool = 1,
    /// The type `PARAMETER_INTEGER`.
    Integer = 2,
    /// The type `PARAMETER_DOUBLE`.
    Double = 3,
    /// The type `PARAMETER_STRING`.
    String = 4,
    /// The type `PARAMETER_BYTE_ARRAY`.
    Bytes = 5,
    /// The type `PARAMETER_BOOL_ARRAY`.
    Bools = 6,
    /// The type `PARAMETER_INTEGER_ARRAY`.
    Integers = 7,
    /// The type `PARAMETER_DOUBLE_ARRAY`.
    Doubles = 8,
    /// The type `PARAMETER_STRING_ARRAY`.
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
    /// The type of the value.
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

    /// A value of a configuration as one of this type; not set where it is of another one.
    pub fn from_toml(value: &toml::Value, kind: Kind) -> Self {
        use toml::Value as Toml;
        let items = || value.as_array().into_iter().flatten();
        match (kind, value) {
            (_, Toml::Boolean(v)) => Self::Bool(*v),
            (_, Toml::Integer(v)) => Self::Integer(*v),
            (_, Toml::Float(v)) => Self::Double(*v),
            (_, Toml::String(v)) => Self::String(v.clone()),
            (Kind::Doubles, _) => Self::Doubles(items().filter_map(Toml::as_float).collect()),
            (Kind::Integers, _) => Self::Integers(items().filter_map(Toml::as_integer).collect()),
            (Kind::Strings, _) => {
                let texts = items().filter_map(Toml::as_str).map(str::to_owned);
                Self::Strings(texts.collect())
            }
            _ => Self::NotSet,
        }
    }

    /// Converts the value to TOML; `None` for [`Value::NotSet`], and for bytes, which configurations do not
    /// have.
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
