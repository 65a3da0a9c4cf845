//! Bundles of format 1 to the format of today.
//!
//! Only names change: the constants of the graphs have the names of the layers (`prior.kernel`, formerly `img2.kernel`),
//! so that the manifest does not list them any more. All numbers stay as they are, bit for bit.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;
use toml::{Table, Value};

use crate::contents;
use crate::error::BundleError;
use crate::graph::Graph;
use crate::manifest::{FORMAT_VERSION, FileSum, MANIFEST_FILE, Manifest, OLD_VERSION};
use crate::onnx::ModelProto;
use crate::seal::write_manifest;
use crate::sum::sha256;

/// Names of constants as the exporter of format 1 wrote them, each followed by its name of today.
const NAMES: [(&str, &str); 9] = [
    ("img1.", "input."),
    ("gru.input_", "gru_input."),
    ("gru.recurrent_", "gru_recurrent."),
    ("img2.", "prior."),
    ("img3_mean.", "prior_mean."),
    ("img3_std.", "prior_std."),
    ("obs1.", "posterior."),
    ("obs2_mean.", "posterior_mean."),
    ("obs2_std.", "posterior_std."),
];

/// Keys of `dynamics.initialisers` in a manifest of format 1, each followed by the name of today of the constant it names.
const INITIALISERS: [(&str, &str); 5] = [
    ("input_kernel", "input.kernel"),
    ("gru_input_kernel", "gru_input.kernel"),
    ("gru_recurrent_kernel", "gru_recurrent.kernel"),
    ("prior_kernel", "prior.kernel"),
    ("mean_kernel", "prior_mean.kernel"),
];

/// Writes the bundle of format 1 in folder `old` into folder `new` (made if it does not exist) in the format of today.
/// Both may be the same folder. Load the bundle afterwards to check what its graphs compute.
///
/// # Errors
/// The bundle is of another format or damaged, has graphs that cannot be renamed without a loss, or `new` cannot be
/// written.
pub fn convert(old: &Path, new: &Path) -> Result<Manifest, BundleError> {
    let unusable = |reason: String| BundleError::Manifest {
        dir: old.to_path_buf(),
        reason,
    };
    let text = std::fs::read_to_string(old.join(MANIFEST_FILE))
        .map_err(|e| unusable(format!("cannot be read: {e}")))?;
    let mut table: Table = (text.parse()).map_err(|e| unusable(format!("is not valid: {e}")))?;
    let version = table.get("format_version").and_then(Value::as_integer);
    if version != Some(OLD_VERSION) {
        return Err(unusable(format!(
            "is of format {}, expected {OLD_VERSION}: there is nothing to convert",
            version.map_or("unknown".to_owned(), |version| version.to_string())
        )));
    }
    table.insert(
        "format_version".to_owned(),
        i64::from(FORMAT_VERSION).into(),
    );
    let dynamics = table.get_mut("dynamics").and_then(Value::as_table_mut);
    let initialisers = dynamics.and_then(|dynamics| dynamics.remove("initialisers"));
    let mut manifest: Manifest =
        (table.try_into()).map_err(|e| unusable(format!("is not valid: {e}")))?;

    manifest.converted_from = Some(manifest.sum());

    let mut mismatches = Vec::new();
    let mut files = contents::files(old, &manifest, &mut mismatches);
    let of_manifest: BTreeMap<String, &str> = INITIALISERS
        .iter()
        .filter_map(|(key, name)| {
            Some((initialisers.as_ref()?.get(key)?.as_str()?.to_owned(), *name))
        })
        .collect();
    for graph in Graph::ALL {
        let Some(bytes) = files.get_mut(graph.file()) else {
            continue;
        };
        match renamed(bytes, &of_manifest) {
            Ok(bytes_of_today) => *bytes = bytes_of_today,
            Err(reason) => mismatches.push(format!("{} {reason}", graph.file())),
        }
        contents::graph(graph, bytes, &manifest, &mut mismatches);
        if graph == Graph::Dynamics {
            contents::weights(bytes, &manifest, &mut mismatches);
        }
    }
    if !mismatches.is_empty() {
        return Err(BundleError::Refused {
            dir: old.to_path_buf(),
            mismatches,
        });
    }
    for (name, bytes) in &files {
        let sum = FileSum {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
        };
        manifest.files.insert((*name).to_owned(), sum);
    }
    write(new, &files, &manifest)?;
    Ok(manifest)
}

/// The graph with constants under their names of today.
fn renamed(bytes: &[u8], of_manifest: &BTreeMap<String, &str>) -> Result<Vec<u8>, String> {
    let mut model = ModelProto::decode(bytes).map_err(|e| format!("is not an ONNX file: {e}"))?;
    if model.encode_to_vec() != bytes {
        return Err(
            "has contents that this program does not know and would lose: export the bundle again"
                .to_owned(),
        );
    }
    let graph = model.graph.as_mut().ok_or("has no graph")?;
    let mut names = BTreeMap::new();
    for constant in &mut graph.initializer {
        let before = constant.name.clone();
        let by_exporter = NAMES
            .iter()
            .find_map(|(old, today)| Some(format!("{today}{}", before.strip_prefix(old)?)));
        let now = match of_manifest.get(&before) {
            Some(name) => Some((*name).to_owned()),
            None => by_exporter,
        };
        if let Some(now) = now {
            constant.name.clone_from(&now);
            names.insert(before, now);
        }
    }
    let mut all: Vec<&String> = (graph.initializer.iter().map(|c| &c.name))
        .chain(graph.node.iter().flat_map(|node| &node.output))
        .chain(graph.input.iter().map(|input| &input.name))
        .collect();
    all.sort_unstable();
    if let Some(twice) = all.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!(
            "has another value called {:?}: export the bundle again",
            twice[0]
        ));
    }
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(now) = names.get(input) {
            input.clone_from(now);
        }
    }
    Ok(model.encode_to_vec())
}

/// The manifest last: an interruption leaves sums that do not fit, which the loader refuses.
fn write(
    dir: &Path,
    files: &BTreeMap<&str, Vec<u8>>,
    manifest: &Manifest,
) -> Result<(), BundleError> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        for (name, bytes) in files {
            std::fs::write(dir.join(name), bytes)?;
        }
        write_manifest(dir, manifest)
    };
    write().map_err(|e| BundleError::Manifest {
        dir: dir.to_path_buf(),
        reason: format!("or a file beside it cannot be written: {e}"),
    })
}
