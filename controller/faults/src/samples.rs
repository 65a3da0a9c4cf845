//! Images and joint states that may be spoiled.

use latco_controller::Time;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::injector::Strike;
use crate::kind::{Effect, Target};
use crate::stream::Sample;

/// An image of three bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Time at which it was taken.
    pub stamp: Time,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Pixels, `[height, width, 3]`; fewer where the end is missing.
    pub pixels: Vec<u8>,
}

impl Sample for Frame {
    const TARGET: Target = Target::Camera;

    fn stamp_mut(&mut self) -> &mut Time {
        &mut self.stamp
    }

    fn take_content(&mut self, other: &Self) {
        (self.width, self.height) = (other.width, other.height);
        self.pixels.clone_from(&other.pixels);
    }

    fn spoil(&mut self, strike: &Strike) {
        let len = self.pixels.len();
        match strike.effect {
            Effect::Occlude => {
                let side = strike.amount.sqrt();
                let (columns, rows) = (middle(self.width, side), middle(self.height, side));
                for row in self
                    .pixels
                    .chunks_mut((self.width * 3).max(1))
                    .take(rows.1)
                    .skip(rows.0)
                {
                    let end = (columns.1 * 3).min(row.len());
                    row[(columns.0 * 3).min(end)..end].fill(0);
                }
            }
            Effect::Noise => {
                let mut random = ChaCha8Rng::seed_from_u64(strike.random);
                // A byte out of 2^32 decides, the lowest one is what it becomes.
                let share = (strike.amount * f64::from(u32::MAX)) as u32;
                for byte in &mut self.pixels {
                    if random.next_u32() <= share && share > 0 {
                        *byte = random.next_u32() as u8;
                    }
                }
            }
            Effect::Truncate => {
                let left = (len as f64 * (1.0 - strike.amount)) as usize;
                self.pixels.truncate(left);
            }
            _ => {}
        }
    }
}

/// Begin and end of the middle part of a side that has this share of it.
fn middle(side: usize, share: f64) -> (usize, usize) {
    let covered = (side as f64 * share).round() as usize;
    let begin = (side - covered.min(side)) / 2;
    (begin, begin + covered.min(side))
}

/// A joint state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JointSample {
    /// Time at which it was taken.
    pub stamp: Time,
    /// Positions in rad, one a joint.
    pub positions: Vec<f64>,
    /// Velocities in rad/s, one a joint.
    pub velocities: Vec<f64>,
}

impl Sample for JointSample {
    const TARGET: Target = Target::Joints;

    fn stamp_mut(&mut self) -> &mut Time {
        &mut self.stamp
    }

    fn take_content(&mut self, other: &Self) {
        self.positions.clone_from(&other.positions);
        self.velocities.clone_from(&other.velocities);
    }

    fn spoil(&mut self, strike: &Strike) {
        match strike.effect {
            Effect::NotFinite => {
                let joint = strike.random as usize % self.positions.len().max(1);
                if let Some(position) = self.positions.get_mut(joint) {
                    *position = f64::NAN;
                }
            }
            Effect::Offset => {
                for position in &mut self.positions {
                    *position += strike.amount;
                }
            }
            Effect::Exchange => {
                for values in [&mut self.positions, &mut self.velocities] {
                    if values.len() > 1 {
                        values.swap(0, 1);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faults;
    use crate::injector::Injector;
    use crate::stream::Stream;

    /// The stamps in ms and first bytes of what arrives of a frame every 100 ms, with the times of arrival in ms.
    fn arrivals(faults: &str) -> Vec<(u32, i64, Vec<u8>)> {
        let injector = Injector::simulated(&faults.parse::<Faults>().unwrap());
        let mut stream = Stream::new(injector.clone());
        injector.begin();
        let mut found = Vec::new();
        for ms in (0..600_u32).step_by(10) {
            injector.set_time(f64::from(ms) * 1e-3);
            if ms.is_multiple_of(100) {
                stream.put(Frame {
                    stamp: Time(i64::from(ms) * 1_000_000),
                    width: 4,
                    height: 4,
                    pixels: vec![ms as u8 + 1; 48],
                });
            }
            while let Some(frame) = stream.pop() {
                found.push((ms, frame.stamp.0 / 1_000_000, frame.pixels));
            }
        }
        found
    }

    fn times(faults: &str) -> Vec<(u32, i64)> {
        arrivals(faults)
            .into_iter()
            .map(|(ms, stamp, _)| (ms, stamp))
            .collect()
    }

    #[test]
    fn samples_are_lost_late_doubled_swapped_and_stamped_wrong() {
        let window = "from_s = 0.15\nfor_s = 0.1\n";
        let with = |kind: &str| times(&format!("[[fault]]\nkind = \"{kind}\"\n{window}"));
        let all = |other: &[(u32, i64)]| {
            let mut all = vec![(0, 0), (100, 100)];
            all.extend(other);
            all.extend([(300, 300), (400, 400), (500, 500)]);
            all
        };
        assert_eq!(with("drop_frames"), all(&[]));
        assert_eq!(with("repeat_frames"), all(&[(200, 200), (200, 200)]));
        assert_eq!(
            with("delay_frames\"\namount = 130\n#"),
            [
                (0, 0),
                (100, 100),
                (300, 300),
                (330, 200),
                (400, 400),
                (500, 500)
            ]
        );
        assert_eq!(
            with("swap_frames"),
            [
                (0, 0),
                (100, 100),
                (300, 300),
                (300, 200),
                (400, 400),
                (500, 500)
            ]
        );
        assert_eq!(
            with("shift_frame_stamps\"\namount = -50\n#"),
            all(&[(200, 150)])
        );
    }

    #[test]
    fn pictures_freeze_are_covered_noisy_or_cut() {
        let with = |rest: &str| arrivals(&format!("[[fault]]\n{rest}"));
        let frozen = with("kind = \"freeze_image\"\nfrom_s = 0.15\nfor_s = 0.3");
        let first: Vec<u8> = frozen.iter().map(|(_, _, pixels)| pixels[0]).collect();
        // 501 and 401 in a byte.
        assert_eq!(first, [1, 101, 101, 101, 101, 245]);
        assert!(frozen.iter().all(|(ms, stamp, _)| i64::from(*ms) == *stamp));
        let covered = &with("kind = \"occlude_image\"\namount = 0.25")[1].2;
        assert_eq!(covered.iter().filter(|&&b| b == 0).count(), 12);
        assert_eq!((covered[(4 + 1) * 3], covered[0]), (0, 101));
        let noisy = with("kind = \"noise_image\"\namount = 0.5\nseed = 3");
        let spoiled = noisy[0].2.iter().filter(|&&b| b != 1).count();
        assert!((10..40).contains(&spoiled), "{spoiled} of 48");
        assert_eq!(
            noisy,
            with("kind = \"noise_image\"\namount = 0.5\nseed = 3")
        );
        assert_eq!(
            with("kind = \"truncate_image\"\namount = 0.5")[0].2.len(),
            24
        );
    }

    #[test]
    fn joint_states_are_nan_off_or_in_another_order() {
        let spoil = |effect, amount| {
            let strike = Strike {
                effect,
                amount,
                random: 4,
            };
            let mut sample = JointSample {
                stamp: Time(1),
                positions: vec![1.0, 2.0, 3.0],
                velocities: vec![0.1, 0.2, 0.3],
            };
            sample.spoil(&strike);
            sample
        };
        assert!(spoil(Effect::NotFinite, 0.0).positions[1].is_nan());
        assert_eq!(
            spoil(Effect::Offset, 100.0).positions,
            [101.0, 102.0, 103.0]
        );
        let exchanged = spoil(Effect::Exchange, 0.0);
        assert_eq!(exchanged.positions, [2.0, 1.0, 3.0]);
        assert_eq!(exchanged.velocities, [0.2, 0.1, 0.3]);
    }
}
