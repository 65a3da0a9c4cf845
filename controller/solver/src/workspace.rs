use crate::kernels::lanes::{LANES, padded};

/// Hands out parts of an arena, one after the other, each at the beginning of a cache line: a
/// vector load across two lines takes twice as long.
///
/// The lengths are those that [`total`] added up; an arena that is long enough therefore never runs
/// out.
pub(crate) struct Parts<'a, S> {
    rest: &'a mut [S],
}

/// Number of elements of an arena that gives parts of these lengths, wherever it begins.
pub(crate) fn total(lens: impl IntoIterator<Item = usize>) -> usize {
    LANES + lens.into_iter().map(padded).sum::<usize>()
}

/// Makes a struct of the parts of an arena: the named fields, of the lengths that stand in the same order, and after `;` any others.
macro_rules! take_parts {
    ($parts:ident, $lens:expr, $Name:ident { $($field:ident),+ $(; $($rest:tt)*)? }) => {{
        let [$($field),+] = $lens.map(|len| $parts.take(len));
        $Name { $($field,)+ $($($rest)*)? }
    }};
}
pub(crate) use take_parts;

impl<'a, S> Parts<'a, S> {
    pub(crate) fn new(arena: &'a mut [S]) -> Self {
        let skipped = Self::skipped(arena);
        Self {
            rest: &mut arena[skipped..],
        }
    }

    /// The arena from its first cache line on.
    pub(crate) fn aligned(arena: &'a [S]) -> &'a [S] {
        &arena[Self::skipped(arena)..]
    }

    fn skipped(arena: &[S]) -> usize {
        let line = LANES * size_of::<f32>();
        arena.as_ptr().align_offset(line).min(arena.len())
    }

    /// All elements that have not been handed out.
    pub(crate) fn rest(self) -> &'a mut [S] {
        self.rest
    }

    /// Hands out the next `len` elements.
    pub(crate) fn take(&mut self, len: usize) -> &'a mut [S] {
        let rest = core::mem::take(&mut self.rest);
        let (part, rest) = rest.split_at_mut(padded(len));
        self.rest = rest;
        &mut part[..len]
    }
}
