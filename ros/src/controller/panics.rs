//! A panic anywhere in the process brakes the robot first.

use std::sync::atomic::{AtomicBool, Ordering};

use latco_controller::safety::StopLatch;

static PANICKED: AtomicBool = AtomicBool::new(false);

/// From now on a panic in any thread latches this stop, before it is reported and unwinds.
pub(super) fn latch_on_panic(latch: StopLatch) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        latch.latch();
        PANICKED.store(true, Ordering::SeqCst);
        report(panic);
    }));
}

/// Whether any thread has panicked since.
pub(super) fn happened() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_a_panic_in_any_thread_latches_the_stop() {
        let latch = StopLatch::default();
        latch_on_panic(latch.clone());
        assert!(!latch.is_latched());
        let thread = std::thread::spawn(|| panic!("on purpose"));
        assert!(thread.join().is_err());
        assert!(latch.is_latched() && happened());
    }
}
