//! What the world model of the two-stage recipe is trained on.

use super::dataset::Frames;

/// What the model is trained on: one row per frame.
pub struct Rows<'a> {
    /// Actions, rewards and episode limits.
    pub frames: &'a Frames,
    /// Whitened image codes, `[frames, code]`.
    pub codes: &'a [f32],
    /// Width of a code.
    pub code: usize,
    /// Normalised joints, `[frames, joints]`; empty without joints.
    pub joints: Vec<f32>,
}

impl Rows<'_> {
    /// Width of the joints that are observed.
    pub fn joints_width(&self) -> usize {
        self.joints.len() / self.frames.len().max(1)
    }

    /// Appends the embedded observation of one frame.
    pub fn embed(&self, frame: usize, out: &mut Vec<f32>) {
        let joints = self.joints_width();
        out.extend_from_slice(&self.codes[frame * self.code..][..self.code]);
        out.extend_from_slice(&self.joints[frame * joints..][..joints]);
    }
}

/// Computes (x - mean) / std of the values of every row.
pub fn normalised(values: &[f32], mean: &[f32], std: &[f32]) -> Vec<f32> {
    values
        .chunks_exact(mean.len().max(1))
        .flat_map(|row| row.iter().zip(mean).zip(std).map(|((x, m), s)| (x - m) / s))
        .collect()
}
