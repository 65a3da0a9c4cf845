//! A count of the Rust heap allocations of this process, over all its threads.
//!
//! `latco` uses [`Counting`] as its global allocator, which costs one relaxed atomic addition an
//! allocation, so that `latco bench` can say how many an iteration makes. ONNX Runtime allocates
//! with C++ and is not counted.

#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, which counts the requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator; the counter beside it is an
// atomic and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Number of allocations since the process began; `None` in a program that does not use [`Counting`] (every
/// program has allocated something before it can ask).
pub fn count() -> Option<u64> {
    let count = COUNT.load(Ordering::SeqCst);
    (count > 0).then_some(count)
}
