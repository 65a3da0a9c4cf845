//! What the files of a bundle hold against what its manifest says, without running anything. Each check appends what it
//! finds to one list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message;

use crate::error::BundleError;
use crate::factors::DynamicsWeights;
use crate::file::RegularFile;
use crate::golden::{GOLDEN_FILE, Golden};
use crate::graph::{Element, Graph, Port};
use crate::load_options::LoadOptions;
use crate::manifest::{DynamicsKind, Manifest};
use crate::manifest_file::ManifestFile;
use crate::onnx::{self, Dimension, ModelProto, ValueInfoProto, data_type};
use crate::operators;
use crate::seal;
use crate::signature::{self, PublicKey};
use crate::sum::sha256;

/// All that is read from a bundle's folder, and what is wrong with it.
pub(crate) struct Content {
    pub(crate) manifest: Manifest,
    /// Who signed the manifest.
    pub(crate) signer: Option<PublicKey>,
    /// Contents of the files of the graphs.
    pub(crate) graphs: BTreeMap<Graph, Vec<u8>>,
    /// The weights that the solver reads.
    pub(crate) weights: Option<DynamicsWeights>,
    pub(crate) golden: Golden,
    /// One sentence each; where there are any, the rest may be incomplete.
    pub(crate) mismatches: Vec<String>,
}

impl Content {
    /// Reads the bundle in folder `dir` and checks everything that can be checked without running it.
    ///
    /// # Errors
    /// There is no readable manifest. Everything else is in [`Content::mismatches`].
    pub(crate) fn read(dir: &Path, options: &LoadOptions) -> Result<Self, BundleError> {
        let ManifestFile { manifest, bytes } = ManifestFile::read(dir)?;
        let mut mismatches: Vec<String> = seal::mismatch(dir, &bytes).into_iter().collect();
        let signer = signature::signer(dir, &bytes, &options.trusted_keys, &mut mismatches);
        mismatches.extend(manifest.contradictions());
        if let Some(expected) = &options.expect_joints {
            joints(&manifest, expected, &mut mismatches);
        }
        let mut files = files(dir, &manifest, &mut mismatches);
        for graph in Graph::ALL {
            if let Some(bytes) = files.get(graph.file()) {
                self::graph(graph, bytes, &manifest, &mut mismatches);
            }
        }
        let weights = files
            .get(Graph::Dynamics.file())
            .and_then(|bytes| weights(bytes, &manifest, &mut mismatches));
        let golden = files
            .remove(GOLDEN_FILE)
            .map(|bytes| Golden::from_bytes(&bytes));
        let golden = golden.transpose().unwrap_or_else(|e| {
            mismatches.push(format!("golden.postcard cannot be read: {e}"));
            None
        });
        let graphs = Graph::ALL
            .into_iter()
            .filter_map(|graph| Some((graph, files.remove(graph.file())?)));
        Ok(Self {
            signer,
            graphs: graphs.collect(),
            weights,
            golden: golden.unwrap_or_default(),
            manifest,
            mismatches,
        })
    }
}

/// Largest file of a bundle: what protobuf can address in an ONNX file is 2 GiB, and trained bundles have some MB.
const MOST_FILE_BYTES: u64 = 1 << 30;

pub(crate) fn joints(manifest: &Manifest, expected: &[String], found: &mut Vec<String>) {
    if manifest.joints.names != expected {
        found.push(format!(
            "the bundle's joints are {:?}, the robot's are {expected:?}: same names in the same order are needed",
            manifest.joints.names
        ));
    }
}

/// Contents of all files whose size and sum are right.
pub(crate) fn files(
    dir: &Path,
    manifest: &Manifest,
    found: &mut Vec<String>,
) -> BTreeMap<&'static str, Vec<u8>> {
    let names: BTreeSet<&'static str> = Graph::ALL
        .iter()
        .map(|graph| graph.file())
        .chain([GOLDEN_FILE])
        .collect();
    for name in manifest.files.keys() {
        if !names.contains(name.as_str()) {
            found.push(format!("the manifest lists {name:?}, which no bundle has"));
        }
    }
    let mut contents = BTreeMap::new();
    for name in names {
        let listed = manifest.files.get(name);
        if listed.is_none() {
            found.push(format!("{name} is not listed in the manifest"));
        }
        let file = match RegularFile::open(&dir.join(name)) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                found.push(format!("{name} is missing"));
                continue;
            }
            Err(e) => {
                found.push(format!("{name} cannot be read: {e}"));
                continue;
            }
        };
        let Some(listed) = listed else { continue };
        if file.bytes() != listed.bytes {
            found.push(format!(
                "{name} has {} bytes, the manifest says {}",
                file.bytes(),
                listed.bytes
            ));
            continue;
        }
        let bytes = match file.read(MOST_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(e) => {
                found.push(format!("{name} cannot be read: {e}"));
                continue;
            }
        };
        let sum = sha256(&bytes);
        if sum != listed.sha256 {
            found.push(format!(
                "{name} is damaged: sha256 {sum}, the manifest says {}",
                listed.sha256
            ));
            continue;
        }
        contents.insert(name, bytes);
    }
    contents
}

/// Operators and constants against what a bundle may have; names, element types and shapes of inputs and outputs against the
/// sizes in the manifest.
pub(crate) fn graph(graph: Graph, bytes: &[u8], manifest: &Manifest, found: &mut Vec<String>) {
    let file = graph.file();
    let model = match ModelProto::decode(bytes) {
        Ok(model) => model,
        Err(e) => {
            found.push(format!("{file} is not an ONNX file: {e}"));
            return;
        }
    };
    operators::check(file, &model, found);
    let Some(content) = model.graph else {
        found.push(format!("{file} has no graph"));
        return;
    };
    for (what, expected, declared) in [
        ("input", graph.inputs(manifest), &content.input),
        ("output", graph.outputs(manifest), &content.output),
    ] {
        if let Some(mismatch) = order_mismatch(&expected, declared) {
            found.push(format!("{file}: {what}s are {mismatch}"));
            continue;
        }
        for (port, value) in expected.iter().zip(declared) {
            let wanted = describe_port(port, graph.batch_name());
            let is = describe_value(value);
            if wanted != is {
                found.push(format!(
                    "{file}: {what} {:?} is {is}, the manifest's sizes give {wanted}",
                    port.name
                ));
            }
        }
    }
}

fn order_mismatch(expected: &[Port], declared: &[ValueInfoProto]) -> Option<String> {
    let wanted: Vec<&str> = expected.iter().map(|port| port.name).collect();
    let is: Vec<&str> = declared.iter().map(|value| value.name.as_str()).collect();
    (wanted != is).then(|| format!("{is:?}, expected {wanted:?}"))
}

fn describe_port(port: &Port, batch: &str) -> String {
    let mut dims = vec![batch.to_owned()];
    dims.extend(port.shape.iter().map(ToString::to_string));
    format!("{} [{}]", port.element, dims.join(", "))
}

fn describe_value(value: &ValueInfoProto) -> String {
    let Some(tensor) = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return "not a tensor".to_owned();
    };
    let element = match tensor.elem_type {
        data_type::FLOAT => Element::F32.to_string(),
        data_type::UINT8 => Element::U8.to_string(),
        other => format!("ONNX element type {other}"),
    };
    let dims: Vec<String> = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dim| match &dim.value {
            Some(Dimension::Value(size)) => size.to_string(),
            Some(Dimension::Param(name)) => name.clone(),
            None => "?".to_owned(),
        })
        .collect();
    format!("{element} [{}]", dims.join(", "))
}

/// The kernels that the solver reads, with the shapes that the manifest's sizes give; none of a graph that gives
/// matrices instead of gate factors.
pub(crate) fn weights(
    bytes: &[u8],
    manifest: &Manifest,
    found: &mut Vec<String>,
) -> Option<DynamicsWeights> {
    if manifest.dynamics.kind != DynamicsKind::GruFactors {
        return None;
    }
    let mut constants = match onnx::initialisers(bytes) {
        Ok(constants) => constants,
        Err(reason) => {
            found.push(format!("dynamics.onnx {reason}"));
            return None;
        }
    };
    let dims = manifest.dims;
    let mut kernel = |layer: &str, shape: [usize; 2]| {
        let name = format!("{layer}.kernel");
        match constants.remove(&name) {
            None => {
                found.push(format!("dynamics.onnx has no constant {name:?}"));
                None
            }
            Some(constant) if constant.shape != shape => {
                found.push(format!(
                    "dynamics.onnx: constant {name:?} has shape {:?}, the manifest's sizes give {shape:?}",
                    constant.shape
                ));
                None
            }
            Some(constant) => Some(constant.data),
        }
    };
    let gates = dims.deter.saturating_mul(3);
    let inputs = dims.stoch.saturating_add(dims.action);
    let input = kernel("input", [inputs, dims.hidden]);
    let gru_input = kernel("gru_input", [dims.hidden, gates]);
    let gru_recurrent = kernel("gru_recurrent", [dims.deter, gates]);
    let prior = kernel("prior", [dims.deter, dims.hidden]);
    let prior_mean = kernel("prior_mean", [dims.hidden, dims.stoch]);
    Some(DynamicsWeights {
        dims,
        input: input?,
        gru_input: gru_input?,
        gru_recurrent: gru_recurrent?,
        prior: prior?,
        prior_mean: prior_mean?,
    })
}
