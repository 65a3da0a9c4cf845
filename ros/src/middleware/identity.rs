//! The names of a node, its topics and its services, and the rules that change them (`-r from:=to`).

use std::fmt;

/// The names that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Topics,
    Services,
    Both,
}

/// The part that a rule changes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Node,
    Namespace,
    /// The name that is changed, as it was given.
    Name(Scope, String),
}

/// One rule of static remapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name of the only node that it applies to; `None` for all nodes.
    node: Option<String>,
    target: Target,
    to: String,
}

/// The kind of thing that a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// The name of a topic.
    Topic,
    /// The name of a service.
    Service,
}

impl Rule {
    /// Reads `from:=to`, `node:from:=to`, `__node:=name`, `__ns:=/name`, `rostopic://from:=to`, `rosservice://from:=to`.
    ///
    /// # Errors
    /// A description of what is wrong with the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((from, to)) = text.split_once(":=") else {
            return Err(format!("expected from:=to, found {text:?}"));
        };
        let (scope, from) = if let Some(from) = from.strip_prefix("rostopic://") {
            (Scope::Topics, from)
        } else if let Some(from) = from.strip_prefix("rosservice://") {
            (Scope::Services, from)
        } else {
            (Scope::Both, from)
        };
        let (node, from) = match from.split_once(':') {
            Some((node, from)) => (Some(node.to_owned()), from),
            None => (None, from),
        };
        if let Some(node) = &node {
            check_token(node).map_err(|reason| format!("{text:?}: node {node:?}: {reason}"))?;
        }
        let wrong =
            |what: &str, name: &str, reason: String| format!("{text:?}: {what} {name:?}: {reason}");
        let target = match from {
            "__node" | "__name" => {
                check_token(to).map_err(|reason| wrong("node name", to, reason))?;
                Target::Node
            }
            "__ns" => {
                check_namespace(to).map_err(|reason| wrong("namespace", to, reason))?;
                Target::Namespace
            }
            _ => {
                check_name(from).map_err(|reason| wrong("name", from, reason))?;
                check_name(to).map_err(|reason| wrong("name", to, reason))?;
                Target::Name(scope, from.to_owned())
            }
        };
        Ok(Self {
            node,
            target,
            to: to.to_owned(),
        })
    }
}

/// A node's place among names: its namespace, its name, and the rules that rename what it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// Absolute namespace, `/` for none.
    pub namespace: String,
    /// Name of the node, without its namespace.
    pub name: String,
    rules: Vec<Rule>,
}

impl NodeIdentity {
    /// Makes the identity of a node that no rule renames.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: absolute_namespace(namespace),
            name: name.to_owned(),
            rules: Vec::new(),
        }
    }

    /// Makes the identity that the rules give a node of this name. The first rule that fits counts, as in
    /// ROS.
    pub fn with_rules(namespace: &str, name: &str, rules: &[Rule]) -> Self {
        let mut identity = Self::new(namespace, name);
        let applies = |rule: &Rule| rule.node.as_deref().is_none_or(|node| node == name);
        let first = |target: &Target| {
            (rules.iter())
                .find(|rule| rule.target == *target && applies(rule))
                .map(|rule| rule.to.clone())
        };
        if let Some(namespace) = first(&Target::Namespace) {
            identity.namespace = absolute_namespace(&namespace);
        }
        if let Some(name) = first(&Target::Node) {
            identity.name = name;
        }
        identity.rules = (rules.iter())
            .filter(|rule| applies(rule) && matches!(rule.target, Target::Name(..)))
            .cloned()
            .collect();
        identity
    }

    /// The full name of the node.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace.trim_end_matches('/'), self.name)
    }

    /// The absolute name without renaming: `~/x` becomes `/namespace/node/x`, `x` becomes `/namespace/x`, `/x` stays;
    /// `{node}`, `{ns}` and `{namespace}` stand for the node's own.
    pub fn expand(&self, name: &str) -> String {
        let namespace = self.namespace.trim_end_matches('/');
        let name = name
            .replace("{node}", &self.name)
            .replace("{namespace}", &self.namespace)
            .replace("{ns}", &self.namespace);
        match name.strip_prefix('~') {
            Some("") => self.full_name(),
            Some(rest) if rest.starts_with('/') => format!("{}{rest}", self.full_name()),
            _ if name.starts_with('/') => name,
            _ => format!("{namespace}/{name}"),
        }
    }

    /// The absolute name, renamed by the first rule that fits.
    pub fn resolve(&self, name: &str, kind: NameKind) -> String {
        let full = self.expand(name);
        self.rules
            .iter()
            .find_map(|rule| match &rule.target {
                Target::Name(scope, from) if scope.covers(kind) && self.expand(from) == full => {
                    Some(self.expand(&rule.to))
                }
                _ => None,
            })
            .unwrap_or(full)
    }
}

impl Scope {
    fn covers(self, kind: NameKind) -> bool {
        match self {
            Self::Both => true,
            Self::Topics => kind == NameKind::Topic,
            Self::Services => kind == NameKind::Service,
        }
    }
}

impl fmt::Display for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name())
    }
}

fn absolute_namespace(namespace: &str) -> String {
    format!("/{}", namespace.trim_matches('/'))
}

/// Checks one part of a name: letters, digits and `_`, no digit first.
fn check_token(token: &str) -> Result<(), String> {
    let mut characters = token.chars();
    match characters.next() {
        None => return Err("expected a name, found nothing".to_owned()),
        Some(first) if first.is_ascii_digit() => {
            return Err("expected a letter first, found a digit".to_owned());
        }
        Some(_) => {}
    }
    match token
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || *c == '_'))
    {
        Some(found) => Err(format!("expected letters, digits and '_', found {found:?}")),
        None => Ok(()),
    }
}

/// Checks a namespace.
pub(super) fn check_namespace(namespace: &str) -> Result<(), String> {
    if !namespace.starts_with('/') {
        return Err("expected '/' first".to_owned());
    }
    if namespace == "/" {
        return Ok(());
    }
    namespace.split('/').skip(1).try_for_each(check_token)
}

/// Checks a topic's or service's name before it is made absolute.
fn check_name(name: &str) -> Result<(), String> {
    let plain = ["{node}", "{namespace}", "{ns}"]
        .iter()
        .fold(name.to_owned(), |name, part| name.replace(part, "x"));
    // "{ns}/x" begins with a slash once it is replaced.
    let rest = match plain.strip_prefix('~') {
        Some("") => return Ok(()),
        Some(rest) => rest.strip_prefix('/').ok_or("expected '/' after '~'")?,
        None => plain.strip_prefix('/').unwrap_or(&plain),
    };
    rest.split('/').try_for_each(check_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(rules: &[&str]) -> NodeIdentity {
        let rules: Vec<Rule> = rules.iter().map(|r| Rule::parse(r).unwrap()).collect();
        NodeIdentity::with_rules("/", "latco", &rules)
    }

    #[test]
    fn names_become_absolute() {
        let root = identity(&[]);
        let arm = NodeIdentity::new("/arm", "latco");
        assert_eq!(root.expand("~/status"), "/latco/status");
        assert_eq!(arm.expand("~/imagined/image"), "/arm/latco/imagined/image");
        assert_eq!(arm.expand("~"), "/arm/latco");
        assert_eq!(root.expand("camera/image_raw"), "/camera/image_raw");
        assert_eq!(arm.expand("joint_states"), "/arm/joint_states");
        assert_eq!(arm.expand("/joint_states"), "/joint_states");
        assert_eq!(arm.expand("{ns}/x_{node}"), "/arm/x_latco");
        assert_eq!(NodeIdentity::new("arm/", "latco").namespace, "/arm");
    }

    #[test]
    fn topics_and_services_are_renamed_after_both_sides_are_made_absolute() {
        let identity = identity(&[
            "__ns:=/left",
            "__node:=planner",
            "camera/image_raw:=/front/image",
            "~/estop:=emergency_stop",
            "/left/joint_states:=~/joints",
        ]);
        assert_eq!(identity.full_name(), "/left/planner");
        assert_eq!(
            identity.resolve("camera/image_raw", NameKind::Topic),
            "/front/image"
        );
        assert_eq!(
            identity.resolve("~/estop", NameKind::Service),
            "/left/emergency_stop"
        );
        assert_eq!(
            identity.resolve("joint_states", NameKind::Topic),
            "/left/planner/joints"
        );
        assert_eq!(
            identity.resolve("commands", NameKind::Topic),
            "/left/commands"
        );
    }

    #[test]
    fn the_first_rule_counts_and_rules_of_other_nodes_and_uses_do_not() {
        let identity = identity(&[
            "other:a:=b",
            "latco:a:=c",
            "a:=d",
            "rosservice://s:=t",
            "rostopic://u:=v",
            "robot:__node:=x",
        ]);
        assert_eq!(identity.name, "latco");
        assert_eq!(identity.resolve("a", NameKind::Topic), "/c");
        assert_eq!(identity.resolve("s", NameKind::Topic), "/s");
        assert_eq!(identity.resolve("s", NameKind::Service), "/t");
        assert_eq!(identity.resolve("u", NameKind::Topic), "/v");
        assert_eq!(identity.resolve("u", NameKind::Service), "/u");
    }

    #[test]
    fn a_rule_that_cannot_be_is_refused_with_what_was_expected() {
        for (text, part) in [
            ("a=b", "from:=to"),
            ("a:=", "found nothing"),
            (":=b", "found nothing"),
            ("a b:=c", "' '"),
            ("a:=b//c", "found nothing"),
            ("~a:=b", "after '~'"),
            ("__ns:=arm", "'/' first"),
            ("__ns:=/arm/", "found nothing"),
            ("__node:=a/b", "'/'"),
            ("__node:=1a", "digit"),
            ("no de:a:=b", "node"),
        ] {
            let error = Rule::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
