//! Why a picture could not be made.

use std::path::PathBuf;

/// A picture that was not made.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A frame's bytes do not fit its size.
    #[error(
        "a frame of {width} x {height} RGB pixels needs {} values, found {found}: \
         pass width * height * 3 values, row by row",
        width * height * 3
    )]
    FrameSize {
        /// Width, pixels.
        width: usize,
        /// Height, pixels.
        height: usize,
        /// Number of values that were passed.
        found: usize,
    },
    /// Nothing in the picture can be drawn.
    #[error("picture `{title}` has nothing to draw: {found}")]
    NoData {
        /// Title of the picture.
        title: String,
        /// What there was instead.
        found: String,
    },
    /// The picture would be larger than anybody could look at.
    #[error(
        "picture `{title}` would be {width} x {height} pixels, expected at most {limit} a side: \
         draw fewer frames, rows or panels"
    )]
    TooLarge {
        /// Title of the picture.
        title: String,
        /// Width, pixels.
        width: usize,
        /// Height, pixels.
        height: usize,
        /// Largest side, pixels.
        limit: usize,
    },
    /// The drawing library refused.
    #[error("cannot draw `{title}`: {reason}")]
    Draw {
        /// Title of the picture.
        title: String,
        /// What the library said.
        reason: String,
    },
    /// The template of a page is wrong.
    #[error("cannot write the page: {0:#}")]
    Page(#[from] minijinja::Error),
    /// The file cannot be written.
    #[error("cannot write the picture {}: {source}; the folder must exist and be writable", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: image::ImageError,
    },
}

impl PictureError {
    /// The error of a picture with that title in which nothing can be drawn.
    pub(crate) fn no_data(title: &str, found: String) -> Self {
        let title = title.to_owned();
        Self::NoData { title, found }
    }
}
