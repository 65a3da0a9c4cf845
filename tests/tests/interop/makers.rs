//! docs/my-robot.md, followed for three robots that publish and take what the drivers of their makers do: recorded, labelled,
//! trained, driven to the goal, replayed.
//!
//! The blocks of the document are used as they stand there, and `configs/train/my-robot.toml` with fewer steps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use latco_bag::BagReader;
use latco_testkit::documents::Document;
use latco_testkit::latco::{command, latco_command, latco_train, python_command};
use latco_testkit::paths::{text, workspace};
use latco_testkit::program::{Ended, Program};
use latco_testkit::python::ROS_JAZZY;
use latco_testkit::run::note;
use latco_testkit::time::my_turn;

use crate::script;

/// Time in which an operator teaches, s.
const TEACHING_S: &str = "300";
/// Time for one command, of which `fit` takes most.
const LIMIT: Duration = Duration::from_secs(1800);
/// Time for the way to the goal, which an operator goes in 3 s.
const DRIVE: Duration = Duration::from_secs(20);

/// How a recording is labelled.
#[derive(Clone, Copy, PartialEq)]
enum Label {
    /// By the topic of the operator's button.
    Topic,
    /// By a list of times.
    Ranges,
}

/// A maker, and what a user writes for its robot.
struct Maker {
    /// Its name for `makers_robot.py`, and the beginning of its heading in the document.
    names: (&'static str, &'static str),
    domain: u16,
    label: Label,
    /// Lines of `[data]`.
    data: &'static str,
}

/// What a user does in one folder with one robot.
struct User {
    maker: Maker,
    folder: tempfile::TempDir,
    robot: Program,
}

impl User {
    fn new(maker: Maker) -> Self {
        let arguments = [env!("CARGO_BIN_EXE_world"), maker.names.0];
        let (python, script) = (ROS_JAZZY.python(), script("makers_robot.py"));
        let mut command = python_command(&python, &script, &arguments, maker.domain);
        let mut robot = Program::start_listening(&mut command);
        robot.says("ready", LIMIT);
        let folder = tempfile::tempdir().unwrap();
        Self {
            maker,
            folder,
            robot,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on the robot's network.
    fn on_robot(&self, arguments: &[&str]) -> Program {
        let domain = self.maker.domain.to_string();
        let mut command = latco_command(arguments);
        Program::start(command.args(["--localhost", "--domain", &domain]))
    }

    fn train(&self, arguments: &[&str]) -> Ended {
        ends(&mut command(&latco_train(), arguments))
    }

    /// Records into `name` while `during` goes on.
    fn record(&mut self, name: &str, more: &[&str], during: impl FnOnce(&mut Self)) {
        let out = self.path(name);
        let arguments = [&["record", "--out", text(&out)], more].concat();
        let mut recorder = self.on_robot(&arguments);
        recorder.says("recording;", LIMIT);
        during(self);
        recorder.stop(LIMIT).assert_code(0);
    }

    /// Records and labels: the folder of what is trained on.
    fn taught(&mut self) -> PathBuf {
        let mut times = String::new();
        let all: &[&str] = if self.maker.label == Label::Topic {
            &["--all"]
        } else {
            &[]
        };
        self.record("bag", all, |user| {
            user.robot.tell(&format!("teach {TEACHING_S}"));
            times = user.robot.says("taught", LIMIT);
        });
        let (bag, labelled) = (self.path("bag"), self.path("labelled"));
        let ranges = self.path("ranges.toml");
        let how = match self.maker.label {
            Label::Topic => ["--topic", "/operator/success"],
            Label::Ranges => {
                std::fs::write(&ranges, ranges_of(&bag, &times)).unwrap();
                ["--ranges", text(&ranges)]
            }
        };
        self.train(&[&["label", text(&bag), "--out", text(&labelled)], &how[..]].concat());
        labelled
    }

    /// The beginning of a training configuration, with this robot's lines and fewer steps.
    fn training(&self) -> PathBuf {
        let file = workspace().join("configs/train/my-robot.toml");
        let mut toml = std::fs::read_to_string(file).unwrap();
        for (from, to) in [
            ("task = \"my-robot\"", "task = \"goal\""),
            ("action_scale = []", self.maker.data),
            ("held_out = 0.05", "held_out = 0.2"),
            ("steps = 10000", "steps = 600"),
            ("steps = 9000", "steps = 900"),
        ] {
            assert!(toml.contains(from), "{from}");
            toml = toml.replace(from, to);
        }
        let path = self.path("my-training.toml");
        std::fs::write(&path, toml).unwrap();
        path
    }

    /// The configuration of the document, with this bundle.
    fn configuration(&self, bundle: &Path) -> PathBuf {
        let document = Document::read(&workspace().join("docs/my-robot.md"));
        let block = |heading: &str| -> String {
            let at = document
                .text
                .lines()
                .position(|line| line.starts_with(heading));
            let at = at.unwrap_or_else(|| panic!("no heading {heading}"));
            let block = document.blocks.iter().find(|block| block.line > at);
            block.unwrap().lines.join("\n") + "\n"
        };
        let common = block("## What all have in common");
        let path = "path = \"/var/lib/latco/bundles/mine\"";
        assert!(common.contains(path), "{common}");
        let common = common.replace(path, &format!("path = {:?}", text(bundle)));
        let toml = common + &block(&format!("## {}", self.maker.names.1));
        let path = self.path("my-robot.toml");
        std::fs::write(&path, toml).unwrap();
        ends(&mut latco_command(&["config", "check", text(&path)]));
        path
    }

    /// Puts the robot at a start and has it driven: the time that it took to the goal, or what it said when it did not get there.
    fn driven(&mut self, configuration: &Path, start: usize) -> Result<String, String> {
        self.robot.tell(&format!("place {start}"));
        self.robot.says_times("placed", start + 1, LIMIT);
        let mut reached = Err(String::new());
        self.record(&format!("run-{start}"), &[], |user| {
            let arguments = ["run", "--auto", "--config", text(configuration), "--json"];
            let mut controller = user.on_robot(&arguments);
            controller.says("the first plan is made", LIMIT);
            user.robot.tell("judge");
            let before = user.robot.output().matches("reached").count();
            let there = latco_testkit::time::eventually(DRIVE, || {
                user.robot.output().matches("reached").count() > before
            });
            let figures = controller.stop(LIMIT).assert_code(0).json();
            assert_eq!(figures["images_refused"], 0, "{figures}");
            assert_eq!(figures["joint_states_refused"], 0, "{figures}");
            reached = match there {
                true => Ok(user.robot.says_times("reached", before + 1, LIMIT)),
                false => Err(figures.to_string()),
            };
        });
        reached
    }
}

fn ends(command: &mut Command) -> Ended {
    let ended = Program::start(command).end(LIMIT);
    ended.assert_code(0);
    ended
}

/// The file of times when the robot was solved, from what it said (s since the epoch) and when its recording begins.
fn ranges_of(bag: &Path, times: &str) -> String {
    let times: Vec<[f64; 2]> = serde_json::from_str(times.trim_start_matches("taught ")).unwrap();
    let (first, _) = BagReader::open(bag).unwrap().bounds_ns().unwrap();
    let table = |[from, to]: &[f64; 2]| {
        let [from, to] = [from, to].map(|time| time - first as f64 * 1e-9);
        format!("[[range]]\nfrom_s = {from:.3}\nto_s = {to:.3}\n")
    };
    times.iter().map(table).collect()
}

fn is_driven_to_its_goal(maker: Maker) {
    let _turn = my_turn();
    let name = maker.names.0;
    let mut user = User::new(maker);
    let labelled = user.taught();
    let (training, run) = (user.training(), user.path("mine"));
    let fit = [
        "fit",
        "--data",
        text(&labelled),
        "--config",
        text(&training),
        "--out",
        text(&run),
    ];
    user.train(&fit);
    note(&format!(
        "{name}: {}",
        std::fs::read_to_string(run.join("report.md")).unwrap()
    ));
    let configuration = user.configuration(&run.join("bundle"));
    let ways: Vec<_> = (0..3)
        .map(|start| user.driven(&configuration, start))
        .collect();
    note(&format!("{name}: {ways:?}"));
    for start in 0..3 {
        let bag = user.path(&format!("run-{start}"));
        let replay = ends(&mut latco_command(&["replay", text(&bag), "--json"])).json();
        assert_eq!(replay["equal"], true, "{replay}");
    }
    let reached = ways.iter().filter(|way| way.is_ok()).count();
    assert!(reached >= 2, "{name}: {ways:?}");
}

#[test]
#[ignore = "records five minutes and trains a model: cargo test --release --workspace --test interop -- --ignored is_driven_as_my_robot_md_says"]
fn a_ur_with_a_scaled_controller_and_shuffled_joint_states_is_driven_as_my_robot_md_says() {
    is_driven_to_its_goal(Maker {
        names: ("ur", "Universal Robots"),
        domain: 57,
        label: Label::Topic,
        data: "action_scale = [0.35, 0.45, 0.7, 0.5, 0.5, 0.5]",
    });
}

#[test]
#[ignore = "records five minutes and trains a model: cargo test --release --workspace --test interop -- --ignored is_driven_as_my_robot_md_says"]
fn a_franka_with_its_gripper_apart_that_is_led_by_hand_is_driven_as_my_robot_md_says() {
    is_driven_to_its_goal(Maker {
        names: ("franka", "Franka"),
        domain: 58,
        label: Label::Ranges,
        data: "action = \"joint_states\"\naction_scale = [0.35, 0.45, 0.5, 0.7, 0.5, 0.5, 0.5]",
    });
}

#[test]
#[ignore = "records five minutes and trains a model: cargo test --release --workspace --test interop -- --ignored is_driven_as_my_robot_md_says"]
fn an_so101_with_positions_as_actions_is_driven_as_my_robot_md_says() {
    is_driven_to_its_goal(Maker {
        names: ("so101", "SO-101"),
        domain: 59,
        label: Label::Ranges,
        data: "action_kinds = [\"joint_position\", \"joint_position\", \"joint_position\", \"joint_position\", \"joint_position\", \"joint_position\"]\n\
               action_scale = [0.035, 0.045, 0.07, 0.05, 0.05, 0.05]",
    });
}
