//! Folders of the workspace.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.ancestors().nth(2).unwrap_or(crate_root)
}

/// The target folder that the running test was built into.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    // target/PROFILE/deps/TEST
    own.ancestors()
        .nth(3)
        .map_or_else(|| workspace().join("target"), Path::to_owned)
}

/// A folder under the target folder that stays between runs.
pub fn scratch() -> PathBuf {
    target().join("tmp")
}

/// A path as an argument of a program.
///
/// # Panics
/// When it is not UTF-8.
pub fn text(path: &Path) -> &str {
    path.to_str()
        .unwrap_or_else(|| panic!("{} is not UTF-8", path.display()))
}
