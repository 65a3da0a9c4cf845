//! Images set aside in a file, for data larger than memory.
//!
//! They are read by position, a few thousand bytes each. What fits stays in the operating system's
//! cache, so a cache of our own would only hold the same bytes twice.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Images of one size, one after the other, in a file without a name: it takes room on disk only
/// as long as it is open, also when the process is killed.
#[derive(Debug)]
pub struct ImageFile {
    file: File,
    bytes: u64,
}

impl ImageFile {
    /// An empty file in `folder`, which is made if needed.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            file: tempfile::tempfile_in(folder)?,
            bytes: 0,
        })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what lies after the first `bytes`.
    pub fn truncate(&mut self, bytes: u64) {
        self.bytes = self.bytes.min(bytes);
    }

    /// Reads `out.len()` bytes from `start` on.
    ///
    /// # Errors
    /// The errors of the file system; bytes beyond the end.
    pub fn read(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        if start + out.len() as u64 > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(out, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_where_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ImageFile::create(folder.path()).unwrap();
        file.append(&[1, 2, 3]).unwrap();
        file.append(&[4, 5, 6]).unwrap();
        let mut out = [0; 3];
        file.read(2, &mut out).unwrap();
        assert_eq!(out, [3, 4, 5]);
        file.truncate(3);
        assert!(file.read(2, &mut out).is_err());
        file.append(&[7, 8]).unwrap();
        file.read(2, &mut out).unwrap();
        assert_eq!(out, [3, 7, 8]);
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "the file has no name");
    }
}
