//! The parameters behind their six services, and `/parameter_events`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::{Receiver, bounded};
use ros2_client::parameters::raw;
use ros2_client::rcl_interfaces::{
    DescribeParametersRequest, DescribeParametersResponse, GetParameterTypesRequest,
    GetParameterTypesResponse, GetParametersRequest, GetParametersResponse, ListParametersRequest,
    ListParametersResponse, ListParametersResult, SetParametersAtomicallyResponse,
    SetParametersRequest, SetParametersResponse,
};

use super::messages::{ParameterEvent, descriptor, from_message, to_message};
use super::store::Parameters;
use crate::managed::lifecycle::Lifecycle;
use crate::managed::parameters::Value;
use crate::middleware::{NodeBuilder, NodeError, Outbox, qos, stamp};

const PACKAGE: &str = "rcl_interfaces";

/// The parameters, shared between the services and the manager.
pub(crate) struct SharedParameters {
    values: Mutex<Parameters>,
}

impl SharedParameters {
    /// The parameters as they are now.
    pub(crate) fn now(&self) -> Parameters {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Parameters> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the services to a node; the receiver hears of values that take effect at once.
    ///
    /// # Errors
    /// The error of a name that is remapped to an invalid one.
    pub(crate) fn serve(
        node: &mut NodeBuilder,
        parameters: Parameters,
        lifecycle: &Arc<Lifecycle>,
    ) -> Result<(Arc<Self>, Receiver<()>), NodeError> {
        let shared = Arc::new(Self {
            values: Mutex::new(parameters),
        });
        let (live, live_changes) = bounded(1);
        let setter = Setter {
            shared: shared.clone(),
            lifecycle: lifecycle.clone(),
            node: node.node().fully_qualified_name(),
            events: node.publisher("/parameter_events", qos::commands(), 16)?,
            live,
        };

        let own = shared.clone();
        let ty = (PACKAGE, "GetParameters");
        node.serve(
            "~/get_parameters",
            ty,
            move |request: GetParametersRequest| {
                let own = own.lock();
                let value = |name: &String| to_message(&own.get(name).unwrap_or_default());
                GetParametersResponse {
                    values: request.names.iter().map(value).collect(),
                }
            },
        )?;
        let own = shared.clone();
        let ty = (PACKAGE, "GetParameterTypes");
        node.serve(
            "~/get_parameter_types",
            ty,
            move |request: GetParameterTypesRequest| {
                let own = own.lock();
                let kind = |name: &String| own.get(name).unwrap_or_default().kind() as u8;
                GetParameterTypesResponse {
                    values: request.names.iter().map(kind).collect(),
                }
            },
        )?;
        let ty = (PACKAGE, "ListParameters");
        node.serve("~/list_parameters", ty, |request: ListParametersRequest| {
            let (names, prefixes) = Parameters::list(&request.prefixes, request.depth);
            ListParametersResponse {
                result: ListParametersResult { names, prefixes },
            }
        })?;
        let ty = (PACKAGE, "DescribeParameters");
        node.serve(
            "~/describe_parameters",
            ty,
            |request: DescribeParametersRequest| {
                let describe = |name: &String| descriptor(name, Parameters::declaration(name));
                DescribeParametersResponse {
                    values: request.names.iter().map(describe).collect(),
                }
            },
        )?;
        let own = setter.clone();
        let ty = (PACKAGE, "SetParameters");
        node.serve(
            "~/set_parameters",
            ty,
            move |request: SetParametersRequest| {
                let one_by_one = request.parameter.into_iter().map(|one| own.set(vec![one]));
                SetParametersResponse {
                    results: one_by_one.collect(),
                }
            },
        )?;
        let ty = (PACKAGE, "SetParametersAtomically");
        node.serve(
            "~/set_parameters_atomically",
            ty,
            move |request: SetParametersRequest| SetParametersAtomicallyResponse {
                result: setter.set(request.parameter),
            },
        )?;
        Ok((shared, live_changes))
    }
}

#[derive(Clone)]
struct Setter {
    shared: Arc<SharedParameters>,
    lifecycle: Arc<Lifecycle>,
    node: String,
    events: Outbox<ParameterEvent>,
    live: crossbeam::channel::Sender<()>,
}

impl Setter {
    /// Sets all of the parameters, or none.
    fn set(&self, wanted: Vec<raw::Parameter>) -> raw::SetParametersResult {
        let wanted: Vec<(String, Value)> = wanted
            .into_iter()
            .map(|one| (one.name, from_message(one.value)))
            .collect();
        let state = self.lifecycle.state();
        match self.shared.lock().set(&wanted, state) {
            Ok(changed) => {
                for (name, value) in &changed.values {
                    tracing::info!("parameter {name} = {value}");
                }
                let now = stamp::now_ns();
                self.events
                    .send(ParameterEvent::changed(&self.node, &changed.values, now));
                if changed.live {
                    // A full channel means that the manager is about to look.
                    let _ = self.live.try_send(());
                }
                raw::SetParametersResult {
                    successful: true,
                    reason: String::new(),
                }
            }
            Err(refused) => {
                tracing::warn!("parameters not set: {refused}");
                raw::SetParametersResult {
                    successful: false,
                    reason: refused.to_string(),
                }
            }
        }
    }
}
