//! Where the patches of a convolution lie in its map.

/// Where the patches of a convolution lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Channels of the map.
    pub channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Zeros on all four sides.
    pub padding: usize,
}

impl Geometry {
    /// Rows and columns after the convolution.
    pub fn output(&self) -> (usize, usize) {
        let side = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        (side(self.height), side(self.width))
    }

    /// Values of a patch, in the order row, column, channel.
    pub fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Calls `visit(patch value, map value)` with the first index of each run of `channels`.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, usize)) {
        let (rows, columns) = self.output();
        for row in 0..rows {
            for column in 0..columns {
                let patch = (row * columns + column) * self.patch();
                for i in 0..self.kernel {
                    let y = row * self.stride + i;
                    if y < self.padding || y - self.padding >= self.height {
                        continue;
                    }
                    for j in 0..self.kernel {
                        let x = column * self.stride + j;
                        if x < self.padding || x - self.padding >= self.width {
                            continue;
                        }
                        let pixel = (y - self.padding) * self.width + x - self.padding;
                        visit(
                            patch + (i * self.kernel + j) * self.channels,
                            pixel * self.channels,
                        );
                    }
                }
            }
        }
    }

    /// Copies the patches of one map.
    pub(super) fn gather(&self, map: &[f32], patches: &mut [f32]) {
        let c = self.channels;
        self.each(|to, from| patches[to..to + c].copy_from_slice(&map[from..from + c]));
    }

    /// Adds patches onto one map: the transpose of [`Geometry::gather`].
    pub(super) fn scatter(&self, patches: &[f32], map: &mut [f32]) {
        let c = self.channels;
        self.each(|from, to| {
            map[to..to + c]
                .iter_mut()
                .zip(&patches[from..from + c])
                .for_each(|(m, p)| *m += p);
        });
    }
}
