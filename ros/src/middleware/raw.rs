//! Topics as bytes: for recording and playing messages whose content is of no concern.
//!
//! A payload here is what a bag holds: the 4-byte CDR header (which byte order) and the CDR bytes.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt, pin_mut};
use ros2_client::QosProfile;
use rustdds::dds::adapters::no_key::{
    Decode, DefaultDecoder, DeserializerAdapter, SerializerAdapter,
};
use rustdds::no_key::{DataWriter, SimpleDataReader};
use rustdds::{Publisher, QosPolicies, RepresentationIdentifier, Topic};

use super::builder::NodeBuilder;
use super::error::NodeError;

/// Bytes on their way out: CDR without its header, big-endian or not.
struct Payload<const BIG: bool>(Bytes);

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

impl<const BIG: bool> SerializerAdapter<Payload<BIG>> for Adapter {
    type Error = Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        match BIG {
            true => RepresentationIdentifier::CDR_BE,
            false => RepresentationIdentifier::CDR_LE,
        }
    }

    fn to_bytes(value: &Payload<BIG>) -> Result<Bytes, Infallible> {
        Ok(value.0.clone())
    }
}

/// A topic on which ready-made payloads are published. Most recordings have one byte order; the other's writer is made
/// when a payload needs it.
pub struct RawPublisher {
    publisher: Publisher,
    topic: Topic,
    qos: QosPolicies,
    little: OnceLock<DataWriter<Payload<false>, Adapter>>,
    big: OnceLock<DataWriter<Payload<true>, Adapter>>,
}

/// The reason why a payload was not published.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The first four bytes are not those of plain CDR.
    #[error("payload starts with {found:02x?}: expected the header 00 00 or 00 01 of plain CDR")]
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
    /// [`RawError`] when the payload is not plain CDR, or the middleware refuses it.
    pub fn publish(&self, payload: &[u8]) -> Result<(), RawError> {
        match payload {
            [0, 0, _, _, body @ ..] => self.write(&self.big, body),
            [0, 1, _, _, body @ ..] => self.write(&self.little, body),
            other => Err(RawError::Encoding {
                found: other.iter().take(4).copied().collect(),
            }),
        }
    }

    fn write<const BIG: bool>(
        &self,
        writer: &OnceLock<DataWriter<Payload<BIG>, Adapter>>,
        body: &[u8],
    ) -> Result<(), RawError> {
        let refused = |error: &dyn std::fmt::Display| RawError::Middleware(error.to_string());
        let writer = match writer.get() {
            Some(writer) => writer,
            None => {
                let made = (self.publisher)
                    .create_datawriter_no_key(&self.topic, Some(self.qos.clone()))
                    .map_err(|e| refused(&e))?;
                writer.get_or_init(|| made)
            }
        };
        let payload = Payload(Bytes::copy_from_slice(body));
        (writer.write(payload, Some(rustdds::Timestamp::now()))).map_err(|e| refused(&e))
    }

    /// Waits until every reliable subscription has all that was published, for `limit` at most; returns
    /// whether they have. It returns at once for a best-effort topic.
    pub fn wait_for_acknowledgments(&self, limit: Duration) -> bool {
        let has = |waited| matches!(waited, Some(Ok(true)) | None);
        let little = self.little.get().map(|w| w.wait_for_acknowledgments(limit));
        let big = self.big.get().map(|w| w.wait_for_acknowledgments(limit));
        has(little) && has(big)
    }
}

impl NodeBuilder {
    /// Adds a topic on which ready-made payloads are published, from the caller's own thread; `is_big_endian` says of
    /// which byte order the first ones are.
    ///
    /// # Errors
    /// [`NodeError`] for a wrong name or type.
    pub fn raw_publisher(
        &mut self,
        name: &str,
        ty: &str,
        qos: QosProfile,
        is_big_endian: bool,
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
        let (little, big) = (OnceLock::new(), OnceLock::new());
        let some = Some(qos.clone());
        if is_big_endian {
            let writer = publisher.create_datawriter_no_key(&topic, some);
            let _ = big.set(writer.map_err(|e| failed(&e))?);
        } else {
            let writer = publisher.create_datawriter_no_key(&topic, some);
            let _ = little.set(writer.map_err(|e| failed(&e))?);
        }
        Ok(RawPublisher {
            publisher,
            topic,
            qos,
            little,
            big,
        })
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
