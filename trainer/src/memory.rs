//! What becomes of memory that a training step frees.

#![allow(unsafe_code)] // the C library is asked

/// Larger allocations are still taken from the system one by one: data sets, which grow.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_KEPT: i32 = 512 << 20;
/// The largest threshold for versions of glibc before 2.35, which allow no more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_KEPT_BEFORE: i32 = 32 << 20;

/// From now on this process keeps the memory that it frees, for its next allocations.
///
/// glibc returns memory to the system whenever much of it is free at the end of the heap, and a
/// training step frees nearly all of its tensors: every step had its pages faulted in again, about
/// a tenth of its time (`docs/decisions/0007-training-steps-beside-pytorch.md`). Does nothing where the C library is another.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes any values, and its own lock.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT) == 0 {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT_BEFORE);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}
