//! The controller's journal on `~/journal`.

use latco_bag::messages::UInt8MultiArray;
use latco_controller::Config;
use latco_controller::journal::{self, JournalReader};
use latco_models::Bundle;

use crate::middleware::{NodeBuilder, Outbox, qos};

/// The name of the topic.
pub const TOPIC: &str = "~/journal";
/// Number of records that may wait for the middleware.
const QUEUE: usize = 64;

/// Publisher of what the planner thread noted.
pub(super) struct JournalTopic {
    reader: JournalReader,
    outbox: Outbox<UInt8MultiArray>,
    /// Header record, published before every step in which the core forgot everything.
    header: Vec<u8>,
}

impl JournalTopic {
    /// Makes the topic for a controller with this configuration and bundle.
    ///
    /// # Errors
    /// The error of a topic that cannot be made.
    pub(super) fn new(
        node: &mut NodeBuilder,
        config: &Config,
        bundle: &Bundle,
    ) -> anyhow::Result<impl FnOnce(JournalReader) -> Self + use<>> {
        let outbox = node.publisher::<UInt8MultiArray>(TOPIC, qos::commands(), QUEUE)?;
        let header = journal::encode_header(&journal::Header::new(config, bundle)?)?;
        Ok(move |reader| Self {
            reader,
            outbox,
            header,
        })
    }

    /// Publishes all steps that are waiting.
    pub(super) fn publish(&mut self) {
        let Self {
            reader,
            outbox,
            header,
        } = self;
        let send = |data: Vec<u8>| {
            outbox.send(UInt8MultiArray {
                data,
                ..UInt8MultiArray::default()
            });
        };
        reader.drain(|step| {
            if step.has_reset() {
                send(header.clone());
            }
            match journal::encode_step(step) {
                Ok(bytes) => send(bytes),
                Err(error) => tracing::error!(%error, "a step is missing from the journal"),
            }
        });
    }
}
