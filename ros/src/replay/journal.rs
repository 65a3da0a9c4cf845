//! The journal of a controller in a bag, with the images that it names, and its parts repeated side by side.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use anyhow::Context as _;
use crossbeam::channel::{Receiver, Sender, bounded};
use latco_bag::messages::{CompressedImage, Image, RosMessage as _, UInt8MultiArray};
use latco_bag::{BagReader, topics};
use latco_controller::Config;
use latco_controller::journal::{Header, Outcome, Record, Replay as Core, ReplayReport, Step};
use latco_models::{Bundle, TrustedKeys};

use super::images::{Images, Missing};
use super::wholeness::Wholeness;

/// Longest time by which an image may be recorded later than its step, in ns: topics overtake each other in a
/// recorder that gets to run late.
const LATE_NS: i64 = 2_000_000_000;
/// Number of steps of a part that may wait for a worker; parts up to this length are repeated side by side.
const AHEAD: usize = 1024;

/// A bag with a journal.
pub struct Journal {
    reader: BagReader,
    topic: String,
    header: Header,
}

impl Journal {
    /// Opens the bag, and reads the journal's first header. `wanted` is the journal's topic where there are several.
    ///
    /// # Errors
    /// An error when the bag cannot be read, or has no journal or several.
    pub fn open(bag: &Path, wanted: Option<&str>) -> anyhow::Result<Self> {
        let reader = BagReader::open(bag)?;
        for topic in reader.left_out() {
            tracing::warn!("{topic}");
        }
        let is_one = |name: &str| match wanted {
            Some(wanted) => topics::matches(name, wanted),
            None => name.ends_with("/journal"),
        };
        let found: Vec<String> = (reader.topics().iter())
            .filter(|t| is_one(&t.name) && t.type_name == UInt8MultiArray::TYPE && t.messages > 0)
            .map(|t| t.name.clone())
            .collect();
        let topic = match &found[..] {
            [one] => one.clone(),
            [] => anyhow::bail!(
                "{}: expected the journal of a controller (topic {}, {}), found none among {}; record it with `latco record`",
                bag.display(),
                wanted.unwrap_or("~/journal"),
                UInt8MultiArray::TYPE,
                names(&reader)
            ),
            several => anyhow::bail!(
                "{}: expected one journal, found {}; choose one with --journal",
                bag.display(),
                several.join(", ")
            ),
        };
        let mut header = None;
        let mut wholeness = Wholeness::default();
        for message in reader.messages() {
            let Some(message) = wholeness.whole(message)? else {
                continue;
            };
            if *message.topic == *topic
                && let Record::Header(found) = wholeness.decode(&message)?
            {
                header = Some(found);
                break;
            }
        }
        let header = header.with_context(|| {
            format!(
                "{}: the journal has no beginning: it was not recorded from the start of the controller or of an episode",
                bag.display()
            )
        })?;
        Ok(Self {
            reader,
            topic,
            header,
        })
    }

    /// The recorded configuration, and its bundle: the one in the folder `bundle`, or where it was then. `change`
    /// says what else is to be as it was not then.
    ///
    /// # Errors
    /// An error when the configuration or the bundle cannot be read, or the bundle is another one.
    pub fn setting(
        &self,
        bundle: Option<&Path>,
        change: impl FnOnce(&mut Config),
    ) -> anyhow::Result<(Config, Bundle)> {
        let header = &self.header;
        let mut config = Config::recorded(&header.config)
            .context("the configuration in the journal is not one of this version")?;
        config.bundle.path = match bundle {
            Some(folder) => folder.to_string_lossy().into_owned(),
            None => header.bundle.clone(),
        };
        change(&mut config);
        // Nothing moves: the bundle is known by its sums, whoever signed it.
        config.bundle.trusted_keys = TrustedKeys::default();
        // Nothing of a replay is dumped.
        config.planner.dump_dir = None;
        let bundle = Bundle::load(&config.bundle.path, &config.bundle.load_options())?;
        let manifest = bundle.manifest();
        anyhow::ensure!(
            manifest.is_known_by(&header.bundle_sha256),
            "{}: expected the bundle of the recording, whose files have the sum {}, found {}; give it with --bundle",
            config.bundle.path,
            header.bundle_sha256,
            manifest.sum()
        );
        Ok((config, bundle))
    }

    /// Repeats all parts; each of `cores` takes the next part when it is done with its last. Also says what the recording lacks.
    ///
    /// # Errors
    /// An error when the bag cannot be read to its end.
    pub fn replay(
        &self,
        cores: Vec<Core>,
        reference: Option<&BTreeMap<i64, Outcome>>,
    ) -> anyhow::Result<(ReplayReport, Wholeness)> {
        let Some(size) = cores.first().map(Core::image_size) else {
            return Ok(Default::default());
        };
        std::thread::scope(|scope| {
            let (queue, parts) = bounded(cores.len());
            let workers: Vec<_> = (cores.into_iter())
                .map(|core| {
                    let parts = parts.clone();
                    scope.spawn(move || repeat(core, &parts))
                })
                .collect();
            drop(parts);
            let fed = self.feed(queue, reference, size);
            let mut reports = BTreeMap::new();
            for worker in workers {
                let done = worker.join();
                reports.extend(done.map_err(|_| anyhow::anyhow!("a replaying thread panicked"))?);
            }
            let wholeness = fed?;
            let mut whole = ReplayReport::default();
            for report in reports.into_values() {
                whole.append(report);
            }
            Ok((whole, wholeness))
        })
    }

    /// Queues every part, and its steps as they are read.
    fn feed(
        &self,
        queue: Sender<Part>,
        reference: Option<&BTreeMap<i64, Outcome>>,
        size: (usize, usize),
    ) -> anyhow::Result<Wholeness> {
        let mut images = Images::new(size);
        let mut wholeness = Wholeness::default();
        // In the order in which they were taken; the first one's image may be recorded after it.
        let mut waiting: VecDeque<(i64, Step)> = VecDeque::new();
        let mut feeder = Feeder {
            queue,
            reference,
            parts: 0,
            open: None,
        };
        for message in self.reader.messages() {
            let Some(message) = wholeness.whole(message)? else {
                continue;
            };
            if *message.type_name == *Image::TYPE || *message.type_name == *CompressedImage::TYPE {
                images.keep(&message);
            } else if *message.topic == *self.topic {
                match wholeness.decode(&message)? {
                    Record::Header(header) => anyhow::ensure!(
                        header == self.header,
                        "the controller was started again with another configuration or bundle within the recording; \
                         record each run into a bag of its own"
                    ),
                    Record::Step(step) => waiting.push_back((message.time_ns, step)),
                }
            } else {
                continue;
            }
            while let Some((time_ns, step)) = waiting.front() {
                let pixels = images.of(step);
                if matches!(pixels, Err(Missing::Image(_))) && message.time_ns - time_ns < LATE_NS {
                    break;
                }
                if let Some((_, step)) = waiting.pop_front() {
                    feeder.feed(step, pixels);
                }
            }
        }
        for (_, step) in waiting {
            let pixels = images.of(&step);
            feeder.feed(step, pixels);
        }
        Ok(wholeness)
    }
}

/// Queues parts, and their steps one after the other.
struct Feeder<'a> {
    queue: Sender<Part>,
    reference: Option<&'a BTreeMap<i64, Outcome>>,
    parts: usize,
    open: Option<Sender<Fed>>,
}

impl Feeder<'_> {
    fn feed(&mut self, step: Step, pixels: Result<Vec<u8>, Missing>) {
        let stamp = step.image.map(|image| image.stamp.0);
        let reference = (self.reference)
            .and_then(|outcomes| outcomes.get(&stamp?))
            .cloned();
        let fed = Fed {
            pixels: pixels.or_else(Missing::into_pixels),
            step: Box::new(step),
            reference,
        };
        let steps = match self.open.take().filter(|_| !fed.step.has_reset()) {
            Some(steps) => steps,
            None => {
                let (sender, steps) = bounded(AHEAD);
                let number = self.parts;
                self.parts += 1;
                // That all workers panicked is noticed when they are joined; so for a step.
                let _ = self.queue.send(Part { number, steps });
                sender
            }
        };
        let _ = steps.send(fed);
        self.open = Some(steps);
    }
}

/// The steps from one reset of the controller to the next, which can be repeated without knowing the rest.
struct Part {
    number: usize,
    steps: Receiver<Fed>,
}

/// A step with its image, on its way to a worker.
struct Fed {
    step: Box<Step>,
    pixels: Result<Vec<u8>, String>,
    /// The outcome that it has to lead to, if not the recorded one.
    reference: Option<Outcome>,
}

/// Repeats parts until there are no more; returns what was found in each.
fn repeat(mut core: Core, parts: &Receiver<Part>) -> BTreeMap<usize, ReplayReport> {
    let repeated = parts.iter().map(|part| {
        for fed in part.steps {
            let pixels = fed.pixels.as_deref().map_err(String::as_str);
            let expected = fed.reference.as_ref().unwrap_or(&fed.step.outcome);
            core.step(&fed.step, pixels, expected);
        }
        (part.number, core.end_part())
    });
    repeated.collect()
}

/// The outcomes of another recording of the same images, by the images' stamps.
///
/// # Errors
/// An error when the bag cannot be read or has no journal.
pub fn outcomes(bag: &Path) -> anyhow::Result<BTreeMap<i64, Outcome>> {
    let journal = Journal::open(bag, None)?;
    let mut outcomes = BTreeMap::new();
    let mut wholeness = Wholeness::default();
    for message in journal.reader.messages() {
        let Some(message) = wholeness.whole(message)? else {
            continue;
        };
        if *message.topic == *journal.topic
            && let Record::Step(step) = wholeness.decode(&message)?
            && let Some(image) = step.image
        {
            outcomes.insert(image.stamp.0, step.outcome);
        }
    }
    Ok(outcomes)
}

fn names(reader: &BagReader) -> String {
    let names: Vec<&str> = reader.topics().iter().map(|t| t.name.as_str()).collect();
    names.join(", ")
}
