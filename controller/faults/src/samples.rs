//! Images and joint states that may be spoiled.

use chacha20::ChaCha8Rng;
use latco_controller::Time;
use rand::{Rng, SeedableRng};

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
