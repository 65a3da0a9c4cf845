//! The images of a recording, as the controller was given them.

use std::collections::VecDeque;

use latco_bag::BagMessage;
use latco_bag::image::{CameraImage, Converter};
use latco_controller::journal::{ImageMark, Step};

/// Number of images that are kept until their step comes.
const IMAGES: usize = 256;

/// The newest images of all topics, and their conversion to pixels.
pub(super) struct Images {
    size: (usize, usize),
    converter: Converter,
    newest: VecDeque<CameraImage>,
}

impl Images {
    pub(super) fn new(size: (usize, usize)) -> Self {
        Self {
            size,
            converter: Converter::new(),
            newest: VecDeque::with_capacity(IMAGES),
        }
    }

    /// Keeps an image. A message that cannot be decoded is missed by the step that used it.
    pub(super) fn keep(&mut self, message: &BagMessage) {
        if self.newest.len() == IMAGES {
            self.newest.pop_front();
        }
        if let Ok(image) = CameraImage::decode(message) {
            self.newest.push_back(image);
        }
    }

    /// The pixels of the step's image. Several topics may have images of its stamp (raw, compressed, what the
    /// controller imagines): it is the one whose pixels the step names.
    pub(super) fn of(&mut self, step: &Step) -> Result<Vec<u8>, Missing> {
        let mark = step.image.ok_or(Missing::Mark)?;
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        let (width, height) = (side(self.size.0), side(self.size.1));
        let mut first = None;
        for image in &self.newest {
            if image.header().stamp.to_nanos() != mark.stamp.0 {
                continue;
            }
            let found = (self.converter.to_rgb(image, width, height)).map_err(|e| e.to_string());
            match found {
                Ok(pixels) if ImageMark::sum(&pixels) == mark.crc32c => return Ok(pixels),
                other => {
                    first.get_or_insert(other);
                }
            }
        }
        Err(Missing::Image(first))
    }
}

/// The reason why there is no image with the pixels that a step names.
pub(super) enum Missing {
    /// The step had no image.
    Mark,
    /// No image of its stamp was recorded so far, or only others, the first of which this is.
    Image(Option<Result<Vec<u8>, String>>),
}

impl Missing {
    /// The pixels to go on with when no other image comes.
    pub(super) fn into_pixels(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Mark => Err("the step has no image".into()),
            Self::Image(Some(other)) => other,
            Self::Image(None) => Err("the image is not in the bag".into()),
        }
    }
}
