//! Processes of a test: the `latco` program and the foreign ones it is tested with.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// The target folder that this test was built into.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    // target/PROFILE/deps/TEST
    own.ancestors()
        .nth(3)
        .map_or_else(|| workspace().join("target"), Path::to_owned)
}

/// The program `latco`, built by Cargo if need be: tests of this crate do not depend on it.
///
/// # Panics
/// When it cannot be built.
pub fn latco() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(workspace())
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "latco-ros",
                "--bin",
                "latco",
            ])
            .arg("--target-dir")
            .arg(target());
        if let Err(why) = crate::python::run(&mut command) {
            panic!("latco is not built: {why}");
        }
        target().join("release/latco")
    })
}

/// `latco ARGUMENTS`, run in the workspace, with no settings of ROS in its environment.
pub fn latco_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(latco());
    command.current_dir(workspace()).args(arguments);
    without_ros(&mut command);
    command
}

/// `PYTHON SCRIPT ARGUMENTS` with this DDS domain, on the loopback interface only.
pub fn python_command(python: &Path, script: &Path, arguments: &[&str], domain: u16) -> Command {
    let mut command = Command::new(python);
    command.arg("-u").arg(script).args(arguments);
    without_ros(&mut command);
    command
        .env("ROS_DOMAIN_ID", domain.to_string())
        .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
    command
}

fn without_ros(command: &mut Command) {
    for name in [
        "ROS_DOMAIN_ID",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
        "RMW_IMPLEMENTATION",
        "CYCLONEDDS_URI",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
}

/// One loop in real time at a time, also between the programs of tests.
pub struct Turn {
    _threads: MutexGuard<'static, ()>,
    _processes: Option<std::fs::File>,
}

/// Waits for this test's turn; it ends when the guard is dropped.
pub fn my_turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    let threads = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = std::fs::create_dir_all(target().join("tmp"));
    let file = std::fs::File::create(target().join("tmp/real-time.lock")).ok();
    if let Some(file) = &file {
        let _ = file.lock();
    }
    Turn {
        _threads: threads,
        _processes: file,
    }
}

/// A process of a test. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    what: String,
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// What became of it.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Ended {
    /// Its last line of standard output as JSON.
    ///
    /// # Panics
    /// When it failed, or when that is no JSON.
    pub fn json(&self) -> serde_json::Value {
        assert!(
            self.status.success(),
            "{}\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        let line = self.stdout.trim().lines().next_back().unwrap_or_default();
        serde_json::from_str(line)
            .unwrap_or_else(|e| panic!("{e} in {line:?}; standard error:\n{}", self.stderr))
    }
}

impl Program {
    /// Starts it, with its output kept and nothing on its standard input.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let what = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        let out = Arc::new(Mutex::new(Vec::new()));
        let err = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let lines = out.clone();
            readers.push(std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    lines
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
            }));
        }
        if let Some(stderr) = child.stderr.take() {
            let text = err.clone();
            readers.push(std::thread::spawn(move || {
                let mut stderr = stderr;
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                    let part = String::from_utf8_lossy(&buffer[..n]);
                    text.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push_str(&part);
                }
            }));
        }
        Self {
            child,
            what,
            out,
            err,
            readers,
        }
    }

    /// Waits until a line of its standard output contains `words`: that line.
    ///
    /// # Panics
    /// When it ends before, or `limit` passes.
    pub fn says(&mut self, words: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let found = {
                let lines = self.out.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().find(|l| l.contains(words)).cloned()
            };
            if let Some(line) = found {
                return line;
            }
            let running = self.is_running();
            assert!(
                running && Instant::now() < deadline,
                "{} did not say {words:?} within {limit:?} (running: {running}):\n{}",
                self.what,
                self.output()
            );
            wait(Duration::from_millis(20));
        }
    }

    /// All that it said so far.
    pub fn output(&self) -> String {
        let out = self
            .out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n");
        format!(
            "{out}\n{}",
            self.err.lock().unwrap_or_else(PoisonError::into_inner)
        )
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Panics
    /// As [`end`](Self::end).
    pub fn stop(self, limit: Duration) -> Ended {
        self.signal("TERM");
        self.end(limit)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When `limit` passes; with what it said.
    pub fn end(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end within {limit:?}:\n{}",
                self.what,
                self.output()
            );
            wait(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let stdout = self
            .out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n");
        let stderr = self
            .err
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Ended {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets time pass.
#[allow(clippy::disallowed_methods)] // a test has no deadline
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Looks every 20 ms, for at most `limit`.
pub fn eventually(limit: Duration, mut look: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if look() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        wait(Duration::from_millis(20));
    }
}
