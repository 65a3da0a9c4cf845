//! Services of any type, answered at once or later, and `std_srvs/srv/Trigger`.

use std::future::Future;

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};
use ros2_client::qos::{History, WhenFull};
use ros2_client::{Message, Name, Node, QosProfile, ServiceTypeName};
use serde::{Deserialize, Serialize};

use super::error::NodeError;
use super::network::Services;

/// A subscription or service, to be run on the reactor thread.
pub(super) type Task = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// The request of services that ask nothing. An empty structure has one byte on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EmptyRequest {
    structure_needs_at_least_one_member: u8,
}

/// Request of `std_srvs/srv/Trigger`.
pub type TriggerRequest = EmptyRequest;

/// Reply of `std_srvs/srv/Trigger`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerReply {
    /// Whether the request was carried out.
    pub success: bool,
    /// What was done, or why not.
    pub message: String,
}

impl Message for EmptyRequest {}
impl Message for TriggerReply {}

fn qos() -> QosProfile {
    QosProfile::subscription_default()
        .reliability_reliable(WhenFull::Fail)
        .history(History::KeepLast { depth: 10 })
}

/// Adds a service whose handler answers with a future; requests that come while one is being answered do not
/// have to wait.
pub(super) fn serve<Q, A, F>(
    node: &mut Node,
    full: &Name,
    name: &str,
    ty: (&str, &str),
    mut handler: impl FnMut(Q) -> F + Send + 'static,
) -> Result<Task, NodeError>
where
    Q: Message + Clone + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = A> + 'static,
{
    let server = node
        .create_server::<Q, A>(
            Services::from_environment().mapping(),
            full,
            &ServiceTypeName::new(ty.0, ty.1),
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
            let mut answers = FuturesUnordered::new();
            loop {
                let (id, answer) = select! {
                    request = requests.next() => match request {
                        Some(Ok((id, request))) => {
                            let answer = handler(request);
                            answers.push(async move { (id, answer.await) });
                            continue;
                        }
                        Some(Err(error)) => {
                            tracing::warn!(service = %name, %error, "request refused: not understood");
                            continue;
                        }
                        None => break,
                    },
                    answered = answers.select_next_some() => answered,
                };
                if let Err(error) = server.async_send_response(id, answer).await {
                    tracing::warn!(service = %name, ?error, "no reply could be sent");
                }
            }
        }
        .boxed_local()
    }))
}
