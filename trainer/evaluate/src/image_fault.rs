//! Images of a scene that is not the one that the model knows, for whole pictures of rgb8.

use chacha20::ChaCha8Rng;
use rand::RngExt;

latco_models::named! {
    /// A fault of the camera or the scene.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ImageFault {
        /// All pixels are black.
        Black => "black",
        /// All pixels are random.
        Noise => "noise",
        /// A black square covers half of the picture, in its middle.
        HalfCovered => "half_covered",
        /// A black square covers a quarter of the picture, in its middle.
        QuarterCovered => "quarter_covered",
        /// The picture is moved to the right by an eighth of its width, as when the camera was pushed; the edge is repeated.
        Shifted => "shifted",
        /// Red and blue have changed places.
        SwappedColours => "swapped_colours",
        /// The picture is half as bright.
        Dark => "dark",
        /// The picture is that from before the fault.
        Frozen => "frozen",
    }
}

impl ImageFault {
    /// Spoils a picture `[side, side, 3]`; `before` is the one from before the fault.
    pub fn spoil(self, pixels: &mut [u8], before: &[u8], side: usize, rng: &mut ChaCha8Rng) {
        match self {
            Self::Black => pixels.fill(0),
            Self::Noise => pixels.fill_with(|| rng.random()),
            Self::HalfCovered => cover(pixels, side, 0.5),
            Self::QuarterCovered => cover(pixels, side, 0.25),
            Self::Shifted => {
                let by = 3 * (side / 8);
                for row in pixels.chunks_exact_mut(3 * side) {
                    let edge = [row[0], row[1], row[2]];
                    row.copy_within(..3 * side - by, by);
                    row[..by].as_chunks_mut().0.fill(edge);
                }
            }
            Self::SwappedColours => pixels.chunks_exact_mut(3).for_each(|p| p.swap(0, 2)),
            Self::Dark => pixels.iter_mut().for_each(|byte| *byte /= 2),
            Self::Frozen => pixels.copy_from_slice(before),
        }
    }
}

fn cover(pixels: &mut [u8], side: usize, share: f64) {
    let covered = (side as f64 * share.sqrt()).round() as usize;
    let begin = (side - covered) / 2;
    for row in pixels.chunks_exact_mut(3 * side).skip(begin).take(covered) {
        row[3 * begin..][..3 * covered].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn each_fault_does_what_its_name_says() {
        let side = 8;
        let picture: Vec<u8> = (0..side * side * 3).map(|k| 40 + k as u8).collect();
        let before = vec![7; picture.len()];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut spoilt = |fault: ImageFault| {
            let mut pixels = picture.clone();
            fault.spoil(&mut pixels, &before, side, &mut rng);
            pixels
        };
        let zeros = |pixels: &[u8]| pixels.iter().filter(|byte| **byte == 0).count();
        assert_eq!(zeros(&spoilt(ImageFault::Black)), picture.len());
        assert_eq!(zeros(&spoilt(ImageFault::QuarterCovered)), 4 * 4 * 3);
        assert_eq!(zeros(&spoilt(ImageFault::HalfCovered)), 6 * 6 * 3);
        let shifted = spoilt(ImageFault::Shifted);
        assert_eq!(shifted[..6], [40, 41, 42, 40, 41, 42]);
        assert_eq!(shifted[27..30], picture[24..27]);
        assert_eq!(spoilt(ImageFault::SwappedColours)[..3], [42, 41, 40]);
        assert_eq!(spoilt(ImageFault::Dark)[..2], [20, 20]);
        assert_eq!(spoilt(ImageFault::Frozen), before);
        let noise = spoilt(ImageFault::Noise);
        assert_ne!(noise, spoilt(ImageFault::Noise));
    }
}
