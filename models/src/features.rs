//! What the encoder makes of an image: the part of `observe` before anything else is known.

use std::collections::BTreeSet;

use ort::session::Session;
use ort::value::Tensor;
use prost::Message;

use crate::error::{BundleError, RunError};
use crate::graph::Graph;
use crate::manifest::Manifest;
use crate::onnx::{
    GraphProto, ModelProto, NodeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use crate::options::Execution;
use crate::runtime;

/// Kernel of the layer that takes the image features together with everything else.
const POSTERIOR_KERNEL: &str = "posterior.kernel";
/// Name of the input.
const IMAGE: &str = "image";

/// A session of the encoder alone, on the CPU, for any number of images. Not for the control path: it allocates.
pub struct Features {
    session: Session,
    pixels: usize,
    size: [i64; 3],
}

impl Features {
    /// Cuts the encoder out of an `observe` graph.
    pub(crate) fn new(observe: &[u8], manifest: &Manifest) -> Result<Self, BundleError> {
        let made = || -> Result<Session, String> {
            let encoder = encoder(observe)?;
            let environment = runtime::environment().map_err(|e| e.to_string())?;
            let builder = Session::builder(environment).map_err(|e| e.to_string())?;
            Execution::Cpu
                .configure(builder, "")?
                .commit_from_memory(&encoder)
                .map_err(|e| e.to_string())
        };
        let session = made().map_err(|reason| BundleError::Session {
            graph: Graph::Observe,
            provider: crate::Provider::Cpu,
            reason,
        })?;
        let (height, width) = (manifest.image.height, manifest.image.width);
        Ok(Self {
            session,
            pixels: height * width * 3,
            size: [height as i64, width as i64, 3],
        })
    }

    /// Features of raw RGB images `[N, height, width, 3]`, `[N, f]`.
    ///
    /// # Errors
    /// ONNX Runtime's reason, also if the bytes are not whole images.
    pub fn run(&mut self, images: &[u8]) -> Result<Vec<f32>, RunError> {
        let failed = |error: ort::Error| RunError {
            graph: Graph::Observe,
            reason: error.to_string(),
        };
        let [height, width, channels] = self.size;
        let count = (images.len() / self.pixels) as i64;
        let shape = [count, height, width, channels];
        let input = Tensor::from_array((shape, images.to_vec())).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(failed)?;
        let (_, features) = outputs[0].try_extract_tensor::<f32>().map_err(failed)?;
        Ok(features.to_vec())
    }
}

/// The nodes of an `observe` graph up to the image features, as a model of its own.
fn encoder(observe: &[u8]) -> Result<Vec<u8>, String> {
    let mut model =
        ModelProto::decode(observe).map_err(|e| format!("observe is not an ONNX file: {e}"))?;
    let graph = model.graph.take().unwrap_or_default();
    let writes = |name: &str| -> Option<&NodeProto> {
        let mut nodes = graph.node.iter();
        nodes.find(|node| node.output.iter().any(|output| output == name))
    };
    let known = "the encoder cannot be told from the rest of observe";
    let posterior = (graph.node.iter())
        .find(|node| node.input.iter().any(|input| input == POSTERIOR_KERNEL))
        .ok_or_else(|| format!("{known}: no layer has the kernel {POSTERIOR_KERNEL}"))?;
    let joined = (posterior.input.first().and_then(|name| writes(name)))
        .ok_or_else(|| format!("{known}: nothing feeds the layer of {POSTERIOR_KERNEL}"))?;
    // Everything that is joined and depends on the image alone.
    let features = (joined.input.iter())
        .find(|name| {
            let leaves = ancestors(&graph, name).1;
            leaves.len() == 1 && leaves.contains(IMAGE)
        })
        .ok_or_else(|| format!("{known}: no input of it depends on the image alone"))?
        .clone();

    let (kept, _) = ancestors(&graph, &features);
    let node: Vec<NodeProto> = (graph.node.iter().enumerate())
        .filter(|(index, _)| kept.contains(index))
        .map(|(_, node)| node.clone())
        .collect();
    let read: BTreeSet<&String> = node.iter().flat_map(|node| &node.input).collect();
    let encoder = GraphProto {
        name: "encoder".to_owned(),
        initializer: (graph.initializer.iter())
            .filter(|tensor| read.contains(&tensor.name))
            .cloned()
            .collect(),
        input: (graph.input.iter())
            .filter(|input| input.name == IMAGE)
            .cloned()
            .collect(),
        output: vec![ValueInfoProto {
            name: features,
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: data_type::FLOAT,
                    shape: None,
                }),
            }),
        }],
        node,
        ..GraphProto::default()
    };
    model.graph = Some(encoder);
    Ok(model.encode_to_vec())
}

/// Indices of the nodes that a value depends on, and the inputs of the graph among its leaves.
fn ancestors(graph: &GraphProto, value: &str) -> (BTreeSet<usize>, BTreeSet<String>) {
    let (mut nodes, mut inputs) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![value.to_owned()];
    while let Some(name) = open.pop() {
        let writer = (graph.node.iter()).position(|node| node.output.contains(&name));
        match writer {
            Some(index) if nodes.insert(index) => {
                open.extend(graph.node[index].input.iter().cloned());
            }
            Some(_) => {}
            None if graph.input.iter().any(|input| input.name == name) => {
                inputs.insert(name);
            }
            None => {}
        }
    }
    (nodes, inputs)
}
