//! Fields of a `.msg` text.

/// A definition that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The line is neither a field nor a constant.
    #[error("definition of `{type_name}`: expected `TYPE NAME`, found `{line}`")]
    Line {
        /// Type concerned.
        type_name: String,
        /// The line.
        line: String,
    },
    /// The definition of a type that is used is missing.
    #[error("definition of `{type_name}`: `{used}` is used and its definition is missing")]
    Missing {
        /// Type concerned.
        type_name: String,
        /// The type that it uses.
        used: String,
    },
}

/// The number of values that a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    One,
    Array(u64),
    AtMost(u64),
    Any,
}

/// The type of one value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// A primitive type, by its number in `type_description_interfaces/msg/FieldType`.
    Primitive(u8),
    /// A text with a largest number of characters: the type's number, and that bound.
    Bounded(u8, u64),
    /// A message type, `package/msg/Name`.
    Message(String),
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) base: Base,
    pub(super) many: Many,
}

/// Fields of the message `type_name` (`package/msg/Name`), in their order. Constants and default
/// values are left out.
pub(super) fn fields(type_name: &str, text: &str) -> Result<Vec<Field>, DefinitionError> {
    let package = type_name.split('/').next().unwrap_or_default();
    let mut fields = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default().trim();
        if code.is_empty() {
            continue;
        }
        let wrong = || DefinitionError::Line {
            type_name: type_name.to_owned(),
            line: line.to_owned(),
        };
        let (ty, rest) = code.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let rest = rest.trim_start();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        if name.is_empty() {
            return Err(wrong());
        }
        if behind.trim_start().starts_with('=') {
            continue;
        }
        let (base, many) = parse_type(package, ty).ok_or_else(wrong)?;
        fields.push(Field {
            name: name.to_owned(),
            base,
            many,
        });
    }
    Ok(fields)
}

fn parse_type(package: &str, ty: &str) -> Option<(Base, Many)> {
    let (base, many) = match ty.strip_suffix(']').and_then(|ty| ty.rsplit_once('[')) {
        None => (ty, Many::One),
        Some((base, "")) => (base, Many::Any),
        Some((base, count)) => (
            base,
            match count.strip_prefix("<=") {
                Some(count) => Many::AtMost(count.parse().ok()?),
                None => Many::Array(count.parse().ok()?),
            },
        ),
    };
    if let Some((text, limit)) = base.split_once("<=") {
        let kind = match text {
            "string" => 21,
            "wstring" => 22,
            _ => return None,
        };
        return Some((Base::Bounded(kind, limit.parse().ok()?), many));
    }
    let primitive = match base {
        "int8" => 2,
        // rosidl makes a `char` of a .msg file an unsigned byte.
        "uint8" | "char" => 3,
        "int16" => 4,
        "uint16" => 5,
        "int32" => 6,
        "uint32" => 7,
        "int64" => 8,
        "uint64" => 9,
        "float32" => 10,
        "float64" => 11,
        "bool" => 15,
        "byte" => 16,
        "string" => 17,
        "wstring" => 18,
        _ => 0,
    };
    if primitive > 0 {
        return Some((Base::Primitive(primitive), many));
    }
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let parts: Vec<&str> = base.split('/').collect();
    let name = match parts[..] {
        [name] if is_name(&name) => format!("{package}/msg/{name}"),
        [package, name] | [package, "msg", name] if is_name(&package) && is_name(&name) => {
            format!("{package}/msg/{name}")
        }
        _ => return None,
    };
    Some((Base::Message(name), many))
}
