//! Lock-free hand-over of the newest value from one thread to another.
//!
//! ```
//! let (mut writer, mut reader) = latco_controller::latest::channel(|| [0u32; 4]);
//! writer.value_mut()[0] = 7;
//! writer.publish();
//! assert!(reader.update());
//! assert_eq!(reader.value()[0], 7);
//! assert!(!reader.update(), "nothing newer");
//! ```
//!
//! Five preallocated values go round: one in the writer's hand, up to two in the reader's while it
//! exchanges them, one published, and one free. Both sides only ever push to
//! and pop from bounded queues, so neither waits for the other and nothing is allocated after
//! [`channel`].

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

struct Shared<T> {
    /// The newest value that the reader has not taken, if there is one.
    newest: ArrayQueue<Box<T>>,
    /// Values that neither side is using.
    free: ArrayQueue<Box<T>>,
}

/// The side that fills values in and publishes them.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    value: Box<T>,
}

/// The side that looks at the newest published value.
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    value: Box<T>,
}

/// Makes a pair of ends; `make` is called for each of the five values that go round.
pub fn channel<T>(mut make: impl FnMut() -> T) -> (Writer<T>, Reader<T>) {
    let shared = Arc::new(Shared {
        newest: ArrayQueue::new(1),
        free: ArrayQueue::new(5),
    });
    for _ in 0..3 {
        // The queue holds five, so three always fit.
        let _ = shared.free.push(Box::new(make()));
    }
    let writer = Writer {
        shared: Arc::clone(&shared),
        value: Box::new(make()),
    };
    let reader = Reader {
        shared,
        value: Box::new(make()),
    };
    (writer, reader)
}

impl<T> Writer<T> {
    /// The value to fill in before [`Writer::publish`]. It holds some older content.
    pub fn value_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Makes the filled-in value the newest; a value that the reader has not taken is replaced.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn publish(&mut self) {
        // Of five values at most four are elsewhere (here, newest, two at the reader while it
        // exchanges), so one is free; without one the value would stay here for the next call.
        let Some(spare) = self.shared.free.pop() else {
            debug_assert!(false, "one of the five values got lost");
            return;
        };
        let filled = std::mem::replace(&mut self.value, spare);
        if let Some(displaced) = self.shared.newest.force_push(filled) {
            let _ = self.shared.free.push(displaced);
        }
    }
}

impl<T> Reader<T> {
    /// Takes the newest value if there is one that was not seen before; returns whether there was.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn update(&mut self) -> bool {
        let Some(newest) = self.shared.newest.pop() else {
            return false;
        };
        let old = std::mem::replace(&mut self.value, newest);
        let _ = self.shared.free.push(old);
        true
    }

    /// The value that was taken last; before the first [`Reader::update`] it is as `make` left it.
    pub fn value(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_newest_value_wins() {
        let (mut writer, mut reader) = channel(|| 0u64);
        for number in 1..=10 {
            *writer.value_mut() = number;
            writer.publish();
        }
        assert!(reader.update());
        assert_eq!(*reader.value(), 10);
        assert!(!reader.update());
        assert_eq!(*reader.value(), 10);
    }

    #[test]
    fn two_threads_never_see_a_torn_or_an_older_value() {
        const COUNT: u64 = 200_000;
        let (mut writer, mut reader) = channel(|| [0u64; 32]);
        let seen = Arc::new(AtomicBool::new(false));
        let is_seen = seen.clone();
        let writing = std::thread::spawn(move || {
            for number in 1..=COUNT {
                // On a busy machine all could be written before the reader's first look.
                while number == COUNT && !is_seen.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                writer.value_mut().fill(number);
                writer.publish();
            }
        });
        let mut last = 0;
        let mut updates = 0u64;
        while last < COUNT {
            if reader.update() {
                let value = reader.value();
                assert!(value.iter().all(|&x| x == value[0]), "torn: {value:?}");
                assert!(value[0] > last, "{} after {last}", value[0]);
                last = value[0];
                updates += 1;
                seen.store(true, Ordering::SeqCst);
            } else {
                std::thread::yield_now();
            }
        }
        writing.join().expect("the writer does not panic");
        assert!(updates > 1);
    }
}
