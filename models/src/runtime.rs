//! Finding and loading the ONNX Runtime library, once per process.
//!
//! Places, in this order: the file named by the environment variable `ORT_DYLIB_PATH`; `libonnxruntime.so` beside the
//! executable; `.cache/onnxruntime/cpu/libonnxruntime.so` in the working folder or one above it (where
//! `make onnxruntime` puts it). A variable that is set is final: a wrong path is an error, not a reason to search on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;

use crate::error::RuntimeError;

const LIBRARY: &str = "libonnxruntime.so";
const CACHE: &str = ".cache/onnxruntime/cpu/libonnxruntime.so";

struct Loaded {
    environment: Environment,
    path: PathBuf,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();

/// Loads the library if this has not happened yet.
///
/// # Errors
/// [`RuntimeError`] when the library is missing or unusable; the message says what to do. Callers end with
/// exit status 2.
pub fn load() -> Result<(), RuntimeError> {
    environment().map(|_| ())
}

/// Path of the loaded library, if [`load`] has succeeded.
pub fn library_path() -> Option<&'static Path> {
    LOADED.get().map(|loaded| loaded.path.as_path())
}

/// Version and build options of the loaded library.
///
/// # Errors
/// [`RuntimeError`], as of [`load`].
pub fn build_info() -> Result<String, RuntimeError> {
    environment()?;
    Ok(ort::info().to_owned())
}

pub(crate) fn environment() -> Result<&'static Environment, RuntimeError> {
    if let Some(loaded) = LOADED.get() {
        return Ok(&loaded.environment);
    }
    let executable = std::env::current_exe().ok();
    let path = find(
        std::env::var_os("ORT_DYLIB_PATH"),
        executable.as_deref().and_then(Path::parent),
        std::env::current_dir().ok().as_deref(),
    )?;
    let unusable = |reason: String| RuntimeError::Unusable {
        path: path.clone(),
        reason,
    };
    let environment = ort::init_from(&path)
        .map_err(|e| unusable(format!("{e:?}")))?
        .with_telemetry(false)
        .build()
        .map_err(|e| unusable(e.to_string()))?;
    Ok(&LOADED
        .get_or_init(|| Loaded { environment, path })
        .environment)
}

/// The first place that holds a file; a variable that is set is the only place.
fn find(
    variable: Option<OsString>,
    beside: Option<&Path>,
    working: Option<&Path>,
) -> Result<PathBuf, RuntimeError> {
    let mut looked_at = Vec::new();
    match variable.filter(|value| !value.is_empty()) {
        Some(value) => {
            // Relative paths would be resolved beside the executable by the loader.
            let value = PathBuf::from(value);
            looked_at.push(working.map_or(value.clone(), |folder| folder.join(value)));
        }
        None => {
            looked_at.extend(beside.map(|folder| folder.join(LIBRARY)));
            looked_at.extend(
                working
                    .into_iter()
                    .flat_map(Path::ancestors)
                    .map(|folder| folder.join(CACHE)),
            );
        }
    }
    match looked_at.iter().position(|path| path.is_file()) {
        Some(index) => Ok(looked_at.swap_remove(index)),
        None => Err(RuntimeError::Missing { looked_at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_library_says_what_to_run() {
        let error = find(
            Some("/nonexistent/libonnxruntime.so".into()),
            None,
            Some(Path::new("/")),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the ONNX Runtime library is missing: looked at /nonexistent/libonnxruntime.so; run `make onnxruntime`, \
             or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.22 or newer"
        );
    }

    #[test]
    fn the_library_is_looked_for_in_the_documented_order() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        let cached = folder.path().join(CACHE);
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(cached.parent().unwrap()).unwrap();
        let beside = folder.path().join("bin");
        std::fs::create_dir_all(&beside).unwrap();
        let found = find(None, Some(&beside), Some(&deep));
        assert!(matches!(found, Err(RuntimeError::Missing { .. })));

        std::fs::write(&cached, b"x").unwrap();
        assert_eq!(find(None, Some(&beside), Some(&deep)), Ok(cached.clone()));
        std::fs::write(beside.join(LIBRARY), b"x").unwrap();
        assert_eq!(
            find(None, Some(&beside), Some(&deep)),
            Ok(beside.join(LIBRARY))
        );
        // A variable that is set wins, and an empty one counts as not set.
        assert_eq!(
            find(Some(cached.clone().into()), Some(&beside), Some(&deep)),
            Ok(cached)
        );
        assert_eq!(
            find(Some("".into()), Some(&beside), Some(&deep)),
            Ok(beside.join(LIBRARY))
        );
    }
}
