//! The situation that a single plan is made from: a belief, and the image it ended with.

use std::path::Path;

use anyhow::{Context as _, bail};
use latco_bag::image::{CameraImage, Converter, camera_topic};
use latco_bag::joints::JointOrder;
use latco_bag::messages::{Float64MultiArray, JointState};
use latco_bag::{BagReader, topics};
use latco_controller::belief::BeliefFilter;
use latco_controller::inputs::{ImageInput, JointInput, JointVec};
use latco_controller::model::OnnxFilter;
use latco_controller::{Config, Robot, Time};
use latco_models::Bundle;

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

/// The situation after all images of a bag up to `at_s` seconds after its first one. The joint velocities on
/// the topic of commands are what was sent; a new episode begins the belief anew.
pub(super) fn of_bag(
    config: &Config,
    bundle: &Bundle,
    bag: &Path,
    at_s: f64,
) -> anyhow::Result<Situation> {
    let (mut filter, robot) = filter(config, bundle)?;
    let (width, height) = filter.image_size();
    let order = JointOrder::new(robot.names());
    let joints = robot.names().len();
    let mut read = (vec![0.0; joints], vec![0.0; joints]);
    let mut pixels = vec![0; width * height * 3];
    let (mut end, mut newest, mut images) = (None, None, 0);
    let mut refused: Option<String> = None;
    let mut converter = Converter::new();
    let bag = BagReader::open(bag)?;
    let camera = camera_topic(&bag).map_or(topics::CAMERA_IMAGE, |topic| &topic.name);
    for message in bag.messages() {
        let message = match message {
            Err(damage) if damage.is_partial() => {
                tracing::warn!(%damage, "going on with what is left of the bag");
                continue;
            }
            message => message?,
        };
        let recorded = Time(message.time_ns);
        if end.is_some_and(|end| recorded.0 > end) {
            break;
        }
        let is = |topic| topics::matches(&message.topic, topic);
        if is(topics::EPISODE) {
            filter.reset();
        } else if is(topics::COMMANDS) {
            let sent: Float64MultiArray = message.decode()?;
            let velocities: JointVec = sent.data.iter().copied().take(joints).collect();
            if velocities.len() == joints {
                filter.record_sent(recorded, &velocities);
            }
        } else if is(topics::JOINT_STATES) {
            let state: JointState = message.decode()?;
            order.read_into(&state, &mut read.0, &mut read.1)?;
            let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let stamp = Time(state.header.stamp.to_nanos());
            let (positions, velocities) = (wide(&read.0), wide(&read.1));
            let input = JointInput {
                stamp,
                positions: &positions,
                velocities: &velocities,
            };
            // Late and repeated ones are refused, as on the robot.
            let _ = filter.joints(&input, stamp);
        } else if is(camera) {
            let image = CameraImage::decode(&message)?;
            let stamp = Time(image.header().stamp.to_nanos());
            let end = *end.get_or_insert(stamp.0 + (at_s * 1e9) as i64);
            if stamp.0 > end {
                break;
            }
            let (w, h) = (width as u32, height as u32);
            converter
                .rgb_into(&image, w, h, &mut pixels)
                .context("a camera image")?;
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
    }
    let Some((stamp, pixels)) = newest else {
        let reason = refused.unwrap_or_else(|| format!("no image on {camera}"));
        bail!(
            "{}: there is no belief to plan from: {reason}",
            bag.path().display()
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
    })
}
