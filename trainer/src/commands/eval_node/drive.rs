//! The processes of one run: a recorder, the controller and, if it is told how to start it, the robot.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use latco_controller::config::PlannerKind;

use super::super::shell::BadInput;

/// Time for all processes to start and find each other.
const START_S: u64 = 60;
/// Longest time in which a process ends that is asked to.
const END: Duration = Duration::from_secs(15);
/// Time after which it is looked again whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a log that an error shows.
const LAST_WORDS: usize = 12;

/// Where the processes of a run meet.
pub(super) struct Place {
    pub(super) domain: Option<u16>,
    pub(super) is_local: bool,
    /// Whether time is that of `/clock`.
    pub(super) has_clock: bool,
}

/// What all runs have in common.
pub(super) struct Driver {
    pub(super) latco: PathBuf,
    pub(super) config: PathBuf,
    /// Command line of the robot; it runs already without.
    pub(super) robot: Option<String>,
    pub(super) place: Place,
    pub(super) episodes: u32,
    pub(super) episode_limit_s: u64,
    pub(super) stop: Arc<AtomicBool>,
}

/// The program `latco`: the given one, the one beside this program, or the one that the shell finds.
pub(super) fn program(given: Option<&Path>) -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("latco"));
    let found = beside().filter(|program| program.is_file());
    (given.map(Path::to_owned).or(found)).unwrap_or_else(|| "latco".into())
}

/// Waits until it is looked again.
#[allow(
    clippy::disallowed_methods,
    reason = "nothing here has a deadline but the user's patience"
)]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

impl Driver {
    /// Runs the episodes of a planner and a seed; returns the bag.
    ///
    /// # Errors
    /// A process that ends before its time, with its last words; episodes that do not come to their end.
    pub(super) fn run(
        &self,
        planner: PlannerKind,
        seed: u64,
        folder: &Path,
    ) -> anyhow::Result<PathBuf> {
        let bag = folder.join("bag");
        if bag.exists() {
            return Err(BadInput::new(format!(
                "{}: expected no recording of an earlier run, found one; choose another folder for --out, or evaluate it with --bag",
                bag.display()
            )));
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        let mut record = self.command(&self.latco);
        record.args(["record", "--until-stdin-closes", "--out"]);
        record.arg(&bag);
        record.args(["--episodes", &self.episodes.to_string()]);
        // Whatever else is logged, it is to say when it listens to everything: what comes before is lost to it.
        record.env("RUST_LOG", "info");
        let mut recorder = Process::start("recorder", record, folder)?;
        let deadline = Instant::now() + Duration::from_secs(START_S);
        while !recorder.says("recording;")
            && Instant::now() < deadline
            && recorder.ended()?.is_none()
        {
            pause();
        }
        let mut run = self.command(&self.latco);
        run.args(["run", "--auto", "--until-stdin-closes", "--config"]);
        run.arg(&self.config).arg("--state-dir").arg(folder);
        run.args(["--ros-args", "-p"]);
        run.arg(format!("planner.kind:={}", planner.name()));
        run.args(["-p", &format!("planner.seed:={seed}")]);
        if self.place.has_clock {
            run.args(["-p", "use_sim_time:=true"]);
        }
        let mut controller = Process::start("controller", run, folder)?;
        let mut robot = match &self.robot {
            None => None,
            Some(line) => {
                let line = line
                    .replace("{seed}", &seed.to_string())
                    .replace("{episodes}", &self.episodes.to_string());
                let mut command = self.command(Path::new("sh"));
                command.args(["-c", &format!("exec {line}")]);
                Some(Process::start("robot", command, folder)?)
            }
        };
        self.wait(&mut recorder, &mut controller, robot.as_mut())?;
        drop(robot);
        controller.end()?;
        recorder.end()?;
        Ok(bag)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(domain) = self.place.domain {
            command.env("ROS_DOMAIN_ID", domain.to_string());
        }
        if self.place.is_local {
            command.env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        }
        command
    }

    /// Waits until the robot has ended or the recorder has seen all episodes.
    fn wait(
        &self,
        recorder: &mut Process,
        controller: &mut Process,
        mut robot: Option<&mut Process>,
    ) -> anyhow::Result<()> {
        let limit_s = START_S + self.episode_limit_s * u64::from(self.episodes);
        let deadline = Instant::now() + Duration::from_secs(limit_s);
        loop {
            if let Some(status) = controller.ended()? {
                return Err(controller.failure(status));
            }
            if let Some(status) = recorder.ended()? {
                return match status.success() {
                    true => Ok(()),
                    false => Err(recorder.failure(status)),
                };
            }
            if let Some(robot) = robot.as_deref_mut()
                && let Some(status) = robot.ended()?
            {
                return match status.success() {
                    true => Ok(()),
                    false => Err(robot.failure(status)),
                };
            }
            anyhow::ensure!(
                !self.stop.load(Ordering::Relaxed),
                "interrupted; what was recorded is in {}",
                recorder.folder()
            );
            anyhow::ensure!(
                Instant::now() < deadline,
                "expected {} episodes within {limit_s} s, found that they did not end: a robot marks each on its topic `episode` and \
                 begins with the first command (docs/robot-side.md); the logs are in {}, and --episode-limit-s gives more time",
                self.episodes,
                recorder.folder()
            );
            pause();
        }
    }
}

/// A process of a run, which ends with this value.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let output = file.try_clone().context("a second handle of a log")?;
        let program = command.get_program().to_owned();
        command.stdin(Stdio::piped()).stdout(output).stderr(file);
        let child = command.spawn().map_err(|error| {
            BadInput::new(format!(
                "expected to start {}, found: {error}; name the program with --latco",
                program.display()
            ))
        })?;
        Ok(Self { name, child, log })
    }

    fn folder(&self) -> std::path::Display<'_> {
        self.log.parent().unwrap_or(Path::new(".")).display()
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        (self.child.try_wait()).with_context(|| format!("waiting for the {}", self.name))
    }

    fn says(&self, words: &str) -> bool {
        std::fs::read_to_string(&self.log).is_ok_and(|log| log.contains(words))
    }

    /// Asks the process to end, and waits for it.
    fn end(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + END;
        loop {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failure(status)),
                None if Instant::now() >= deadline => anyhow::bail!(
                    "the {} did not end within {} s; its log is {}",
                    self.name,
                    END.as_secs(),
                    self.log.display()
                ),
                None => pause(),
            }
        }
    }

    /// The error that tells how the process ended.
    fn failure(&self, status: ExitStatus) -> anyhow::Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last_words = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
        anyhow::anyhow!(
            "the {} ended ({status}); its last words:\n{last_words}",
            self.name
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a process that cannot be killed, and one that has ended is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
