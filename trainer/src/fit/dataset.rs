//! Episodes as flat arrays, and the batches drawn from them.

use std::io;
use std::path::Path;

use chacha20::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::image_file::ImageFile;

/// Number of images that are read at once where all are read.
const CHUNK: usize = 256;

/// All frames of a set of episodes, one after the other. The images are in memory, or set aside on
/// disk ([`Self::set_aside`]); all else is always in memory.
#[derive(Debug, Default)]
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
    /// Empty once they are set aside.
    images: Vec<u8>,
    /// Where the images are, once they are set aside.
    file: Option<ImageFile>,
    /// Joint states in their own unit, `[frames, joints_width]`.
    pub joints: Vec<f32>,
    /// Normalised actions, each executed after its frame, `[frames, action_width]`.
    pub actions: Vec<f32>,
    /// Rewards, `[frames]`.
    pub rewards: Vec<f32>,
    /// What a reward head learns, if it is not the rewards, `[frames]`.
    discounted: Vec<f32>,
}

impl Frames {
    /// Makes a set without episodes yet.
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

    /// Adds an episode of `rewards.len()` frames; the images must be in memory.
    ///
    /// # Panics
    /// If an array has another number of frames, after [`Self::mirror`], or after
    /// [`Self::set_aside`].
    pub fn push(&mut self, images: &[u8], joints: &[f32], actions: &[f32], rewards: &[f32]) {
        assert!(self.file.is_none(), "these images are on disk: use add");
        self.add(images, joints, actions, rewards)
            .expect("memory takes every image");
    }

    /// Adds an episode of `rewards.len()` frames, wherever the images are.
    ///
    /// # Errors
    /// The errors of the file system.
    ///
    /// # Panics
    /// If an array has another number of frames, or after [`Self::mirror`].
    pub fn add(
        &mut self,
        images: &[u8],
        joints: &[f32],
        actions: &[f32],
        rewards: &[f32],
    ) -> io::Result<()> {
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
        match &mut self.file {
            Some(file) => file.append(images)?,
            None => extend(&mut self.images, images),
        }
        self.joints.extend_from_slice(joints);
        self.actions.extend_from_slice(actions);
        self.rewards.extend_from_slice(rewards);
        self.starts.push(self.rewards.len());
        Ok(())
    }

    /// Adds all episodes of frames of the same shape; the images of both must be in memory.
    ///
    /// # Panics
    /// If image, joint or action widths differ, after [`Self::mirror`], or after
    /// [`Self::set_aside`].
    pub fn append(&mut self, other: &Self) {
        let shape = |f: &Self| (f.height, f.width, f.joints_width, f.action_width);
        assert_eq!(shape(self), shape(other), "shapes of the frames");
        assert!(!other.mirrored, "episodes are mirrored once all are there");
        assert!(self.file.is_none(), "these images are on disk: use add");
        for episode in 0..other.episodes() {
            let range = other.range(episode);
            let of = |width: usize| range.start * width..range.end * width;
            self.push(
                &other.images[of(self.pixels())],
                &other.joints[of(self.joints_width)],
                &other.actions[of(self.action_width)],
                &other.rewards[range.clone()],
            );
        }
    }

    /// Keeps the first `episodes` only.
    ///
    /// # Panics
    /// If there are fewer, or after [`Self::mirror`].
    pub fn truncate(&mut self, episodes: usize) {
        assert!(!self.mirrored, "episodes are mirrored once all are there");
        let frames = self.starts[episodes];
        match &mut self.file {
            Some(file) => file.truncate((frames * self.height * self.width * 3) as u64),
            None => self.images.truncate(frames * self.height * self.width * 3),
        }
        self.joints.truncate(frames * self.joints_width);
        self.actions.truncate(frames * self.action_width);
        self.rewards.truncate(frames);
        self.starts.truncate(episodes + 1);
    }

    /// Moves the images into a file in `folder`, and those of later episodes as well.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn set_aside(&mut self, folder: &Path) -> io::Result<()> {
        if self.file.is_none() {
            let mut file = ImageFile::create(folder)?;
            file.append(&self.images)?;
            self.images = Vec::new();
            self.file = Some(file);
        }
        Ok(())
    }

    /// Whether the images are on disk.
    pub fn is_set_aside(&self) -> bool {
        self.file.is_some()
    }

    /// The first episodes whose images take at most `bytes`, in memory.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn in_memory(&self, bytes: usize) -> io::Result<Self> {
        let mut out = Self::new(
            self.height,
            self.width,
            self.joints_width,
            self.action_width,
        );
        for episode in 0..self.episodes() {
            let range = self.range(episode);
            if range.end * self.pixels() > bytes {
                break;
            }
            out.append(&self.of(&range.collect::<Vec<_>>())?);
        }
        Ok(out)
    }

    /// Some frames, in memory, as one episode.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn of(&self, frames: &[usize]) -> io::Result<Self> {
        let mut out = Self::new(
            self.height,
            self.width,
            self.joints_width,
            self.action_width,
        );
        let rows = |values: &[f32], width: usize| -> Vec<f32> {
            let rows = frames.iter().flat_map(|f| &values[f * width..][..width]);
            rows.copied().collect()
        };
        out.push(
            &self.bytes(frames)?,
            &rows(&self.joints, self.joints_width),
            &rows(&self.actions, self.action_width),
            &rows(&self.rewards, 1),
        );
        Ok(out)
    }

    /// Bytes of memory that the frames take.
    pub fn memory(&self) -> usize {
        let numbers = self.joints.capacity()
            + self.actions.capacity()
            + self.rewards.capacity()
            + self.discounted.capacity();
        self.images.capacity()
            + numbers * size_of::<f32>()
            + self.starts.capacity() * size_of::<usize>()
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

    /// From now on, what a reward head learns in frames without reward is the next one of the episode,
    /// times `discount` to the power of the steps until it comes; later episodes are not added.
    pub fn look_ahead(&mut self, discount: f32) {
        self.discounted = self.rewards.clone();
        for episode in 0..self.episodes() {
            let mut next = 0.0;
            for target in self.discounted[self.starts[episode]..self.starts[episode + 1]]
                .iter_mut()
                .rev()
            {
                if *target == 0.0 {
                    *target = discount * next;
                }
                next = *target;
            }
        }
    }

    /// What a reward head learns, `[frames]`.
    pub fn reward_targets(&self) -> &[f32] {
        if self.discounted.is_empty() {
            &self.rewards
        } else {
            &self.discounted
        }
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

    /// The episode of a frame, or the one that it mirrors.
    pub fn recorded_episode(&self, frame: usize) -> usize {
        let episode = self.starts.partition_point(|start| *start <= frame) - 1;
        episode % self.recorded_episodes()
    }

    /// Raw bytes of one image that is in memory and not mirrored.
    ///
    /// # Panics
    /// If it is not; [`Self::bytes`] reads any.
    pub fn image(&self, frame: usize) -> &[u8] {
        &self.images[frame * self.pixels()..][..self.pixels()]
    }

    /// Bytes of images, `[N, height, width, 3]`.
    ///
    /// # Errors
    /// The errors of the file system, where the images are set aside.
    pub fn bytes(&self, frames: &[usize]) -> io::Result<Vec<u8>> {
        let (size, recorded) = (self.pixels(), self.recorded_frames());
        let mut out = vec![0; frames.len() * size];
        for (frame, image) in frames.iter().zip(out.chunks_exact_mut(size)) {
            let at = frame % recorded * size;
            match &self.file {
                Some(file) => file.read(at as u64, image)?,
                None => image.copy_from_slice(&self.images[at..][..size]),
            }
            if *frame >= recorded {
                flip(image, self.width);
            }
        }
        Ok(out)
    }

    /// Images as `[N, height, width, 3]` in -0.5..0.5.
    ///
    /// # Errors
    /// The errors of the file system, where the images are set aside.
    pub fn pictures(&self, frames: &[usize]) -> io::Result<Vec<f32>> {
        Ok(centred(&self.bytes(frames)?))
    }

    /// Images as `[N, 3, height, width]` in -0.5..0.5.
    ///
    /// # Errors
    /// The errors of the file system, where the images are set aside.
    pub fn planes(&self, frames: &[usize]) -> io::Result<Vec<f32>> {
        let mut out = Vec::with_capacity(frames.len() * self.pixels());
        for image in self.bytes(frames)?.chunks_exact(self.pixels()) {
            for channel in 0..3 {
                let plane = image.iter().skip(channel).step_by(3);
                out.extend(plane.map(|b| f32::from(*b) / 255.0 - 0.5));
            }
        }
        Ok(out)
    }

    /// Calls `f` with the bytes of all recorded images, in order, a few at a time.
    ///
    /// # Errors
    /// The errors of the file system, where the images are set aside.
    pub fn for_all_images(&self, mut f: impl FnMut(&[u8])) -> io::Result<()> {
        let all: Vec<usize> = (0..self.recorded_frames()).collect();
        for chunk in all.chunks(CHUNK) {
            f(&self.bytes(chunk)?);
        }
        Ok(())
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
    ///
    /// # Errors
    /// The errors of the file system, where the images are set aside.
    pub fn mean_image(&self) -> io::Result<Vec<f32>> {
        let mut sum = vec![0u64; self.pixels()];
        self.for_all_images(|images| {
            for image in images.chunks_exact(sum.len()) {
                sum.iter_mut()
                    .zip(image)
                    .for_each(|(s, b)| *s += u64::from(*b));
            }
        })?;
        if self.mirrored {
            let mut flipped = sum.clone();
            flip(&mut flipped, self.width);
            sum.iter_mut().zip(flipped).for_each(|(s, f)| *s += f);
        }
        let scale = 1.0 / (255.0 * self.len().max(1) as f64);
        Ok(sum.iter().map(|s| (*s as f64 * scale) as f32).collect())
    }
}

/// Flips an image of RGB values left to right.
fn flip<T>(image: &mut [T], width: usize) {
    for row in image.chunks_exact_mut(3 * width) {
        row.reverse();
        row.chunks_exact_mut(3).for_each(<[T]>::reverse);
    }
}

/// Adds bytes to a vector that grows by an eighth rather than to twice its size.
fn extend(all: &mut Vec<u8>, bytes: &[u8]) {
    if all.capacity() - all.len() < bytes.len() {
        all.reserve_exact(bytes.len() + all.len() / 8);
    }
    all.extend_from_slice(bytes);
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

/// Draws standard normal numbers.
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
        let mut both = frames();
        both.mirror();
        assert_eq!((both.episodes(), both.recorded_episodes()), (4, 2));
        assert_eq!((both.len(), both.recorded_frames()), (6, 3));
        assert_eq!(both.range(2), 3..5);
        let episodes: Vec<usize> = (0..6).map(|frame| both.recorded_episode(frame)).collect();
        assert_eq!(episodes, [0, 0, 1, 0, 0, 1]);
        assert_eq!(both.range(3), 5..6);
        assert_eq!(both.bytes(&[0, 1, 2]).unwrap(), plain.images);
        assert_eq!(both.bytes(&[4]).unwrap(), [14, 15, 16, 11, 12, 13]);
        assert_eq!(
            both.pictures(&[4]).unwrap(),
            centred(&[14, 15, 16, 11, 12, 13])
        );
        assert_eq!(
            both.planes(&[4]).unwrap(),
            centred(&[14, 11, 15, 12, 16, 13])
        );
        assert_eq!(both.joints[6..], [-0.1, -0.2, -0.3, -0.4, -0.7, -0.8]);
        assert_eq!(both.actions[3..], [-0.5, 0.6, -0.9]);
        assert_eq!(both.rewards[3..], plain.rewards);
        let recent: Vec<bool> = (0..4).map(|e| both.is_recent(e)).collect();
        assert_eq!(recent, [false, true, false, true]);
        let (mean, _) = both.joints_statistics();
        assert!(mean.iter().all(|m| m.abs() < 1e-6), "{mean:?}");
    }

    #[test]
    fn a_reward_is_seen_from_before_it_in_its_episode_alone() {
        let mut frames = Frames::new(1, 1, 0, 1);
        frames.push(&[0; 15], &[], &[0.0; 5], &[0.0, 0.0, 1.0, 0.0, -4.0]);
        frames.push(&[0; 6], &[], &[0.0; 2], &[0.0, 0.0]);
        assert_eq!(frames.reward_targets(), frames.rewards);
        frames.look_ahead(0.5);
        assert_eq!(
            frames.reward_targets(),
            [0.25, 0.5, 1.0, -2.0, -4.0, 0.0, 0.0]
        );
        assert_eq!(frames.rewards[..3], [0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_mean_image_is_that_of_all_frames() {
        for mirrored in [false, true] {
            let mut frames = frames();
            if mirrored {
                frames.mirror();
            }
            let all: Vec<usize> = (0..frames.len()).collect();
            let bytes = frames.bytes(&all).unwrap();
            for (at, mean) in frames.mean_image().unwrap().into_iter().enumerate() {
                let column = bytes.iter().skip(at).step_by(6).map(|b| f32::from(*b));
                let expected = column.sum::<f32>() / (255.0 * frames.len() as f32);
                assert!((mean - expected).abs() < 1e-6, "{at}: {mean} {expected}");
            }
        }
    }

    #[test]
    fn images_set_aside_read_as_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let (mut memory, mut disk) = (frames(), frames());
        disk.set_aside(folder.path()).unwrap();
        let more = [31, 32, 33, 34, 35, 36];
        for frames in [&mut memory, &mut disk] {
            frames.add(&[9; 6], &[0.0; 2], &[0.0], &[0.0]).unwrap();
            frames.truncate(2);
            frames.add(&more, &[0.0; 2], &[0.0], &[0.0]).unwrap();
            frames.mirror();
        }
        assert!(disk.is_set_aside() && disk.images.is_empty());
        assert!(disk.memory() < memory.memory());
        let order = [5, 0, 7, 3, 1];
        assert_eq!(disk.bytes(&order).unwrap(), memory.bytes(&order).unwrap());
        assert_eq!(disk.mean_image().unwrap(), memory.mean_image().unwrap());
        assert!(disk.bytes(&[3]).unwrap() == more);

        let two = disk.in_memory(18).unwrap();
        assert_eq!((two.episodes(), two.image(2)), (2, memory.image(2)));
        assert_eq!(disk.in_memory(17).unwrap().episodes(), 1);
    }
}
