//! Services, and the types of `std_srvs/srv/Trigger`.

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

/// `handler` answers requests of the service type `package/srv/ty`.
pub(super) fn serve<Q, R>(
    node: &mut Node,
    full: &Name,
    name: &str,
    (package, ty): (&str, &str),
    mut handler: impl FnMut(Q) -> R + Send + 'static,
) -> Result<Task, NodeError>
where
    Q: Message + Clone + Send + 'static,
    R: Message + std::fmt::Debug + Send + 'static,
{
    let server = node
        .create_server::<Q, R>(
            Services::from_environment().mapping(),
            full,
            &ServiceTypeName::new(package, ty),
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
                    Ok((id, request)) => {
                        let reply = handler(request);
                        tracing::info!(service = %name, ?reply, "service call");
                        if let Err(error) = server.async_send_response(id, reply).await {
                            tracing::warn!(service = %name, ?error, "no reply could be sent");
                        }
                    }
                    Err(error) => {
                        tracing::warn!(service = %name, %error, "request refused: not understood")
                    }
                }
            }
        }
        .boxed_local()
    }))
}
