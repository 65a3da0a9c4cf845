//! A Python with the packages of `tests/python/requirements.txt`.

// Tests share it, each using a part.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Python, or none after a line that says why the test skips; with `CI=true` that is a failure.
pub fn python_or_skip() -> Option<PathBuf> {
    // Tests run at the same time; one of them makes it.
    static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(python);
    match &*PYTHON {
        Ok(python) => Some(python.clone()),
        Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("no Python with `rosbags`, which CI must have: {why}")
        }
        Err(why) => {
            skip_line(&format!("skipped: no Python with `rosbags`: {why}"));
            None
        }
    }
}

/// Python with the packages of `tests/python/requirements.txt`, or why there is none.
fn python() -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os("LATCO_PYTHON") {
        return Ok(PathBuf::from(python));
    }
    let requirements = scripts().join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rosbags-venv");
    let python = folder.join("bin/python3");
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && python.exists() {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements))?;
    std::fs::write(&installed, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

/// The folder of the scripts.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Standard output of a command that succeeds, or all that it said.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "{command:?} ended with {}:\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

/// The folder of the PyPI package `rosbags` 0.9.11, the last that wrote version 5 of the format; none where it cannot be
/// had. What it needs, `python` has.
pub fn old_rosbags(python: &Path) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rosbags-0.9.11");
    if !folder.join("rosbags/rosbag2").is_dir() {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&folder)
            .arg("rosbags==0.9.11");
        if let Err(why) = run(&mut pip) {
            assert!(std::env::var("CI").is_err(), "no rosbags 0.9.11: {why}");
            skip_line(&format!("skipped: no rosbags 0.9.11: {why}"));
            return None;
        }
    }
    Some(folder)
}

/// Says that a test skips, past the capture of the test harness.
fn skip_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
