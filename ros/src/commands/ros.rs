//! The effect of ROS arguments on a command.

use latco_controller::Config;

use super::failure::Failure;
use crate::controller::parameters::{Parameters, USE_SIM_TIME, declared, unknown, with_values};
use crate::managed::arguments::{ArgumentErrors, RosArguments};
use crate::managed::parameters::Value;
use crate::middleware::NodeIdentity;

/// The parameters of a configuration with those of the command line, which win over the file.
///
/// # Errors
/// A failure with status 2 and everything that is wrong in its message.
pub(super) fn configured(
    config: &Config,
    arguments: &RosArguments,
    identity: &NodeIdentity,
) -> Result<Parameters, Failure> {
    warn_without_effect(arguments);
    let mut errors = Vec::new();
    let mut changes: Vec<(&str, &Value)> = Vec::new();
    let mut use_sim_time = false;
    for given in arguments.parameters_of(identity) {
        let name = given.name.as_str();
        let wrong = |reason: &str| format!("{}: {name}: {reason}", given.origin);
        if name == USE_SIM_TIME.name {
            match USE_SIM_TIME.accept(&given.value) {
                Ok(value) => use_sim_time = value == Value::Bool(true),
                Err(reason) => errors.push(wrong(&reason)),
            }
        } else if let Some(declared) = declared(name) {
            match declared.accept(&given.value) {
                Ok(_) => {
                    changes.retain(|(known, _)| *known != name);
                    changes.push((name, &given.value));
                }
                Err(reason) => errors.push(wrong(&reason)),
            }
        } else if given.is_for_several {
            tracing::warn!("{}: {name} is no parameter of this node", given.origin);
        } else {
            errors.push(wrong(&unknown(name)));
        }
    }
    match with_values(config, &changes) {
        Ok(config) if errors.is_empty() => Ok(Parameters::new(config, use_sim_time)),
        Ok(_) => Err(Failure::usage(ArgumentErrors(errors))),
        Err(more) => {
            errors.extend(more);
            Err(Failure::usage(ArgumentErrors(errors)))
        }
    }
}

/// Warns of ROS arguments that have no effect on this command.
pub(super) fn warn_without_effect(arguments: &RosArguments) {
    for argument in &arguments.without_effect {
        tracing::warn!(
            "{argument} has no effect: logs go to standard error, RUST_LOG and --log-level filter them"
        );
    }
}
