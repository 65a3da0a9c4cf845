//! Waiting, and taking turns.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::paths::scratch;

/// One loop in real time at a time, also between the programs of tests.
pub struct Turn {
    _threads: MutexGuard<'static, ()>,
    _processes: Option<File>,
}

/// Waits for this test's turn; it ends when the guard is dropped.
pub fn my_turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    let threads = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = std::fs::create_dir_all(scratch());
    let file = File::create(scratch().join("real-time.lock")).ok();
    if let Some(file) = &file {
        let _ = file.lock();
    }
    Turn {
        _threads: threads,
        _processes: file,
    }
}

/// Lets time pass.
#[allow(clippy::disallowed_methods)] // a test has no deadline
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Looks every 20 ms, for at most `limit`, until `condition` holds; whether it did.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        wait(Duration::from_millis(20));
    }
}
