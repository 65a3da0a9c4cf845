//! What the sessions of a bundle are made of.

use std::collections::BTreeMap;

use crate::error::BundleError;
use crate::factors::DynamicsWeights;
use crate::graph::Graph;
use crate::manifest::Manifest;
use crate::options::Execution;
use crate::run_limit::RunLimit;
use crate::session::BoundSession;

/// The graphs of a bundle and the provider that computes them.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// Where and how the graphs are computed.
    pub(crate) execution: Execution,
    /// Contents of the files of the graphs.
    pub(crate) graphs: BTreeMap<Graph, Vec<u8>>,
    /// Constant weights of the dynamics, of [`crate::DynamicsKind::GruFactors`].
    pub(crate) weights: Option<DynamicsWeights>,
    /// How long the making of a session and its first run may take.
    pub(crate) limit: RunLimit,
}

impl Sessions {
    /// A session of a graph for a batch size.
    ///
    /// # Errors
    /// ONNX Runtime's reason.
    pub(crate) fn bound(&self, graph: Graph, batch: usize) -> Result<BoundSession, BundleError> {
        let bytes = self.bytes(graph);
        BoundSession::new(
            graph,
            bytes,
            &self.manifest,
            batch,
            &self.execution,
            &self.limit,
        )
    }

    /// Contents of the file of a graph.
    pub(crate) fn bytes(&self, graph: Graph) -> &[u8] {
        self.graphs
            .get(&graph)
            .expect("all graphs were read before the bundle was accepted")
    }
}
