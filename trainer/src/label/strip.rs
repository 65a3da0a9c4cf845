//! Some frames of some episodes with their rewards, for checking by eye.

use std::collections::BTreeMap;
use std::path::Path;

use latco_bag::image::{CameraImage, Converter};
use latco_pictures::{FilmStrip, Frame, PictureError};

use super::contents::Contents;

/// Episodes that are shown at most.
const EPISODES: usize = 8;
/// Frames of an episode that are spread over it, and changes of the reward that are shown.
const SPREAD: usize = 8;
const CHANGES: usize = 3;
/// Width of a frame, pixels.
const WIDTH: u32 = 128;
/// Width of the border that marks a reward, pixels.
const BORDER: usize = 7;
/// Colours of the border: a reward of 0.5 and more, a smaller one, a negative one.
const COLOURS: [[u8; 3]; 3] = [[0, 190, 90], [240, 200, 40], [220, 40, 40]];

/// Chosen frames, and what was seen of them so far.
pub(super) struct Strip {
    /// Title and frames of each row.
    rows: Vec<(String, Vec<usize>)>,
    /// Caption and reward of each chosen frame.
    chosen: BTreeMap<usize, (String, f64)>,
    pictures: BTreeMap<usize, Frame>,
    title: String,
    converter: Converter,
}

impl Strip {
    /// Chooses the frames: of up to [`EPISODES`] episodes, spread over all, those at even distances
    /// and those on both sides of a change of the reward.
    pub(super) fn new(contents: &Contents, rewards: &[f64]) -> Self {
        let mut by_episode: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, frame) in contents.frames.iter().enumerate() {
            by_episode.entry(frame.episode).or_default().push(index);
        }
        let count = by_episode.len();
        let shown = spread(count, EPISODES);
        let (mut rows, mut chosen) = (Vec::new(), BTreeMap::new());
        for (place, (episode, frames)) in by_episode.iter().enumerate() {
            if !shown.contains(&place) {
                continue;
            }
            let start = contents.frames[frames[0]].time_ns;
            let mut places = spread(frames.len(), SPREAD);
            let changes =
                (1..frames.len()).filter(|at| rewards[frames[*at]] != rewards[frames[at - 1]]);
            places.extend(changes.take(CHANGES).flat_map(|at| [at - 1, at]));
            places.sort_unstable();
            places.dedup();
            let row: Vec<usize> = places.iter().map(|at| frames[*at]).collect();
            for &frame in &row {
                let seconds = (contents.frames[frame].time_ns - start) as f64 * 1e-9;
                let reward = rewards[frame];
                let caption = format!("{seconds:.1} s: {}", short(reward));
                chosen.insert(frame, (caption, reward));
            }
            let rewarded = frames.iter().filter(|f| rewards[**f] != 0.0).count();
            let number = contents.episodes[*episode].0;
            rows.push((
                format!("episode {number}: {rewarded} of {}", frames.len()),
                row,
            ));
        }
        let title = format!(
            "frames with a reward are framed; {} of {count} episodes",
            rows.len()
        );
        Self {
            rows,
            chosen,
            pictures: BTreeMap::new(),
            title,
            converter: Converter::new(),
        }
    }

    /// Whether a frame is shown.
    pub(super) fn wants(&self, frame: usize) -> bool {
        self.chosen.contains_key(&frame)
    }

    /// Takes the picture of a chosen frame; one that cannot be used is left out, as the trainer leaves it out.
    pub(super) fn add(&mut self, frame: usize, image: &CameraImage) {
        let Ok((width, height)) = image.size() else {
            return;
        };
        let height = (WIDTH * height).div_ceil(width).max(1);
        let Ok(rgb) = self.converter.to_rgb(image, WIDTH, height) else {
            return;
        };
        let (width, height) = (WIDTH as usize, height as usize);
        let (rgb, reward) = (rgb, self.chosen[&frame].1);
        if let Ok(picture) = Frame::new(width, height, marked(rgb, width, height, reward)) {
            self.pictures.insert(frame, picture);
        }
    }

    /// Writes the PNG.
    pub(super) fn save(self, path: &Path) -> Result<(), PictureError> {
        let mut strip = FilmStrip::new(self.title).columns(Vec::<String>::new());
        for (title, row) in &self.rows {
            let frames: Vec<(Frame, String)> = (row.iter())
                .filter_map(|frame| {
                    let picture = self.pictures.get(frame)?.clone();
                    Some((picture, self.chosen[frame].0.clone()))
                })
                .collect();
            strip = strip.captioned_row(title, &frames);
        }
        strip.save(path)
    }
}

/// Up to `most` of the numbers below `count`, at even distances, the first and the last among
/// them.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|k| k * (count - 1) / (most - 1)).collect()
}

fn short(reward: f64) -> String {
    if reward == reward.round() && reward.abs() < 1e6 {
        format!("{reward:.0}")
    } else {
        format!("{reward:.2}")
    }
}

/// Draws a border in the colour of the reward, none for 0.
fn marked(mut rgb: Vec<u8>, width: usize, height: usize, reward: f64) -> Vec<u8> {
    let colour = match reward {
        r if r >= 0.5 => COLOURS[0],
        r if r > 0.0 => COLOURS[1],
        r if r < 0.0 => COLOURS[2],
        _ => return rgb,
    };
    for (at, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = (at % width, at / width);
        let edge = x.min(width - 1 - x).min(y).min(height - 1 - y);
        if edge < BORDER {
            pixel.copy_from_slice(&colour);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_places_are_spread_and_keep_the_ends() {
        assert_eq!(spread(3, 8), [0, 1, 2]);
        let places = spread(100, 8);
        assert_eq!((places[0], places[7], places.len()), (0, 99, 8));
        assert!(spread(0, 8).is_empty());
    }

    #[test]
    fn only_frames_with_a_reward_get_a_border() {
        let black = || vec![0; 40 * 30 * 3];
        assert_eq!(marked(black(), 40, 30, 0.0), black());
        let green = marked(black(), 40, 30, 1.0);
        assert_eq!(green[..3], COLOURS[0]);
        let middle = (15 * 40 + 20) * 3;
        assert_eq!(green[middle..middle + 3], [0, 0, 0]);
        assert_eq!(marked(black(), 40, 30, -1.0)[..3], COLOURS[2]);
    }
}
