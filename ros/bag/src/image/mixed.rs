//! Raw images whose pixels have no colours of their own: YUV with halved colours, and sensors behind a colour filter.

use super::encoding::Encoding;
use super::pixels::Layout;
use crate::messages::Image;

/// Writes the pixels of a checked image as packed RGB into `out`, whose memory is reused.
pub(super) fn unpack(image: &Image, encoding: Encoding, out: &mut Vec<u8>) -> Layout {
    let (width, height) = (image.width as usize, image.height as usize);
    let step = image.step as usize;
    out.resize(width * height * 3, 0);
    let rows = out.chunks_exact_mut(width * 3).enumerate();
    match encoding {
        Encoding::Bayer(colours) => {
            let sensor = Sensor {
                data: &image.data,
                step,
                width,
                height,
                colours,
            };
            for (y, row) in rows {
                for (x, rgb) in row.chunks_exact_mut(3).enumerate() {
                    rgb.copy_from_slice(&sensor.rgb(x, y));
                }
            }
        }
        _ => {
            // Places of the brightness of both pixels, of U and of V.
            let [first, second, u, v] = match encoding {
                Encoding::Uyvy => [1, 3, 0, 2],
                _ => [0, 2, 1, 3],
            };
            for (y, row) in rows {
                let pairs = image.data[y * step..].chunks_exact(4);
                for (pair, rgb) in pairs.zip(row.chunks_mut(6)) {
                    let (u, v) = (pair[u], pair[v]);
                    for (rgb, at) in rgb.chunks_exact_mut(3).zip([first, second]) {
                        rgb.copy_from_slice(&yuv(pair[at], u, v));
                    }
                }
            }
        }
    }
    Layout {
        width: image.width,
        height: image.height,
        step: width * 3,
        pixel: 3,
        channels: [0, 1, 2],
    }
}

/// ITU-R BT.601 in its limited range, as cameras send it.
fn yuv(y: u8, u: u8, v: u8) -> [u8; 3] {
    // In parts of 65536: with parts of 256, pure red came out one too bright.
    let (y, u, v) = (
        76_309 * (i32::from(y) - 16) + 32_768,
        i32::from(u) - 128,
        i32::from(v) - 128,
    );
    let rgb = [
        y + 104_597 * v,
        y - 25_675 * u - 53_279 * v,
        y + 132_201 * u,
    ];
    rgb.map(|value| (value >> 16).clamp(0, 255) as u8)
}

/// An image of a sensor behind a colour filter.
struct Sensor<'a> {
    data: &'a [u8],
    step: usize,
    width: usize,
    height: usize,
    colours: [u8; 4],
}

impl Sensor<'_> {
    /// The colour of a pixel: its own value, and the means of the neighbours of the other colours.
    fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let (mut sums, mut counts) = ([0_u32; 3], [0_u32; 3]);
        let own = self.colour(x, y);
        for row in y.saturating_sub(1)..(y + 2).min(self.height) {
            for column in x.saturating_sub(1)..(x + 2).min(self.width) {
                let colour = self.colour(column, row);
                if colour != own || (column, row) == (x, y) {
                    sums[colour] += u32::from(self.data[row * self.step + column]);
                    counts[colour] += 1;
                }
            }
        }
        // A picture of one pixel or row may lack a colour.
        let grey = sums[own];
        std::array::from_fn(|c| match counts[c] {
            0 => grey as u8,
            count => ((sums[c] + count / 2) / count) as u8,
        })
    }

    fn colour(&self, x: usize, y: usize) -> usize {
        usize::from(self.colours[(y & 1) * 2 + (x & 1)])
    }
}
