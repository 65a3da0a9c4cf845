//! What a model sees and predicts, as strips of frames for TensorBoard.

use std::io;

use super::checkpoint::DataFacts;
use super::dataset::Frames;
use super::rows::normalised;
use super::trained::Model;
use crate::rssm::keypoint::{Encoder, Head, KeypointSizes};
use crate::rssm::params::{Params, tensor, to_vec};

/// Frames side by side in a strip.
const COLUMNS: usize = 16;
/// Frames that are filtered before the open-loop prediction begins.
const SEEN: usize = 4;

/// Frames side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// What the frames are: `input`, `reconstruction` or `open_loop`.
    pub name: &'static str,
    /// Columns, pixels.
    pub width: usize,
    /// Rows, pixels.
    pub height: usize,
    /// RGB, row-major.
    pub rgb: Vec<u8>,
}

/// Frames of several episodes and what the autoencoder makes of their codes.
///
/// # Errors
/// Images that cannot be read.
pub fn of_autoencoder(
    params: &Params,
    sizes: KeypointSizes,
    facts: &DataFacts,
    frames: &Frames,
) -> io::Result<Vec<Strip>> {
    let shown = spread(frames.len(), COLUMNS);
    let leaves = params.leaves(false);
    let code = Encoder::new(&leaves, sizes).forward(&frames.pictures(&shown)?);
    let joints = (sizes.decoder_joints > 0).then(|| {
        let width = frames.joints_width;
        let rows = (shown.iter()).flat_map(|f| &frames.joints[f * width..][..width]);
        let rows: Vec<f32> = rows.copied().collect();
        let rows = normalised(&rows, &facts.joints_mean, &facts.joints_std);
        tensor(rows, [shown.len(), width])
    });
    let decoded = to_vec(Head::decoder(&leaves).forward(code, joints));
    Ok(vec![
        strip("input", frames, &frames.bytes(&shown)?),
        strip("reconstruction", frames, &bytes(&decoded)),
    ])
}

/// The beginning of an episode, what the posterior mean of each frame decodes to, and what the
/// prior mean decodes to that has only the actions after the first few frames.
///
/// # Errors
/// Images that cannot be read.
pub fn of_world(model: &Model, frames: &Frames) -> io::Result<Vec<Strip>> {
    let Some(episode) = longest(frames) else {
        return Ok(Vec::new());
    };
    let range = frames.range(episode);
    let length = range.len().min(SEEN + model.config.horizon);
    let all: Vec<usize> = range.take(length).collect();
    let episode = frames.of(&all)?;
    let sizes = model.sizes().core;
    let world = model.build();
    let embed = model.embed(&episode)?;
    let row = |values: &[f32], t: usize, width: usize| {
        tensor::<2>(values[t * width..][..width].to_vec(), [1, width])
    };
    let n = sizes.state();
    let (mut filtered, mut open_loop) = (Vec::new(), Vec::new());
    let mut belief = tensor::<2>(vec![0.0; n], [1, n]);
    let mut action = tensor::<2>(vec![0.0; sizes.action], [1, sizes.action]);
    let mut predicted = belief.clone();
    for t in 0..length {
        let deter = world.core.advance(belief, action.clone());
        belief = (world.core)
            .posterior(deter, row(&embed, t, sizes.embed))
            .state();
        predicted = if t < SEEN {
            belief.clone()
        } else {
            world.core.mean_step(predicted, action)
        };
        action = row(&episode.actions, t, sizes.action);
        filtered.extend(to_vec(belief.clone()));
        open_loop.extend(to_vec(predicted.clone()));
    }
    let shown = spread(length, COLUMNS);
    let decoded = |states: &[f32]| {
        let rows: Vec<f32> = (shown.iter())
            .flat_map(|t| states[t * n..][..n].iter().copied())
            .collect();
        bytes(&model.decode(tensor(rows, [shown.len(), n])))
    };
    Ok(vec![
        strip("input", frames, &episode.bytes(&shown)?),
        strip("reconstruction", frames, &decoded(&filtered)),
        strip("open_loop", frames, &decoded(&open_loop)),
    ])
}

/// The longest episode, the first of them.
fn longest(frames: &Frames) -> Option<usize> {
    (0..frames.episodes())
        .rev()
        .max_by_key(|e| frames.range(*e).len())
}

/// Gives at most `most` of the indices below `count`, evenly spread, the first among them.
fn spread(count: usize, most: usize) -> Vec<usize> {
    let shown = count.min(most);
    (0..shown).map(|i| i * count / shown).collect()
}

/// Values in 0..1 as bytes.
fn bytes(values: &[f32]) -> Vec<u8> {
    let byte = |x: &f32| (x.clamp(0.0, 1.0) * 255.0).round() as u8;
    values.iter().map(byte).collect()
}

/// Images `[N, height, width, 3]` side by side.
fn strip(name: &'static str, frames: &Frames, images: &[u8]) -> Strip {
    let row = 3 * frames.width;
    let count = images.len() / frames.pixels();
    let mut rgb = Vec::with_capacity(images.len());
    for y in 0..frames.height {
        for image in images.chunks_exact(frames.pixels()) {
            rgb.extend_from_slice(&image[y * row..][..row]);
        }
    }
    Strip {
        name,
        width: count * frames.width,
        height: frames.height,
        rgb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_has_its_images_side_by_side() {
        let mut frames = Frames::new(2, 1, 0, 1);
        let images = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4];
        frames.push(&images, &[], &[0.0; 2], &[0.0; 2]);
        let found = strip("input", &frames, &images);
        assert_eq!((found.width, found.height), (2, 2));
        assert_eq!(found.rgb, [1, 1, 1, 3, 3, 3, 2, 2, 2, 4, 4, 4]);
    }

    #[test]
    fn shown_frames_are_spread_over_all() {
        assert_eq!(spread(3, 16), [0, 1, 2]);
        assert_eq!(spread(32, 16).last(), Some(&30));
        assert!(spread(0, 16).is_empty());
    }
}
