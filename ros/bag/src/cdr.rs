//! CDR, the encoding of ROS 2 messages: a 4-byte encapsulation header, then the fields.

use byteorder::{BigEndian, LittleEndian};

use crate::messages::RosMessage;

/// Encapsulation header of little-endian plain CDR.
const LITTLE_ENDIAN_HEADER: [u8; 4] = [0, 1, 0, 0];

/// Bytes that are not the message they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CdrError {
    /// The message is too short, or its encapsulation is not plain CDR.
    #[error(
        "{type_name}: expected an encapsulation header 00 00 (big endian) or 00 01 (little \
         endian) and two more bytes, found {found:02x?}; the data is not plain CDR"
    )]
    Encapsulation {
        /// Expected message type.
        type_name: &'static str,
        /// The first bytes that were found.
        found: Vec<u8>,
    },
    /// The fields of the message do not decode.
    #[error(
        "{type_name}: {bytes} bytes do not decode ({detail}); \
         the message is damaged or of another type"
    )]
    Fields {
        /// Expected message type.
        type_name: &'static str,
        /// Length of the message in bytes.
        bytes: usize,
        /// The decoder's description of the fault.
        detail: String,
    },
    /// The message cannot be encoded.
    #[error("{type_name} does not encode: {detail}")]
    Encode {
        /// Message type.
        type_name: &'static str,
        /// The encoder's description of the fault.
        detail: String,
    },
}

/// Encodes a message as little-endian CDR with its encapsulation header.
///
/// # Errors
/// [`CdrError::Encode`] when a length does not fit 32 bits.
pub fn encode<M: RosMessage>(message: &M) -> Result<Vec<u8>, CdrError> {
    let mut bytes = Vec::new();
    encode_into(message, &mut bytes)?;
    Ok(bytes)
}

/// Like [`encode`], into a buffer that is cleared first, so that its memory is reused.
///
/// # Errors
/// [`CdrError::Encode`] when a length does not fit 32 bits.
pub fn encode_into<M: RosMessage>(message: &M, bytes: &mut Vec<u8>) -> Result<(), CdrError> {
    bytes.clear();
    bytes.extend_from_slice(&LITTLE_ENDIAN_HEADER);
    cdr_encoding::to_writer::<M, LittleEndian, _>(&mut *bytes, message).map_err(|error| {
        CdrError::Encode {
            type_name: M::TYPE,
            detail: error.to_string(),
        }
    })
}

/// Decodes a message from CDR of either byte order.
///
/// # Errors
/// [`CdrError::Encapsulation`] and [`CdrError::Fields`]; never panics on any bytes.
pub fn decode<M: RosMessage>(bytes: &[u8]) -> Result<M, CdrError> {
    let encapsulation = || CdrError::Encapsulation {
        type_name: M::TYPE,
        found: bytes[..bytes.len().min(4)].to_vec(),
    };
    let (header, fields) = bytes.split_at_checked(4).ok_or_else(encapsulation)?;
    let decoded = match header[..2] {
        [0, 0] => cdr_encoding::from_bytes::<M, BigEndian>(fields),
        [0, 1] => cdr_encoding::from_bytes::<M, LittleEndian>(fields),
        _ => return Err(encapsulation()),
    };
    match decoded {
        Ok((message, _)) => Ok(message),
        Err(error) => Err(CdrError::Fields {
            type_name: M::TYPE,
            bytes: bytes.len(),
            detail: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Float64, Header, Image, JointState, StringMessage};

    fn joint_state() -> JointState {
        JointState {
            header: Header::new(1_500_000_000, "base"),
            name: vec!["a".into(), "bc".into()],
            position: vec![0.25, -1.0],
            velocity: vec![],
            effort: vec![3.0],
        }
    }

    #[test]
    fn encoded_bytes_are_those_of_the_cdr_standard() {
        let bytes = encode(&StringMessage { data: "hi".into() }).unwrap();
        assert_eq!(bytes, [0, 1, 0, 0, 3, 0, 0, 0, b'h', b'i', 0]);
        // Alignment counts from after the header: the f64 starts at 0.
        let bytes = encode(&Float64 { data: 1.0 }).unwrap();
        assert_eq!(bytes, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(
            decode::<Float64>(&[0, 0, 0, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]).unwrap(),
            Float64 { data: 1.0 }
        );
    }

    #[test]
    fn messages_survive_a_round_trip() {
        let message = joint_state();
        assert_eq!(
            decode::<JointState>(&encode(&message).unwrap()).unwrap(),
            message
        );
        let image = Image::rgb8(Header::new(7, "camera"), 2, 1, vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(decode::<Image>(&encode(&image).unwrap()).unwrap(), image);
    }

    #[test]
    fn damaged_bytes_are_errors_not_panics() {
        let bytes = encode(&joint_state()).unwrap();
        for length in 0..bytes.len() {
            assert!(decode::<JointState>(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = decode::<JointState>(&damaged);
                let _ = decode::<Image>(&damaged);
            }
        }
        let error = decode::<JointState>(&[9, 9, 9, 9, 0]).unwrap_err();
        assert!(matches!(error, CdrError::Encapsulation { .. }), "{error}");
    }
}
