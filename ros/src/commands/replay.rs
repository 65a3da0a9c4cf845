//! `latco replay`: hardware-in-the-loop replay of a bag, without middleware.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use crossbeam_channel::{Receiver, Sender, bounded};
use latco_bag::image::{CameraImage, Converter};
use latco_bag::messages::{CompressedImage, Image, RosMessage as _, UInt8MultiArray};

use latco_bag::{BagMessage, BagReader, topics};
use latco_controller::journal::{
    Difference, Header, ImageMark, Outcome, Record, Replay as Core, ReplayReport, Step,
};
use latco_controller::{Config, SetupError};
use latco_models::Bundle;
use serde::Serialize;

use super::failure::Failure;
use super::output::{print_json, print_line};
use super::provider::ProviderArgs;

/// Number of images that are kept until their step comes.
const IMAGES: usize = 256;
/// Longest time by which an image may be recorded later than its step, in ns: topics overtake each other in a
/// recorder that gets to run late.
const LATE_NS: i64 = 2_000_000_000;
/// Number of steps of a part that may wait for a worker; parts up to this length are repeated side by side.
const AHEAD: usize = 1024;
/// Largest number of workers.
const MOST_WORKERS: usize = 8;

/// Put a recording through the controller again, without middleware, and compare the decisions
///
/// The bag needs the camera's topic and the controller's journal (~/journal), as `latco record` and `latco demo` record
/// them. Every input is given at the recorded time, and plans end after the recorded iterations, so on the CPU provider of
/// the same machine all decisions are the same bit for bit. Exit status 1 when one differs, 2 when the bag has no journal or
/// the bundle is another one.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The bag
    #[arg(value_name = "BAG")]
    bag: PathBuf,
    /// Folder of the bundle [default: where it was then]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Compare with the decisions in this bag, of the same images, instead of those in BAG
    #[arg(long, value_name = "BAG")]
    reference: Option<PathBuf>,
    /// Largest difference of a number of a belief or action that counts as equal, for another provider or processor
    /// [default: every bit counts]
    #[arg(long, value_name = "X")]
    tolerance: Option<f32>,
    /// The journal's topic, if there are several in the bag
    #[arg(long, value_name = "NAME")]
    journal: Option<String>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary {
    bag: PathBuf,
    bundle: String,
    planner: String,
    provider: String,
    ticks: u64,
    skipped: u64,
    equal: bool,
    first_difference: Option<Difference>,
    largest_difference: f32,
    tolerance: Option<f32>,
    decisions_sha256: String,
    replayed_s: f64,
    took_s: f64,
    realtime_factor: f64,
}

impl Replay {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(tolerance) = self.tolerance.filter(|t| !t.is_finite() || *t < 0.0) {
            return Err(Failure::usage(anyhow::anyhow!(
                "--tolerance: expected a number of 0 or more, found {tolerance}"
            )));
        }
        let journal = Journal::open(&self.bag, self.journal.as_deref()).map_err(Failure::usage)?;
        let reference = match &self.reference {
            Some(bag) => Some(outcomes(bag).map_err(Failure::usage)?),
            None => None,
        };
        let (config, bundle) = self.setting(&journal.header).map_err(Failure::usage)?;
        let cores = self.cores(&config, &bundle).map_err(Failure::usage)?;
        let began = Instant::now();
        let report = journal
            .replay(cores, reference.as_ref())
            .map_err(Failure::failed)?;
        let took = began.elapsed();
        if report.ticks == 0 {
            let found = match &report.first_difference {
                Some(difference) => difference.detail.clone(),
                None => format!("{} without", report.skipped),
            };
            return Err(Failure::usage(anyhow::anyhow!(
                "{}: expected images (raw or compressed) after a reset of the controller (its start, an episode mark or \
                 ~/reset), found none: {found}",
                self.bag.display(),
            )));
        }
        let replayed_s = report.span.as_secs_f64();
        let summary = Summary {
            bag: self.bag,
            bundle: config.bundle.path.clone(),
            planner: config.planner.kind.name().to_owned(),
            provider: bundle.provider().to_string(),
            ticks: report.ticks,
            skipped: report.skipped,
            equal: report.first_difference.is_none(),
            decisions_sha256: report.decisions_sha256(),
            first_difference: report.first_difference,
            largest_difference: report.largest_difference,
            tolerance: self.tolerance,
            replayed_s,
            took_s: took.as_secs_f64(),
            realtime_factor: replayed_s / took.as_secs_f64().max(1e-9),
        };
        if self.json {
            print_json(&summary)?;
        } else {
            print_line(&format!(
                "{} images ({} skipped) of {:.1} s replayed in {:.1} s ({:.1} times real time), decisions {}",
                summary.ticks,
                summary.skipped,
                summary.replayed_s,
                summary.took_s,
                summary.realtime_factor,
                summary.decisions_sha256
            ))?;
        }
        match summary.first_difference {
            None => {
                if !self.json {
                    print_line(&match self.tolerance {
                        None => "all decisions are equal, bit for bit".to_owned(),
                        Some(t) => format!(
                            "all decisions are equal within {t:e}; largest difference {:e}",
                            summary.largest_difference
                        ),
                    })?;
                }
                Ok(())
            }
            Some(difference) => Err(Failure::failed(anyhow::anyhow!(
                "decisions differ, first at tick {} (image of {:.9} s) in the {}: {}",
                difference.tick,
                difference.stamp_ns as f64 * 1e-9,
                difference.stage.name(),
                difference.detail
            ))),
        }
    }

    /// Makes a core for every processor, each planning on one thread: the decisions are the same with any
    /// number.
    fn cores(&self, config: &Config, bundle: &Bundle) -> Result<Vec<Core>, SetupError> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut config = config.clone();
        if count > 1 {
            config.planner.threads = 1;
        }
        (0..count.min(MOST_WORKERS))
            .map(|_| Core::new(&config, bundle, self.tolerance))
            .collect()
    }

    /// The recorded configuration with what the command line changes, and its bundle.
    fn setting(&self, header: &Header) -> anyhow::Result<(Config, Bundle)> {
        let mut config = Config::recorded(&header.config)
            .context("the configuration in the journal is not one of this version")?;
        config.bundle.path = match &self.bundle {
            Some(folder) => folder.to_string_lossy().into_owned(),
            None => header.bundle.clone(),
        };
        self.provider.apply(&mut config.bundle);
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
}

/// A bag with a journal.
struct Journal {
    reader: BagReader,
    topic: String,
    header: Header,
}

impl Journal {
    fn open(bag: &Path, wanted: Option<&str>) -> anyhow::Result<Self> {
        let reader = BagReader::open(bag)?;
        let is_one = |name: &str| match wanted {
            Some(wanted) => topics::matches(name, wanted),
            None => name.ends_with("/journal"),
        };
        let found: Vec<String> = (reader.topics().iter())
            .filter(|t| is_one(&t.name) && t.type_name == UInt8MultiArray::TYPE)
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
        for message in reader.messages() {
            let Some(message) = whole(message)? else {
                continue;
            };
            if *message.topic == *topic
                && let Record::Header(found) = decode(&message)?
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

    /// Repeats all parts; each of `cores` takes the next part when it is done with its last.
    fn replay(
        &self,
        cores: Vec<Core>,
        reference: Option<&BTreeMap<i64, Outcome>>,
    ) -> anyhow::Result<ReplayReport> {
        let Some(size) = cores.first().map(Core::image_size) else {
            return Ok(ReplayReport::default());
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
            fed?;
            let mut whole = ReplayReport::default();
            for report in reports.into_values() {
                whole.append(report);
            }
            Ok(whole)
        })
    }

    /// Queues every part, and its steps as they are read.
    fn feed(
        &self,
        queue: Sender<Part>,
        reference: Option<&BTreeMap<i64, Outcome>>,
        size: (usize, usize),
    ) -> anyhow::Result<()> {
        let mut images = Images::new(size);
        // In the order in which they were taken; the first one's image may be recorded after it.
        let mut waiting: VecDeque<(i64, Step)> = VecDeque::new();
        let mut feeder = Feeder {
            queue,
            reference,
            parts: 0,
            open: None,
        };
        for message in self.reader.messages() {
            let Some(message) = whole(message)? else {
                continue;
            };
            if *message.type_name == *Image::TYPE || *message.type_name == *CompressedImage::TYPE {
                images.keep(&message);
            } else if *message.topic == *self.topic {
                match decode(&message)? {
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
        Ok(())
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

/// The newest images of all topics, and their conversion to pixels.
struct Images {
    size: (usize, usize),
    converter: Converter,
    newest: VecDeque<CameraImage>,
}

impl Images {
    fn new(size: (usize, usize)) -> Self {
        Self {
            size,
            converter: Converter::new(),
            newest: VecDeque::with_capacity(IMAGES),
        }
    }

    /// Keeps an image. A message that cannot be decoded is missed by the step that used it.
    fn keep(&mut self, message: &BagMessage) {
        if self.newest.len() == IMAGES {
            self.newest.pop_front();
        }
        if let Ok(image) = CameraImage::decode(message) {
            self.newest.push_back(image);
        }
    }

    /// The pixels of the step's image. Several topics may have images of its stamp (raw, compressed, what the
    /// controller imagines): it is the one whose pixels the step names.
    fn of(&mut self, step: &Step) -> Result<Vec<u8>, Missing> {
        let mark = step.image.ok_or(Missing::Mark)?;
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        let (width, height) = (side(self.size.0), side(self.size.1));
        let mut first = None;
        for image in &self.newest {
            if image.header().stamp.to_nanos() != mark.stamp.0 {
                continue;
            }
            let found = (self.converter.to_rgb(image, width, height)).map_err(|e| e.to_string());
            match found {
                Ok(pixels) if ImageMark::sum(&pixels) == mark.crc32c => return Ok(pixels),
                other => {
                    first.get_or_insert(other);
                }
            }
        }
        Err(Missing::Image(first))
    }
}

/// The reason why there is no image with the pixels that a step names.
enum Missing {
    /// The step had no image.
    Mark,
    /// No image of its stamp was recorded so far, or only others, the first of which this is.
    Image(Option<Result<Vec<u8>, String>>),
}

impl Missing {
    /// The pixels to go on with when no other image comes.
    fn into_pixels(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Mark => Err("the step has no image".into()),
            Self::Image(Some(other)) => other,
            Self::Image(None) => Err("the image is not in the bag".into()),
        }
    }
}

/// The outcomes of another recording of the same images, by the images' stamps.
fn outcomes(bag: &Path) -> anyhow::Result<BTreeMap<i64, Outcome>> {
    let journal = Journal::open(bag, None)?;
    let mut outcomes = BTreeMap::new();
    for message in journal.reader.messages() {
        let Some(message) = whole(message)? else {
            continue;
        };
        if *message.topic == *journal.topic
            && let Record::Step(step) = decode(&message)?
            && let Some(image) = step.image
        {
            outcomes.insert(image.stamp.0, step.outcome);
        }
    }
    Ok(outcomes)
}

/// Reads a message; `None` where a part of the bag is damaged and the rest can be read.
fn whole(
    message: Result<BagMessage, latco_bag::BagError>,
) -> Result<Option<BagMessage>, latco_bag::BagError> {
    match message {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.is_partial() => {
            tracing::warn!(%error, "a part of the bag is missing");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn decode(message: &BagMessage) -> anyhow::Result<Record> {
    let bytes = message.decode::<UInt8MultiArray>()?.data;
    Record::decode(&bytes).with_context(|| message.topic.to_string())
}

fn names(reader: &BagReader) -> String {
    let names: Vec<&str> = reader.topics().iter().map(|t| t.name.as_str()).collect();
    names.join(", ")
}
