//! ROS arguments: what follows `--ros-args` on a command line (remapping, parameters, parameter files, log level).
//!
//! ```
//! use latco_ros::managed::arguments::RosArguments;
//! use latco_ros::managed::parameters::Value;
//! let line = ["latco", "run", "--ros-args", "-r", "__ns:=/left", "-p", "planner.budget_ms:=40.0", "--", "--json"];
//! let (rest, ros) = RosArguments::split(line.map(Into::into), |file| std::fs::read_to_string(file))?;
//! assert_eq!(rest, ["latco", "run", "--json"]);
//! let identity = ros.identity("/", "latco");
//! assert_eq!(identity.full_name(), "/left/latco");
//! assert_eq!(ros.parameters_of(&identity)[0].value, Value::Double(40.0));
//! # Ok::<(), latco_ros::managed::arguments::ArgumentErrors>(())
//! ```
//!
//! Pure but for the reading of parameter files, which the caller does.

mod file;
mod values;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::managed::parameters::Value;
use crate::middleware::identity::{NodeIdentity, Rule};
use file::Pattern;

/// Everything that is wrong with the ROS arguments of a command line.
#[derive(Debug, thiserror::Error)]
#[error("the ROS arguments have {} error{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, list(.0))]
pub struct ArgumentErrors(pub Vec<String>);

fn list(errors: &[String]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect()
}

/// The ROS arguments of a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RosArguments {
    rules: Vec<Rule>,
    parameters: Vec<(Option<Pattern>, Given)>,
    /// Level of `--log-level`, as `tracing` knows it; the last one counts.
    pub log_level: Option<&'static str>,
    /// Arguments that are known and have no effect here.
    pub without_effect: Vec<String>,
    given: bool,
}

/// A parameter that was given a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Name of the parameter.
    pub name: String,
    /// Value that it was given.
    pub value: Value,
    /// The place where it was given, for people.
    pub origin: String,
    /// Whether it was given to several nodes by a wildcard, so that a node may lack it.
    pub is_for_several: bool,
}

impl RosArguments {
    /// Takes the ROS arguments out of a command line (the sections that `--ros-args` begins, and `--` or the end closes).
    /// `read` reads a parameter file. What comes after a `--` that is not in such a section is left alone.
    ///
    /// # Errors
    /// [`ArgumentErrors`] with everything that is wrong.
    pub fn split(
        line: impl IntoIterator<Item = OsString>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<(Vec<OsString>, Self), ArgumentErrors> {
        let mut ros = Self::default();
        let (mut rest, mut errors) = (Vec::new(), Vec::new());
        let mut line = line.into_iter();
        let mut inside = false;
        while let Some(argument) = line.next() {
            if !inside && argument == "--ros-args" {
                (inside, ros.given) = (true, true);
            } else if !inside && argument == "--" {
                rest.push(argument);
                rest.extend(line.by_ref());
            } else if !inside {
                rest.push(argument);
            } else if argument == "--" {
                inside = false;
            } else if argument != "--ros-args" {
                ros.take(&argument, &mut line, &read, &mut errors);
            }
        }
        if errors.is_empty() {
            Ok((rest, ros))
        } else {
            Err(ArgumentErrors(errors))
        }
    }

    /// Whether the command line has any ROS arguments.
    pub fn is_given(&self) -> bool {
        self.given
    }

    /// Name and namespace that the remapping rules give a node.
    pub fn identity(&self, namespace: &str, name: &str) -> NodeIdentity {
        NodeIdentity::with_rules(namespace, name, &self.rules)
    }

    /// The parameters that are for this node, in the order in which they were given: the last of a name counts.
    pub fn parameters_of(&self, identity: &NodeIdentity) -> Vec<&Given> {
        let full_name = identity.full_name();
        (self.parameters.iter())
            .filter(|(nodes, _)| nodes.as_ref().is_none_or(|nodes| nodes.matches(&full_name)))
            .map(|(_, given)| given)
            .collect()
    }

    fn take(
        &mut self,
        argument: &OsString,
        line: &mut impl Iterator<Item = OsString>,
        read: &impl Fn(&Path) -> io::Result<String>,
        errors: &mut Vec<String>,
    ) {
        let Some(flag) = argument.to_str() else {
            errors.push(format!("{argument:?}: expected UTF-8"));
            return;
        };
        match flag {
            "--enable-rosout-logs"
            | "--disable-rosout-logs"
            | "--enable-stdout-logs"
            | "--disable-stdout-logs"
            | "--enable-external-lib-logs"
            | "--disable-external-lib-logs" => {
                self.without_effect.push(flag.to_owned());
                return;
            }
            "-r" | "--remap" | "-p" | "--param" | "--params-file" | "--log-level"
            | "--log-config-file" | "-e" | "--enclave" => {}
            _ => {
                errors.push(format!(
                    "{flag}: expected -r FROM:=TO, -p NAME:=VALUE, --params-file FILE, --log-level LEVEL, or -- to end the \
                     ROS arguments"
                ));
                return;
            }
        }
        let Some(value) = line.next() else {
            errors.push(format!("{flag}: expected a value after it, found the end"));
            return;
        };
        if flag == "--params-file" {
            self.take_file(Path::new(&value), read, errors);
            return;
        }
        let Some(value) = value.to_str() else {
            errors.push(format!("{flag} {value:?}: expected UTF-8"));
            return;
        };
        let taken = match flag {
            "-r" | "--remap" => Rule::parse(value).map(|rule| self.rules.push(rule)),
            "-p" | "--param" => self.take_parameter(value),
            "--log-level" => self.take_level(value),
            "--log-config-file" => {
                self.without_effect.push(format!("{flag} {value}"));
                Ok(())
            }
            // To go on without the encryption that was asked for would be worse than not to start.
            _ => Err("DDS security is not supported".to_owned()),
        };
        if let Err(reason) = taken {
            errors.push(format!("{flag} {value}: {reason}"));
        }
    }

    fn take_parameter(&mut self, text: &str) -> Result<(), String> {
        let Some((name, value)) = text.split_once(":=") else {
            return Err("expected name:=value".to_owned());
        };
        let (node, name) = match name.split_once(':') {
            Some((node, name)) => (Some(node), name),
            None => (None, name),
        };
        check_parameter_name(name)?;
        if let Some(node) = node {
            Rule::parse(&format!("__node:={node}"))
                .map_err(|_| format!("node {node:?} is no name"))?;
        }
        let given = Given {
            name: name.to_owned(),
            value: values::parse_value(value)?,
            origin: format!("-p {text}"),
            is_for_several: false,
        };
        // The name of a node here is without its namespace.
        let nodes = node.map(Pattern::of_name);
        self.parameters.push((nodes, given));
        Ok(())
    }

    fn take_file(
        &mut self,
        path: &Path,
        read: &impl Fn(&Path) -> io::Result<String>,
        errors: &mut Vec<String>,
    ) {
        let shown = path.display();
        let text = match read(path) {
            Ok(text) => text,
            Err(error) => {
                errors.push(format!("--params-file {shown}: {error}"));
                return;
            }
        };
        let (entries, mistakes) = file::read(&text);
        errors.extend((mistakes.iter()).map(|mistake| format!("--params-file {shown}: {mistake}")));
        for entry in entries {
            let given = Given {
                name: entry.name,
                value: entry.value,
                origin: format!("{shown}, line {}", entry.line),
                is_for_several: entry.nodes.is_wild(),
            };
            self.parameters.push((Some(entry.nodes), given));
        }
    }

    fn take_level(&mut self, text: &str) -> Result<(), String> {
        // `logger:=level` sets the level of one logger; there is one logger here.
        let level = text.split_once(":=").map_or(text, |(_, level)| level);
        self.log_level = Some(match level.to_ascii_lowercase().as_str() {
            "debug" => "debug",
            "info" => "info",
            "warn" => "warn",
            "error" | "fatal" => "error",
            "unset" => return Ok(()),
            _ => {
                return Err("expected debug, info, warn, error or fatal".to_owned());
            }
        });
        Ok(())
    }
}

fn check_parameter_name(name: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    if name.is_empty() || name.split('.').any(str::is_empty) || !name.chars().all(known) {
        return Err(format!(
            "expected the name of a parameter, such as planner.budget_ms, found {name:?}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::middleware::identity::NameKind;

    fn split(line: &[&str]) -> Result<(Vec<OsString>, RosArguments), Vec<String>> {
        let read = |path: &Path| {
            match path.to_str() {
            Some("good.yaml") => Ok(
                "/**:\n  ros__parameters:\n    use_sim_time: true\nlatco:\n  ros__parameters:\n    planner.seed: 4\n"
                    .to_owned(),
            ),
            Some("bad.yaml") => Ok("latco:\n  ros__parameters:\n    a: [1, x]\n    b:\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
        };
        RosArguments::split(line.iter().map(Into::into), read).map_err(|errors| errors.0)
    }

    #[test]
    fn sections_are_taken_out_and_the_rest_keeps_its_order() {
        let line = [
            "latco",
            "run",
            "--ros-args",
            "-r",
            "a:=b",
            "--",
            "--config",
            "x",
            "--ros-args",
            "--log-level",
            "DEBUG",
            "--disable-rosout-logs",
        ];
        let (rest, ros) = split(&line).unwrap();
        assert_eq!(rest, ["latco", "run", "--config", "x"]);
        assert!(ros.is_given());
        assert_eq!(ros.log_level, Some("debug"));
        assert_eq!(ros.without_effect, ["--disable-rosout-logs"]);
        assert_eq!(ros.identity("/", "n").resolve("a", NameKind::Topic), "/b");
    }

    #[test]
    fn without_ros_arguments_nothing_is_taken() {
        let line = ["latco", "play", "bag", "--", "--ros-args", "-r"];
        let (rest, ros) = split(&line).unwrap();
        assert_eq!(rest, line);
        assert_eq!(ros, RosArguments::default());
    }

    #[test]
    fn parameters_keep_their_order_and_reach_only_their_nodes() {
        let line = [
            "--ros-args",
            "--params-file",
            "good.yaml",
            "-p",
            "planner.seed:=5",
            "-p",
            "other:planner.seed:=6",
            "-p",
            "latco:planner.kind:=cem",
        ];
        let (_, ros) = split(&line).unwrap();
        let identity = ros.identity("/", "latco");
        let found: Vec<_> = ros
            .parameters_of(&identity)
            .iter()
            .map(|g| (g.name.as_str(), g.value.clone()))
            .collect();
        let cem = Value::String("cem".into());
        assert_eq!(
            found,
            [
                ("use_sim_time", Value::Bool(true)),
                ("planner.seed", Value::Integer(4)),
                ("planner.seed", Value::Integer(5)),
                ("planner.kind", cem.clone()),
            ]
        );
        let found = ros.parameters_of(&ros.identity("/arm", "latco")).len();
        assert_eq!(
            found, 3,
            "the file's latco is not in a namespace; -p's may be"
        );
        assert!(ros.parameters_of(&identity)[0].is_for_several);
        assert!(
            ros.parameters_of(&identity)[1]
                .origin
                .contains("good.yaml, line 6")
        );
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let line = [
            "--ros-args",
            "-r",
            "a",
            "-p",
            "b",
            "-p",
            "c:={}",
            "--params-file",
            "none.yaml",
            "--params-file",
            "bad.yaml",
            "--log-level",
            "loud",
            "--enclave",
            "/x",
            "--what",
            "-r",
        ];
        let errors = split(&line).unwrap_err();
        let expected = [
            "-r a: expected from:=to",
            "-p b: expected name:=value",
            "-p c:={}: expected a value",
            "none.yaml",
            "bad.yaml: line 3",
            "bad.yaml: line 4",
            "--log-level loud",
            "security",
            "--what: expected -r",
            "-r: expected a value after it",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, part) in errors.iter().zip(expected) {
            assert!(error.contains(part), "{part} in {errors:#?}");
        }
        let message = ArgumentErrors(errors).to_string();
        assert!(
            message.starts_with("the ROS arguments have 10 errors:\n"),
            "{message}"
        );
    }
}
