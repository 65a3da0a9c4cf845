//! The log on standard error, which nobody waits for.
//!
//! Standard error may be a pipe that nobody reads, or a terminal that somebody stopped. Lines therefore go through a bounded queue
//! to a thread that does nothing else; when the queue is full they are dropped, and their number is told once there is room.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines that may wait for standard error.
const WAITING: usize = 1024;
/// How long the end of the process waits for the lines that are left.
const AT_THE_END: Duration = Duration::from_millis(500);

static LOG: OnceLock<Log> = OnceLock::new();

/// What goes to the thread that writes.
enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

#[derive(Debug)]
struct Log {
    queue: SyncSender<Item>,
    lost: AtomicU64,
}

/// Starts logging on standard error, our own messages from `level` on; `RUST_LOG` changes what is shown. The middleware's
/// warnings are left out: most are about interfaces and peers that do not concern us, over a hundred at each start.
///
/// A panic is reported in the same way.
pub(crate) fn start(level: Option<&str>) {
    let (queue, items) = sync_channel(WAITING);
    let writer = std::thread::Builder::new().name("log".into());
    let lost = AtomicU64::new(0);
    if LOG.set(Log { queue, lost }).is_err() || writer.spawn(move || write(&items)).is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let trace = Backtrace::capture();
        let trace = match trace.status() {
            BacktraceStatus::Captured => format!("\n{trace}"),
            _ => String::new(),
        };
        say(&format!("thread '{name}' {panic}{trace}"));
        flush();
    }));
    let level = level.unwrap_or("info");
    let default = format!(
        "warn,latco_ros={level},latco_controller={level},latco_faults={level},latco_models={level},ros2_client=error,ort=error,\
         rustdds=error,rustdds::network=off,rustdds::dds::pubsub=off"
    );
    let asked: Option<Targets> = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse().ok());
    let filter = asked.or_else(|| default.parse().ok()).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}

/// Puts a line on standard error.
pub(crate) fn say(line: &str) {
    match LOG.get() {
        Some(log) => log.put(format!("{line}\n").into_bytes()),
        None => eprintln!("{line}"),
    }
}

/// Waits a moment for what was said; call it before the process ends.
pub(crate) fn flush() {
    let Some(log) = LOG.get() else { return };
    let (written, done) = sync_channel(1);
    // A full queue means that nobody reads: then there is nothing to wait for.
    if log.queue.try_send(Item::Flush(written)).is_ok() {
        let _ = done.recv_timeout(AT_THE_END);
    }
}

impl Log {
    fn put(&self, line: Vec<u8>) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The writing thread. That nobody listens any more is no reason to end.
fn write(items: &Receiver<Item>) {
    let mut out = io::stderr();
    for item in items {
        match item {
            Item::Line(line) => {
                let _ = out.write_all(&line);
            }
            Item::Flush(written) => {
                let _ = written.try_send(());
            }
        }
        let lost = LOG
            .get()
            .map_or(0, |log| log.lost.swap(0, Ordering::Relaxed));
        if lost > 0 {
            let _ = writeln!(
                out,
                "{lost} lines of the log were lost here: standard error was not read"
            );
        }
    }
}

/// One event of the log, which the formatting layer writes as a whole.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(log) = LOG.get() {
            log.put(line.to_vec());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
