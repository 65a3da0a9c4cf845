//! What reads the input.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use latco_bag::image::{CameraImage, Compression as ImageCompression, Converter};
use latco_bag::messages::{
    Bool, CompressedImage, DiagnosticArray, DiagnosticStatus, Duration, Empty, Float32, Float64,
    Float64MultiArray, Header, Image, Int64, JointState, JointTrajectory, StringMessage, Time,
    UInt8MultiArray,
};
use latco_bag::{BagReader, Compression, Storage, cdr};
use latco_controller::Config;
use latco_controller::journal::ChainReader;
use latco_controller::plan::Dump;
use latco_models::manifest::{FileSum, MANIFEST_FILE};
use latco_models::{
    Golden, Graph, Manifest, TrustedKeys, onnx, read_manifest, report, sha256, write_manifest,
};
use latco_ros::controller::parameters::messages::ParameterEvent;
use latco_ros::managed::arguments::RosArguments;
use latco_ros::middleware::NodeIdentity;
use latco_trainer::data::npz;
use prost::Message as _;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::seeds;

/// All targets.
pub(crate) const NAMES: [&str; 15] = [
    "cdr",
    "image",
    "jpeg",
    "png",
    "mcap",
    "sqlite3",
    "metadata",
    "parameters",
    "config",
    "manifest",
    "onnx",
    "golden",
    "journal",
    "dump",
    "npz",
];

/// Reads an input as far as it goes; whether all of it was accepted.
type Read = Box<dyn FnMut(&[u8]) -> bool>;

/// Something that reads bytes.
pub(crate) struct Target {
    /// Good inputs, which are changed.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Whether the input is text.
    pub(crate) is_text: bool,
    /// Reads an input as far as it goes; whether all of it was accepted.
    pub(crate) read: Read,
    /// What the target writes is removed with it.
    _folder: TempDir,
}

impl Target {
    /// The target of this name.
    pub(crate) fn new(name: &str) -> Result<Self> {
        // Memory, where there is such a folder: a disk would be worn by what nobody reads again.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory)?,
            false => tempfile::tempdir()?,
        };
        let at = folder.path().to_path_buf();
        let mut is_text = false;
        let (seeds, read): (Vec<Vec<u8>>, Read) = match name {
            "cdr" => (seeds::messages()?, Box::new(read_cdr)),
            "image" => {
                let mut converter = Converter::new();
                let read = move |bytes: &[u8]| {
                    cdr::decode::<Image>(bytes)
                        .is_ok_and(|image| converter.to_rgb(&image.into(), 8, 8).is_ok())
                };
                (seeds::raw_images()?, Box::new(read))
            }
            "jpeg" => (
                seeds::compressed(ImageCompression::Jpeg { quality: 90 })?,
                Box::new(decoder("jpeg")),
            ),
            "png" => (
                seeds::compressed(ImageCompression::Png)?,
                Box::new(decoder("png")),
            ),
            "mcap" => {
                let mut seeds = Vec::new();
                for (name, compression) in [
                    ("zstd", Compression::Zstd),
                    ("lz4", Compression::Lz4),
                    ("none", Compression::None),
                ] {
                    seeds::bag(&at.join(name), Storage::Mcap, compression)?;
                    seeds.push(seeds::file_of(&at.join(name), "mcap")?);
                }
                (seeds, Box::new(file_reader(at.join("bag.mcap"), read_bag)))
            }
            "sqlite3" => {
                seeds::bag(&at.join("bag"), Storage::Sqlite3, Compression::None)?;
                let seeds = vec![seeds::file_of(&at.join("bag"), "db3")?];
                (seeds, Box::new(file_reader(at.join("bag.db3"), read_bag)))
            }
            "metadata" => {
                is_text = true;
                let bag = at.join("bag");
                seeds::bag(&bag, Storage::Mcap, Compression::None)?;
                let seeds = vec![seeds::file_of(&bag, "yaml")?];
                let file = bag.join("metadata.yaml");
                let read = move |_: &Path| read_bag(&bag);
                (seeds, Box::new(file_reader(file, read)))
            }
            "parameters" => {
                is_text = true;
                let text = "/**:\n  ros__parameters:\n    use_sim_time: true\n    planner: {budget_ms: 40.0, seed: 3}\n    \
                            robot.velocity_scale: 0.5\n    robot:\n      joint_names: ['a', \"b\"]\nlatco:\n  ros__parameters:\n    \
                            timeouts:\n      camera_ms: 1.0e3\n";
                (vec![text.as_bytes().to_vec()], Box::new(read_parameters))
            }
            "config" => {
                is_text = true;
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs");
                let mut seeds = Vec::new();
                for entry in std::fs::read_dir(folder)? {
                    let path = entry?.path();
                    if path.extension().is_some_and(|e| e == "toml") {
                        seeds.push(std::fs::read(path)?);
                    }
                }
                seeds.sort();
                let read = |bytes: &[u8]| {
                    std::str::from_utf8(bytes).is_ok_and(|text| Config::from_toml(text).is_ok())
                };
                (seeds, Box::new(read))
            }
            "manifest" => {
                is_text = true;
                seeds::bundle(&at)?;
                let seeds = vec![std::fs::read(at.join(MANIFEST_FILE))?];
                let read = |bytes: &[u8]| {
                    let manifest = std::str::from_utf8(bytes)
                        .ok()
                        .and_then(|text| Manifest::from_toml(text).ok());
                    manifest.is_some_and(|manifest| manifest.contradictions().is_empty())
                };
                (seeds, Box::new(read))
            }
            "onnx" => onnx_target(&at)?,
            "golden" => {
                seeds::bundle(&at)?;
                let seeds = vec![std::fs::read(at.join(latco_models::golden::GOLDEN_FILE))?];
                (
                    seeds,
                    Box::new(|bytes: &[u8]| Golden::from_bytes(bytes).is_ok()),
                )
            }
            "journal" => {
                let read = |bytes: &[u8]| ChainReader::default().read(bytes).is_ok();
                (seeds::journal()?, Box::new(read))
            }
            "dump" => (vec![seeds::dump(&at)?], Box::new(read_dump)),
            "npz" => {
                let seeds = vec![seeds::npz(&at, true)?, seeds::npz(&at, false)?];
                let read = |path: &Path| npz::read(path).is_ok();
                (seeds, Box::new(file_reader(at.join("changed.npz"), read)))
            }
            other => bail!("expected one of {}, found {other:?}", NAMES.join(", ")),
        };
        Ok(Self {
            seeds,
            is_text,
            read,
            _folder: folder,
        })
    }
}

/// Reads by way of a file.
fn file_reader(path: PathBuf, read: impl Fn(&Path) -> bool) -> impl FnMut(&[u8]) -> bool {
    move |bytes| {
        std::fs::write(&path, bytes).expect("there is room for a file of some kB");
        let accepted = read(&path);
        // A database that is read may leave files beside it.
        for beside in ["db3-journal", "db3-wal", "db3-shm"] {
            let _ = std::fs::remove_file(path.with_extension(beside));
        }
        accepted
    }
}

fn read_cdr(bytes: &[u8]) -> bool {
    let mut accepted = 0;
    macro_rules! each {
        ($($message:ident),*) => {
            $(accepted += usize::from(cdr::decode::<$message>(bytes).is_ok());)*
        };
    }
    each!(
        Bool,
        CompressedImage,
        DiagnosticArray,
        DiagnosticStatus,
        Duration,
        Empty,
        Float32,
        Float64,
        Float64MultiArray,
        Header,
        Image,
        Int64,
        JointState,
        JointTrajectory,
        ParameterEvent,
        StringMessage,
        Time,
        UInt8MultiArray
    );
    accepted > 0
}

fn decoder(format: &'static str) -> impl FnMut(&[u8]) -> bool {
    let mut converter = Converter::new();
    move |bytes| {
        let image = CompressedImage {
            format: format.to_owned(),
            data: bytes.to_vec(),
            ..CompressedImage::default()
        };
        let image = CameraImage::Compressed(image);
        let _ = image.size();
        converter.to_rgb(&image, 8, 8).is_ok()
    }
}

fn read_bag(path: &Path) -> bool {
    let Ok(reader) = BagReader::open(path) else {
        return false;
    };
    let _ = reader.bounds_ns();
    let mut whole = reader.damage().next().is_none();
    for message in reader.messages() {
        match message {
            Ok(message) => {
                let _ = message.decode::<Image>();
                let _ = message.decode::<Int64>();
            }
            Err(_) => whole = false,
        }
    }
    whole
}

fn read_parameters(bytes: &[u8]) -> bool {
    let Ok(text) = String::from_utf8(bytes.to_vec()) else {
        return false;
    };
    let line = ["latco", "--ros-args", "--params-file", "file.yaml"].map(OsString::from);
    let split = RosArguments::split(line, |_| Ok(text.clone()));
    split.is_ok_and(|(_, ros)| {
        let identity = NodeIdentity::new("/", "latco");
        !ros.parameters_of(&identity).is_empty()
    })
}

/// Graphs with right sums in a bundle: everything is checked that does not need ONNX Runtime.
fn onnx_target(at: &Path) -> Result<(Vec<Vec<u8>>, Read)> {
    seeds::bundle(at)?;
    let file = Graph::Dynamics.file();
    let seeds = vec![std::fs::read(at.join(file))?];
    let mut manifest = read_manifest(at)?;
    let at = at.to_path_buf();
    let mut number = 0_u64;
    let read = move |bytes: &[u8]| {
        number += 1;
        let decoded = onnx::ModelProto::decode(bytes).is_ok();
        let named = onnx::initialisers(bytes).is_ok();
        // Six files are written for a look at all of it.
        if !number.is_multiple_of(50) {
            return decoded && named;
        }
        let sum = FileSum {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
        };
        manifest.files.insert(file.to_owned(), sum);
        let written =
            std::fs::write(at.join(file), bytes).and_then(|()| write_manifest(&at, &manifest));
        written.expect("there is room for a file of some kB");
        report::verify(&at, TrustedKeys::default()).is_ok()
    };
    Ok((seeds, Box::new(read)))
}

/// Reads a dump as it is, and with a head that fits what follows, or its sum would keep everything out.
fn read_dump(bytes: &[u8]) -> bool {
    const HEAD: usize = 52;
    let mut accepted = Dump::from_bytes(bytes).is_ok();
    if let Some((head, content)) = bytes.split_at_checked(HEAD) {
        let mut mended = head[..12].to_vec();
        mended.extend((content.len() as u64).to_le_bytes());
        mended.extend(Sha256::digest(content));
        mended.extend(content);
        accepted |= Dump::from_bytes(&mended).is_ok();
    }
    accepted
}
