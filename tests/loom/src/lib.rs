//! The hand-over of plans (`controller/src/latest.rs`, the file itself) on queues that loom can interrupt at every operation.

// What the file calls `crossbeam` is this crate.
extern crate self as crossbeam;

#[path = "../../../controller/src/latest.rs"]
pub mod latest;

/// The queue of crossbeam as its documents describe it: bounded, and every operation happens at one moment.
pub mod queue {
    use std::collections::VecDeque;

    use loom::sync::Mutex;

    /// A bounded queue.
    pub struct ArrayQueue<T> {
        capacity: usize,
        items: Mutex<VecDeque<T>>,
    }

    impl<T> ArrayQueue<T> {
        /// Makes an empty queue with room for so many.
        pub fn new(capacity: usize) -> Self {
            Self {
                capacity,
                items: Mutex::new(VecDeque::with_capacity(capacity)),
            }
        }

        /// Puts an item at the end, or gives it back where there is no room.
        ///
        /// # Errors
        /// The item.
        pub fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.items.lock().expect("nobody panics");
            if items.len() == self.capacity {
                return Err(item);
            }
            items.push_back(item);
            Ok(())
        }

        /// Puts an item at the end; where there is no room the first one is taken out.
        pub fn force_push(&self, item: T) -> Option<T> {
            let mut items = self.items.lock().expect("nobody panics");
            let displaced = (items.len() == self.capacity).then(|| items.pop_front());
            items.push_back(item);
            displaced.flatten()
        }

        /// Takes the first item out.
        pub fn pop(&self) -> Option<T> {
            self.items.lock().expect("nobody panics").pop_front()
        }
    }
}
