//! The frame of JPEG and PNG files: whether they are complete, before a decoder is trusted with them.
//!
//! Decoders fill in what is missing of a cut JPEG and say nothing; a controller must not plan from such a
//! picture.

/// What a file is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
}

/// What is wrong with the frame of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The end of the file is missing.
    Truncated,
    /// The file is damaged in another way, which the text describes.
    Damaged(String),
}

const PNG_SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Largest number of scans of a progressive JPEG; encoders make about ten. Each costs a pass over the whole
/// picture.
const MAX_SCANS: usize = 64;

impl Kind {
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        if data.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if data.starts_with(&PNG_SIGNATURE) {
            Some(Self::Png)
        } else {
            None
        }
    }

    /// Walks from part to part up to the mark of the end; bytes behind it are ignored.
    pub(super) fn check(self, data: &[u8]) -> Result<(), Flaw> {
        match self {
            Self::Jpeg => check_jpeg(data),
            Self::Png => check_png(data),
        }
    }
}

/// Checks the markers of a JPEG file up to the end of the image (ITU-T T.81, annex B).
fn check_jpeg(data: &[u8]) -> Result<(), Flaw> {
    let byte = |at: usize| data.get(at).copied().ok_or(Flaw::Truncated);
    let (mut at, mut scans) = (2, 0);
    loop {
        if byte(at)? != 0xff {
            return Err(Flaw::Damaged(format!(
                "expected a jpeg marker at byte {at}"
            )));
        }
        while byte(at)? == 0xff {
            at += 1;
        }
        let marker = byte(at)?;
        at += 1;
        match marker {
            0xd9 => return Ok(()),
            0x01 | 0xd0..=0xd7 => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
        if length < 2 {
            return Err(Flaw::Damaged(format!(
                "impossible jpeg segment at byte {at}"
            )));
        }
        at += length;
        if marker == 0xda {
            scans += 1;
            if scans > MAX_SCANS {
                return Err(Flaw::Damaged(format!("expected at most {MAX_SCANS} scans")));
            }
            at = end_of_scan(data, at)?;
        }
    }
}

/// Position of the marker that ends the entropy-coded data from `at` on.
fn end_of_scan(data: &[u8], mut at: usize) -> Result<usize, Flaw> {
    loop {
        let rest = data.get(at..).ok_or(Flaw::Truncated)?;
        at += rest
            .iter()
            .position(|byte| *byte == 0xff)
            .ok_or(Flaw::Truncated)?;
        match data.get(at + 1).ok_or(Flaw::Truncated)? {
            // A stuffed byte of the data, or a restart within the scan.
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Ok(at),
        }
    }
}

/// Checks the chunks of a PNG file up to its end (PNG specification, section 5).
fn check_png(data: &[u8]) -> Result<(), Flaw> {
    let mut at = PNG_SIGNATURE.len();
    loop {
        let head = data.get(at..at + 8).ok_or(Flaw::Truncated)?;
        let length = u32::from_be_bytes(head[..4].try_into().expect("four bytes")) as usize;
        // Head, data, checksum.
        let end = at + 12 + length;
        if end > data.len() {
            return Err(Flaw::Truncated);
        }
        if head[4..] == *b"IEND" {
            return Ok(());
        }
        at = end;
    }
}
