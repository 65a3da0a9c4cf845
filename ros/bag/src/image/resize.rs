//! Centre crop and area averaging, in whole numbers: all distances are counted in units of 1/(target size) of a source
//! pixel, so that the result does not depend on the machine.

use super::pixels::{Layout, Pixels};

impl Pixels<'_> {
    /// Writes packed RGB, `[height, width, 3]`; `out` has that length and at least one pixel. `sums` is scratch.
    pub(super) fn rgb_into(&self, width: u32, height: u32, out: &mut [u8], sums: &mut Vec<u32>) {
        if (self.layout.width, self.layout.height) == (width, height) {
            self.copy(out);
        } else {
            self.resize(width, height, out, sums);
        }
    }

    fn copy(&self, out: &mut [u8]) {
        let Layout {
            width,
            step,
            pixel,
            channels,
            ..
        } = self.layout;
        let targets = out.chunks_exact_mut(width as usize * 3);
        for (row, target) in self.data.chunks_exact(step).zip(targets) {
            for (pixel, rgb) in row.chunks_exact(pixel).zip(target.chunks_exact_mut(3)) {
                for (value, channel) in rgb.iter_mut().zip(channels) {
                    *value = pixel[channel];
                }
            }
        }
    }

    /// Averages areas in two passes: the rows that a target row covers are added up by their weights, then
    /// the columns. Every source byte is read once (twice where it lies on the border of two target rows).
    fn resize(&self, width: u32, height: u32, out: &mut [u8], sums: &mut Vec<u32>) {
        let Layout {
            step,
            pixel,
            channels,
            ..
        } = self.layout;
        let crop = Crop::new(&self.layout, width, height);
        let (w, h) = (width as usize, height as usize);
        let area = crop.width as u64 * crop.height as u64;
        sums.resize(crop.width * pixel, 0);
        for (y, target) in out.chunks_exact_mut(w * 3).enumerate() {
            sums.fill(0);
            // At most 255 * MAX_SIDE, since the weights add up to the height of the crop.
            for (row, weight) in shares(y, crop.height, h) {
                let start = (crop.top + row) * step + crop.left * pixel;
                let source = &self.data[start..][..sums.len()];
                for (sum, value) in sums.iter_mut().zip(source) {
                    *sum += weight * u32::from(*value);
                }
            }
            for (x, rgb) in target.chunks_exact_mut(3).enumerate() {
                let mut total = [0u64; 3];
                for (column, weight) in shares(x, crop.width, w) {
                    let sums = &sums[column * pixel..][..pixel];
                    for (total, channel) in total.iter_mut().zip(channels) {
                        *total += u64::from(weight) * u64::from(sums[channel]);
                    }
                }
                for (value, total) in rgb.iter_mut().zip(total) {
                    *value = ((total + area / 2) / area) as u8;
                }
            }
        }
    }
}

/// The largest centred part of the source with the target's aspect ratio.
struct Crop {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Crop {
    fn new(source: &Layout, width: u32, height: u32) -> Self {
        let (fw, fh) = (u64::from(source.width), u64::from(source.height));
        let (w, h) = (u64::from(width), u64::from(height));
        let (crop_w, crop_h) = if fw * h > fh * w {
            ((fh * w / h).max(1), fh)
        } else {
            (fw, (fw * h / w).max(1))
        };
        Self {
            left: ((fw - crop_w) / 2) as usize,
            top: ((fh - crop_h) / 2) as usize,
            width: crop_w as usize,
            height: crop_h as usize,
        }
    }
}

/// The source pixels that target pixel `at` of `to` covers along one direction of `from` pixels, each with
/// its weight; the weights add up to `from`.
fn shares(at: usize, from: usize, to: usize) -> impl Iterator<Item = (usize, u32)> {
    let (begin, end) = (at * from, (at + 1) * from);
    (begin / to..end.div_ceil(to)).map(move |source| {
        let weight = end.min((source + 1) * to) - begin.max(source * to);
        (source, weight as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn every_source_pixel_is_shared_out_whole() {
        for (from, to) in [(480, 64), (7, 3), (3, 8), (1, 1), (64, 64), (5, 4)] {
            let mut given = vec![0; from];
            for at in 0..to {
                let mut sum = 0;
                for (source, weight) in shares(at, from, to) {
                    given[source] += weight as usize;
                    sum += weight as usize;
                }
                assert_eq!(sum, from, "{from} to {to}, at {at}");
            }
            assert!(
                given.iter().all(|sum| *sum == to),
                "{from} to {to}: {given:?}"
            );
        }
    }
}
