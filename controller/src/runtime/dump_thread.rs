//! Failed and slow solves, written to files by a thread that nobody waits for.
//!
//! The planner thread copies a problem into preallocated memory and goes on; when problems come
//! faster than they can be written, the newest wins.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crossbeam::channel;

use crate::config::Config;
use crate::controller::{Controller, Tick};
use crate::latest;
use crate::plan::{DumpHeader, Problem, write_dump};
use crate::trace::PlanTrace;

/// File extension of dumps.
const EXTENSION: &str = "dump";

/// Number of the newest dumps that are kept: some tens of kilobytes each, and more than anybody looks at.
const KEPT: usize = 20;

/// The planner thread's side.
pub(super) struct DumpPort {
    problems: latest::Writer<Problem>,
    wake: channel::Sender<()>,
    above: Option<Duration>,
}

impl DumpPort {
    /// Hands over the problem of a step if its solve failed or took too long.
    ///
    /// # Real-time
    /// Copies a problem; no allocation, no waiting.
    pub(super) fn take(&mut self, tick: &Tick, controller: &Controller) {
        let (Some(report), Some(problem)) = (tick.plan, controller.problem()) else {
            return;
        };
        let is_slow = self.above.is_some_and(|above| tick.plan_time > above);
        if is_slow || !report.stop.was_successful() {
            self.problems.value_mut().copy_from(problem);
            self.problems.publish();
            // A full channel means that the other thread is awake or about to be.
            let _ = self.wake.try_send(());
        }
    }
}

/// The writing thread's side.
pub(super) struct DumpThread {
    problems: latest::Reader<Problem>,
    woken: channel::Receiver<()>,
    header: DumpHeader,
    folder: PathBuf,
}

/// Makes both sides; `None` when no dumps are asked for or the planner keeps no problems.
pub(super) fn make(config: &Config, controller: &Controller) -> Option<(DumpPort, DumpThread)> {
    let folder = PathBuf::from(config.planner.dump_dir.as_ref()?);
    let header = controller.dump_header()?.clone();
    let sizes = controller.problem()?.sizes;
    let lines = PlanTrace::lines(config);
    let (writer, reader) = latest::channel(|| Problem::new(&sizes, lines));
    let (wake, woken) = channel::bounded(1);
    let port = DumpPort {
        problems: writer,
        wake,
        above: (config.planner.dump_above_ms).map(|ms| crate::time::span(ms * 1e-3)),
    };
    let thread = DumpThread {
        problems: reader,
        woken,
        header,
        folder,
    };
    Some((port, thread))
}

impl DumpThread {
    /// Writes until the port is dropped.
    pub(super) fn run(mut self) {
        while self.woken.recv().is_ok() {
            if self.problems.update() {
                self.write();
            }
        }
    }

    fn write(&self) {
        let problem = self.problems.value();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let name = format!(
            "problem-{:016}-{}.{EXTENSION}",
            since_epoch.map_or(0, |t| t.as_micros()),
            problem.report.stop.name()
        );
        let path = self.folder.join(name);
        let written = std::fs::create_dir_all(&self.folder)
            .map_err(|e| e.to_string())
            .and_then(|()| write_dump(&path, &self.header, problem).map_err(|e| e.to_string()));
        match written {
            Ok(()) => tracing::warn!(
                "a solve that ended as {} is in {}; see it with latco solve",
                problem.report.stop.name(),
                path.display()
            ),
            Err(reason) => tracing::warn!("a planning problem could not be written: {reason}"),
        }
        self.remove_oldest();
    }

    /// Removes the oldest files of this kind until no more than [`KEPT`] are left.
    fn remove_oldest(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        let mut dumps: Vec<PathBuf> = (entries.flatten())
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                let is_ours = name.is_some_and(|name| name.starts_with("problem-"));
                is_ours && path.extension().is_some_and(|e| e == EXTENSION)
            })
            .collect();
        // Names begin with the time.
        dumps.sort();
        let surplus = dumps.len().saturating_sub(KEPT);
        for path in &dumps[..surplus] {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!("{} cannot be removed: {error}", path.display());
            }
        }
    }
}
