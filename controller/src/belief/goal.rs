//! The belief of a goal picture.
//!
//! One picture says nothing of motion, and where the model observes joint states it is not told them either. So the filter begins
//! from nothing and sees the picture several times with no action between: the belief of a robot that has come to rest there.
//! Joint states that are not given are those, at rest, under which the decoder draws the picture best: sampled over the joints'
//! range as far as the model knows it, and refined around the best by the cross-entropy method.

use latco_models::surprise::picture_error;
use latco_models::{Bundle, BundleError, Decode, Manifest, Observe, RunError};

use crate::plan::Noise;

/// Number of filter steps: the deterministic part of the state settles in about as many.
const STEPS: usize = 8;
/// Number of joint states that are tried at once, kept as the best of them, and rounds.
const SAMPLES: usize = 64;
const ELITES: usize = 8;
const ROUNDS: usize = 8;
/// Deviations of the recorded positions in which joint states are looked for, on either side of their mean.
const DEVIATIONS: f64 = 2.0;

/// The reason why a goal picture has no belief.
#[derive(Debug, thiserror::Error)]
pub enum GoalError {
    /// The bundle lacks what is needed, such as a decoder.
    #[error("a goal picture needs the observe and decode graphs of the bundle: {0}")]
    Bundle(#[from] BundleError),
    /// The model failed.
    #[error("the belief of the goal picture cannot be computed: {0}")]
    Run(#[from] RunError),
    /// The picture has another size.
    #[error(
        "a goal picture: expected {expected} bytes of RGB, found {found}; resize it as camera images are"
    )]
    Size {
        /// Bytes of a picture of the model's size.
        expected: usize,
        /// Bytes that there were.
        found: usize,
    },
    /// There are too many joint states, or too few.
    #[error(
        "the joint states of a goal picture: expected {expected} positions, one a joint, found {found}"
    )]
    Joints {
        /// Number of joints that the model observes.
        expected: usize,
        /// Number of positions that there were.
        found: usize,
    },
    /// The model makes nothing of the picture.
    #[error("the model's belief of the goal picture is not finite; take another picture")]
    NotFinite,
}

/// The belief of a goal picture.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalBelief {
    /// The state, `[n]`.
    pub belief: Vec<f32>,
    /// Positions of the joints that it is of, in rad; empty where the model observes none.
    pub positions: Vec<f32>,
    /// Mean difference between the picture and what the decoder draws of the belief, in units of full brightness.
    pub picture_error: f32,
}

/// The sessions that make beliefs of goal pictures.
pub struct GoalEncoder {
    observe: Observe,
    decode: Decode,
    /// Lowest and highest position of each joint that is tried.
    ranges: Vec<[f32; 2]>,
    state: usize,
    image: usize,
}

impl GoalEncoder {
    /// Makes the sessions.
    ///
    /// # Errors
    /// [`GoalError::Bundle`].
    pub fn new(bundle: &Bundle) -> Result<Self, GoalError> {
        let manifest = bundle.manifest();
        let ranges = ranges(manifest);
        let batch = if ranges.is_empty() { 1 } else { SAMPLES };
        Ok(Self {
            observe: bundle.observe(batch)?,
            decode: bundle.decode(batch)?,
            ranges,
            state: manifest.dims.state(),
            image: manifest.image.height * manifest.image.width * 3,
        })
    }

    /// The belief of a picture of the model's size, RGB bytes `[height, width, 3]`, with the joints at `positions` in rad or, without
    /// them, where the decoder says that they are. The same picture has the same belief.
    ///
    /// # Errors
    /// [`GoalError`].
    pub fn encode(
        &mut self,
        picture: &[u8],
        positions: Option<&[f32]>,
    ) -> Result<GoalBelief, GoalError> {
        if picture.len() != self.image {
            return Err(GoalError::Size {
                expected: self.image,
                found: picture.len(),
            });
        }
        let joints = self.ranges.len();
        if let Some(found) = positions.map(<[f32]>::len).filter(|found| *found != joints) {
            return Err(GoalError::Joints {
                expected: joints,
                found,
            });
        }
        let copies = self.observe.image_mut().chunks_exact_mut(self.image);
        copies.for_each(|copy| copy.copy_from_slice(picture));
        let tried = match positions {
            Some(positions) => positions.repeat(self.observe.batch()),
            None => self.look_for_joints(picture)?,
        };
        let errors = self.settle(&tried, picture)?;
        let best = (0..errors.len())
            .min_by(|a, b| errors[*a].total_cmp(&errors[*b]))
            .unwrap_or(0);
        let belief = self.observe.mean()[best * self.state..][..self.state].to_vec();
        if !(belief.iter().all(|z| z.is_finite()) && errors[best].is_finite()) {
            return Err(GoalError::NotFinite);
        }
        Ok(GoalBelief {
            belief,
            positions: tried[best * joints..][..joints].to_vec(),
            picture_error: errors[best],
        })
    }

    /// The joint positions to settle on, `[N, nj]`: those of the last round.
    fn look_for_joints(&mut self, picture: &[u8]) -> Result<Vec<f32>, GoalError> {
        let joints = self.ranges.len();
        let mut tried = vec![0.0; self.observe.batch() * joints];
        if joints == 0 {
            return Ok(tried);
        }
        let mut noise = Noise::new(0);
        noise.fill_uniform(&mut tried, 1.0);
        for (index, value) in tried.iter_mut().enumerate() {
            let [low, high] = self.ranges[index % joints];
            *value = low + (high - low) * (0.5 * *value + 0.5);
        }
        for _ in 1..ROUNDS {
            let errors = self.settle(&tried, picture)?;
            let mut order: Vec<usize> = (0..errors.len()).collect();
            order.sort_by(|a, b| errors[*a].total_cmp(&errors[*b]));
            let elites: Vec<f32> = (order.iter().take(ELITES))
                .flat_map(|sample| tried[sample * joints..][..joints].to_vec())
                .collect();
            // The elites stay; the others are drawn around their mean.
            tried[..elites.len()].copy_from_slice(&elites);
            noise.fill(&mut tried[elites.len()..]);
            for joint in 0..joints {
                let of_joint = || elites.iter().skip(joint).step_by(joints);
                let mean = of_joint().sum::<f32>() / ELITES as f32;
                let squares: f32 = of_joint().map(|x| (x - mean).powi(2)).sum();
                let deviation = (squares / ELITES as f32).sqrt();
                let [low, high] = self.ranges[joint];
                for value in tried[elites.len() + joint..].iter_mut().step_by(joints) {
                    *value = (mean + deviation * *value).clamp(low, high);
                }
            }
        }
        Ok(tried)
    }

    /// Lets the filter settle on the picture with the joints at rest at each of the positions `[N, nj]`; returns how far what the
    /// decoder then draws is from the picture, `[N]`.
    fn settle(&mut self, positions: &[f32], picture: &[u8]) -> Result<Vec<f32>, GoalError> {
        let joints = self.ranges.len();
        if let Some(input) = self.observe.joints_mut()
            && joints > 0
        {
            for (row, positions) in input
                .chunks_exact_mut(2 * joints)
                .zip(positions.chunks_exact(joints))
            {
                row[..joints].copy_from_slice(positions);
                row[joints..].fill(0.0);
            }
        }
        self.observe.action_mut().fill(0.0);
        let mut state = vec![0.0; self.observe.batch() * self.state];
        for _ in 0..STEPS {
            self.observe.state_mut().copy_from_slice(&state);
            self.observe.run()?;
            state.copy_from_slice(self.observe.mean());
        }
        self.decode.state_mut().copy_from_slice(&state);
        self.decode.run()?;
        let drawn = self.decode.image().chunks_exact(self.image);
        Ok(drawn.map(|drawn| picture_error(picture, drawn)).collect())
    }
}

/// Where joint positions are looked for: where the model has seen them, within their limits.
fn ranges(manifest: &Manifest) -> Vec<[f32; 2]> {
    let joints = &manifest.joints;
    if !joints.observed {
        return Vec::new();
    }
    let limits = joints
        .position_lower_rad
        .iter()
        .zip(&joints.position_upper_rad);
    let seen = joints.mean.iter().zip(&joints.std);
    (limits.zip(seen))
        .map(|((low, high), (mean, deviation))| {
            let (mean, wide) = (f64::from(*mean), DEVIATIONS * f64::from(*deviation));
            [low.max(mean - wide) as f32, high.min(mean + wide) as f32]
        })
        .collect()
}
