//! What others ask of the node, beside transitions: never refused, and never behind a queue.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};
use latco_bag::messages::Int64;

use super::kept_stop::KeptStop;
use crate::middleware::{NodeBuilder, NodeError, TriggerReply, qos};

/// What is asked for and not done: of each kind the newest.
#[derive(Debug, Default)]
pub(super) struct Asked {
    reset: AtomicBool,
    /// How many emergency stops there were when the newest reset was asked for: it releases those.
    stops: AtomicU64,
    episode: Mutex<Option<i64>>,
}

impl Asked {
    /// How many emergency stops a reset that was asked for shall release; given once.
    pub(super) fn take_reset(&self) -> Option<u64> {
        let asked = self.reset.swap(false, Ordering::SeqCst);
        asked.then(|| self.stops.load(Ordering::SeqCst))
    }

    /// The newest episode that was announced; given once.
    pub(super) fn take_episode(&self) -> Option<i64> {
        let mut episode = self.episode.lock().unwrap_or_else(PoisonError::into_inner);
        episode.take()
    }
}

/// Adds the services and the topic. The emergency stop is latched before its service answers, on the thread that answers;
/// the rest is told on the channel.
///
/// # Errors
/// A name is remapped to none.
pub(super) fn serve(
    node: &mut NodeBuilder,
    stop: &KeptStop,
) -> Result<(Arc<Asked>, Receiver<()>), NodeError> {
    let asked = Arc::new(Asked::default());
    let (wake, woken) = bounded(1);
    // Full: the manager is about to look.
    let tell = |wake: &Sender<()>| {
        let _ = wake.try_send(());
    };
    let done = |message: &str| TriggerReply {
        success: true,
        message: message.into(),
    };
    let kept = stop.clone();
    node.serve_trigger("~/estop", move || {
        kept.stop();
        tracing::warn!("emergency stop");
        done("emergency stop latched; ~/reset releases it")
    })?;
    let (latch, resets, waker) = (stop.latch().clone(), asked.clone(), wake.clone());
    node.serve_trigger("~/reset", move || {
        resets.stops.store(latch.count(), Ordering::SeqCst);
        resets.reset.store(true, Ordering::SeqCst);
        tell(&waker);
        done("belief and plan forgotten, stop released")
    })?;
    let episodes = asked.clone();
    node.subscribe::<Int64>("episode", qos::commands(), move |message| {
        if let Some(message) = message {
            let mut newest = episodes
                .episode
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *newest = Some(message.data);
            drop(newest);
            tell(&wake);
        }
    })?;
    Ok((asked, woken))
}
