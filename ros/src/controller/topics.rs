//! The outgoing topics of a configured controller.

use latco_bag::messages::{
    CompressedImage, Float64MultiArray, Image, JointState, JointTrajectory, MultiArrayDimension,
    MultiArrayLayout, RosMessage, TwistStamped,
};
use latco_controller::config::{ImageTransport, OutputKind};
use latco_controller::execute::Chunk;
use latco_controller::plan::Plan;
use latco_controller::{Config, Controller, Robot};

use super::sink::{CommandOutbox, numbers_message, trajectory_message, twist_message};
use crate::middleware::identity::{NameKind, NodeIdentity};
use crate::middleware::names::wire_name;
use crate::middleware::peers::Peers;
use crate::middleware::{NodeBuilder, NodeError, RunningNode, qos};

/// Makes the command topic that the configuration asks for.
///
/// # Errors
/// [`NodeError`] for a wrong name, and for trajectories without names of joints.
pub(super) fn command_outbox(
    node: &mut NodeBuilder,
    config: &Config,
    controller: &Controller,
) -> Result<CommandOutbox, NodeError> {
    match config.control.output {
        OutputKind::Commands => {
            let topic = &config.topics.commands;
            let twist = twist_axes(controller.robot());
            if twist.is_empty() {
                let outbox = node.publisher_of(topic, qos::commands(), 64, numbers_message)?;
                return Ok(CommandOutbox::Numbers(outbox));
            }
            Ok(CommandOutbox::Twists {
                outbox: node.publisher_of(topic, qos::commands(), 64, twist_message)?,
                axes: twist.into(),
                frame: config.robot.twist_frame.as_str().into(),
            })
        }
        OutputKind::JointTrajectory => {
            if controller.robot().names().is_empty() {
                return Err(NodeError::NoJoints);
            }
            let topic = &config.topics.joint_trajectory;
            let outbox = node.publisher_of(topic, qos::commands(), 8, trajectory_message)?;
            let (robot, plan) = (controller.robot(), controller.empty_plan());
            let rate_hz = config.control.command_rate_hz;
            let moved = &robot.names()[..robot.actions()];
            Ok(CommandOutbox::trajectories(outbox, moved, || {
                Chunk::with_room(robot, &plan, rate_hz)
            }))
        }
    }
}

/// The place of each action in a twist; empty where actions are no components of one.
pub(super) fn twist_axes(robot: &Robot) -> Vec<usize> {
    let axes: Option<Vec<usize>> = (robot.axes().iter())
        .map(|axis| axis.kind.twist_axis())
        .collect();
    axes.unwrap_or_default()
}

/// The publishers of images and of joint states, the subscriptions of the commands, other publishers of commands, and other
/// nodes of our name.
pub(super) fn peers(
    node: &RunningNode,
    identity: &NodeIdentity,
    config: &Config,
    is_twist: bool,
) -> [Peers; 5] {
    let Some(context) = node.context() else {
        return Default::default();
    };
    let wire = |name: &str, ty| {
        wire_name(&identity.resolve(name, NameKind::Topic), ty).unwrap_or_default()
    };
    let publishers = |name: &str, ty, qos| {
        let (topic, ty) = wire(name, ty);
        Peers::publishers(context, &topic, &ty, &qos)
    };
    let topics = &config.topics;
    let mut images = Peers::default();
    if topics.image_transport != ImageTransport::Compressed {
        images.join(publishers(&topics.image, Image::TYPE, qos::images()));
    }
    if topics.image_transport != ImageTransport::Raw {
        let compressed = format!("{}/compressed", topics.image);
        images.join(publishers(
            &compressed,
            CompressedImage::TYPE,
            qos::images(),
        ));
    }
    let joints = publishers(&topics.joint_states, JointState::TYPE, qos::sensors(10));
    let (name, ty) = match config.control.output {
        OutputKind::Commands if is_twist => (&topics.commands, TwistStamped::TYPE),
        OutputKind::Commands => (&topics.commands, Float64MultiArray::TYPE),
        OutputKind::JointTrajectory => (&topics.joint_trajectory, JointTrajectory::TYPE),
    };
    let (topic, ty) = wire(name, ty);
    let commands = Peers::subscriptions(context, &topic, &ty, &qos::commands());
    let rivals = Peers::publishers(context, &topic, &ty, &qos::commands());
    // Every node answers this once.
    let answers = format!("rr{}/get_parametersReply", identity.full_name());
    let namesakes = Peers::publishers(context, &answers, "", &qos::commands());
    [images, joints, commands, rivals, namesakes]
}

/// Makes the message of the planned commands, one row a control period: joint velocities in rad/s, changes of positions in rad, or
/// components of a twist; `scale` is the command of the action 1 of each.
pub(super) fn plan_message(plan: &Plan, scale: &[f64]) -> Float64MultiArray {
    let joints = scale.len();
    let dimension = |label: &str, size: usize, stride: usize| MultiArrayDimension {
        label: label.into(),
        size: u32::try_from(size).unwrap_or(u32::MAX),
        stride: u32::try_from(stride).unwrap_or(u32::MAX),
    };
    let data: Vec<f64> = plan
        .actions
        .iter()
        .enumerate()
        .map(|(i, &a)| f64::from(a) * scale[i % joints.max(1)])
        .collect();
    let layout = MultiArrayLayout {
        dim: vec![
            dimension("step", plan.steps(), data.len()),
            dimension("joint", joints, joints),
        ],
        data_offset: 0,
    };
    Float64MultiArray { layout, data }
}
