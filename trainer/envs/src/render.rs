//! The camera: discs and capsules drawn straight into 8-bit RGB with smooth edges.
//!
//! The camera looks down on `[-1, 1] x [-1, 1]`, x to the right and y up. The share of a pixel
//! that a shape covers is taken from the distance of the pixel's middle to the shape's edge, so a
//! shape that moves by a tenth of a pixel changes the picture: that is what lets a small picture
//! tell where things are.

/// Width and height of a camera picture in pixels, where nothing else is asked for.
pub const DEFAULT_IMAGE_SIZE: usize = 64;

/// Width and height in pixels of the smallest picture in which arm and goal can be told apart.
pub const MIN_IMAGE_SIZE: usize = 16;

/// Width and height in pixels of the largest picture that is made.
pub const MAX_IMAGE_SIZE: usize = 2048;

/// An 8-bit RGB colour.
pub type Colour = [u8; 3];

/// A square picture to draw into.
#[derive(Debug)]
pub struct Canvas<'a> {
    rgb: &'a mut [u8],
    size: usize,
}

impl<'a> Canvas<'a> {
    /// Takes an 8-bit RGB picture of shape `[size, size, 3]` and fills it.
    ///
    /// # Panics
    /// If `rgb` has not `size * size * 3` bytes.
    pub fn new(rgb: &'a mut [u8], size: usize, background: Colour) -> Self {
        assert_eq!(
            rgb.len(),
            size * size * 3,
            "an RGB picture of {size} x {size} pixels"
        );
        for pixel in rgb.chunks_exact_mut(3) {
            pixel.copy_from_slice(&background);
        }
        Self { rgb, size }
    }

    /// Draws a filled disc; its middle and radius are in m.
    pub fn disc(&mut self, middle: [f64; 2], radius: f64, colour: Colour) {
        self.capsule(middle, middle, radius, colour);
    }

    /// Draws all points within `radius` of the line from `a` to `b`; all lengths are in m.
    pub fn capsule(&mut self, a: [f64; 2], b: [f64; 2], radius: f64, colour: Colour) {
        let scale = self.size as f64 / 2.0;
        let [ax, ay] = self.to_pixels(a);
        let [bx, by] = self.to_pixels(b);
        let radius = (radius * scale) as f32;
        let outer = radius + 0.5;
        let inner = (radius - 0.5).max(0.0);
        let (dx, dy) = (bx - ax, by - ay);
        let length2 = dx * dx + dy * dy;
        let per_length2 = if length2 > 0.0 { 1.0 / length2 } else { 0.0 };

        let last = self.size as f32;
        let columns = clipped(ax.min(bx) - outer, ax.max(bx) + outer, last);
        for row in clipped(ay.min(by) - outer, ay.max(by) + outer, last) {
            let y = row as f32 + 0.5 - ay;
            let start = (row * self.size + columns.start) * 3;
            let pixels = &mut self.rgb[start..start + columns.len() * 3];
            for (column, pixel) in columns.clone().zip(pixels.chunks_exact_mut(3)) {
                let x = column as f32 + 0.5 - ax;
                let along = ((x * dx + y * dy) * per_length2).clamp(0.0, 1.0);
                let (ex, ey) = (x - along * dx, y - along * dy);
                let distance2 = ex * ex + ey * ey;
                if distance2 >= outer * outer {
                    continue;
                }
                if distance2 <= inner * inner {
                    pixel.copy_from_slice(&colour);
                    continue;
                }
                // A shape thinner than a pixel can cover no more than its own width.
                let share = (outer - distance2.sqrt()).min(2.0 * radius).min(1.0);
                for (p, &c) in pixel.iter_mut().zip(&colour) {
                    let old = f32::from(*p);
                    *p = (old + (f32::from(c) - old) * share + 0.5) as u8;
                }
            }
        }
    }

    fn to_pixels(&self, place: [f64; 2]) -> [f32; 2] {
        let scale = self.size as f64 / 2.0;
        [
            ((place[0] + 1.0) * scale) as f32,
            ((1.0 - place[1]) * scale) as f32,
        ]
    }
}

/// The pixels that `[low, high]` touches in a picture of `size` pixels.
fn clipped(low: f32, high: f32, size: f32) -> std::ops::Range<usize> {
    let low = low.floor().clamp(0.0, size) as usize;
    let high = high.ceil().clamp(0.0, size) as usize;
    low..high.max(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = [0, 0, 0];
    const WHITE: Colour = [255, 255, 255];

    fn area(rgb: &[u8]) -> f64 {
        rgb.chunks_exact(3).map(|p| f64::from(p[0]) / 255.0).sum()
    }

    fn drawn(size: usize, draw: impl Fn(&mut Canvas)) -> Vec<u8> {
        let mut rgb = vec![9; size * size * 3];
        draw(&mut Canvas::new(&mut rgb, size, BLACK));
        rgb
    }

    #[test]
    fn a_disc_has_its_area_wherever_it_stands() {
        for (size, tolerance) in [(32, 0.03), (64, 0.02)] {
            let pixel = 2.0 / size as f64;
            let expected = std::f64::consts::PI * (0.15 / pixel).powi(2);
            for shift in 0..10 {
                let middle = [0.1 + 0.1 * pixel * f64::from(shift), -0.2];
                let found = area(&drawn(size, |c| c.disc(middle, 0.15, WHITE)));
                assert!(
                    (found / expected - 1.0).abs() < tolerance,
                    "{found} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_tenth_of_a_pixel_is_seen() {
        // The centre of brightness follows the disc by sub-pixel amounts.
        let centre = |x: f64| {
            let rgb = drawn(32, |c| c.disc([x, 0.0], 0.15, WHITE));
            let weighted: f64 = rgb
                .chunks_exact(3)
                .enumerate()
                .map(|(i, p)| f64::from(p[0]) / 255.0 * ((i % 32) as f64 + 0.5))
                .sum();
            weighted / area(&rgb)
        };
        for k in 0..10 {
            let x = 0.01 + 0.00625 * f64::from(k);
            let moved = centre(x + 0.00625) - centre(x);
            assert!((moved - 0.1).abs() < 0.04, "{moved}");
        }
    }

    #[test]
    fn x_points_right_and_y_up_in_the_picture() {
        let rgb = drawn(64, |c| c.disc([0.5, 0.75], 0.1, WHITE));
        assert_eq!(rgb[(8 * 64 + 48) * 3], 255);
        assert_eq!(rgb[(56 * 64 + 16) * 3], 0);
    }

    #[test]
    fn a_capsule_has_its_area_at_every_angle() {
        for k in 0..12 {
            let (sin, cos) = (f64::from(k) * 0.26).sin_cos();
            let rgb = drawn(64, |c| {
                c.capsule([0.0, 0.0], [0.6 * cos, 0.6 * sin], 0.06, WHITE)
            });
            let expected = (0.6 * 0.12 + std::f64::consts::PI * 0.0036) * 32.0 * 32.0;
            assert!(
                (area(&rgb) / expected - 1.0).abs() < 0.04,
                "{} {expected}",
                area(&rgb)
            );
        }
    }

    #[test]
    fn shapes_outside_the_picture_are_cut_off() {
        let rgb = drawn(16, |c| {
            c.disc([5.0, 0.0], 0.2, WHITE);
            c.disc([0.0, -9.0], 0.2, WHITE);
            c.capsule([-3.0, 4.0], [-2.0, 7.0], 0.1, WHITE);
        });
        assert_eq!(area(&rgb), 0.0);
        assert!(area(&drawn(16, |c| c.disc([-1.0, 1.0], 0.25, WHITE))) > 0.5);
    }
}
