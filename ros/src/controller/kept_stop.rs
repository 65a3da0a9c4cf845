//! The emergency stop over a restart: a node that was stopped, or that ended while it was active, does not move until `~/reset`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use latco_controller::safety::StopLatch;

/// What stands in the file while the node may move.
const ACTIVE: &str = "active";
/// What stands in the file while the emergency stop is latched.
const STOPPED: &str = "emergency stop";

/// The emergency stop and the file that says why the next start begins with it.
///
/// The file is there while the node is active and while the emergency stop is latched; a node that comes to its end at rest
/// removes it.
#[derive(Clone, Debug)]
pub(super) struct KeptStop {
    latch: StopLatch,
    file: Option<PathBuf>,
}

impl KeptStop {
    /// The stop of the node `name` of a DDS domain, with its file in `folder`; latched where that is there.
    pub(super) fn open(folder: Option<&Path>, domain: u16, name: &str) -> Self {
        let name = name.trim_start_matches('/').replace('/', ".");
        let stop = Self {
            latch: StopLatch::default(),
            file: folder.map(|folder| folder.join(format!("{domain}-{name}.stop"))),
        };
        let Some(file) = &stop.file else {
            tracing::warn!(
                "the emergency stop is not kept over a restart: no --state-dir, and no home folder"
            );
            return stop;
        };
        let before = std::fs::read_to_string(file);
        if let Ok(before) = before {
            stop.latch.latch();
            let why = if before.trim() == STOPPED {
                "the emergency stop was latched"
            } else {
                "the node ended while it was active"
            };
            tracing::warn!(file = %file.display(), "begins with the emergency stop latched, because {why}; ~/reset releases it");
        }
        stop
    }

    /// What the executor looks at.
    pub(super) fn latch(&self) -> &StopLatch {
        &self.latch
    }

    /// Latches the stop, for this process at once, and for the next one.
    pub(super) fn stop(&self) {
        self.latch.latch();
        self.write(STOPPED);
    }

    /// Releases the first `count` stops. Whether the node is `active` stands in the file afterwards.
    pub(super) fn release(&self, count: u64, active: bool) {
        self.latch.release(count);
        self.set_active(active);
    }

    /// The node may move from now on, or is at rest and may not.
    pub(super) fn set_active(&self, active: bool) {
        if active {
            self.write(ACTIVE);
        } else if let Some(file) = &self.file {
            let removed = std::fs::remove_file(file);
            let _ = removed.and_then(|()| sync_folder(file));
        }
        // Latched meanwhile by another thread, or still.
        if self.latch.is_latched() {
            self.write(STOPPED);
        }
    }

    fn write(&self, text: &str) {
        let Some(file) = &self.file else { return };
        if let Err(error) = write_durably(file, text) {
            tracing::warn!(file = %file.display(), %error, "the emergency stop is not kept over a restart; set --state-dir");
        }
    }
}

/// Writes a file so that it is there, whole, also after a loss of power.
fn write_durably(file: &Path, text: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder_of(file))?;
    let part = file.with_extension("part");
    let mut written = File::create(&part)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&part, file)?;
    sync_folder(file)
}

/// Makes durable which files there are beside this one.
fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder_of(file))?.sync_all()
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f03_a_node_begins_stopped_after_a_stop_and_after_a_crash_only() {
        let folder = tempfile::tempdir().unwrap();
        let open = || KeptStop::open(Some(&folder.path().join("state")), 7, "/arm/latco");
        let first = open();
        assert!(!first.latch().is_latched());
        first.set_active(true);
        let crashed = open();
        assert!(crashed.latch().is_latched(), "it was active");
        assert!(
            !KeptStop::open(Some(folder.path()), 7, "/other")
                .latch()
                .is_latched()
        );
        crashed.release(crashed.latch().count(), false);
        assert!(!open().latch().is_latched(), "released");
        let second = open();
        second.set_active(true);
        second.set_active(false);
        assert!(!open().latch().is_latched(), "it came to rest");
        second.stop();
        second.set_active(false);
        let third = open();
        assert!(
            third.latch().is_latched(),
            "stopped and ended in good order"
        );
        // A stop that comes before the reset is carried out stays.
        let count = third.latch().count();
        third.stop();
        third.release(count, true);
        assert!(third.latch().is_latched() && open().latch().is_latched());
    }
}
