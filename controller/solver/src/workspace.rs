/// Hands out parts of an arena, one after the other.
///
/// The lengths are those the `len` functions added up; an arena that is long enough for their sum
/// therefore never runs out.
pub(crate) struct Parts<'a, S> {
    rest: &'a mut [S],
}

impl<'a, S> Parts<'a, S> {
    pub(crate) fn new(arena: &'a mut [S]) -> Self {
        Self { rest: arena }
    }

    /// Elements not yet handed out.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` elements.
    pub(crate) fn take(&mut self, len: usize) -> &'a mut [S] {
        let rest = core::mem::take(&mut self.rest);
        let (part, rest) = rest.split_at_mut(len);
        self.rest = rest;
        part
    }
}
