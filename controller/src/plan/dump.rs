//! A planning problem as a file, and solving it again.
//!
//! ```no_run
//! use latco_controller::plan::Dump;
//!
//! let dump = Dump::read("problem.dump".as_ref())?;
//! let bundle = latco_models::Bundle::load(&dump.header.bundle, &Default::default())?;
//! let solved = dump.solve(&bundle)?;
//! assert_eq!(solved.difference, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file has a magic number, the version of the format, the length and the SHA-256 of what
//! follows, and then header and problem in postcard. A damaged file is refused. A dump is solved
//! again by the iteration counts it recorded and not by the clock, so on the processor and the
//! ONNX Runtime that made it the result is the same bit for bit.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use latco_models::{Bundle, read_file};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contract::PlanRequest;
use super::make::make;
use super::problem::Problem;
use super::solution::{PlanSizes, Solution};
use crate::config::{Config, GoalSection, KeepOutSection, KinematicsSection, PlannerSection};
use crate::error::SetupError;
use crate::time::{FrozenClock, Time};
use crate::trace::PlanTrace;

/// First bytes of a dump.
const MAGIC: [u8; 8] = *b"LATCODMP";
/// Version of the format that this program writes and reads.
const FORMAT: u32 = 7;
/// Bytes that a dump may have; those of the shipped bundles have about 100 kB.
const MOST_BYTES: u64 = 256 << 20;
/// Length of the head in bytes: magic number, version, length, sum.
const HEAD: usize = 8 + 4 + 8 + 32;

/// The header of a dump: model and settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpHeader {
    /// Name and version of the program that wrote it.
    pub program: String,
    /// Folder of the bundle, as it was named when the dump was written.
    pub bundle: String,
    /// SHA-256 over names and sums of the bundle's files, in hexadecimal.
    pub bundle_sha256: String,
    /// Task of the bundle.
    pub task: String,
    /// The planner's settings.
    pub planner: PlannerSection,
    /// What the plans keep away from.
    pub keep_out: KeepOutSection,
    /// The arm that they are of.
    pub kinematics: KinematicsSection,
    /// How much a goal picture counts.
    pub goal: GoalSection,
}

/// A planning problem with its header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dump {
    /// Model and settings.
    pub header: DumpHeader,
    /// The problem and its answer.
    pub problem: Problem,
}

/// A dump, solved again.
#[derive(Clone, Debug)]
pub struct Solved {
    /// The problem with the new answer.
    pub problem: Problem,
    /// The first difference of the new answer from the old one, bit for bit; `None` without one.
    pub difference: Option<String>,
}

/// The reason why a dump cannot be written, read or solved.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no dump.
    #[error("expected a planning problem written by latco, found another kind of file")]
    Foreign,
    /// The dump has another version of the format.
    #[error(
        "expected a dump of format {FORMAT}, found format {0}; solve it with the program that wrote it"
    )]
    Format(u32),
    /// The file is shorter or longer than its head says.
    #[error("the dump is damaged: expected {expected} bytes, found {found}")]
    Length {
        /// Number of bytes that the file says it has.
        expected: u64,
        /// Number of bytes in the file.
        found: u64,
    },
    /// The content was changed.
    #[error("the dump is damaged: its checksum is not that of its content")]
    Checksum,
    /// The content makes no sense.
    #[error("the dump cannot be read: {0}")]
    Content(String),
    /// The dump is of another bundle.
    #[error("the dump was made with another bundle than {}: expected the files' sum {expected}, found {found}; give the right one with --bundle", bundle.display())]
    Bundle {
        /// Folder of the bundle at hand.
        bundle: PathBuf,
        /// Sum of the bundle in the dump.
        expected: String,
        /// Sum of the bundle at hand.
        found: String,
    },
    /// The planner cannot be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl DumpHeader {
    /// Makes the header for plans made with this configuration and bundle.
    #[must_use]
    pub fn new(config: &Config, bundle: &Bundle) -> Self {
        let bundle_dir = bundle.dir();
        let absolute = bundle_dir.canonicalize();
        Self {
            program: concat!("latco ", env!("CARGO_PKG_VERSION")).to_owned(),
            bundle: (absolute.as_deref().unwrap_or(bundle_dir))
                .to_string_lossy()
                .into_owned(),
            bundle_sha256: bundle.manifest().sum(),
            task: bundle.manifest().task.clone(),
            planner: config.planner.clone(),
            keep_out: config.keep_out.clone(),
            kinematics: config.kinematics.clone(),
            goal: config.goal.clone(),
        }
    }
}

impl Dump {
    /// Reads a dump from a file.
    ///
    /// # Errors
    /// [`DumpError`] when the file cannot be read, is no dump, or is damaged.
    pub fn read(path: &Path) -> Result<Self, DumpError> {
        let bytes = read_file(path, MOST_BYTES).map_err(|source| DumpError::Io {
            path: path.into(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Reads a dump from the content of a file.
    ///
    /// # Errors
    /// [`DumpError`] when the bytes are no dump, or are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DumpError> {
        let content = checked_content(bytes)?;
        let dump: Self =
            postcard::from_bytes(content).map_err(|e| DumpError::Content(e.to_string()))?;
        if dump.problem.is_consistent() {
            Ok(dump)
        } else {
            let reason = format!(
                "the lengths of its arrays are not those of {:?}",
                dump.problem.sizes
            );
            Err(DumpError::Content(reason))
        }
    }

    /// Solves the problem again, by the iterations that were recorded, and compares.
    ///
    /// # Errors
    /// [`DumpError`] when the bundle is another one, or the planner cannot be made.
    pub fn solve(&self, bundle: &Bundle) -> Result<Solved, DumpError> {
        let header = &self.header;
        if !bundle.manifest().is_known_by(&header.bundle_sha256) {
            return Err(DumpError::Bundle {
                bundle: bundle.dir().into(),
                expected: header.bundle_sha256.clone(),
                found: bundle.manifest().sum(),
            });
        }
        let mut config = Config::default();
        config.bundle.path.clone_from(&header.bundle);
        config.planner.clone_from(&header.planner);
        config.keep_out.clone_from(&header.keep_out);
        config.kinematics.clone_from(&header.kinematics);
        config.goal.clone_from(&header.goal);
        let refuse = |reason: String| Err(DumpError::Content(reason));
        if let Err(error) = config.validate() {
            return refuse(error.to_string());
        }
        let sizes = self.problem.sizes;
        let own = PlanSizes {
            lead: sizes.lead,
            ..PlanSizes::new(&config, bundle.manifest())
        };
        if sizes != own {
            return refuse(format!("its sizes are {sizes:?}, the bundle's {own:?}"));
        }

        config.planner.budget_ms = None;
        let mut planner = make(&config, bundle, &sizes)?;
        if !planner.restore(&self.problem) {
            return refuse("its planner keeps no problems".into());
        }
        let request = PlanRequest {
            state: &self.problem.anchor,
            elapsed_periods: self.problem.elapsed_periods,
            constraints: self.problem.constraints.as_ref(),
            goal: self.problem.goal.get(),
            deadline: None,
            replay: Some(self.problem.decisions),
        };
        let mut trace = PlanTrace::new(&config);
        let mut solution = Solution::new(&sizes);
        planner.plan(&request, &FrozenClock(Time(0)), &mut solution, &mut trace);
        let problem = planner.problem().expect("the planner keeps its problem");
        Ok(Solved {
            difference: self.problem.first_difference(problem),
            problem: problem.clone(),
        })
    }
}

/// Writes a dump; a file of this name is replaced when the new one is complete.
///
/// # Errors
/// [`DumpError::Io`], [`DumpError::Content`].
pub fn write_dump(path: &Path, header: &DumpHeader, problem: &Problem) -> Result<(), DumpError> {
    let content =
        postcard::to_stdvec(&(header, problem)).map_err(|e| DumpError::Content(e.to_string()))?;
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&part)?;
        for bytes in [
            &MAGIC[..],
            &FORMAT.to_le_bytes(),
            &(content.len() as u64).to_le_bytes(),
            &Sha256::digest(&content),
            &content,
        ] {
            file.write_all(bytes)?;
        }
        std::fs::rename(&part, path)
    };
    write().map_err(|source| {
        // Of a full disk nothing is left, or the next ones would find it fuller still.
        let _ = std::fs::remove_file(&part);
        DumpError::Io {
            path: path.to_path_buf(),
            source,
        }
    })
}

/// The bytes after the head of a file, if they are complete and unchanged.
fn checked_content(bytes: &[u8]) -> Result<&[u8], DumpError> {
    let Some((head, content)) = bytes.split_at_checked(HEAD) else {
        return Err(DumpError::Foreign);
    };
    let (magic, rest) = head.split_at(8);
    let (format, rest) = rest.split_at(4);
    let (length, sum) = rest.split_at(8);
    if magic != MAGIC {
        return Err(DumpError::Foreign);
    }
    let format = u32::from_le_bytes(format.try_into().expect("four bytes"));
    if format != FORMAT {
        return Err(DumpError::Format(format));
    }
    let expected = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let found = content.len() as u64;
    if expected != found {
        return Err(DumpError::Length { expected, found });
    }
    if Sha256::digest(content).as_slice() == sum {
        Ok(content)
    } else {
        Err(DumpError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let sizes = PlanSizes {
            horizon: 3,
            lead: 1,
            state: 4,
            action: 2,
            goal: 4,
        };
        let header = DumpHeader {
            program: "test".into(),
            bundle: "bundle".into(),
            bundle_sha256: String::new(),
            task: "reach".into(),
            planner: PlannerSection::default(),
            keep_out: KeepOutSection::default(),
            kinematics: KinematicsSection::default(),
            goal: GoalSection::default(),
        };
        let mut problem = Problem::new(&sizes, 2);
        problem.anchor[1] = f32::MIN_POSITIVE;
        problem.elapsed_periods = Some(1.25);
        let path = std::env::temp_dir().join(format!("latco-dump-{}", std::process::id()));
        write_dump(&path, &header, &problem).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let dump = Dump::from_bytes(&bytes).unwrap();
        assert_eq!((dump.header, dump.problem), (header, problem));
        bytes
    }

    #[test]
    fn f19_a_full_disk_leaves_no_part_of_a_dump() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("problem.dump");
        std::os::unix::fs::symlink("/dev/full", folder.path().join("problem.part")).unwrap();
        let dump = Dump::from_bytes(&file()).unwrap();
        let error = write_dump(&path, &dump.header, &dump.problem).unwrap_err();
        assert!(matches!(error, DumpError::Io { .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        println!("f19: {error}; 0 files left");
    }

    #[test]
    fn any_flipped_byte_and_any_other_length_is_refused() {
        let bytes = file();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Dump::from_bytes(&damaged).is_err(), "byte {at}");
        }
        for length in (0..bytes.len()).step_by(7) {
            assert!(
                Dump::from_bytes(&bytes[..length]).is_err(),
                "{length} bytes"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(
            Dump::from_bytes(&longer),
            Err(DumpError::Length { .. })
        ));
        let foreign = Dump::from_bytes(&[b'x'; 500]).unwrap_err().to_string();
        assert!(foreign.contains("another kind of file"), "{foreign}");
    }
}
