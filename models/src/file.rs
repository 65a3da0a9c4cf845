//! Files that somebody else may have made, of which only regular ones are read and never more than is said beforehand; and
//! files that are replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Without it a named pipe that nobody writes to would be waited for when it is opened.
const DO_NOT_WAIT: i32 = libc::O_NONBLOCK;

/// A regular file, open for reading, whose size is known before any of it is read.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    bytes: u64,
}

impl RegularFile {
    /// Opens the file, also through links.
    ///
    /// # Errors
    /// The system's error, or that it is a folder, a named pipe, a socket or a device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(DO_NOT_WAIT)
            .open(path)?;
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if !kind.is_file() {
            let found = match kind {
                _ if kind.is_dir() => "a folder",
                _ if kind.is_fifo() => "a named pipe",
                _ if kind.is_socket() => "a socket",
                _ => "a device",
            };
            return Err(io::Error::other(format!(
                "expected a regular file, found {found}"
            )));
        }
        let bytes = metadata.len();
        Ok(Self { file, bytes })
    }

    /// Size of the file in bytes when it was opened.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The open file, for who reads it by parts.
    #[must_use]
    pub fn into_inner(self) -> File {
        self.file
    }

    /// The whole file, if it has at most `most` bytes. What is appended meanwhile is not read.
    ///
    /// # Errors
    /// The system's error, or that the file is larger; nothing is read then.
    pub fn read(self, most: u64) -> io::Result<Vec<u8>> {
        if self.bytes > most {
            return Err(io::Error::other(format!(
                "expected at most {most} bytes, found {}",
                self.bytes
            )));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        self.file.take(self.bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The whole content of a regular file of at most `most` bytes.
///
/// # Errors
/// The system's error, or that the file is not a regular one or larger.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    RegularFile::open(path)?.read(most)
}

/// Writes a file as a whole, so that nobody ever reads half of it and an interruption leaves the former one; makes its
/// folder if needed.
///
/// # Errors
/// The system's error.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_added_extension(format!("{}.part", std::process::id()));
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f14_only_regular_files_are_read_and_no_more_than_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), [7; 100]).unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(made.unwrap().success());
        for name in ["file", "link"] {
            assert_eq!(read_file(&path(name), 100).unwrap(), [7; 100]);
            let error = read_file(&path(name), 99).unwrap_err().to_string();
            assert_eq!(error, "expected at most 99 bytes, found 100");
        }
        for (name, found) in [
            ("zero", "a device"),
            ("pipe", "a named pipe"),
            ("", "a folder"),
        ] {
            let error = read_file(&path(name), u64::MAX).unwrap_err().to_string();
            assert_eq!(error, format!("expected a regular file, found {found}"));
        }
    }
}
