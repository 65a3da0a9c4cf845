//! How a bundle is loaded.

use std::path::PathBuf;

use crate::provider::Providers;
use crate::run_limit::RunLimit;
use crate::signature::TrustedKeys;

/// How to load a bundle.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where the graphs are computed; the golden vectors are run there too. The first of the list that works is used.
    pub providers: Providers,
    /// Folder under which TensorRT's engines are kept; by default `latco/tensorrt` in the user's cache folder.
    pub engine_cache: Option<PathBuf>,
    /// Joint names, in order, that the caller's robot has; a bundle with other joints is refused.
    pub expect_joints: Option<Vec<String>>,
    /// Keys whose signatures are accepted; without any a bundle need not be signed.
    pub trusted_keys: TrustedKeys,
    /// How long the graphs may take when they are run for the first time.
    pub limit: RunLimit,
}
