//! RSSM weights to ONNX graphs and bundles
