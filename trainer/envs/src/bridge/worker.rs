//! The process of an environment, and the frames that are exchanged with it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The program of the process.
const SERVE: &str = include_str!("../../gymnasium/serve.py");
/// How pictures are drawn, unless the environment of this program says otherwise: without a screen, and where there is no GPU by
/// the thread that asks for them. Mesa's own threads wait for each other at every picture, which on cores that other work keeps
/// busy (a second simulator is enough) takes ten times as long as to draw it.
const DRAWING: [(&str, &str); 2] = [("MUJOCO_GL", "egl"), ("LP_NUM_THREADS", "0")];
/// Lines of standard error that are kept.
const KEPT_LINES: usize = 12;
/// Longest frame that is believed, bytes.
const MAX_FRAME: usize = 64 << 20;
/// Longest time in which the last words of a process that has ended are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The reason why a process gave no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What the environment needs is not installed.
    NotInstalled(String),
    /// The robot's file and the environment do not fit.
    Settings(String),
    /// The environment failed, ended or did not answer.
    Failed(String),
}

/// A running process. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    pipe: UnixStream,
    said: Arc<Mutex<VecDeque<String>>>,
    /// Closed when nothing more can be said.
    ended: Receiver<()>,
}

impl Worker {
    /// Starts the process; the environment is made by its first request.
    pub(super) fn start(python: &Path) -> Result<Self, Trouble> {
        let failed = |e: std::io::Error| Trouble::Failed(format!("cannot start a process: {e}"));
        let (pipe, theirs) = UnixStream::pair().map_err(failed)?;
        let output = theirs.try_clone().map_err(failed)?;
        let mut command = Command::new(python);
        command
            .args(["-u", "-c", SERVE])
            .stdin(OwnedFd::from(theirs))
            .stdout(OwnedFd::from(output))
            .stderr(Stdio::piped())
            // Ctrl-C is for this program, which ends its processes when their episodes are kept.
            .process_group(0);
        for (name, value) in DRAWING {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().map_err(|e| match e.kind() {
            ErrorKind::NotFound => Trouble::NotInstalled(format!("no {}", python.display())),
            _ => failed(e),
        })?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let (is_open, ended) = channel();
        if let Some(stderr) = child.stderr.take() {
            let said = said.clone();
            std::thread::Builder::new()
                .name("simulator".to_owned())
                .spawn(move || listen(stderr, &said, is_open))
                .map_err(failed)?;
        }
        Ok(Self {
            child,
            pipe,
            said,
            ended,
        })
    }

    /// Sends a request and takes its answer, without the byte that says of which kind it is.
    pub(super) fn ask(
        &mut self,
        kind: u8,
        body: &[u8],
        within: Duration,
        answer: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let deadline = Instant::now() + within;
        let mut frame = Vec::with_capacity(body.len() + 5);
        frame.extend((body.len() as u32 + 1).to_le_bytes());
        frame.push(kind);
        frame.extend(body);
        let exchanged = self.exchange(&frame, deadline, answer);
        if let Err(error) = exchanged {
            let silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            return Err(Trouble::Failed(if silent {
                format!(
                    "expected an answer within {} s (environment.answer_s or start_s), found none: its process was killed",
                    within.as_secs_f64()
                )
            } else if error.kind() == ErrorKind::InvalidData {
                error.to_string()
            } else {
                self.how_it_ended()
            }));
        }
        let kind = answer.remove(0);
        let text = || String::from_utf8_lossy(&answer[..]).into_owned();
        match kind {
            b'=' => Ok(()),
            b'N' => Err(Trouble::NotInstalled(text())),
            b'W' => Err(Trouble::Settings(text())),
            _ => Err(Trouble::Failed(text())),
        }
    }

    fn exchange(
        &mut self,
        frame: &[u8],
        deadline: Instant,
        answer: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        self.pipe.set_write_timeout(Some(left(deadline)))?;
        self.pipe.write_all(frame)?;
        let mut head = [0; 4];
        self.fill(&mut head, deadline)?;
        let length = u32::from_le_bytes(head) as usize;
        if !(1..=MAX_FRAME).contains(&length) {
            let text = format!("expected a frame of 1 to {MAX_FRAME} bytes, found one of {length}");
            return Err(std::io::Error::new(ErrorKind::InvalidData, text));
        }
        answer.clear();
        answer.resize(length, 0);
        self.fill(answer, deadline)
    }

    fn fill(&mut self, mut bytes: &mut [u8], deadline: Instant) -> std::io::Result<()> {
        while !bytes.is_empty() {
            self.pipe.set_read_timeout(Some(left(deadline)))?;
            match self.pipe.read(bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => bytes = &mut bytes[read..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How a process ended that closed its pipe.
    fn how_it_ended(&mut self) -> String {
        // What it wrote last is here once its standard error is closed, as it is when it has ended.
        let _ = self.ended.recv_timeout(LAST_WORDS);
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
        match self.child.wait() {
            Ok(status) => format!("its process ended ({status})"),
            Err(error) => format!("its process ended ({error})"),
        }
    }

    /// The last lines that the process wrote, which is killed if it has not ended: nothing follows them.
    pub(super) fn last_words(&mut self) -> Vec<String> {
        let _ = self.child.kill();
        let _ = self.ended.recv_timeout(LAST_WORDS);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().cloned().collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Nothing can be done about a process that cannot be killed, and one that has ended is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time left; never 0, which would mean for ever.
fn left(deadline: Instant) -> Duration {
    (deadline.saturating_duration_since(Instant::now())).max(Duration::from_micros(1))
}

/// Keeps the last lines of what a process says, until it ends.
fn listen(stderr: ChildStderr, said: &Mutex<VecDeque<String>>, is_open: Sender<()>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    // A line without an end is cut, however long it is.
    while let Ok(1..) = (&mut stderr).take(4096).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        tracing::debug!("simulator: {text}");
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == KEPT_LINES {
            said.pop_front();
        }
        said.push_back(text);
        line.clear();
    }
    drop(is_open);
}
