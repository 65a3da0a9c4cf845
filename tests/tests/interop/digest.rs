//! Digests of messages, the same as those of `digest.py`: a hash over all fields in a plain order.

use std::fmt::Write;

use latco_bag::messages::{
    CompressedImage, Header, Image, JointState, JointTrajectory, RosMessage,
};
use sha2::{Digest as _, Sha256};

/// A message that peers exchange.
pub trait Hashed: RosMessage {
    fn header(&self) -> &Header;
    fn fields(&self, hash: &mut Fields);

    /// The first 16 hexadecimal digits of the SHA-256 of all fields.
    fn digest(&self) -> String {
        let mut fields = Fields(Sha256::new());
        let stamp = &self.header().stamp;
        fields.add(&stamp.sec.to_le_bytes());
        fields.add(&stamp.nanosec.to_le_bytes());
        fields.text(&self.header().frame_id);
        self.fields(&mut fields);
        let mut text = String::new();
        for byte in &fields.0.finalize()[..8] {
            write!(text, "{byte:02x}").unwrap();
        }
        text
    }
}

pub struct Fields(Sha256);

impl Fields {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn number(&mut self, value: u32) {
        self.add(&value.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(u32::try_from(length).unwrap());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.add(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.length(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn floats(&mut self, values: &[f64]) {
        self.length(values.len());
        for value in values {
            self.add(&value.to_le_bytes());
        }
    }
}

impl Hashed for Image {
    fn header(&self) -> &Header {
        &self.header
    }

    fn fields(&self, hash: &mut Fields) {
        hash.number(self.height);
        hash.number(self.width);
        hash.text(&self.encoding);
        hash.add(&[self.is_bigendian]);
        hash.number(self.step);
        hash.bytes(&self.data);
    }
}

impl Hashed for CompressedImage {
    fn header(&self) -> &Header {
        &self.header
    }

    fn fields(&self, hash: &mut Fields) {
        hash.text(&self.format);
        hash.bytes(&self.data);
    }
}

impl Hashed for JointState {
    fn header(&self) -> &Header {
        &self.header
    }

    fn fields(&self, hash: &mut Fields) {
        hash.texts(&self.name);
        hash.floats(&self.position);
        hash.floats(&self.velocity);
        hash.floats(&self.effort);
    }
}

impl Hashed for JointTrajectory {
    fn header(&self) -> &Header {
        &self.header
    }

    fn fields(&self, hash: &mut Fields) {
        hash.texts(&self.joint_names);
        hash.length(self.points.len());
        for point in &self.points {
            hash.floats(&point.positions);
            hash.floats(&point.velocities);
            hash.floats(&point.accelerations);
            hash.floats(&point.effort);
            hash.add(&point.time_from_start.sec.to_le_bytes());
            hash.add(&point.time_from_start.nanosec.to_le_bytes());
        }
    }
}
