//! The controller's journal on `~/journal`.

use latco_bag::messages::UInt8MultiArray;
use latco_controller::Config;
use latco_controller::journal::{ChainWriter, Header, JournalReader};
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
    /// Published before every step in which the core forgot everything.
    header: Header,
    chain: ChainWriter,
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
        let header = Header::new(config, bundle)?;
        Ok(move |reader| Self {
            reader,
            outbox,
            header,
            chain: ChainWriter::default(),
        })
    }

    /// Publishes all steps that are waiting.
    pub(super) fn publish(&mut self) {
        let Self {
            reader,
            outbox,
            header,
            chain,
        } = self;
        reader.drain(|step| {
            let header = step.has_reset().then(|| chain.header(header));
            for record in header.into_iter().chain([chain.step(step)]) {
                match record {
                    Ok(data) => {
                        outbox.send(UInt8MultiArray {
                            data,
                            ..UInt8MultiArray::default()
                        });
                    }
                    Err(error) => tracing::error!(%error, "a record is missing from the journal"),
                }
            }
        });
    }
}
