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
    /// How many of the last recorded episodes are recent ones, which are drawn more often.
    pub recent_episodes: usize,
    /// Whether the second half of the episodes are the mirror images of the first.
    mirrored: bool,
    /// RGB, `[recorded frames, height, width, 3]`; mirrored frames share those of the recorded.
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
    /// If an array has another number of frames, or after [`Self::mirror`].
    pub fn push(&mut self, images: &[u8], joints: &[f32], actions: &[f32], rewards: &[f32]) {
        let frames = rewards.len();
        assert!(!self.mirrored, "episodes are mirrored once all are there");
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
    /// If image, joint or action widths differ, or after [`Self::mirror`].
    pub fn append(&mut self, other: &Self) {
        let shape = |f: &Self| (f.height, f.width, f.joints_width, f.action_width);
        assert_eq!(shape(self), shape(other), "shapes of the frames");
        assert!(
            !self.mirrored && !other.mirrored,
            "episodes are mirrored once all are there"
        );
        let first = self.len();
        self.starts
            .extend(other.starts[1..].iter().map(|start| first + start));
        self.images.extend_from_slice(&other.images);
        self.joints.extend_from_slice(&other.joints);
        self.actions.extend_from_slice(&other.actions);
        self.rewards.extend_from_slice(&other.rewards);
    }

    /// Adds the mirror image of every episode: images flipped left to right, joints and actions
    /// negated, the same rewards. True of a planar arm whose base is on the picture's middle
    /// column. The mirrored images take no memory.
    ///
    /// # Panics
    /// If it was done before.
    pub fn mirror(&mut self) {
        assert!(!self.mirrored, "episodes are mirrored once");
        self.mirrored = true;
        let recorded = self.len();
        let negated = |values: &mut Vec<f32>| {
            let mirror: Vec<f32> = values.iter().map(|x| -x).collect();
            values.extend(mirror);
        };
        negated(&mut self.joints);
        negated(&mut self.actions);
        self.rewards.extend_from_within(..);
        let ends: Vec<usize> = self.starts[1..].iter().map(|end| recorded + end).collect();
        self.starts.extend(ends);
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

    /// Number of episodes, mirrored ones included.
    pub fn episodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of frames that are not mirror images of others.
    pub fn recorded_frames(&self) -> usize {
        if self.mirrored {
            self.len() / 2
        } else {
            self.len()
        }
    }

    /// Number of episodes that are not mirror images of others.
    pub fn recorded_episodes(&self) -> usize {
        if self.mirrored {
            self.episodes() / 2
        } else {
            self.episodes()
        }
    }

    /// Whether an episode is a recent one, or the mirror image of one.
    fn is_recent(&self, episode: usize) -> bool {
        let recorded = self.recorded_episodes();
        episode % recorded >= recorded - self.recent_episodes
    }

    /// Frames of one episode.
    pub fn range(&self, episode: usize) -> std::ops::Range<usize> {
        self.starts[episode]..self.starts[episode + 1]
    }

    /// Appends the bytes of one image, RGB interleaved, row-major.
    fn image_into(&self, frame: usize, out: &mut Vec<u8>) {
        let recorded = self.recorded_frames();
        let image = &self.images[frame % recorded * self.pixels()..][..self.pixels()];
        if frame < recorded {
            out.extend_from_slice(image);
        } else {
            for row in image.chunks_exact(3 * self.width) {
                out.extend(row.chunks_exact(3).rev().flatten());
            }
        }
    }

    /// Bytes of images, `[N, height, width, 3]`.
    pub fn bytes(&self, frames: &[usize]) -> Vec<u8> {
        let mut out = Vec::with_capacity(frames.len() * self.pixels());
        for frame in frames {
            self.image_into(*frame, &mut out);
        }
        out
    }

    /// Images as `[N, height, width, 3]` in -0.5..0.5.
    pub fn pictures(&self, frames: &[usize]) -> Vec<f32> {
        centred(&self.bytes(frames))
    }

    /// Images as `[N, 3, height, width]` in -0.5..0.5.
    pub fn planes(&self, frames: &[usize]) -> Vec<f32> {
        let mut out = Vec::with_capacity(frames.len() * self.pixels());
        for image in self.bytes(frames).chunks_exact(self.pixels()) {
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
        if self.mirrored {
            let plain = sum.clone();
            let rows = sum.chunks_exact_mut(3 * self.width);
            for (row, plain) in rows.zip(plain.chunks_exact(3 * self.width)) {
                let flipped = plain.chunks_exact(3).rev().flatten();
                row.iter_mut().zip(flipped).for_each(|(s, f)| *s += f);
            }
        }
        let scale = 1.0 / (255.0 * self.len().max(1) as f64);
        sum.iter().map(|s| (*s as f64 * scale) as f32).collect()
    }
}

/// Bytes of pixels in -0.5..0.5.
pub fn centred(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|b| f32::from(*b) / 255.0 - 0.5).collect()
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
    let (new, old): (Vec<usize>, Vec<usize>) = (0..frames.episodes())
        .filter(|e| frames.range(*e).len() >= length)
        .partition(|e| frames.is_recent(*e));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two episodes of 2 and 1 frames of 1 x 2 pixels; the second is recent.
    fn frames() -> Frames {
        let mut frames = Frames::new(1, 2, 2, 1);
        frames.push(
            &[1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16],
            &[0.1, 0.2, 0.3, 0.4],
            &[0.5, -0.6],
            &[0.0, 1.0],
        );
        frames.push(&[21, 22, 23, 24, 25, 26], &[0.7, 0.8], &[0.9], &[0.25]);
        frames.recent_episodes = 1;
        frames
    }

    #[test]
    fn a_mirrored_episode_is_flipped_and_negated_and_keeps_its_rewards() {
        let plain = frames();
        let mut both = plain.clone();
        both.mirror();
        assert_eq!((both.episodes(), both.recorded_episodes()), (4, 2));
        assert_eq!((both.len(), both.recorded_frames()), (6, 3));
        assert_eq!(both.range(2), 3..5);
        assert_eq!(both.range(3), 5..6);
        assert_eq!(both.bytes(&[0, 1, 2]), plain.images);
        assert_eq!(both.bytes(&[4]), [14, 15, 16, 11, 12, 13]);
        assert_eq!(both.pictures(&[4]), centred(&[14, 15, 16, 11, 12, 13]));
        assert_eq!(both.planes(&[4]), centred(&[14, 11, 15, 12, 16, 13]));
        assert_eq!(both.joints[6..], [-0.1, -0.2, -0.3, -0.4, -0.7, -0.8]);
        assert_eq!(both.actions[3..], [-0.5, 0.6, -0.9]);
        assert_eq!(both.rewards[3..], plain.rewards);
        let recent: Vec<bool> = (0..4).map(|e| both.is_recent(e)).collect();
        assert_eq!(recent, [false, true, false, true]);
        let (mean, _) = both.joints_statistics();
        assert!(mean.iter().all(|m| m.abs() < 1e-6), "{mean:?}");
    }

    #[test]
    fn the_mean_image_is_that_of_all_frames() {
        for mirrored in [false, true] {
            let mut frames = frames();
            if mirrored {
                frames.mirror();
            }
            let all: Vec<usize> = (0..frames.len()).collect();
            let bytes = frames.bytes(&all);
            for (at, mean) in frames.mean_image().into_iter().enumerate() {
                let column = bytes.iter().skip(at).step_by(6).map(|b| f32::from(*b));
                let expected = column.sum::<f32>() / (255.0 * frames.len() as f32);
                assert!((mean - expected).abs() < 1e-6, "{at}: {mean} {expected}");
            }
        }
    }
}
