//! An injector round everything that a controller node is made of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use latco_controller::inputs::InputError;
use latco_controller::runtime::{CommandSink, ImageIntake, JointIntake};
use latco_controller::{Clock, Decorator, Parts, Time};

use crate::clock::FaultyClock;
use crate::injector::Injector;
use crate::model::FaultyFilter;
use crate::planner::FaultyPlanner;
use crate::samples::{Frame, JointSample};
use crate::sink::FaultySink;
use crate::stream::{Sample, Stream};

/// An injector as what stands round all parts of a controller.
#[derive(Clone, Debug)]
pub struct Everywhere(pub Arc<Injector>);

impl Decorator for Everywhere {
    fn parts(&self, parts: Parts) -> Parts {
        Parts {
            filter: Box::new(FaultyFilter::new(parts.filter, self.0.clone())),
            planner: Box::new(FaultyPlanner::new(parts.planner, self.0.clone())),
        }
    }

    fn images(&self, port: Box<dyn ImageIntake>) -> Box<dyn ImageIntake> {
        Box::new(Late::<Frame, _>::new(port, self.0.clone()))
    }

    fn joints(&self, port: Box<dyn JointIntake>) -> Box<dyn JointIntake> {
        Box::new(Late::<JointSample, _>::new(port, self.0.clone()))
    }

    fn clock(&self, clock: Arc<dyn Clock + Send + Sync>) -> Arc<dyn Clock + Send + Sync> {
        Arc::new(FaultyClock::new(clock, self.0.clone()))
    }

    fn sink(&self, sink: Box<dyn CommandSink>) -> Box<dyn CommandSink> {
        Box::new(FaultySink::new(sink, self.0.clone()))
    }

    fn begin(&self) {
        self.0.begin();
    }

    fn report(&self) -> Vec<(&'static str, u64)> {
        self.0.report()
    }
}

/// A port into which samples go.
trait Take<S>: Send {
    fn take(&mut self, sample: &S) -> Result<(), InputError>;
}

impl Take<Frame> for Box<dyn ImageIntake> {
    fn take(&mut self, frame: &Frame) -> Result<(), InputError> {
        self.send(frame.stamp, frame.width, frame.height, &frame.pixels)
    }
}

impl Take<JointSample> for Box<dyn JointIntake> {
    fn take(&mut self, sample: &JointSample) -> Result<(), InputError> {
        self.send(sample.stamp, &sample.positions, &sample.velocities)
    }
}

/// A port that samples reach through a stream; a thread hands over those that are late.
struct Late<S, P> {
    line: Arc<Mutex<Line<S, P>>>,
    /// Channel that tells the thread that something waits; the thread ends when it is gone.
    wake: Sender<()>,
}

struct Line<S, P> {
    stream: Stream<S>,
    port: P,
}

impl<S: Sample, P: Take<S>> Line<S, P> {
    /// Hands over what has arrived; the last refusal, if there was one.
    fn deliver(&mut self) -> Result<(), InputError> {
        let mut result = Ok(());
        while let Some(sample) = self.stream.pop() {
            let taken = self.port.take(&sample);
            if taken.is_err() {
                result = taken;
            }
        }
        result
    }
}

fn lock<T>(line: &Mutex<T>) -> MutexGuard<'_, T> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Sample + Send + 'static, P: Take<S> + 'static> Late<S, P> {
    fn new(port: P, injector: Arc<Injector>) -> Self {
        let (wake, woken) = bounded(1);
        let stream = Stream::new(injector.clone());
        let line = Arc::new(Mutex::new(Line { stream, port }));
        let its = line.clone();
        let run = move || hand_over(&its, &injector, &woken);
        if let Err(error) = std::thread::Builder::new()
            .name("injected".into())
            .spawn(run)
        {
            tracing::error!(%error, "no thread for delays: what is late comes with the next sample");
        }
        Self { line, wake }
    }

    fn put(&self, sample: S) -> Result<(), InputError> {
        let mut line = lock(&self.line);
        line.stream.put(sample);
        let result = line.deliver();
        if line.stream.next_s().is_some() {
            // A full channel means that the thread is about to look.
            let _ = self.wake.try_send(());
        }
        result
    }
}

/// Hands over what is late, when it is due.
fn hand_over<S: Sample, P: Take<S>>(
    line: &Mutex<Line<S, P>>,
    injector: &Injector,
    woken: &Receiver<()>,
) {
    loop {
        let next_s = lock(line).stream.next_s();
        let waited = match next_s {
            Some(next_s) => {
                let ahead_s = (next_s - injector.now_s()).max(0.0);
                woken.recv_timeout(Duration::from_secs_f64(ahead_s))
            }
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if waited == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        if let Err(refused) = lock(line).deliver() {
            tracing::debug!(%refused, "a late sample was refused");
        }
    }
}

impl ImageIntake for Late<Frame, Box<dyn ImageIntake>> {
    fn send(
        &mut self,
        stamp: Time,
        width: usize,
        height: usize,
        pixels: &[u8],
    ) -> Result<(), InputError> {
        self.put(Frame {
            stamp,
            width,
            height,
            pixels: pixels.to_vec(),
        })
    }

    fn size(&self) -> (usize, usize) {
        lock(&self.line).port.size()
    }
}

impl JointIntake for Late<JointSample, Box<dyn JointIntake>> {
    fn send(
        &mut self,
        stamp: Time,
        positions: &[f64],
        velocities: &[f64],
    ) -> Result<(), InputError> {
        self.put(JointSample {
            stamp,
            positions: positions.to_vec(),
            velocities: velocities.to_vec(),
        })
    }
}
