//! Work that is cut into parts, and the threads that do them.

use crate::kernels::lanes::{LANES, padded};

/// Largest number of parts that a stage of work can be cut into.
pub const MAX_PARTS: usize = 8;

/// Threads that do the parts of one stage of work at the same time.
///
/// The solver has no threads of its own. It cuts each stage into a fixed number of parts, so that
/// its results do not depend on how many threads there are.
pub trait Crew {
    /// Number of threads, 1 or more.
    fn size(&self) -> usize;

    /// Calls `work(i, &mut parts[i])` once for each part, on any thread, and returns when all are
    /// done.
    ///
    /// # Real-time
    /// Called some hundred times in an iteration: implementations must not allocate, and should
    /// hand over within a microsecond.
    fn each<T: Send, F: Fn(usize, &mut T) + Sync>(&mut self, parts: &mut [T], work: F);
}

/// A crew of the calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn size(&self) -> usize {
        1
    }

    fn each<T: Send, F: Fn(usize, &mut T) + Sync>(&mut self, parts: &mut [T], work: F) {
        for (i, part) in parts.iter_mut().enumerate() {
            work(i, part);
        }
    }
}

/// The columns of a state that each part owns: ranges one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    bounds: [usize; MAX_PARTS + 1],
    parts: usize,
}

impl Cut {
    /// Cuts `len` columns into `parts` ranges of about equal length (1 to [`MAX_PARTS`]); where there are few
    /// columns, the last ranges are empty.
    #[must_use]
    pub fn even(len: usize, parts: usize) -> Self {
        let parts = parts.clamp(1, MAX_PARTS);
        let blocks = len.div_ceil(LANES);
        let mut bounds = [len; MAX_PARTS + 1];
        for (i, bound) in bounds[..parts].iter_mut().enumerate() {
            *bound = len.min((blocks * i).div_ceil(parts) * LANES);
        }
        Self { bounds, parts }
    }

    /// This cut with `len` columns before all others, which the first part owns as well.
    #[must_use]
    pub fn after(mut self, len: usize) -> Self {
        self.bounds[1..].iter_mut().for_each(|bound| *bound += len);
        self
    }

    /// Number of parts.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Index of the first column of part `i`.
    #[must_use]
    pub fn first(&self, i: usize) -> usize {
        self.bounds[i]
    }

    /// Number of columns of part `i`.
    #[must_use]
    pub fn width(&self, i: usize) -> usize {
        self.bounds[i + 1] - self.bounds[i]
    }

    /// Number of elements that one row of part `i` takes: its columns, and zeros up to whole registers after
    /// any column.
    #[must_use]
    pub fn stride(&self, i: usize) -> usize {
        padded(self.width(i) + LANES - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_all_columns_once() {
        for len in [1, 15, 16, 17, 200, 230] {
            for parts in 1..=MAX_PARTS {
                let cut = Cut::even(len, parts).after(30);
                assert_eq!((cut.first(0), cut.parts()), (0, parts));
                for i in 0..parts {
                    assert!(cut.stride(i) >= cut.width(i) && cut.stride(i).is_multiple_of(LANES));
                    let next = if i + 1 < parts {
                        cut.first(i + 1)
                    } else {
                        len + 30
                    };
                    assert_eq!(cut.first(i) + cut.width(i), next);
                }
            }
        }
        assert_eq!(Cut::even(200, 2).width(0), 112);
    }
}
