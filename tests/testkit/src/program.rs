//! Processes of a test, with their output.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::time::{eventually, wait};

/// What a process has said so far.
type Said = Arc<Mutex<Vec<u8>>>;

/// A process of a test. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    what: String,
    input: Option<ChildStdin>,
    out: Said,
    err: Said,
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
    /// Its standard output, which is one JSON value and nothing else.
    ///
    /// # Panics
    /// When it is not; with what it said.
    pub fn json(&self) -> serde_json::Value {
        self.parsed(&self.stdout)
    }

    /// The last line of its standard output as JSON.
    ///
    /// # Panics
    /// When that is no JSON; with what it said.
    pub fn last_line_json(&self) -> serde_json::Value {
        self.parsed(self.stdout.trim().lines().next_back().unwrap_or_default())
    }

    fn parsed(&self, json: &str) -> serde_json::Value {
        serde_json::from_str(json)
            .unwrap_or_else(|e| panic!("{e} in {json:?}; standard error:\n{}", self.stderr))
    }

    /// Itself, with this exit code.
    ///
    /// # Panics
    /// When it ended otherwise; with what it said.
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "standard output: {}\nstandard error: {}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Program {
    /// Starts it, with its output kept and nothing on its standard input.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::null()))
    }

    /// Starts it, with its output kept, and takes lines for its standard input.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_listening(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::piped()))
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When it does not listen any more.
    pub fn tell(&mut self, line: &str) {
        let told = self.input.as_mut().map(|input| writeln!(input, "{line}"));
        let told = matches!(told, Some(Ok(())));
        assert!(told, "{} does not listen:\n{}", self.what, self.output());
    }

    fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        let (out, err) = (Arc::default(), Arc::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| keep(pipe, &out)));
        readers.extend(child.stderr.take().map(|pipe| keep(pipe, &err)));
        let input = child.stdin.take();
        Self {
            child,
            what,
            input,
            out,
            err,
            readers,
        }
    }

    /// Waits until a line of its output contains `words`: that line.
    ///
    /// # Panics
    /// When it ends before, or `limit` passes; with what it said.
    pub fn says(&mut self, words: &str, limit: Duration) -> String {
        self.says_times(words, 1, limit)
    }

    /// Waits until so many lines of its output contain `words`: the last of them.
    ///
    /// # Panics
    /// As [`says`](Self::says).
    pub fn says_times(&mut self, words: &str, times: usize, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            // It may say them just before it ends.
            let running = self.is_running();
            let output = self.output();
            let mut lines = output.lines().filter(|line| line.contains(words));
            if let Some(line) = lines.nth(times - 1) {
                return line.to_owned();
            }
            assert!(
                running && Instant::now() < deadline,
                "{} did not say {words:?} {times} times within {limit:?} (running: {running}):\n{output}",
                self.what,
            );
            wait(Duration::from_millis(20));
        }
    }

    /// All that it said so far.
    pub fn output(&self) -> String {
        format!("{}\n{}", text(&self.out), text(&self.err))
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

    /// Kills it: its status, and its standard error.
    pub fn kill(&mut self) -> (Option<ExitStatus>, String) {
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        (status, self.collected().1)
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
        let mut status = None;
        let ended = eventually(limit, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        let Some(status) = status.filter(|_| ended) else {
            panic!(
                "{} did not end within {limit:?}:\n{}",
                self.what,
                self.output()
            );
        };
        let (stdout, stderr) = self.collected();
        Ended {
            status,
            stdout,
            stderr,
        }
    }

    /// All of its standard output and standard error, once it has ended.
    fn collected(&mut self) -> (String, String) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        (text(&self.out), text(&self.err))
    }
}

/// Keeps what comes through a pipe until it is closed.
fn keep(mut pipe: impl Read + Send + 'static, said: &Said) -> JoinHandle<()> {
    let said = said.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend(&buffer[..n]);
        }
    })
}

fn text(said: &Said) -> String {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&said).into_owned()
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
