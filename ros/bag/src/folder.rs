//! Which files make up a bag.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::BagError;
use crate::metadata::{Metadata, NAME};
use crate::storage::Storage;
use crate::zstd_mark::begins_as_zstd;

/// The files of a bag.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Paths of the storage files in the order of recording.
    pub(crate) paths: Vec<PathBuf>,
    /// The folder's `metadata.yaml`; `None` for a single file, or where it cannot be read.
    pub(crate) metadata: Option<Metadata>,
    pub(crate) damage: Vec<BagError>,
    /// Folder into which compressed files were unpacked; removed with this value.
    unpacked: Option<TempDir>,
}

impl Files {
    /// Finds the files of the bag at `path`, a folder or one file. `metadata.yaml` decides which
    /// they are; without one that can be read, all files of a known kind are taken.
    pub(crate) fn find(path: &Path) -> Result<Self, BagError> {
        let data = std::fs::metadata(path).map_err(|error| BagError::io(path, "opening", error))?;
        let mut files = Self::default();
        if data.is_file() {
            files.paths.push(path.to_path_buf());
        } else {
            let names = list(path)?;
            match Metadata::read(path) {
                Ok(metadata) => files.metadata = metadata,
                Err(error) if error.is_partial() => files.damage.push(error),
                Err(error) => return Err(error),
            }
            match files.metadata.take() {
                Some(metadata) => {
                    files.take_listed(path, &metadata, &names);
                    files.metadata = Some(metadata);
                }
                None => {
                    files.paths = names
                        .iter()
                        .filter(|f| Storage::of(f).is_some())
                        .cloned()
                        .collect()
                }
            }
            if files.paths.is_empty() {
                return Err(not_a_bag(path, &names, &files));
            }
        }
        files.unpack()?;
        Ok(files)
    }

    /// Takes the files that `metadata.yaml` lists.
    fn take_listed(&mut self, folder: &Path, metadata: &Metadata, names: &[PathBuf]) {
        for listed in &metadata.files {
            // Up to version 3, paths began with the name of the folder.
            let last = Path::new(listed).file_name().unwrap_or_default();
            let found = [folder.join(listed), folder.join(last)]
                .into_iter()
                .find(|path| path.is_file());
            match found {
                Some(path) if !self.paths.contains(&path) => self.paths.push(path),
                Some(_) => {}
                None => self.damage.push(BagError::MissingFile {
                    path: folder.join(listed),
                }),
            }
        }
        let unlisted: Vec<String> = names
            .iter()
            .filter(|name| Storage::of(name).is_some() && !self.paths.contains(name))
            .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
            .collect();
        if !unlisted.is_empty() {
            self.damage.push(BagError::Metadata {
                path: folder.join(NAME),
                detail: format!(
                    "the folder also has {}, which it does not list and which are not read; `ros2 bag reindex` \
                     lists them",
                    unlisted.join(", ")
                ),
            });
        }
    }

    /// Unpacks files that are compressed as a whole.
    fn unpack(&mut self) -> Result<(), BagError> {
        for path in &mut self.paths {
            if !is_zstd(path) {
                continue;
            }
            let failed = |error| BagError::io(path.as_path(), "unpacking", error);
            let folder = match &self.unpacked {
                Some(folder) => folder,
                None => self.unpacked.insert(tempfile::tempdir().map_err(failed)?),
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let unpacked = folder.path().join(name.trim_end_matches(".zstd"));
            let packed = File::open(&*path).map_err(failed)?;
            let mut plain = File::create(&unpacked).map_err(failed)?;
            if let Err(error) = zstd::stream::copy_decode(packed, &mut plain) {
                // What was unpacked so far is the beginning of the file.
                self.damage.push(BagError::DamagedArchive {
                    path: path.clone(),
                    detail: error.to_string(),
                });
            }
            *path = unpacked;
        }
        Ok(())
    }
}

/// Whether a file is compressed as a whole.
fn is_zstd(path: &Path) -> bool {
    let mut mark = [0; 4];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut mark))
        .is_ok_and(|()| begins_as_zstd(&mark))
}

/// Files of the folder, `NAME_2` before `NAME_10`.
fn list(folder: &Path) -> Result<Vec<PathBuf>, BagError> {
    let listing =
        std::fs::read_dir(folder).map_err(|error| BagError::io(folder, "listing", error))?;
    let mut names: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    names.sort_by_key(|name| (name.as_os_str().len(), name.clone()));
    Ok(names)
}

fn not_a_bag(folder: &Path, names: &[PathBuf], files: &Files) -> BagError {
    let present: Vec<String> = names
        .iter()
        .filter_map(|file| file.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .take(5)
        .collect();
    let found = match (&files.metadata, &present[..]) {
        (_, []) => "an empty folder".to_owned(),
        (Some(metadata), _) => format!(
            "a folder with {} whose {NAME} lists only files that are not there: {}",
            present.join(", "),
            metadata.files.join(", ")
        ),
        (None, _) => format!("a folder with {}", present.join(", ")),
    };
    BagError::NotABag {
        path: folder.to_path_buf(),
        found,
    }
}
