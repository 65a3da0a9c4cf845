//! `~/imagined/image`: the plan as the model imagines it, as a strip of decoded states; on a thread of its own, about
//! once a second, for people who watch.

use anyhow::Context as _;
use crossbeam::channel::{Sender, bounded};
use latco_bag::messages::{Header, Image};
use latco_models::{Bundle, Decode};

use crate::middleware::Outbox;

/// Number of frames in a strip.
const FRAMES: usize = 8;
/// Least time between two strips, in ns.
const EVERY_NS: i64 = 1_000_000_000;

struct Plan {
    stamp_ns: i64,
    states: Vec<f32>,
}

/// Hand-over of plans to the thread that draws them.
pub(super) struct Imagined {
    plans: Sender<Plan>,
    state_size: usize,
    last_ns: i64,
}

/// Makes the session that draws, which takes a while.
///
/// # Errors
/// An error when the bundle has no decoder, or with ONNX Runtime's reason.
pub(super) fn decoder(bundle: &Bundle) -> anyhow::Result<Decode> {
    bundle.decode(1).context("the decoder of ~/imagined/image")
}

impl Imagined {
    /// Starts the thread; it ends when this is dropped.
    pub(super) fn start(
        bundle: &Bundle,
        mut decode: Decode,
        outbox: Outbox<Image>,
    ) -> anyhow::Result<Self> {
        let (width, height) = (
            bundle.manifest().image.width,
            bundle.manifest().image.height,
        );
        let state_size = bundle.manifest().dims.state();
        let (plans, queue) = bounded::<Plan>(1);
        let show = move || {
            for plan in queue.iter() {
                let states: Vec<&[f32]> = plan.states.chunks_exact(state_size).collect();
                let columns = FRAMES.min(states.len());
                let mut strip = vec![0; columns * width * height * 3];
                for column in 0..columns {
                    let step = column * (states.len() - 1) / (columns - 1).max(1);
                    decode.state_mut().copy_from_slice(states[step]);
                    if let Err(error) = decode.run() {
                        tracing::warn!(%error, "~/imagined/image ends");
                        return;
                    }
                    for (row, pixels) in decode.image().chunks_exact(width * 3).enumerate() {
                        let at = (row * columns + column) * width * 3;
                        for (byte, value) in strip[at..at + width * 3].iter_mut().zip(pixels) {
                            *byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
                        }
                    }
                }
                let size = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
                let header = Header::new(plan.stamp_ns, "camera");
                outbox.send(Image::rgb8(
                    header,
                    size(columns * width),
                    size(height),
                    strip,
                ));
            }
        };
        std::thread::Builder::new()
            .name("imagined".into())
            .spawn(show)?;
        Ok(Self {
            plans,
            state_size,
            last_ns: i64::MIN,
        })
    }

    /// Shows a plan, unless one was shown less than a second ago or is being drawn.
    pub(super) fn show(&mut self, stamp_ns: i64, states: &[f32]) {
        let due = stamp_ns.saturating_sub(self.last_ns) >= EVERY_NS;
        if due && states.len() >= self.state_size && !self.plans.is_full() {
            self.last_ns = stamp_ns;
            let _ = self.plans.try_send(Plan {
                stamp_ns,
                states: states.to_vec(),
            });
        }
    }
}
