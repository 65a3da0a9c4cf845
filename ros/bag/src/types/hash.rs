//! RIHS01, the hash of a type in ROS 2 (REP 2016): SHA-256 over a JSON text of its fields and of those of the types that
//! it uses.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::parse::{Base, DefinitionError, Field, Many, fields};

/// Hash of the type `type_name` (`package/msg/Name`), from its text and the sections of the types that it uses, as they
/// stand in a bag.
///
/// # Errors
/// [`DefinitionError`].
pub fn type_hash(type_name: &str, definition: &str) -> Result<String, DefinitionError> {
    let mut texts = BTreeMap::new();
    let mut sections = definition.split("MSG: ");
    texts.insert(
        type_name.to_owned(),
        without_rule(sections.next().unwrap_or_default()),
    );
    for section in sections {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        if let Some((package, name)) = name.trim().split_once('/') {
            let name = name.strip_prefix("msg/").unwrap_or(name);
            texts.insert(format!("{package}/msg/{name}"), without_rule(text));
        }
    }
    if definition.is_empty() {
        return Err(DefinitionError::Missing {
            type_name: type_name.to_owned(),
            used: type_name.to_owned(),
        });
    }
    let mut described: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    let mut wanted = vec![type_name.to_owned()];
    while let Some(name) = wanted.pop() {
        if described.contains_key(&name) {
            continue;
        }
        let text = texts.get(&name).ok_or_else(|| DefinitionError::Missing {
            type_name: type_name.to_owned(),
            used: name.clone(),
        })?;
        let mut found = fields(&name, text)?;
        if found.is_empty() {
            found.push(Field {
                name: "structure_needs_at_least_one_member".to_owned(),
                base: Base::Primitive(3),
                many: Many::One,
            });
        }
        for field in &found {
            if let Base::Message(used) = &field.base {
                wanted.push(used.clone());
            }
        }
        described.insert(name, found);
    }
    let own = described.remove(type_name).unwrap_or_default();
    let mut json = String::from("{\"type_description\": ");
    describe(&mut json, type_name, &own);
    json.push_str(", \"referenced_type_descriptions\": [");
    for (index, (name, fields)) in described.iter().enumerate() {
        if index > 0 {
            json.push_str(", ");
        }
        describe(&mut json, name, fields);
    }
    json.push_str("]}");
    let mut hash = String::from("RIHS01_");
    for byte in Sha256::digest(json.as_bytes()) {
        let _ = write!(hash, "{byte:02x}");
    }
    Ok(hash)
}

/// A section without the line of `=` that separates it from the next.
fn without_rule(section: &str) -> &str {
    section.trim_end().trim_end_matches('=')
}

/// Appends the JSON description of a type to `json`. Names have no characters that JSON would escape.
fn describe(json: &mut String, name: &str, fields: &[Field]) {
    let _ = write!(json, "{{\"type_name\": \"{name}\", \"fields\": [");
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            json.push_str(", ");
        }
        let (kind, characters, nested) = match &field.base {
            Base::Primitive(kind) => (*kind, 0, ""),
            Base::Bounded(kind, limit) => (*kind, *limit, ""),
            Base::Message(name) => (1, 0, &**name),
        };
        let (kind, capacity) = match field.many {
            Many::One => (kind, 0),
            Many::Array(count) => (kind + 48, count),
            Many::AtMost(count) => (kind + 96, count),
            Many::Any => (kind + 144, 0),
        };
        let _ = write!(
            json,
            "{{\"name\": \"{}\", \"type\": {{\"type_id\": {kind}, \"capacity\": {capacity}, \"string_capacity\": \
             {characters}, \"nested_type_name\": \"{nested}\"}}}}",
            field.name
        );
    }
    json.push_str("]}");
}
