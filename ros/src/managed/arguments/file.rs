//! Parameter files: `node: ros__parameters: name: value`, with wildcards in the name of the node.

use latco_bag::Yaml;

use super::values::{scalar, to_value};
use crate::managed::parameters::Value;

/// One parameter of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The nodes that it is for.
    pub(super) nodes: Pattern,
    /// Name of the parameter, its parts joined by dots.
    pub(super) name: String,
    pub(super) value: Value,
    /// Number of its line, from 1.
    pub(super) line: usize,
}

/// The full name of a node, with `*` for one part and `**` for any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    fn new(keys: &[String]) -> Self {
        Self(
            keys.iter()
                .flat_map(|key| key.split('/'))
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The pattern of nodes of this name in any namespace.
    pub(super) fn of_name(name: &str) -> Self {
        Self(vec!["**".to_owned(), name.to_owned()])
    }

    /// Whether the pattern means the node of this full name.
    pub(super) fn matches(&self, full_name: &str) -> bool {
        fn fits(pattern: &[String], parts: &[&str]) -> bool {
            match (pattern.split_first(), parts.split_first()) {
                (None, None) => true,
                (Some((first, rest)), _) if first == "**" => {
                    (0..=parts.len()).any(|skipped| fits(rest, &parts[skipped..]))
                }
                (Some((first, rest)), Some((part, parts))) => {
                    (first == "*" || first == part) && fits(rest, parts)
                }
                _ => false,
            }
        }
        let parts: Vec<&str> = full_name.split('/').filter(|p| !p.is_empty()).collect();
        fits(&self.0, &parts)
    }

    /// Whether the pattern may mean several nodes, so that not every parameter is for each.
    pub(super) fn is_wild(&self) -> bool {
        self.0.iter().any(|part| part.contains('*'))
    }
}

/// All parameters of a file in their order, and all that is wrong with it.
pub(super) fn read(text: &str) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    match Yaml::parse(text) {
        Ok(Some(root)) => nodes(&root, &mut Vec::new(), &mut entries, &mut errors),
        Ok(None) => errors.push("it is empty".to_owned()),
        Err(error) => errors.push(error),
    }
    (entries, errors)
}

/// Walks down to `ros__parameters` and collects the entries below.
fn nodes(node: &Yaml, path: &mut Vec<String>, entries: &mut Vec<Entry>, errors: &mut Vec<String>) {
    let Yaml::Map(map) = node else {
        let line = match node {
            Yaml::List(line, _) | Yaml::Scalar { line, .. } => *line,
            Yaml::Map(_) => 1,
        };
        errors.push(format!(
            "line {line}: expected the name of a node and ros__parameters below it"
        ));
        return;
    };
    for (key, line, child) in map {
        if key == "ros__parameters" {
            if path.is_empty() {
                errors.push(format!(
                    "line {line}: ros__parameters without the name of a node above; /** means all nodes"
                ));
            } else if matches!(child, Yaml::Map(_)) {
                parameters(child, *line, &Pattern::new(path), "", entries, errors);
            } else if !matches!(scalar(child), Some(Value::NotSet)) {
                errors.push(format!(
                    "line {line}: expected parameters below ros__parameters"
                ));
            }
        } else {
            path.push(key.clone());
            nodes(child, path, entries, errors);
            path.pop();
        }
    }
}

fn parameters(
    node: &Yaml,
    line: usize,
    pattern: &Pattern,
    name: &str,
    entries: &mut Vec<Entry>,
    errors: &mut Vec<String>,
) {
    if let Yaml::Map(map) = node {
        for (key, line, child) in map {
            let name = if name.is_empty() {
                key.clone()
            } else {
                format!("{name}.{key}")
            };
            parameters(child, *line, pattern, &name, entries, errors);
        }
        return;
    }
    match to_value(node) {
        Ok(value) => entries.push(Entry {
            nodes: pattern.clone(),
            name: name.to_owned(),
            value,
            line,
        }),
        Err((line, reason)) => errors.push(format!("line {line}: {name}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_and_nodes_are_joined() {
        let text = "
/**:
  ros__parameters:
    use_sim_time: true
left:
  latco:
    ros__parameters:
      planner:
        budget_ms: 40.0
        latco.iterations_warm: 7
      robot: {joint_names: [a, b]}
";
        let (entries, errors) = read(text);
        assert_eq!(errors, Vec::<String>::new());
        let found: Vec<_> = (entries.iter())
            .map(|e| {
                (
                    e.nodes.matches("/left/latco"),
                    e.name.as_str(),
                    e.value.clone(),
                    e.line,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (true, "use_sim_time", Value::Bool(true), 4),
                (true, "planner.budget_ms", Value::Double(40.0), 9),
                (true, "planner.latco.iterations_warm", Value::Integer(7), 10),
                (
                    true,
                    "robot.joint_names",
                    Value::Strings(vec!["a".into(), "b".into()]),
                    11
                ),
            ]
        );
        assert!(entries[0].nodes.matches("/x") && entries[0].nodes.is_wild());
        assert!(!entries[1].nodes.matches("/latco") && !entries[1].nodes.is_wild());
    }

    #[test]
    fn wildcards_stand_for_one_part_or_any_number() {
        let fits = |pattern: &str, node: &str| Pattern::new(&[pattern.to_owned()]).matches(node);
        assert!(fits("/**", "/a/b/c") && fits("/**/c", "/a/b/c") && fits("/**/c", "/c"));
        assert!(fits("/*/c", "/b/c") && !fits("/*/c", "/c") && !fits("/*/c", "/a/b/c"));
        assert!(fits("latco", "/latco") && !fits("latco", "/arm/latco"));
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let text = "
ros__parameters:
  a: 1
latco:
  ros__parameters:
    b: [1, x]
    c:
    d: [[1]]
other: 3
";
        let (entries, errors) = read(text);
        assert_eq!(entries, []);
        let expected = ["line 2", "line 6: b", "line 7: c", "line 8: d", "line 9"];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, part) in errors.iter().zip(expected) {
            assert!(error.starts_with(part), "{errors:#?}");
        }
    }
}
