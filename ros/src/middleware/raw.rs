//! Topics as bytes: for recording and playing messages whose content is of no concern.
//!
//! A payload here is what a bag holds: the 4-byte CDR header (which byte order) and the CDR bytes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt, pin_mut};
use ros2_client::QosProfile;
use rustdds::dds::adapters::no_key::{
    Decode, DefaultDecoder, DeserializerAdapter, SerializerAdapter,
};
use rustdds::no_key::{DataWriter, SimpleDataReader};
use rustdds::{QosPolicies, RepresentationIdentifier};

use super::builder::NodeBuilder;
use super::error::NodeError;

/// Bytes on their way out: little-endian CDR without its header.
struct LittleEndianPayload(Bytes);

struct Adapter;

#[derive(Clone)]
struct Header;

impl Decode<'_, Bytes> for Header {
    type Error = Infallible;

    fn decode_bytes(
        self,
        input: &[u8],
        encoding: RepresentationIdentifier,
    ) -> Result<Bytes, Infallible> {
        let mut payload = BytesMut::with_capacity(input.len() + 4);
        payload.put_slice(&encoding.to_bytes());
        payload.put_slice(&[0, 0]);
        payload.put_slice(input);
        Ok(payload.freeze())
    }
}

impl DeserializerAdapter<Bytes> for Adapter {
    type Error = Infallible;
    type Decoded = Bytes;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        &[
            RepresentationIdentifier::CDR_LE,
            RepresentationIdentifier::CDR_BE,
        ]
    }

    fn transform_decoded(decoded: Bytes) -> Bytes {
        decoded
    }
}

impl DefaultDecoder<Bytes> for Adapter {
    type Decoder = Header;
    const DECODER: Header = Header;
}

impl SerializerAdapter<LittleEndianPayload> for Adapter {
    type Error = Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        RepresentationIdentifier::CDR_LE
    }

    fn to_bytes(value: &LittleEndianPayload) -> Result<Bytes, Infallible> {
        Ok(value.0.clone())
    }
}

/// A topic on which ready-made payloads are published.
pub struct RawPublisher {
    writer: DataWriter<LittleEndianPayload, Adapter>,
}

/// The reason why a payload was not published.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The first four bytes are not those of plain little-endian CDR.
    #[error("payload starts with {found:02x?}: expected the header 00 01 of little-endian CDR")]
    Encoding {
        /// The first bytes of the payload, at most four.
        found: Vec<u8>,
    },
    /// The middleware refused.
    #[error("publishing failed: {0}")]
    Middleware(String),
}

impl RawPublisher {
    /// Publishes a payload as it stands in a bag, header included.
    ///
    /// # Errors
    /// [`RawError`] when the payload is not plain little-endian CDR, or the middleware refuses it.
    pub fn publish(&self, payload: &[u8]) -> Result<(), RawError> {
        match payload {
            [0, 1, _, _, body @ ..] => self
                .writer
                .write(
                    LittleEndianPayload(Bytes::copy_from_slice(body)),
                    Some(rustdds::Timestamp::now()),
                )
                .map_err(|e| RawError::Middleware(e.to_string())),
            other => Err(RawError::Encoding {
                found: other.iter().take(4).copied().collect(),
            }),
        }
    }

    /// Waits until every reliable subscription has all that was published, for `limit` at most; returns
    /// whether they have. It returns at once for a best-effort topic.
    pub fn wait_for_acknowledgments(&self, limit: Duration) -> bool {
        matches!(self.writer.wait_for_acknowledgments(limit), Ok(true))
    }
}

impl NodeBuilder {
    /// Adds a topic on which ready-made payloads are published, from the caller's own thread.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn raw_publisher(
        &mut self,
        name: &str,
        ty: &str,
        qos: QosProfile,
    ) -> Result<RawPublisher, NodeError> {
        let topic = self.topic(name, ty, &qos)?;
        let failed = |e: &dyn std::fmt::Display| NodeError::Middleware {
            what: "publisher",
            name: name.into(),
            reason: e.to_string(),
        };
        let qos = QosPolicies::from(&qos);
        let participant = self.context.domain_participant();
        let publisher = participant.create_publisher(&qos).map_err(|e| failed(&e))?;
        let writer = publisher
            .create_datawriter_no_key(&topic, Some(qos))
            .map_err(|e| failed(&e))?;
        Ok(RawPublisher { writer })
    }

    /// Adds a topic to listen to without decoding. `handler` runs on the reactor thread with the payload,
    /// header included.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn subscribe_raw(
        &mut self,
        name: &str,
        ty: &str,
        qos: QosProfile,
        mut handler: impl FnMut(Bytes) + Send + 'static,
    ) -> Result<(), NodeError> {
        let topic = self.topic(name, ty, &qos)?;
        let failed = |e: &dyn std::fmt::Display| NodeError::Middleware {
            what: "subscription",
            name: name.into(),
            reason: e.to_string(),
        };
        let qos = QosPolicies::from(&qos);
        let participant = self.context.domain_participant();
        let subscriber = participant
            .create_subscriber(&qos)
            .map_err(|e| failed(&e))?;
        let reader: SimpleDataReader<Bytes, Adapter> = subscriber
            .create_simple_datareader_no_key(&topic, Some(qos))
            .map_err(|e| failed(&e))?;
        self.tasks.push(Box::new(move || {
            async move {
                let stream = reader.as_async_stream();
                pin_mut!(stream);
                while let Some(taken) = stream.next().await {
                    if let Ok(sample) = taken {
                        handler(sample.into_value());
                    }
                }
            }
            .boxed_local()
        }));
        Ok(())
    }
}
