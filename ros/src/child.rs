//! `latco` processes of a `latco` command, such as the two of a demonstration. They end with the command,
//! however that ends.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use thiserror::Error;

use crate::middleware::Stop;

/// Number of lines of a log that a failure shows.
const LAST_WORDS: usize = 12;
/// Time between asking a process to end and killing it, when nobody waits for its result.
const GRACE: Duration = Duration::from_secs(3);

/// What went wrong with a child process.
#[derive(Debug, Error)]
pub enum ChildError {
    /// The process ended, and should not have.
    #[error("the {name} ended with {}: {last_words}", status.map_or("a signal".to_owned(), |s| format!("status {s}")))]
    Ended {
        /// Name of the process.
        name: &'static str,
        /// Exit status of the process; `None` after a signal.
        status: Option<i32>,
        /// The end of its log.
        last_words: String,
    },
    /// The process did not end when it was asked to.
    #[error("the {name} did not end within {seconds} s when asked to; its log is {}", log.display())]
    DoesNotEnd {
        /// The process.
        name: &'static str,
        /// Time for which it was awaited, in seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The system did not start it, or gave no thread for its output.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A `latco` process.
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
    log: PathBuf,
    reader: Option<std::thread::JoinHandle<std::io::Result<String>>>,
}

impl Child {
    /// Starts this program with other arguments. It has its own process group, so that Ctrl-C reaches only the
    /// demonstration, which then ends it in order; and it ends by itself when the demonstration dies, because its
    /// standard input is then closed.
    pub(crate) fn start(
        name: &'static str,
        arguments: &[String],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the path of this program")?;
        let stderr =
            std::fs::File::create(log).with_context(|| format!("log {}", log.display()))?;
        let mut process = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {} {}", program.display(), arguments.join(" ")))?;
        let mut stdout = process
            .stdout
            .take()
            .context("the output of a child process")?;
        let reader = std::thread::Builder::new()
            .name("child output".into())
            .spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).map(|_| text)
            })?;
        Ok(Self {
            name,
            process,
            log: log.into(),
            reader: Some(reader),
        })
    }

    /// The exit status of the process, if it has ended.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.process
            .try_wait()
            .with_context(|| format!("the {}", self.name))
    }

    /// Asks the process to end, by SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            // It may have ended already.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }

    /// Waits for the process to end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus, ChildError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(ChildError::DoesNotEnd {
                    name: self.name,
                    seconds: limit.as_secs(),
                    log: self.log.clone(),
                });
            }
            Stop::new().wait(Duration::from_millis(20));
        }
    }

    /// The output of the process; call it once, after its end.
    pub(crate) fn printed(&mut self) -> anyhow::Result<String> {
        let reader = self.reader.take().context("the output was read before")?;
        match reader.join() {
            Ok(text) => text.with_context(|| format!("the output of the {}", self.name)),
            Err(_) => anyhow::bail!("the output of the {} could not be read", self.name),
        }
    }

    /// The error that tells how the process ended.
    pub(crate) fn failure(&self, status: ExitStatus) -> ChildError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last_words = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
        ChildError::Ended {
            name: self.name,
            status: status.code(),
            last_words,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        self.ask_to_end();
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            Stop::new().wait(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
