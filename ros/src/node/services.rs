//! `std_srvs/srv/Trigger` services.

use futures::{FutureExt, StreamExt};
use ros2_client::qos::{History, WhenFull};
use ros2_client::{Message, Name, Node, QosProfile, ServiceTypeName};
use serde::{Deserialize, Serialize};

use super::{NodeError, Services, Task};

/// Request of `std_srvs/srv/Trigger`. An empty structure has one byte on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TriggerRequest {
    structure_needs_at_least_one_member: u8,
}

/// Reply of `std_srvs/srv/Trigger`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerReply {
    /// Whether it was done.
    pub success: bool,
    /// What was done, or why not.
    pub message: String,
}

impl Message for TriggerRequest {}
impl Message for TriggerReply {}

fn qos() -> QosProfile {
    QosProfile::subscription_default()
        .reliability_reliable(WhenFull::Fail)
        .history(History::KeepLast { depth: 10 })
}

pub(super) fn serve(
    node: &mut Node,
    full: &Name,
    name: &str,
    mut handler: impl FnMut() -> TriggerReply + Send + 'static,
) -> Result<Task, NodeError> {
    let server = node
        .create_server::<TriggerRequest, TriggerReply>(
            Services::from_environment().mapping(),
            full,
            &ServiceTypeName::new("std_srvs", "Trigger"),
            qos(),
            qos(),
        )
        .map_err(|e| NodeError::Middleware {
            what: "service",
            name: name.into(),
            reason: e.to_string(),
        })?;
    let name = name.to_owned();
    Ok(Box::new(move || {
        async move {
            let mut requests = server.receive_request_stream();
            while let Some(request) = requests.next().await {
                match request {
                    Ok((id, _)) => {
                        let reply = handler();
                        tracing::info!(service = %name, success = reply.success, message = %reply.message, "service call");
                        if let Err(error) = server.async_send_response(id, reply).await {
                            tracing::warn!(service = %name, ?error, "no reply could be sent");
                        }
                    }
                    Err(error) => tracing::warn!(service = %name, %error, "request refused: not understood"),
                }
            }
        }
        .boxed_local()
    }))
}
