//! Good input of each kind, made by the program itself.

use std::path::Path;

use anyhow::Result;
use latco_bag::image::{Compression as ImageCompression, compress, encodings};
use latco_bag::messages::{
    Bool, CompressedImage, DiagnosticArray, DiagnosticStatus, Float32, Float64, Float64MultiArray,
    Header, Image, Int64, JointState, JointTrajectory, JointTrajectoryPoint, KeyValue,
    StringMessage, Time as TimeMessage, UInt8MultiArray,
};
use latco_bag::{BagOptions, BagWriter, Compression, Storage, cdr, topics};
use latco_controller::Time;
use latco_controller::config::{GoalSection, KeepOutSection, KinematicsSection, PlannerSection};
use latco_controller::journal::{
    ChainWriter, Event, Header as JournalHeader, ImageMark, Outcome, Step,
};
use latco_controller::plan::{DumpHeader, PlanSizes, Problem, write_dump};
use latco_export::{RandomSpec, write_random_bundle};
use ndarray::{Array1, Array2, Array4};
use ndarray_npy::NpzWriter;

fn image(encoding: &str, pixel: usize) -> Image {
    let (width, height) = (16, 12);
    Image {
        header: Header::new(5, "camera"),
        width,
        height,
        encoding: encoding.to_owned(),
        step: width * pixel as u32,
        data: (0..width * height * pixel as u32)
            .map(|i| (i % 251) as u8)
            .collect(),
        ..Image::default()
    }
}

/// Raw images of every encoding, in CDR.
pub(crate) fn raw_images() -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for encoding in encodings() {
        for pixel in [1, 2, 3, 4] {
            all.push(cdr::encode(&image(encoding, pixel))?);
        }
    }
    Ok(all)
}

/// Files of compressed images.
pub(crate) fn compressed(compression: ImageCompression) -> Result<Vec<Vec<u8>>> {
    let images = [image("rgb8", 3), image("mono8", 1)];
    let files = images.map(|image| compress(image, compression).map(|image| image.data));
    Ok(files.into_iter().flatten().collect())
}

/// A message of each type, in CDR.
pub(crate) fn messages() -> Result<Vec<Vec<u8>>> {
    let joints = JointState {
        header: Header::new(5, "base"),
        name: vec!["joint_1".into(), "joint_2".into()],
        position: vec![0.5, -0.5],
        velocity: vec![0.1, 0.2],
        effort: Vec::new(),
    };
    let status = DiagnosticStatus {
        level: 1,
        name: "latco".into(),
        message: "following the plan".into(),
        hardware_id: "latco".into(),
        values: vec![KeyValue {
            key: "age_ms".into(),
            value: "5".into(),
        }],
    };
    let trajectory = JointTrajectory {
        header: Header::new(5, ""),
        joint_names: joints.name.clone(),
        points: vec![JointTrajectoryPoint {
            positions: vec![0.5, -0.5],
            ..JointTrajectoryPoint::default()
        }],
    };
    Ok(vec![
        cdr::encode(&joints)?,
        cdr::encode(&trajectory)?,
        cdr::encode(&DiagnosticArray {
            header: Header::new(5, ""),
            status: vec![status.clone(), status.clone()],
        })?,
        cdr::encode(&status)?,
        cdr::encode(&image("rgb8", 3))?,
        cdr::encode(&CompressedImage {
            format: "jpeg".into(),
            data: vec![7; 50],
            ..CompressedImage::default()
        })?,
        cdr::encode(&Float64MultiArray::vector(vec![0.5; 6]))?,
        cdr::encode(&UInt8MultiArray {
            data: vec![7; 40],
            ..UInt8MultiArray::default()
        })?,
        cdr::encode(&StringMessage {
            data: "text".into(),
        })?,
        cdr::encode(&Bool { data: true })?,
        cdr::encode(&Int64 { data: -5 })?,
        cdr::encode(&Float32 { data: 0.5 })?,
        cdr::encode(&Float64 { data: 0.5 })?,
        cdr::encode(&TimeMessage::default())?,
    ])
}

/// A bag in `folder`.
pub(crate) fn bag(folder: &Path, storage: Storage, compression: Compression) -> Result<()> {
    let options = BagOptions {
        storage,
        compression,
    };
    let mut bag = BagWriter::create_with(folder, options)?;
    for number in 0..6 {
        let time = number * 100_000;
        bag.write(topics::CAMERA_IMAGE, time, &image("rgb8", 3))?;
        bag.write(topics::EPISODE, time, &Int64 { data: number })?;
        let name = StringMessage {
            data: "text".into(),
        };
        bag.write("/said", time, &name)?;
        if number % 3 == 2 {
            bag.flush()?;
        }
    }
    bag.finish()?;
    Ok(())
}

/// The one file in `folder` with this extension.
pub(crate) fn file_of(folder: &Path, extension: &str) -> Result<Vec<u8>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            return Ok(std::fs::read(path)?);
        }
    }
    anyhow::bail!("{}: expected a .{extension} file", folder.display())
}

/// A small bundle with random weights in `folder`.
pub(crate) fn bundle(folder: &Path) -> Result<()> {
    let spec = RandomSpec {
        stoch: 3,
        deter: 4,
        hidden: 4,
        units: 4,
        action: 2,
        horizon: 2,
        image: 16,
        joints: 2,
        ..RandomSpec::keypoint()
    };
    write_random_bundle(folder, &spec, 7)?;
    Ok(())
}

/// Records of a journal.
pub(crate) fn journal() -> Result<Vec<Vec<u8>>> {
    let mut chain = ChainWriter::default();
    let header = JournalHeader {
        program: "latco".into(),
        bundle: "bundle".into(),
        bundle_sha256: "00".repeat(32),
        config: "[bundle]\npath = \"b\"\n".into(),
    };
    let step = Step {
        number: 1,
        events: vec![
            Event::Reset { episode: 3 },
            Event::Joints {
                now: Time(5),
                stamp: Time(4),
                positions: [0.5, -0.5].into_iter().collect(),
                velocities: [-1.0, 0.0].into_iter().collect(),
            },
        ],
        image: Some(ImageMark {
            stamp: Time(9),
            now: Time(10),
            crc32c: 77,
        }),
        outcome: Outcome {
            observed: true,
            belief: vec![0.5; 7],
            actions: vec![0.5; 4],
            ..Outcome::default()
        },
        ..Step::default()
    };
    Ok(vec![chain.header(&header)?, chain.step(&step)?])
}

/// A dump of a planning problem.
pub(crate) fn dump(folder: &Path) -> Result<Vec<u8>> {
    let sizes = PlanSizes {
        horizon: 3,
        lead: 1,
        state: 4,
        action: 2,
        goal: 0,
    };
    let header = DumpHeader {
        program: "latco".into(),
        bundle: "bundle".into(),
        bundle_sha256: "00".repeat(32),
        task: "reach".into(),
        planner: PlannerSection::default(),
        keep_out: KeepOutSection::default(),
        kinematics: KinematicsSection::default(),
        goal: GoalSection::default(),
    };
    let path = folder.join("problem.dump");
    write_dump(&path, &header, &Problem::new(&sizes, 2))?;
    Ok(std::fs::read(path)?)
}

/// An episode as an npz file.
pub(crate) fn npz(folder: &Path, compressed: bool) -> Result<Vec<u8>> {
    let path = folder.join("episode.npz");
    let file = std::fs::File::create(&path)?;
    let mut npz = match compressed {
        true => NpzWriter::new_compressed(file),
        false => NpzWriter::new(file),
    };
    npz.add_array("image", &Array4::<u8>::ones((3, 8, 8, 3)))?;
    npz.add_array("action", &Array2::<f32>::ones((3, 2)))?;
    npz.add_array("reward", &Array1::<f64>::ones(3))?;
    npz.add_array("is_first", &Array1::from_elem(3, true))?;
    npz.finish()?;
    Ok(std::fs::read(path)?)
}
