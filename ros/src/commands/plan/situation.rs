//! The situation that a single plan is made from: a belief, and the image it ended with.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::bail;
use latco_bag::image::Converter;
use latco_bag::recording::{Actions, Event, Keys, Need, Needs, Recording, Wanted};
use latco_controller::belief::BeliefFilter;
use latco_controller::config::{OutputKind, TopicsSection};
use latco_controller::inputs::{ImageInput, JointInput, JointVec};
use latco_controller::model::OnnxFilter;
use latco_controller::{Config, Robot, Time};
use latco_models::{ActionKind, Bundle};

/// An image as the model sees it: rows of red, green and blue bytes.
#[derive(Clone)]
pub(super) struct Picture {
    /// Number of columns, pixels.
    pub(super) width: usize,
    /// Number of rows, pixels.
    pub(super) height: usize,
    /// Bytes, `[height, width, 3]`.
    pub(super) pixels: Vec<u8>,
}

/// A belief and the image it ended with.
pub(super) struct Situation {
    /// Posterior mean, `[n]`.
    pub(super) belief: Vec<f32>,
    /// The newest image.
    pub(super) picture: Picture,
    /// Stamp of the newest image.
    pub(super) stamp: Time,
    /// Number of images that stepped the belief.
    pub(super) images: usize,
    /// Topic of the images; empty where they are of no bag.
    pub(super) camera: String,
}

/// The robot and the belief filter of a controller.
pub(super) fn filter(config: &Config, bundle: &Bundle) -> anyhow::Result<(BeliefFilter, Robot)> {
    let robot = Robot::new(config, bundle.manifest())?;
    let model = Box::new(OnnxFilter::new(bundle)?);
    Ok((
        BeliefFilter::new(config, bundle.manifest(), &robot, model),
        robot,
    ))
}

/// What `latco plan` reads of a bag: the topics of the configuration, where they are in it, and the joints of the robot.
fn wanted(config: &Config, robot: &Robot) -> Wanted {
    let defaults = TopicsSection::default();
    let named = |topic: &String, default: &String| match topic == default {
        true => String::new(),
        false => topic.clone(),
    };
    let topics = &config.topics;
    let commands = match config.control.output {
        OutputKind::Commands => named(&topics.commands, &defaults.commands),
        OutputKind::JointTrajectory => named(&topics.joint_trajectory, &defaults.joint_trajectory),
    };
    Wanted {
        image: named(&topics.image, &defaults.image),
        joint_states: named(&topics.joint_states, &defaults.joint_states),
        commands,
        joints: Some(robot.names().to_vec()),
        actions: Actions::Commanded,
        keys: Keys {
            image: "topics.image of the configuration (--config)",
            joint_states: "topics.joint_states of the configuration (--config)",
            commands: "topics.commands of the configuration (--config)",
        },
    }
}

/// The situation after all images of a bag up to `at_s` seconds after its first one. The joint velocities that were
/// commanded are what was sent; a new episode begins the belief anew.
pub(super) fn of_bag(
    config: &Config,
    bundle: &Bundle,
    bag: &Path,
    at_s: f64,
) -> anyhow::Result<Situation> {
    let (mut filter, robot) = filter(config, bundle)?;
    let (width, height) = filter.image_size();
    let mut pixels = vec![0; width * height * 3];
    let (mut end, mut newest, mut images) = (None, None, 0);
    let mut refused: Option<String> = None;
    let mut converter = Converter::new();
    let needs = Needs {
        images: Need::Must,
        joints: Need::May,
        commands: Need::May,
    };
    let recording = Recording::open(bag, &wanted(config, &robot), needs)?;
    let is_read = |kind| match kind {
        ActionKind::JointPosition => recording.sends_numbers(),
        ActionKind::JointPositionChange => false,
        _ => true,
    };
    if let Some(axis) = robot.axes().iter().find(|axis| !is_read(axis.kind))
        && recording.has_commands()
    {
        bail!(
            "{}: expected the positions that were sent, as the bundle's actions are of the kind {}, found changes or trajectories: \
             record the command topic of a position controller",
            bag.display(),
            axis.kind
        );
    }
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let remarks = recording.events(|event| -> anyhow::Result<_> {
        let (time_ns, is_image) = match &event {
            Event::Image { time_ns, .. } => (*time_ns, true),
            Event::Episode { time_ns, .. }
            | Event::Joints { time_ns, .. }
            | Event::Sent { time_ns, .. } => (*time_ns, false),
            Event::Reward { .. } | Event::Other(_) => return Ok(ControlFlow::Continue(())),
        };
        if end.is_some_and(|end| time_ns > end) {
            // An image of before may still be on its way.
            return Ok(match is_image {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
        }
        let stamp = Time(time_ns);
        match event {
            Event::Episode { .. } => filter.reset(),
            Event::Sent { velocities, .. } => {
                let axes = robot.axes().iter().enumerate();
                let commands: Option<JointVec> = axes
                    .map(|(index, axis)| {
                        let place = axis.kind.twist_axis().unwrap_or(index);
                        velocities.get(place).copied()
                    })
                    .collect();
                if let Some(commands) = commands {
                    filter.record_sent(stamp, &commands);
                }
            }
            Event::Joints {
                positions,
                velocities,
                ..
            } => {
                let (positions, velocities) = (wide(positions), wide(velocities));
                let input = JointInput {
                    stamp,
                    positions: &positions,
                    velocities: &velocities,
                };
                // Late and repeated ones are refused, as on the robot.
                let _ = filter.joints(&input, stamp);
            }
            Event::Image { image, .. } => {
                let end = *end.get_or_insert(time_ns + (at_s * 1e9) as i64);
                if time_ns > end {
                    refused = Some(format!("{at_s} s lie before the first image"));
                    return Ok(ControlFlow::Break(()));
                }
                let (w, h) = (width as u32, height as u32);
                if let Err(error) = converter.rgb_into(&image, w, h, &mut pixels) {
                    refused = Some(error.to_string());
                    return Ok(ControlFlow::Continue(()));
                }
                let input = ImageInput {
                    stamp,
                    width,
                    height,
                    pixels: &pixels,
                };
                match filter.observe(&input, stamp) {
                    Ok(_) => {
                        images += 1;
                        newest = Some((stamp, pixels.clone()));
                    }
                    Err(error) => refused = Some(error.to_string()),
                }
            }
            Event::Reward { .. } | Event::Other(_) => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for remark in remarks {
        tracing::warn!("{remark}");
    }
    let camera = recording.camera().unwrap_or_default();
    let Some((stamp, pixels)) = newest else {
        let reason = refused.unwrap_or_else(|| format!("no image on {camera}"));
        bail!(
            "{}: there is no belief to plan from: {reason}",
            bag.display()
        );
    };
    Ok(Situation {
        belief: filter.mean().to_vec(),
        picture: Picture {
            width,
            height,
            pixels,
        },
        stamp,
        images,
        camera: camera.to_owned(),
    })
}
