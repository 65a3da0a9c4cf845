//! Goals that somebody gives as pictures: `~/goal_image`.
//!
//! What a picture asks for is computed by a thread of its own, in a tenth of a second or so, while the robot moves; the planner
//! takes the newest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::{TrySendError, bounded};
use latco_bag::image::CameraImage;
use latco_bag::messages::{CompressedImage, Image};
use latco_controller::runtime::GoalPort;

use super::intake::{Complaints, Counters};
use crate::goal::GoalPictures;
use crate::middleware::{NodeBuilder, qos};

/// The topic of raw pictures; compressed ones come on the one with `/compressed` behind it.
const TOPIC: &str = "~/goal_image";
/// Number of pictures that wait for the thread.
const WAITING: usize = 4;

/// An image, or the type of the message that did not decode.
type Received = Result<CameraImage, &'static str>;

/// Adds the subscriptions, whose pictures are what plans end in from then on. What is wrong is counted and told, and the goal stays.
///
/// # Errors
/// A wrong name, or no thread from the system.
pub(super) fn listen(
    node: &mut NodeBuilder,
    mut port: GoalPort,
    mut pictures: GoalPictures,
    counters: Arc<Counters>,
) -> anyhow::Result<()> {
    let (sender, received) = bounded::<Received>(WAITING);
    let compressed = sender.clone();
    node.subscribe::<Image>(TOPIC, qos::commands(), move |message| {
        put(
            &sender,
            message.map(Into::into).ok_or("sensor_msgs/msg/Image"),
        );
    })?;
    let topic = format!("{TOPIC}/compressed");
    node.subscribe::<CompressedImage>(&topic, qos::commands(), move |message| {
        let expected = "sensor_msgs/msg/CompressedImage";
        put(&compressed, message.map(Into::into).ok_or(expected));
    })?;
    let mut complaints = Complaints::new("goal picture");
    std::thread::Builder::new()
        .name("goal".into())
        .spawn(move || {
            for oldest in &received {
                let newest = received.try_iter().last().unwrap_or(oldest);
                let goal = (newest
                    .map_err(|ty| format!("expected a {ty}, found bytes that do not decode")))
                .and_then(|picture| {
                    pictures
                        .belief(&picture, None)
                        .map_err(|e| format!("{e:#}"))
                });
                match goal {
                    Ok(goal) => {
                        port.send(&goal.belief);
                        counters.goals_taken.fetch_add(1, Ordering::Relaxed);
                        tracing::info!(joints = ?goal.positions, "a new goal picture");
                    }
                    Err(reason) => complaints.refuse(
                        &counters.goals_refused,
                        &counters.last_goal_error,
                        reason,
                    ),
                }
            }
        })?;
    Ok(())
}

/// Hands a message to the thread. One that finds no room is dropped: others wait that are as new.
fn put(sender: &crossbeam::channel::Sender<Received>, received: Received) {
    if let Err(TrySendError::Full(_)) = sender.try_send(received) {
        tracing::debug!("a goal picture came before those before it were looked at");
    }
}
