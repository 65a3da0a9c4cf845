//! What a recording of `latco run` tells of its episodes: the robot's marks and rewards, and the plans in the controller's journal.

use std::path::Path;

use latco_bag::messages::{Float64, Int64, RosMessage as _, UInt8MultiArray};
use latco_bag::{BagReader, topics};
use latco_controller::Config;
use latco_controller::journal::{Event, Header, Record, Step};
use latco_evaluate::Episode;

use super::super::shell::BadInput;

/// Number of images by which the rewards of an episode may differ from it, so that both can be put side by side.
const ASTRAY: usize = 2;

/// The episodes of a recording.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) task: String,
    pub(super) planner: String,
    /// Control periods from an image to the first own action of its plan.
    pub(super) lead: usize,
    /// Control periods whose rewards a plan promises.
    pub(super) horizon: usize,
    pub(super) episodes: Vec<Episode>,
}

/// What is read of a bag; times are those of the recording, ns.
#[derive(Default)]
struct Heard {
    marks: Vec<i64>,
    rewards: Vec<(i64, f64)>,
    steps: Vec<(i64, Step)>,
    header: Option<Header>,
}

impl Recorded {
    /// Reads a bag.
    ///
    /// # Errors
    /// An error when it cannot be read, or has no journal, marks or rewards.
    pub(super) fn read(bag: &Path) -> anyhow::Result<Self> {
        let heard = listen(bag)?;
        let lacking: Vec<String> = [
            (heard.marks.is_empty(), topics::EPISODE, Int64::TYPE),
            (heard.rewards.is_empty(), topics::REWARD, Float64::TYPE),
            (heard.header.is_none(), "~/journal", UInt8MultiArray::TYPE),
        ]
        .into_iter()
        .filter(|(lacks, ..)| *lacks)
        .map(|(_, topic, kind)| format!("{topic} ({kind})"))
        .collect();
        if !lacking.is_empty() {
            return Err(BadInput::new(format!(
                "{}: expected a recording of `latco run` and a robot that marks its episodes (docs/robot-side.md), found nothing on {}",
                bag.display(),
                lacking.join(", ")
            )));
        }
        heard.evaluated()
    }
}

fn listen(bag: &Path) -> anyhow::Result<Heard> {
    let reader = BagReader::open(bag)?;
    let mut heard = Heard::default();
    for message in reader.messages() {
        let message = match message {
            Ok(message) => message,
            Err(error) if error.is_partial() => continue,
            Err(error) => return Err(error.into()),
        };
        let (time, topic) = (message.time_ns, &*message.topic);
        match &*message.type_name {
            kind if kind == Int64::TYPE && topics::matches(topic, topics::EPISODE) => {
                heard.marks.push(time);
            }
            kind if kind == Float64::TYPE && topics::matches(topic, topics::REWARD) => {
                if let Ok(reward) = message.decode::<Float64>() {
                    heard.rewards.push((time, reward.data));
                }
            }
            kind if kind == UInt8MultiArray::TYPE && topic.ends_with("/journal") => {
                let record = message.decode::<UInt8MultiArray>();
                match record.map(|bytes| Record::decode(&bytes.data)) {
                    Ok(Ok(Record::Header(header))) => heard.header = Some(header),
                    Ok(Ok(Record::Step(step))) => heard.steps.push((time, step)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(heard)
}

impl Heard {
    fn evaluated(&self) -> anyhow::Result<Recorded> {
        let header = self.header.as_ref().map(|h| (&h.config, &h.bundle));
        let (text, bundle) = header.unzip();
        let config = Config::recorded(text.map_or("", String::as_str))
            .map_err(|error| BadInput::new(format!("the configuration in the journal: {error}")))?;
        let lead = config.control.lead_periods as usize;
        let steps = || self.steps.iter().map(|(_, step)| step);
        let joints = steps().flat_map(|step| &step.events).find_map(|event| {
            let Event::Sent { velocities, .. } = event else {
                return None;
            };
            Some(velocities.len())
        });
        let actions = steps().map(|step| step.outcome.actions.len()).max();
        let planned = actions.unwrap_or(0) / joints.unwrap_or(1).max(1);
        let manifest = bundle.and_then(|folder| latco_models::read_manifest(folder.as_ref()).ok());
        let ends = (self.marks.iter().skip(1).copied()).chain([i64::MAX]);
        Ok(Recorded {
            // The bundle may be gone since.
            task: manifest.map_or("-".to_owned(), |manifest| manifest.task),
            planner: config.planner.kind.name().to_owned(),
            lead,
            horizon: planned.saturating_sub(lead),
            episodes: (self.marks.iter().copied().zip(ends))
                .map(|(from, to)| self.episode(from, to))
                .filter(|episode| !episode.rewards.is_empty())
                .collect(),
        })
    }

    /// The episode between two times.
    fn episode(&self, from: i64, to: i64) -> Episode {
        let is_inside = |time: i64| (from..to).contains(&time);
        // The first reward is of the first image, before anything was done.
        let rewards: Vec<f64> = (self.rewards.iter())
            .filter(|(time, _)| is_inside(*time))
            .map(|(_, reward)| *reward)
            .skip(1)
            .collect();
        let mut episode = Episode {
            success: rewards.iter().any(|reward| *reward > 0.0),
            success_at_end: rewards.last().is_some_and(|reward| *reward > 0.0),
            episode_return: rewards.iter().sum(),
            rewards,
            ..Episode::default()
        };
        let inside = self.steps.iter().filter(|(time, _)| is_inside(*time));
        let images: Vec<_> = inside
            .filter_map(|(time, step)| Some((*time, step.image?, step)))
            .collect();
        let (Some(first), Some(last)) = (images.first(), images.last()) else {
            return episode;
        };
        let mut periods: Vec<i64> = (images.windows(2))
            .map(|pair| pair[1].1.stamp.0 - pair[0].1.stamp.0)
            .collect();
        periods.sort_unstable();
        let period = periods.get(periods.len() / 2).copied().unwrap_or(1).max(1);
        let number = |stamp: i64| ((stamp - first.1.stamp.0 + period / 2) / period) as usize;
        let is_in_step = number(last.1.stamp.0).abs_diff(episode.rewards.len()) <= ASTRAY;
        for (time, image, step) in &images {
            let Some(report) = step.outcome.report else {
                continue;
            };
            if episode.plan_ms.is_empty() {
                episode.predicted_return = f64::from(report.predicted_return);
            }
            episode.plan_ms.push((time - image.now.0) as f64 * 1e-6);
            episode.iterations.push(report.iterations);
            *episode.stop_causes.entry(report.stop.name()).or_default() += 1;
            if is_in_step {
                episode.plan_steps.push(number(image.stamp.0));
                episode.promised.push(f64::from(report.predicted_return));
            }
        }
        episode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::BagWriter;
    use latco_controller::Time;
    use latco_controller::inputs::JointVec;
    use latco_controller::journal::{ChainWriter, ImageMark, Outcome};
    use latco_controller::plan::PlanReport;
    use latco_evaluate::Promises;

    const PERIOD: i64 = 100_000_000;

    /// A recording of an episode for each list of rewards, of which the first is of its first image; without the topics that
    /// `lacks` names.
    fn recording(folder: &Path, episodes: &[&[f64]], lacks: &[&str]) {
        let mut bag = BagWriter::create(folder).unwrap();
        let mut chain = ChainWriter::default();
        let mut config = Config::default();
        config.bundle.path = "gone".to_owned();
        let header = chain.header(&Header {
            program: "test".to_owned(),
            bundle: config.bundle.path.clone(),
            bundle_sha256: String::new(),
            config: toml::to_string(&config).unwrap(),
        });
        let journal = |data| UInt8MultiArray {
            data,
            ..UInt8MultiArray::default()
        };
        let is_there = |topic: &str| !lacks.contains(&topic);
        let mut time = 0;
        if is_there("/latco/journal") {
            let message = journal(header.unwrap());
            bag.write("/latco/journal", time, &message).unwrap();
        }
        for (number, rewards) in (0..).zip(episodes) {
            time += 3 * PERIOD;
            if is_there(topics::EPISODE) {
                let mark = Int64 { data: number };
                bag.write(topics::EPISODE, time, &mark).unwrap();
            }
            for reward in *rewards {
                time += PERIOD;
                if is_there(topics::REWARD) {
                    let reward = Float64 { data: *reward };
                    bag.write(topics::REWARD, time, &reward).unwrap();
                }
                let step = Step {
                    events: vec![Event::Sent {
                        time: Time(time),
                        velocities: JointVec::from_iter([0.0; 2]),
                    }],
                    image: Some(ImageMark {
                        stamp: Time(time),
                        now: Time(time + 1_000_000),
                        crc32c: 0,
                    }),
                    outcome: Outcome {
                        report: Some(PlanReport {
                            iterations: 7,
                            predicted_return: 1.5,
                            ..PlanReport::default()
                        }),
                        // Two periods that it promises, and one before.
                        actions: vec![0.0; 2 * 3],
                        ..Outcome::default()
                    },
                    ..Step::default()
                };
                let message = journal(chain.step(&step).unwrap());
                if is_there("/latco/journal") {
                    bag.write("/latco/journal", time + 9_000_000, &message)
                        .unwrap();
                }
            }
        }
        bag.finish().unwrap();
    }

    #[test]
    fn a_recording_tells_what_its_episodes_and_plans_were_worth() {
        let folder = tempfile::tempdir().unwrap();
        let bag = folder.path().join("bag");
        let (solved, failed): (&[f64], &[f64]) = (&[0.0, 0.0, 0.0, 1.0, 1.0], &[1.0, 0.0, 0.0]);
        recording(&bag, &[solved, failed], &[]);
        let recorded = Recorded::read(&bag).unwrap();
        assert_eq!((recorded.lead, recorded.horizon), (1, 2));
        let [first, second] = &recorded.episodes[..] else {
            panic!("{:?}", recorded.episodes);
        };
        assert!(first.success && first.success_at_end);
        assert_eq!((first.episode_return, first.plan_ms.len()), (2.0, 5));
        assert!((first.plan_ms[0] - 8.0).abs() < 1e-9, "{:?}", first.plan_ms);
        // What is rewarded before anything was done is not the controller's.
        assert!(!second.success, "{second:?}");
        // Of the first episode the plans of its first two images: one and two of their steps are paid.
        let promises = Promises::of(&recorded.episodes, recorded.lead, recorded.horizon);
        assert_eq!(
            (promises.plans, promises.promised, promises.paid),
            (2, 1.5, 1.5)
        );
    }

    #[test]
    fn a_recording_without_marks_or_journal_is_refused_with_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let bag = folder.path().join("bag");
        recording(&bag, &[&[0.0, 1.0]], &[topics::EPISODE, "/latco/journal"]);
        let message = Recorded::read(&bag).unwrap_err().to_string();
        for part in [
            "/episode (std_msgs/msg/Int64)",
            "~/journal",
            "robot-side.md",
        ] {
            assert!(message.contains(part), "{part:?} in {message:?}");
        }
        assert!(!message.contains("/reward"), "{message}");
    }
}
