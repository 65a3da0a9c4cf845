//! The file of a robot that others made: which environment it is, and what its joints are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::EnvError;
use crate::motion::JointLimits;

/// Folder, below the one that a program is started in, with a file for each robot of others.
const FOLDER: &str = "configs/robots";
/// The Python that `make simulators` makes, below the folder of the checkout.
const PYTHON: &str = ".cache/simulators-venv/bin/python3";
/// Names a Python that has the simulators already.
const PYTHON_VARIABLE: &str = "LATCO_PYTHON_SIMULATORS";
/// Largest number of joints of a robot that the controller drives.
const MAX_JOINTS: usize = 16;

/// A robot's file (docs/simulators.md).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotFile {
    /// Name of the task, as bundles and tables have it.
    pub task: String,
    /// The environment and the process that it runs in.
    pub environment: Environment,
    /// Times and lengths.
    pub time: Timing,
    /// The camera.
    #[serde(default)]
    pub camera: Camera,
    /// The joints, in the order of every list.
    pub joint: Vec<Joint>,
    /// Things whose places the environment tells: the true state, for judging what came of a plan.
    #[serde(default)]
    pub object: Vec<Thing>,
    /// What is a success.
    #[serde(default)]
    pub success: Success,
    /// What the dense reward is.
    #[serde(default)]
    pub reward: Reward,
    /// What is known of an expert.
    pub expert: Option<Expert>,
    /// Path of the file.
    #[serde(skip)]
    pub path: PathBuf,
}

/// The environment and the process that it runs in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name, as `gymnasium.make` takes it, or as the adapter does.
    pub id: String,
    /// Python modules that register it.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Python file with a class `Adapter`, beside the robot's file.
    pub adapter: Option<PathBuf>,
    /// Program or path (from the robot's file) of a Python that has the environment; otherwise that of `make simulators`.
    pub python: Option<PathBuf>,
    /// Options of the environment.
    #[serde(default)]
    pub options: toml::Table,
    /// Options that take width and height of the picture.
    #[serde(default = "size_options")]
    pub size_options: [String; 2],
    /// Actions that no joint has, as all of the environment's actions; by default 0, or the nearest to it that is allowed.
    #[serde(default)]
    pub rest_action: Vec<f64>,
    /// Longest time in s until the environment is made.
    #[serde(default = "start_s")]
    pub start_s: f64,
    /// Longest time in s that one answer takes.
    #[serde(default = "answer_s")]
    pub answer_s: f64,
}

fn size_options() -> [String; 2] {
    ["width".to_owned(), "height".to_owned()]
}

fn start_s() -> f64 {
    120.0
}

fn answer_s() -> f64 {
    30.0
}

/// Times and lengths.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Time in s between two pictures and plans.
    pub control_period_s: f64,
    /// Steps of the environment in that time.
    pub action_repeat: u32,
    /// Length of an episode in control periods.
    pub max_steps: usize,
}

/// The camera.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Width and height that the environment draws; where it is left out, the environment is asked for what is wanted.
    pub picture: Option<[usize; 2]>,
}

/// What an action of the environment does with a joint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// The action is a velocity, in `action_unit`.
    #[default]
    Velocity,
    /// The action is a position, as the environment tells positions.
    Position,
}

/// A joint. Units are rad and rad/s, or m and m/s.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joint {
    /// Name of the joint.
    pub name: String,
    /// `rad` or `m`.
    pub unit: String,
    /// Where its position stands in what the environment returns, such as `observation[0]`.
    pub position: String,
    /// One of the environment's units of position in the joint's unit.
    #[serde(default = "one")]
    pub scale: f64,
    /// Position of the joint where the environment says 0.
    #[serde(default)]
    pub offset: f64,
    /// Lowest position.
    pub lower: f64,
    /// Highest position.
    pub upper: f64,
    /// Highest speed.
    pub max_velocity: f64,
    /// Index of the environment's action that moves it.
    pub action: usize,
    /// What that action does.
    #[serde(default)]
    pub command: Command,
    /// Speed of the joint at an action of 1, for `command = "velocity"`.
    #[serde(default = "one")]
    pub action_unit: f64,
}

/// A thing that the environment tells the place of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// Name of the thing.
    pub name: String,
    /// Where its place stands in what the environment returns, such as `info.block_pose[0]`, along two axes.
    pub place: [String; 2],
    /// Where the angle stands by which it is turned, in rad.
    pub angle: Option<String>,
    /// One of the environment's units of place in m.
    #[serde(default = "one")]
    pub scale: f64,
}

fn one() -> f64 {
    1.0
}

/// A success.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Where the number stands that tells it.
    pub value: String,
    /// Least number that is a success.
    pub at_least: f64,
}

impl Default for Success {
    fn default() -> Self {
        Self {
            value: "info.is_success".to_owned(),
            at_least: 0.5,
        }
    }
}

/// The dense reward; the sparse one is 1 for a success and 0 otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// Where it stands.
    pub value: String,
}

impl Default for Reward {
    fn default() -> Self {
        Self {
            value: "reward".to_owned(),
        }
    }
}

/// An expert: places of the joints that solve the task, or a policy that the adapter has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Expert {
    /// Where each joint has to go, by its name, told in the environment's units as positions are.
    Target(BTreeMap<String, String>),
    /// The method `expert` of the adapter.
    Adapter(bool),
}

/// The path of a robot's file, where a task is one or the name of one in `configs/robots`.
pub fn find(task: &str) -> Option<PathBuf> {
    if Path::new(task).extension().is_some_and(|e| e == "toml") {
        return Some(task.into());
    }
    let is_name = (task.chars()).all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let path = Path::new(FOLDER).join(format!("{task}.toml"));
    (is_name && path.is_file()).then_some(path)
}

impl RobotFile {
    /// Reads a robot's file.
    ///
    /// # Errors
    /// [`EnvError::RobotFile`] with everything that is wrong.
    pub fn read(path: &Path) -> Result<Self, EnvError> {
        let wrong = |problems| EnvError::RobotFile {
            file: path.to_owned(),
            problems,
        };
        let text = std::fs::read_to_string(path).map_err(|e| {
            wrong(vec![format!(
                "expected the TOML file of a robot, found: {e}"
            )])
        })?;
        let mut file: Self =
            toml::from_str(&text).map_err(|e| wrong(vec![e.to_string().trim_end().to_owned()]))?;
        path.clone_into(&mut file.path);
        match file.problems() {
            problems if problems.is_empty() => Ok(file),
            problems => Err(wrong(problems)),
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut need = |holds: bool, key: &str, expected: &str, value: &dyn std::fmt::Debug| {
            if !holds {
                found.push(format!("{key}: expected {expected}, found {value:?}"));
            }
        };
        let above_zero = |x: f64| x.is_finite() && x > 0.0;
        let name_is_good = !self.task.is_empty()
            && (self.task.chars()).all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let name = "a name of letters, digits, - and _";
        need(name_is_good, "task", name, &self.task);
        let time = &self.time;
        for (key, value) in [
            ("time.control_period_s", time.control_period_s),
            ("environment.start_s", self.environment.start_s),
            ("environment.answer_s", self.environment.answer_s),
        ] {
            let holds = above_zero(value) && value <= 86_400.0;
            need(holds, key, "seconds above 0, at most a day", &value);
        }
        let repeat = time.action_repeat;
        let expected = "1 to 10000 steps of the environment";
        need(
            (1..=10_000).contains(&repeat),
            "time.action_repeat",
            expected,
            &repeat,
        );
        let steps = time.max_steps;
        let expected = "1 to 1000000 control periods";
        need(
            (1..=1_000_000).contains(&steps),
            "time.max_steps",
            expected,
            &steps,
        );
        let joints = self.joint.len();
        need(
            (1..=MAX_JOINTS).contains(&joints),
            "joint",
            "1 to 16 joints",
            &joints,
        );
        let mut names = BTreeSet::new();
        let mut actions = BTreeSet::new();
        for (index, joint) in self.joint.iter().enumerate() {
            let key = |name: &str| format!("joint {index} ({}): {name}", joint.name);
            let is_new = !joint.name.is_empty() && names.insert(joint.name.as_str());
            need(
                is_new,
                &key("name"),
                "a name that no other has",
                &joint.name,
            );
            let expected = "an action that no other joint has";
            let is_new = actions.insert(joint.action);
            need(is_new, &key("action"), expected, &joint.action);
            let expected = "rad or m, with scale to bring the environment's unit to it";
            let is_known = matches!(joint.unit.as_str(), "rad" | "m");
            need(is_known, &key("unit"), expected, &joint.unit);
            let ends = [joint.lower, joint.upper];
            let holds = ends.iter().all(|x| x.is_finite()) && joint.lower < joint.upper;
            need(holds, &key("lower, upper"), "two numbers that rise", &ends);
            for (name, value) in [
                ("max_velocity", joint.max_velocity),
                ("action_unit", joint.action_unit),
            ] {
                let expected = "a speed above 0, in the joint's unit a second";
                need(above_zero(value), &key(name), expected, &value);
            }
            let holds = joint.scale.is_finite() && joint.scale != 0.0 && joint.offset.is_finite();
            let found = [joint.scale, joint.offset];
            need(
                holds,
                &key("scale, offset"),
                "finite numbers, the first not 0",
                &found,
            );
        }
        if let Some(Expert::Target(targets)) = &self.expert {
            let told: BTreeSet<&str> = targets.keys().map(String::as_str).collect();
            let expected = format!("one place for each of the joints {names:?}");
            need(told == names, "expert.target", &expected, &told);
        }
        if let Some(Expert::Adapter(is_there)) = self.expert {
            let holds = is_there && self.environment.adapter.is_some();
            let expected = "true and environment.adapter, or no [expert]";
            need(holds, "expert.adapter", expected, &is_there);
        }
        found
    }

    /// Position and velocity limits of the joints.
    pub fn limits(&self) -> Vec<JointLimits> {
        let limits = self.joint.iter().map(|joint| JointLimits {
            lower_rad: joint.lower,
            upper_rad: joint.upper,
            velocity_rad_s: joint.max_velocity,
        });
        limits.collect()
    }

    /// The Python to run the environment with.
    ///
    /// # Errors
    /// [`EnvError::NotInstalled`].
    pub fn python(&self) -> Result<PathBuf, EnvError> {
        if let Some(python) = &self.environment.python {
            // A mere name is looked for as the shell does.
            let is_name = python.components().count() == 1;
            return Ok(if is_name {
                python.clone()
            } else {
                self.beside(python)
            });
        }
        if let Some(python) = std::env::var_os(PYTHON_VARIABLE) {
            return Ok(python.into());
        }
        let here = std::env::current_dir().unwrap_or_default();
        let file = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut folders = here.ancestors().chain(file.ancestors());
        let found = folders.find_map(|folder| {
            let python = folder.join(PYTHON);
            python.is_file().then_some(python)
        });
        found.ok_or_else(|| EnvError::NotInstalled {
            task: self.task.clone(),
            found: format!(
                "no {PYTHON} in {} or above, nor above the robot's file",
                here.display()
            ),
        })
    }

    /// A path that stands in the file.
    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// What the process has to know, for pictures of this size.
    pub(super) fn settings(&self, size: usize) -> serde_json::Value {
        let environment = &self.environment;
        let picture = self.camera.picture.unwrap_or([size; 2]);
        let mut options = environment.options.clone();
        if self.camera.picture.is_none() {
            for name in &environment.size_options {
                options.insert(name.clone(), toml::Value::Integer(size as i64));
            }
        }
        let each = |value: fn(&Joint) -> serde_json::Value| -> Vec<_> {
            self.joint.iter().map(value).collect()
        };
        let targets: Vec<&str> = match &self.expert {
            Some(Expert::Target(targets)) => (self
                .joint
                .iter()
                .filter_map(|joint| targets.get(&joint.name)))
            .map(String::as_str)
            .collect(),
            _ => Vec::new(),
        };
        let ranges: Vec<[f64; 2]> = self.joint.iter().map(Joint::action_range).collect();
        serde_json::json!({
            "id": environment.id,
            "imports": environment.imports,
            "adapter": environment.adapter.as_ref().map(|adapter| self.beside(adapter)),
            "options": options,
            "rest_action": environment.rest_action,
            "size": size,
            "picture": picture,
            "joints": each(|joint| joint.name.as_str().into()),
            "positions": each(|joint| joint.position.as_str().into()),
            "actions": each(|joint| joint.action.into()),
            "ranges": ranges,
            "targets": targets,
            "objects": self.object.iter().flat_map(Thing::values).collect::<Vec<_>>(),
            "success": self.success.value,
            "success_at_least": self.success.at_least,
            "reward": self.reward.value,
        })
    }
}

impl Thing {
    /// Where its numbers stand.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.place.iter().chain(&self.angle).map(String::as_str)
    }
}

impl Joint {
    /// A position in the joint's unit.
    pub(super) fn position_of(&self, told: f64) -> f64 {
        told * self.scale + self.offset
    }

    /// The environment's action for a velocity, after which the joint shall be at `target`.
    pub(super) fn action_for(&self, velocity: f64, target: f64) -> f64 {
        match self.command {
            Command::Velocity => velocity / self.action_unit,
            Command::Position => (target - self.offset) / self.scale,
        }
    }

    /// The environment's actions that the limits allow.
    fn action_range(&self) -> [f64; 2] {
        let ends = [
            self.action_for(-self.max_velocity, self.lower),
            self.action_for(self.max_velocity, self.upper),
        ];
        [ends[0].min(ends[1]), ends[0].max(ends[1])]
    }
}
