//! One ONNX Runtime session with fixed shapes and all its buffers made once.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use ort::memory::Allocator;
use ort::session::{
    HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue, SessionInputs,
};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};

use crate::engine_cache::EngineCache;
use crate::error::{BundleError, RunError};
use crate::graph::{Element, Graph, Port};
use crate::manifest::Manifest;
use crate::options::Execution;
use crate::provider::Provider;
use crate::run_limit::RunLimit;
use crate::runtime;

/// A session of one graph for one batch size.
///
/// # Real-time
/// [`BoundSession::run`] makes no Rust heap allocation (ONNX Runtime itself makes some small ones) and does not block: the
/// session has one thread, the caller's. Its time is that of the graph's arithmetic.
pub(crate) struct BoundSession {
    graph: Graph,
    session: Session,
    inputs: Vec<SessionInputValue<'static>>,
    options: RunOptions<HasSelectedOutputs>,
    /// Handles to the preallocated outputs inside `options`.
    outputs: Vec<DynValue>,
    setup_times: SetupTimes,
}

/// The time that it took to make a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SetupTimes {
    /// Time to read and optimise the graph; with TensorRT, to build or load the engine.
    pub(crate) load: Duration,
    /// Time of the runs before its first use.
    pub(crate) warm_up: Duration,
}

impl BoundSession {
    /// Makes the session and runs it on zeros, so that later runs find everything allocated, chosen and built.
    /// `bytes` are the contents of the graph's file.
    pub(crate) fn new(
        graph: Graph,
        bytes: &[u8],
        manifest: &Manifest,
        batch: usize,
        execution: &Execution,
        limit: &RunLimit,
    ) -> Result<Self, BundleError> {
        let environment = runtime::environment()?;
        Self::build(graph, bytes, manifest, batch, execution, limit, environment).map_err(
            |reason| BundleError::Session {
                graph,
                provider: execution.provider(),
                reason,
            },
        )
    }

    fn build(
        graph: Graph,
        bytes: &[u8],
        manifest: &Manifest,
        batch: usize,
        execution: &Execution,
        limit: &RunLimit,
        environment: &ort::environment::Environment,
    ) -> Result<Self, String> {
        if batch == 0 {
            return Err("batch size 0".to_owned());
        }
        let began = Instant::now();
        let builder = Session::builder(environment).map_err(|e| e.to_string())?;
        let mut builder = execution
            .configure(builder, &EngineCache::prefix(graph.name(), batch))?
            .with_dimension_override(
                graph.batch_name(),
                i64::try_from(batch).map_err(|e| e.to_string())?,
            )
            .map_err(|e| e.to_string())?;
        let is_built = execution.provider() == Provider::TensorRt;
        let mut session = limit.try_commit(&mut builder, bytes, is_built)?;
        let load = began.elapsed();

        let (expected_inputs, expected_outputs) = (graph.inputs(manifest), graph.outputs(manifest));
        let same = |expected: &[Port], found: &[ort::value::Outlet]| {
            expected
                .iter()
                .map(|p| p.name)
                .eq(found.iter().map(|o| o.name()))
        };
        if !same(&expected_inputs, session.inputs()) || !same(&expected_outputs, session.outputs())
        {
            return Err("inputs or outputs differ from those of the manifest".to_owned());
        }

        let inputs = expected_inputs
            .iter()
            .map(|port| zeros(port, batch).map(SessionInputValue::Owned))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.to_string())?;
        let mut selector = OutputSelector::default();
        for port in &expected_outputs {
            selector =
                selector.preallocate(port.name, zeros(port, batch).map_err(|e| e.to_string())?);
        }
        let options = RunOptions::new()
            .map_err(|e| e.to_string())?
            .with_outputs(selector);

        let began = Instant::now();
        limit.try_run(&mut session, &inputs)?;
        let outputs = {
            let mut first = session
                .run_with_options(SessionInputs::<0>::ValueSlice(&inputs), &options)
                .map_err(|e| e.to_string())?;
            expected_outputs
                .iter()
                .map(|port| {
                    first
                        .remove(port.name)
                        .ok_or_else(|| format!("output {:?} is missing", port.name))
                })
                .collect::<Result<Vec<_>, _>>()?
        };
        for (port, value) in expected_outputs.iter().zip(&outputs) {
            let (shape, _) = value
                .try_extract_tensor::<f32>()
                .map_err(|e| format!("output {:?}: {e}", port.name))?;
            if !shape.iter().copied().eq(shape_of(port, batch)) {
                return Err(format!("output {:?} has shape {shape:?}", port.name));
            }
        }
        let mut bound = Self {
            graph,
            session,
            inputs,
            options,
            outputs,
            setup_times: SetupTimes::default(),
        };
        for _ in 1..execution.warm_up_runs() {
            bound.run().map_err(|e| e.reason)?;
        }
        bound.setup_times = SetupTimes {
            load,
            warm_up: began.elapsed(),
        };
        Ok(bound)
    }

    /// The time that it took to make the session.
    pub(crate) fn setup_times(&self) -> SetupTimes {
        self.setup_times
    }

    /// The buffer of the input at this position, to be written before [`BoundSession::run`]. Its elements are those of the
    /// graph's port, `f32` or `u8`.
    pub(crate) fn input<T: PrimitiveTensorElementType + Debug>(
        &mut self,
        index: usize,
    ) -> &mut [T] {
        let SessionInputValue::Owned(value) = &mut self.inputs[index] else {
            unreachable!("inputs are made as owned tensors");
        };
        let (_, buffer) =
            (value.try_extract_tensor_mut()).expect("the input was made of this type on the CPU");
        buffer
    }

    /// Runs the graph on the contents of the input buffers.
    pub(crate) fn run(&mut self) -> Result<(), RunError> {
        let values = SessionInputs::<0>::ValueSlice(&self.inputs);
        match self.session.run_with_options(values, &self.options) {
            Ok(_) => Ok(()),
            Err(error) => Err(RunError {
                graph: self.graph,
                reason: error.to_string(),
            }),
        }
    }

    /// The output at this position, as the last [`BoundSession::run`] left it.
    pub(crate) fn output(&self, index: usize) -> &[f32] {
        self.outputs[index]
            .try_extract_tensor()
            .expect("the output was made as f32 on the CPU")
            .1
    }
}

fn shape_of(port: &Port, batch: usize) -> impl Iterator<Item = i64> + '_ {
    std::iter::once(batch)
        .chain(port.shape.iter().copied())
        .map(|d| d as i64)
}

fn zeros(port: &Port, batch: usize) -> ort::Result<DynValue> {
    let shape: Vec<i64> = shape_of(port, batch).collect();
    let allocator = Allocator::default();
    match port.element {
        Element::F32 => filled::<f32>(&allocator, shape),
        Element::U8 => filled::<u8>(&allocator, shape),
    }
}

fn filled<T: PrimitiveTensorElementType + Clone + Default + Debug>(
    allocator: &Allocator,
    shape: Vec<i64>,
) -> ort::Result<DynValue> {
    let mut tensor = Tensor::<T>::new(allocator, shape)?;
    tensor.extract_tensor_mut().1.fill(T::default());
    Ok(tensor.into_dyn())
}
