//! `golden.postcard`: inputs of every graph and the outputs they must give.
//!
//! Written by the trainer from its own implementation of the model and compared at load with what the session in use
//! computes, so that a wrong export, library or device is found before a robot moves.
//!
//! ```
//! use latco_models::{Golden, Graph};
//!
//! let mut golden = Golden::default();
//! golden
//!     .case(Graph::Reward)
//!     .input_f32("state", &[2, 3], vec![0.0; 6])
//!     .output("reward", &[2], vec![0.5, 0.5]);
//! assert_eq!(golden.cases.len(), 1);
//! ```

use serde::{Deserialize, Serialize};

use crate::graph::Graph;

/// File name of the golden vectors in a bundle folder.
pub const GOLDEN_FILE: &str = "golden.postcard";

/// Largest allowed difference between an expected value e and the session's: `TOLERANCE * max(1, |e|)`.
pub const TOLERANCE: f32 = 1e-4;

/// Golden vectors of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The cases: any number per graph, at least one of each.
    pub cases: Vec<GoldenCase>,
}

/// One run of one graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenCase {
    /// The graph.
    pub graph: Graph,
    /// Tensors of all its inputs.
    pub inputs: Vec<GoldenTensor>,
    /// Tensors of its outputs.
    pub outputs: Vec<GoldenTensor>,
}

/// A named tensor, row-major; the first dimension is the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenTensor {
    /// Name of the graph's input or output.
    pub name: String,
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// Elements of the tensor.
    pub data: GoldenData,
}

/// Elements of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GoldenData {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// Bytes (camera images).
    U8(Vec<u8>),
}

impl GoldenData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::U8(data) => data.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Golden {
    /// Appends a case for `graph` and returns it to be filled.
    pub fn case(&mut self, graph: Graph) -> &mut GoldenCase {
        self.cases.push(GoldenCase {
            graph,
            inputs: Vec::new(),
            outputs: Vec::new(),
        });
        self.cases.last_mut().expect("a case was just pushed")
    }

    /// Reads golden vectors from the file's bytes.
    ///
    /// # Errors
    /// An error when the bytes are not golden vectors.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (golden, rest) = postcard::take_from_bytes(bytes)?;
        if rest.is_empty() {
            Ok(golden)
        } else {
            Err(postcard::Error::DeserializeBadEncoding)
        }
    }

    /// Converts the golden vectors to the file's bytes.
    ///
    /// # Errors
    /// No error for vectors in memory; the serialiser's error type is passed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }
}

impl GoldenCase {
    /// Adds an input of floats.
    pub fn input_f32(&mut self, name: &str, shape: &[usize], data: Vec<f32>) -> &mut Self {
        self.inputs.push(GoldenTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data: GoldenData::F32(data),
        });
        self
    }

    /// Adds an input of bytes.
    pub fn input_u8(&mut self, name: &str, shape: &[usize], data: Vec<u8>) -> &mut Self {
        self.inputs.push(GoldenTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data: GoldenData::U8(data),
        });
        self
    }

    /// Adds an expected output.
    pub fn output(&mut self, name: &str, shape: &[usize], data: Vec<f32>) -> &mut Self {
        self.outputs.push(GoldenTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data: GoldenData::F32(data),
        });
        self
    }

    /// The input of this name.
    pub fn find_input(&self, name: &str) -> Option<&GoldenTensor> {
        self.inputs.iter().find(|tensor| tensor.name == name)
    }

    /// The expected output of this name.
    pub fn find_output(&self, name: &str) -> Option<&GoldenTensor> {
        self.outputs.iter().find(|tensor| tensor.name == name)
    }
}
