//! Goal pictures: from a file or a camera message to their belief.

use std::path::Path;

use anyhow::Context as _;
use latco_bag::image::{CameraImage, Converter};
use latco_bag::messages::{CompressedImage, Header};
use latco_controller::belief::{GoalBelief, GoalEncoder};
use latco_models::{Bundle, read_file};

/// Bytes that a goal picture's file may have.
const MOST_BYTES: u64 = 64 << 20;
/// Mean difference of the picture from what the decoder draws of its belief above which the model hardly knows what it shows, in
/// units of full brightness: twice that of pictures of Reach's own camera, which is 0.023 to 0.025; one turned by 90 degrees has 0.068.
const UNKNOWN_ABOVE: f32 = 0.05;

/// What makes beliefs of goal pictures of any size and kind.
pub(crate) struct GoalPictures {
    encoder: GoalEncoder,
    converter: Converter,
    size: (u32, u32),
}

impl GoalPictures {
    /// Makes the sessions.
    ///
    /// # Errors
    /// An error when the bundle lacks what is needed.
    pub(crate) fn new(bundle: &Bundle) -> anyhow::Result<Self> {
        let image = &bundle.manifest().image;
        let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
        Ok(Self {
            encoder: GoalEncoder::new(bundle)?,
            converter: Converter::new(),
            size: (side(image.width), side(image.height)),
        })
    }

    /// The belief of a picture as a camera publishes it, cropped and averaged to the model's size; the joints stand at `positions`
    /// in rad, or where the model thinks that they do. Says so where the model hardly knows the picture.
    ///
    /// # Errors
    /// An error when it is no picture, or has no belief.
    pub(crate) fn belief(
        &mut self,
        picture: &CameraImage,
        positions: Option<&[f32]>,
    ) -> anyhow::Result<GoalBelief> {
        let pixels = (self.converter).to_rgb(picture, self.size.0, self.size.1)?;
        let goal = self.encoder.encode(&pixels, positions)?;
        if goal.picture_error > UNKNOWN_ABOVE {
            tracing::warn!(
                picture_error = goal.picture_error,
                "the goal picture shows what the model hardly knows: it is drawn {:.0} % wrong; take one by the robot's own camera, \
                 of a scene as in the training data",
                100.0 * goal.picture_error
            );
        }
        Ok(goal)
    }

    /// The belief of a PNG or JPEG file, as [`GoalPictures::belief`].
    ///
    /// # Errors
    /// An error that names the file.
    pub(crate) fn belief_of_file(
        &mut self,
        file: &Path,
        positions: Option<&[f32]>,
    ) -> anyhow::Result<GoalBelief> {
        let named = || {
            format!(
                "{}: expected a goal picture, a PNG or JPEG file",
                file.display()
            )
        };
        let data = read_file(file, MOST_BYTES).with_context(named)?;
        let is_png = data.starts_with(b"\x89PNG");
        let picture = CameraImage::Compressed(CompressedImage {
            header: Header::default(),
            format: if is_png { "png" } else { "jpeg" }.to_owned(),
            data,
        });
        self.belief(&picture, positions).with_context(named)
    }
}
