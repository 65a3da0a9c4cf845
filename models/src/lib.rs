//! Model bundles: manifest, verification and ONNX Runtime sessions with bound buffers
