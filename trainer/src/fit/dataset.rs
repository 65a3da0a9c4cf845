//! Episodes as flat arrays, and the batches drawn from them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// All frames of a set of episodes, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// Image height, pixels.
    pub height: usize,
    /// Image width, pixels.
    pub width: usize,
    /// Values of joint states per frame (positions, then velocities).
    pub joints_width: usize,
    /// Values per action.
    pub action_width: usize,
    /// First frame of every episode, and the number of frames at the end.
    pub starts: Vec<usize>,
    /// How many of the last episodes are recent ones, which are drawn more often.
    pub recent_episodes: usize,
    /// RGB, `[frames, height, width, 3]`.
    pub images: Vec<u8>,
    /// `[frames, joints_width]`, raw.
    pub joints: Vec<f32>,
    /// `[frames, action_width]`, normalised; executed after the frame.
    pub actions: Vec<f32>,
    /// `[frames]`.
    pub rewards: Vec<f32>,
}

impl Frames {
    /// No episodes yet.
    pub fn new(height: usize, width: usize, joints_width: usize, action_width: usize) -> Self {
        Self {
            height,
            width,
            joints_width,
            action_width,
            starts: vec![0],
            ..Self::default()
        }
    }

    /// Adds an episode of `rewards.len()` frames.
    ///
    /// # Panics
    /// If an array has another number of frames.
    pub fn push(&mut self, images: &[u8], joints: &[f32], actions: &[f32], rewards: &[f32]) {
        let frames = rewards.len();
        assert_eq!(images.len(), frames * self.pixels(), "images of an episode");
        assert_eq!(
            joints.len(),
            frames * self.joints_width,
            "joints of an episode"
        );
        assert_eq!(
            actions.len(),
            frames * self.action_width,
            "actions of an episode"
        );
        self.images.extend_from_slice(images);
        self.joints.extend_from_slice(joints);
        self.actions.extend_from_slice(actions);
        self.rewards.extend_from_slice(rewards);
        self.starts.push(self.rewards.len());
    }

    /// Adds all episodes of frames of the same shape.
    ///
    /// # Panics
    /// If image, joint or action widths differ.
    pub fn append(&mut self, other: &Self) {
        let shape = |f: &Self| (f.height, f.width, f.joints_width, f.action_width);
        assert_eq!(shape(self), shape(other), "shapes of the frames");
        let first = self.len();
        self.starts
            .extend(other.starts[1..].iter().map(|start| first + start));
        self.images.extend_from_slice(&other.images);
        self.joints.extend_from_slice(&other.joints);
        self.actions.extend_from_slice(&other.actions);
        self.rewards.extend_from_slice(&other.rewards);
    }

    /// Bytes of one image.
    pub fn pixels(&self) -> usize {
        self.height * self.width * 3
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Number of episodes.
    pub fn episodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Frames of one episode.
    pub fn range(&self, episode: usize) -> std::ops::Range<usize> {
        self.starts[episode]..self.starts[episode + 1]
    }

    /// Raw bytes of one image.
    pub fn image(&self, frame: usize) -> &[u8] {
        &self.images[frame * self.pixels()..][..self.pixels()]
    }

    /// Images as `[N, height, width, 3]` in -0.5..0.5.
    pub fn pictures(&self, frames: &[usize]) -> Vec<f32> {
        frames
            .iter()
            .flat_map(|frame| {
                self.image(*frame)
                    .iter()
                    .map(|b| f32::from(*b) / 255.0 - 0.5)
            })
            .collect()
    }

    /// Images as `[N, 3, height, width]` in -0.5..0.5.
    pub fn planes(&self, frames: &[usize]) -> Vec<f32> {
        let mut out = Vec::with_capacity(frames.len() * self.pixels());
        for &frame in frames {
            let image = self.image(frame);
            for channel in 0..3 {
                let plane = image.iter().skip(channel).step_by(3);
                out.extend(plane.map(|b| f32::from(*b) / 255.0 - 0.5));
            }
        }
        out
    }

    /// Mean and deviation of every joint value; a constant one gets deviation 1.
    pub fn joints_statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let count = self.len().max(1) as f64;
        (0..self.joints_width)
            .map(|j| {
                let column = || self.joints.iter().skip(j).step_by(self.joints_width);
                let mean = column().map(|x| f64::from(*x)).sum::<f64>() / count;
                let square = column()
                    .map(|x| (f64::from(*x) - mean).powi(2))
                    .sum::<f64>();
                let std = (square / count).sqrt();
                (mean as f32, if std > 1e-6 { std as f32 } else { 1.0 })
            })
            .unzip()
    }

    /// Mean image, `[height * width * 3]` in 0..1.
    pub fn mean_image(&self) -> Vec<f32> {
        let mut sum = vec![0u64; self.pixels()];
        for image in self.images.chunks_exact(self.pixels()) {
            sum.iter_mut()
                .zip(image)
                .for_each(|(s, b)| *s += u64::from(*b));
        }
        let scale = 1.0 / (255.0 * self.len().max(1) as f64);
        sum.iter().map(|s| (*s as f64 * scale) as f32).collect()
    }
}

/// The random numbers of one training step: the same whenever the step is done, so that a resumed
/// run repeats what an uninterrupted one would have done.
pub fn step_rng(seed: u64, stage: u64, step: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((stage << 40) | step as u64);
    rng
}

/// Standard normal numbers.
pub fn normals(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut out = Vec::with_capacity(count + 1);
    while out.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sin, cos) = (rng.random::<f32>() * std::f32::consts::TAU).sin_cos();
        out.push(radius * cos);
        out.push(radius * sin);
    }
    out.truncate(count);
    out
}

/// First frames of `batch` sequences of `length` frames. A fraction begins at an episode's start,
/// where a belief starts in use; the others anywhere. The share `recent` comes from the recent
/// episodes, if there are any.
pub fn sequence_starts(
    frames: &Frames,
    batch: usize,
    length: usize,
    at_start: f64,
    recent: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let first_recent = frames.episodes() - frames.recent_episodes;
    let (new, old): (Vec<usize>, Vec<usize>) = (0..frames.episodes())
        .filter(|e| frames.range(*e).len() >= length)
        .partition(|e| *e >= first_recent);
    (0..batch)
        .map(|_| {
            let from_new = old.is_empty() || (!new.is_empty() && rng.random::<f64>() < recent);
            let usable = if from_new { &new } else { &old };
            let range = frames.range(usable[rng.random_range(0..usable.len())]);
            let slack = range.len() - length;
            if slack == 0 || rng.random::<f64>() < at_start {
                range.start
            } else {
                range.start + rng.random_range(0..=slack)
            }
        })
        .collect()
}
