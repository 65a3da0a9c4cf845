//! A robot whose environment runs in another process.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use rand::Rng;

use super::file::{Expert, RobotFile};
use super::worker::{Trouble, Worker};
use crate::error::EnvError;
use crate::motion::JointLimits;
use crate::noise::uniform;
use crate::reward::RewardKind;
use crate::robot::{Habits, Object, Robot};
use crate::script::Way;

/// Part of a step of the environment in ns that may be missing when it is taken: rates do not divide evenly.
const SLACK_NS: i64 = 1000;
/// Joints count as arrived within this share of their range.
const ARRIVED: f64 = 0.03;
/// Number of control periods in which the last of a way is covered.
const APPROACH_PERIODS: f64 = 1.5;
/// Share of the way-points that lie anywhere; the others solve the task.
const DECOYS: f64 = 0.5;

/// A robot whose environment runs in another process, which is started by the first [`reset`](Robot::reset) and again by the first
/// one after it failed. What failed is told by [`failure`](Robot::failure); until the next reset the robot then stands still, and
/// its pictures are black.
#[derive(Debug)]
pub struct Bridged {
    file: RobotFile,
    names: Vec<&'static str>,
    limits: Vec<JointLimits>,
    scale: Vec<f64>,
    size: usize,
    /// Drawing, which changes no state, asks the process too.
    link: RefCell<Link>,
    step_ns: i64,
    /// Time and way since the last step of the environment.
    pending_ns: i64,
    pending: Vec<f64>,
    /// Where joints that are moved by positions are to be.
    targets: Vec<f64>,
    positions: Vec<f64>,
    velocities: Vec<f64>,
    /// Positions after the last steps, as many as a control period has, the oldest first.
    history: VecDeque<Vec<f64>>,
    /// Where the expert takes the joints; empty where it is not told.
    goal: Vec<f64>,
    objects: Vec<Object>,
    reward: f64,
    reward_kind: RewardKind,
    success: bool,
    difficulty: f64,
}

#[derive(Debug, Default)]
struct Link {
    worker: Option<Worker>,
    failure: Option<EnvError>,
    answer: Vec<u8>,
    /// The picture of the present state, once it was drawn.
    picture: Vec<u8>,
}

impl Bridged {
    /// Reads a robot's file; its process starts with the first episode.
    ///
    /// # Errors
    /// [`EnvError::RobotFile`].
    pub fn open(path: &Path, image_size: usize) -> Result<Self, EnvError> {
        let file = RobotFile::read(path)?;
        let joints = file.joint.len();
        let step_s = file.time.control_period_s / f64::from(file.time.action_repeat);
        Ok(Self {
            // Names live as long as the program, as those of all robots do.
            names: (file.joint.iter())
                .map(|joint| &*Box::leak(joint.name.clone().into_boxed_str()))
                .collect(),
            limits: file.limits(),
            scale: file.joint.iter().map(|joint| joint.max_velocity).collect(),
            size: image_size,
            link: RefCell::default(),
            step_ns: ((step_s * 1e9).round() as i64).max(1),
            pending_ns: 0,
            pending: vec![0.0; joints],
            targets: vec![0.0; joints],
            positions: vec![0.0; joints],
            velocities: vec![0.0; joints],
            history: VecDeque::new(),
            goal: Vec::new(),
            objects: (file.object.iter())
                .map(|thing| Object::at(Box::leak(thing.name.clone().into_boxed_str()), [0.0; 2]))
                .collect(),
            reward: 0.0,
            reward_kind: RewardKind::default(),
            success: false,
            difficulty: 0.0,
            file,
        })
    }

    /// Starts the process and the environment.
    fn start(&self) -> Result<Worker, EnvError> {
        let python = self.file.python()?;
        let told = |trouble, worker: Option<&mut Worker>| self.error(trouble, worker);
        let mut worker = Worker::start(&python).map_err(|trouble| told(trouble, None))?;
        let settings = self.file.settings(self.size).to_string();
        let within = Duration::from_secs_f64(self.file.environment.start_s);
        match worker.ask(b'J', settings.as_bytes(), within, &mut Vec::new()) {
            Ok(()) => Ok(worker),
            Err(trouble) => Err(told(trouble, Some(&mut worker))),
        }
    }

    fn error(&self, trouble: Trouble, worker: Option<&mut Worker>) -> EnvError {
        let task = self.file.task.clone();
        match trouble {
            Trouble::NotInstalled(found) => EnvError::NotInstalled { task, found },
            Trouble::Settings(problem) => EnvError::RobotFile {
                file: self.file.path.clone(),
                problems: vec![problem],
            },
            Trouble::Failed(problem) => EnvError::Simulator {
                task,
                problem,
                last_words: worker.map(Worker::last_words).unwrap_or_default(),
            },
        }
    }

    /// Asks the process; false where it failed now or before, which is kept.
    fn ask(&self, link: &mut Link, kind: u8, body: &[u8]) -> bool {
        let Link { worker, answer, .. } = link;
        let Some(running) = worker else { return false };
        let within = Duration::from_secs_f64(self.file.environment.answer_s);
        let Err(trouble) = running.ask(kind, body, within, answer) else {
            return true;
        };
        link.failure = Some(self.error(trouble, worker.as_mut()));
        link.worker = None;
        false
    }

    /// Asks for something that changes the state, and takes the state.
    fn change(&mut self, kind: u8, body: &[u8]) -> bool {
        let mut link = self.link.take();
        link.picture.clear();
        let mut done = self.ask(&mut link, kind, body);
        if done && let Err(problem) = self.take(&link.answer) {
            let trouble = Trouble::Failed(problem);
            link.failure = Some(self.error(trouble, link.worker.as_mut()));
            link.worker = None;
            done = false;
        }
        *self.link.get_mut() = link;
        done
    }

    /// Takes the state from an answer.
    fn take(&mut self, answer: &[u8]) -> Result<(), String> {
        let joints = self.joints();
        let [success, _ended, numbers @ ..] = answer else {
            return Err("expected a state, found no answer".to_owned());
        };
        let numbers: Vec<f64> = (numbers.as_chunks::<8>().0.iter())
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        let (Some(&reward), true) = (numbers.first(), numbers.len() > joints) else {
            return Err(format!(
                "expected a state of {joints} joints, found {} numbers",
                numbers.len()
            ));
        };
        let things: usize = (self.file.object.iter().map(|thing| thing.values().count())).sum();
        let (numbers, of_things) = (numbers.len().checked_sub(things))
            .filter(|others| *others > joints)
            .map(|others| numbers.split_at(others))
            .ok_or_else(|| {
                format!(
                    "expected a state of {joints} joints and {things} numbers of objects, found {} numbers",
                    numbers.len()
                )
            })?;
        let name = |index: usize| match index {
            0 => self.file.reward.value.clone(),
            _ if index >= numbers.len() => "an object".to_owned(),
            _ => {
                let joint = &self.file.joint[(index - 1) % joints];
                format!("joint {}", joint.name)
            }
        };
        let mut all = numbers.iter().chain(of_things);
        if let Some(index) = all.position(|x| !x.is_finite()) {
            let found = numbers.iter().chain(of_things).nth(index);
            return Err(format!(
                "{}: expected a finite number from the environment, found {}",
                name(index),
                found.copied().unwrap_or(f64::NAN)
            ));
        }
        let (positions, goal) = numbers[1..].split_at(joints);
        let of = |told: &[f64]| -> Vec<f64> {
            let pairs = self.file.joint.iter().zip(told);
            pairs.map(|(joint, x)| joint.position_of(*x)).collect()
        };
        (self.positions, self.goal) = (of(positions), of(goal));
        let mut told = of_things.iter().copied();
        for (object, thing) in self.objects.iter_mut().zip(&self.file.object) {
            let mut next = || told.next().unwrap_or(f64::NAN);
            object.place = [0, 1].map(|_| thing.scale * next());
            object.angle_rad = thing.angle.is_some().then(next);
        }
        (self.reward, self.success) = (reward, *success != 0);
        Ok(())
    }

    /// One action a joint for one step of the environment, from the way that it is to cover.
    fn row(&mut self, body: &mut Vec<u8>) {
        let step_s = self.step_ns as f64 * 1e-9;
        for (index, joint) in self.file.joint.iter().enumerate() {
            let way = std::mem::take(&mut self.pending[index]);
            let target = (self.targets[index] + way).clamp(joint.lower, joint.upper);
            self.targets[index] = target;
            body.extend(joint.action_for(way / step_s, target).to_le_bytes());
        }
    }

    /// The largest distance of a joint from a place, as a share of its range.
    fn distance(&self, place: &[f64]) -> f64 {
        let pairs = self.positions.iter().zip(place).zip(&self.limits);
        pairs
            .map(|((x, wanted), limit)| (x - wanted).abs() / (limit.upper_rad - limit.lower_rad))
            .fold(0.0, f64::max)
    }
}

impl Robot for Bridged {
    fn task(&self) -> &str {
        &self.file.task
    }

    fn joint_names(&self) -> &[&str] {
        &self.names
    }

    fn limits(&self) -> &[JointLimits] {
        &self.limits
    }

    fn action_scale(&self) -> &[f64] {
        &self.scale
    }

    fn control_period_s(&self) -> f64 {
        self.file.time.control_period_s
    }

    fn substeps(&self) -> usize {
        self.file.time.action_repeat as usize
    }

    fn episode_steps(&self) -> usize {
        self.file.time.max_steps
    }

    fn image_size(&self) -> usize {
        self.size
    }

    fn reset(&mut self, seed: u64) {
        let link = self.link.get_mut();
        link.failure = None;
        if link.worker.is_none() {
            let started = self.start();
            let link = self.link.get_mut();
            match started {
                Ok(worker) => link.worker = Some(worker),
                Err(error) => link.failure = Some(error),
            }
        }
        self.success = false;
        self.reward = 0.0;
        self.change(b'R', &(seed as i64).to_le_bytes());
        self.pending_ns = 0;
        self.pending.fill(0.0);
        self.velocities.fill(0.0);
        self.targets.clone_from(&self.positions);
        self.history.clear();
        self.history.push_back(self.positions.clone());
        self.difficulty = self.distance(&self.goal);
    }

    fn advance(&mut self, velocity_rad_s: &[f64], dt_s: f64) {
        assert_eq!(velocity_rad_s.len(), self.joints(), "one set-point a joint");
        if !(dt_s > 0.0 && dt_s.is_finite()) || self.link.get_mut().worker.is_none() {
            return;
        }
        let mut body = Vec::new();
        let mut left_ns = (dt_s * 1e9).round() as i64;
        while left_ns > 0 {
            let taken_ns = left_ns.min((self.step_ns - self.pending_ns).max(1));
            for (j, limit) in self.limits.iter().enumerate() {
                let highest = limit.velocity_rad_s;
                let velocity = match velocity_rad_s[j] {
                    v if v.is_finite() => v.clamp(-highest, highest),
                    _ => 0.0,
                };
                let is_outward = (velocity > 0.0 && self.positions[j] >= limit.upper_rad)
                    || (velocity < 0.0 && self.positions[j] <= limit.lower_rad);
                if !is_outward {
                    self.pending[j] += velocity * taken_ns as f64 * 1e-9;
                }
            }
            left_ns -= taken_ns;
            self.pending_ns += taken_ns;
            if self.pending_ns >= self.step_ns - SLACK_NS {
                self.pending_ns -= self.step_ns;
                self.row(&mut body);
            }
        }
        let steps = body.len() / 8 / self.joints();
        if steps == 0 || !self.change(b'S', &body) {
            return;
        }
        // Velocities are the difference over a control period, or what there is of one since the start.
        let kept = self.substeps();
        for _ in 0..steps {
            if self.history.len() == kept + 1 {
                self.history.pop_front();
            }
            self.history.push_back(self.positions.clone());
        }
        let periods = (self.history.len() - 1) as f64 * self.step_ns as f64 * 1e-9;
        let oldest = &self.history[0];
        for ((v, new), old) in (self.velocities.iter_mut())
            .zip(&self.positions)
            .zip(oldest)
        {
            *v = (new - old) / periods;
        }
    }

    fn step(&mut self, action: &[f32]) {
        assert_eq!(action.len(), self.joints(), "one action per joint");
        let set_points: Vec<f64> = (action.iter().zip(&self.scale))
            .map(|(a, scale)| f64::from(*a).clamp(-1.0, 1.0) * scale)
            .collect();
        // All of its steps by one request.
        let period_s = self.step_ns as f64 * 1e-9 * self.substeps() as f64;
        self.advance(&set_points, period_s);
    }

    fn render(&self, rgb: &mut [u8]) {
        assert_eq!(
            rgb.len(),
            self.size * self.size * 3,
            "a picture of the robot's size"
        );
        let mut link = self.link.borrow_mut();
        if link.picture.is_empty() && self.ask(&mut link, b'P', &[]) {
            let Link {
                answer, picture, ..
            } = &mut *link;
            std::mem::swap(answer, picture);
        }
        if link.picture.len() == rgb.len() {
            rgb.copy_from_slice(&link.picture);
        } else {
            rgb.fill(0);
        }
    }

    fn positions(&self) -> &[f64] {
        &self.positions
    }

    fn velocities(&self) -> &[f64] {
        &self.velocities
    }

    fn reward(&self) -> f64 {
        match self.reward_kind {
            RewardKind::Sparse => f64::from(u8::from(self.success)),
            RewardKind::Dense => self.reward,
        }
    }

    fn reward_kind(&self) -> RewardKind {
        self.reward_kind
    }

    fn set_reward_kind(&mut self, kind: RewardKind) {
        self.reward_kind = kind;
    }

    fn success(&self) -> bool {
        self.success
    }

    fn difficulty(&self) -> f64 {
        self.difficulty
    }

    fn objects(&self) -> Vec<Object> {
        self.objects.clone()
    }

    fn put(&mut self, _thing: &str, _place: [f64; 2]) -> bool {
        false
    }

    fn habits(&self) -> Habits {
        Habits {
            waypoint_share: 0.8,
            dwell_steps: [0, 10],
            patience_steps: (self.file.time.max_steps as u64 / 2).max(1),
        }
    }

    fn has_expert(&self) -> bool {
        self.file.expert.is_some()
    }

    fn expert(&self) -> Way {
        match self.file.expert {
            Some(Expert::Adapter(_)) => Way::Scripted,
            _ => Way::Joints(self.goal.clone()),
        }
    }

    fn waypoint(&self, rng: &mut dyn Rng) -> Way {
        if self.has_expert() && uniform(rng, 0.0, 1.0) >= DECOYS {
            return self.expert();
        }
        let place =
            (self.limits.iter()).map(|limit| uniform(rng, limit.lower_rad, limit.upper_rad));
        Way::Joints(place.collect())
    }

    fn arrived(&self, way: &Way) -> bool {
        match way {
            Way::Scripted => self.success,
            Way::Joints(place) => self.distance(place) < ARRIVED,
            _ => false,
        }
    }

    fn follow(&self, way: &mut Way, action: &mut [f32]) {
        assert_eq!(action.len(), self.joints(), "one action per joint");
        action.fill(0.0);
        match way {
            Way::Joints(place) => {
                let approach_s = APPROACH_PERIODS * self.file.time.control_period_s;
                for (j, wanted) in place.iter().enumerate() {
                    let speed = (wanted - self.positions[j]) / approach_s;
                    action[j] = (speed / self.scale[j]).clamp(-1.0, 1.0) as f32;
                }
            }
            Way::Scripted => {
                let mut link = self.link.borrow_mut();
                if !self.ask(&mut link, b'E', &[]) {
                    return;
                }
                let told = link.answer.as_chunks::<8>().0.iter();
                for ((a, bytes), joint) in action.iter_mut().zip(told).zip(&self.file.joint) {
                    let speed = f64::from_le_bytes(*bytes) * joint.action_unit;
                    *a = (speed / joint.max_velocity).clamp(-1.0, 1.0) as f32;
                }
            }
            _ => {}
        }
    }

    fn failure(&self) -> Option<EnvError> {
        self.link.borrow().failure.clone()
    }
}
