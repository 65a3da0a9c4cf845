//! The subscriptions of the camera: raw and compressed images of any size become the pixels that the model
//! takes.
//!
//! Decoding an image takes milliseconds, so a thread of its own does it: the reactor thread hands the message over and
//! goes on with the joint states. The newest images win when they come faster than they are converted. Raw images of
//! the model's size are only copied, which the reactor thread does at once: waking another thread takes longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use crossbeam::queue::ArrayQueue;
use latco_bag::image::{CameraImage, Converter};
use latco_bag::messages::{CompressedImage, Image};
use latco_controller::config::{ImageTransport, TopicsSection};
use latco_controller::priority;
use latco_controller::runtime::ImageIntake;
use latco_controller::{Clock as _, Time};

use super::intake::{Complaints, Counters};
use super::ros_clock::RosClock;
use crate::middleware::{NodeBuilder, NodeError, qos};

/// Number of images that wait for the thread; an older one gives way.
const WAITING: usize = 2;
/// Time of silence on the topic in use after which the camera's other topic is taken, where images come on
/// both.
const SWITCH_AFTER: Duration = Duration::from_secs(1);

/// Hand-over from the handlers of the subscriptions to the thread that converts.
#[derive(Clone)]
pub(super) struct CameraInbox {
    waiting: Arc<ArrayQueue<Received>>,
    wake: Sender<()>,
    camera: Arc<Mutex<Camera>>,
    /// Columns and rows of images that are only copied.
    size: (u32, u32),
    open: Arc<AtomicBool>,
    clock: Arc<RosClock>,
    counters: Arc<Counters>,
}

/// An image, or the type of the message that did not decode.
type Received = Result<CameraImage, &'static str>;

impl CameraInbox {
    /// Starts the thread that converts images for `port` while it is `open`; it ends when the last inbox is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        port: Box<dyn ImageIntake>,
        open: Arc<AtomicBool>,
        clock: Arc<RosClock>,
        counters: Arc<Counters>,
    ) -> std::io::Result<Self> {
        let waiting = Arc::new(ArrayQueue::new(WAITING));
        let (wake, woken) = bounded::<()>(1);
        let camera = Camera::new(port, counters.clone());
        let size = camera.size;
        let camera = Arc::new(Mutex::new(camera));
        let inbox = Self {
            waiting: waiting.clone(),
            wake,
            camera: camera.clone(),
            size,
            open,
            clock,
            counters,
        };
        std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || {
                priority::raise();
                for () in woken.iter() {
                    loop {
                        // Taken with the camera in hand, so that no newer image is converted before it.
                        let mut camera = camera.lock().unwrap_or_else(PoisonError::into_inner);
                        let Some(received) = waiting.pop() else { break };
                        camera.take(received, Instant::now());
                    }
                }
            })?;
        Ok(inbox)
    }

    /// Subscribes to the camera's topics.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name.
    pub(super) fn listen(
        &self,
        node: &mut NodeBuilder,
        topics: &TopicsSection,
    ) -> Result<(), NodeError> {
        if topics.image_transport != ImageTransport::Compressed {
            let inbox = self.clone();
            node.subscribe::<Image>(&topics.image, qos::images(), move |message| {
                inbox.put(message.map(Into::into).ok_or("sensor_msgs/msg/Image"));
            })?;
        }
        if topics.image_transport != ImageTransport::Raw {
            let inbox = self.clone();
            let topic = format!("{}/compressed", topics.image);
            node.subscribe::<CompressedImage>(&topic, qos::images(), move |message| {
                let expected = "sensor_msgs/msg/CompressedImage";
                inbox.put(message.map(Into::into).ok_or(expected));
            })?;
        }
        Ok(())
    }

    /// # Real-time
    /// No allocation, no waiting.
    fn put(&self, received: Received) {
        let stamp = received.as_ref().ok().map(|i| i.header().stamp.to_nanos());
        let now_ns = self.clock.now().0;
        self.counters.image_arrivals.note(stamp, now_ns);
        if !self.open.load(Ordering::SeqCst) {
            return;
        }
        if let Some(mut camera) = self.at_once(&received) {
            camera.take(received, Instant::now());
            return;
        }
        if self.waiting.force_push(received).is_some() {
            self.counters
                .images_overtaken
                .fetch_add(1, Ordering::Relaxed);
        }
        // A full channel means that the thread is awake or about to be.
        let _ = self.wake.try_send(());
    }

    /// The camera, for an image that is only copied and that no other is waiting before.
    fn at_once(&self, received: &Received) -> Option<MutexGuard<'_, Camera>> {
        let Ok(CameraImage::Raw(image)) = received else {
            return None;
        };
        if (image.width, image.height) != self.size || !self.waiting.is_empty() {
            return None;
        }
        match self.camera.try_lock() {
            Ok(camera) => Some(camera),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            // The thread is at an earlier image.
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// The converter of images, used by one thread at a time.
struct Camera {
    port: Box<dyn ImageIntake>,
    converter: Converter,
    pixels: Vec<u8>,
    size: (u32, u32),
    source: Source,
    counters: Arc<Counters>,
    complaints: Complaints,
}

impl Camera {
    fn new(port: Box<dyn ImageIntake>, counters: Arc<Counters>) -> Self {
        let (width, height) = port.size();
        let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
        Self {
            port,
            converter: Converter::new(),
            pixels: vec![0; width * height * 3],
            size: (side(width), side(height)),
            source: Source::default(),
            counters,
            complaints: Complaints::new("image"),
        }
    }

    fn take(&mut self, received: Received, now: Instant) {
        let kind = match &received {
            Ok(CameraImage::Raw(_)) | Err(_) => Kind::Raw,
            Ok(CameraImage::Compressed(_)) => Kind::Compressed,
        };
        if received.is_ok() && !self.source.admits(kind, now) {
            return;
        }
        match self.try_take(received) {
            Ok(()) => {
                self.source.took(kind, now);
                self.counters.images.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                let last = &self.counters.last_image_error;
                self.complaints
                    .refuse(&self.counters.images_refused, last, reason);
            }
        }
    }

    fn try_take(&mut self, received: Received) -> Result<(), String> {
        let image =
            received.map_err(|ty| format!("expected a {ty}, found bytes that do not decode"))?;
        let (width, height) = self.size;
        self.converter
            .rgb_into(&image, width, height, &mut self.pixels)
            .map_err(|e| e.to_string())?;
        let stamp_ns = image.header().stamp.to_nanos();
        self.port
            .send(
                Time(stamp_ns),
                width as usize,
                height as usize,
                &self.pixels,
            )
            .map_err(|e| e.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Raw,
    Compressed,
}

/// The choice between two topics that show the same images.
#[derive(Default)]
struct Source(Option<(Kind, Instant)>);

impl Source {
    fn admits(&self, kind: Kind, now: Instant) -> bool {
        self.0
            .is_none_or(|(present, at)| present == kind || now.duration_since(at) >= SWITCH_AFTER)
    }

    fn took(&mut self, kind: Kind, now: Instant) {
        if self.0.is_none_or(|(present, _)| present != kind) {
            tracing::info!(images = ?kind, "the camera is heard");
        }
        self.0 = Some((kind, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_topics_one_is_taken_until_it_is_silent() {
        let began = Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let mut source = Source::default();
        assert!(source.admits(Kind::Raw, began) && source.admits(Kind::Compressed, began));
        source.took(Kind::Compressed, began);
        assert!(!source.admits(Kind::Raw, after(10)));
        assert!(source.admits(Kind::Compressed, after(100)));
        source.took(Kind::Compressed, after(100));
        assert!(!source.admits(Kind::Raw, after(1050)));
        assert!(source.admits(Kind::Raw, after(1100)));
        source.took(Kind::Raw, after(1100));
        assert!(!source.admits(Kind::Compressed, after(1200)));
    }
}
