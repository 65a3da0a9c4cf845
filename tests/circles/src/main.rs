//! `latco-circles`: fails where source files of the workspace import each other, and says which and by what names.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use latco_circles::{circles, imports};

fn main() -> Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .context("cargo metadata")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {said}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let workspace = PathBuf::from(metadata["workspace_root"].as_str().unwrap_or("."));

    let mut out = stdout().lock();
    let mut green = true;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        for target in package["targets"].as_array().into_iter().flatten() {
            let root = Path::new(target["src_path"].as_str().unwrap_or_default());
            let imports = imports(root)?;
            for circle in circles(&imports) {
                green = false;
                let short = |file: &Path| match file.strip_prefix(&workspace) {
                    Ok(inside) => inside.display().to_string(),
                    Err(_) => file.display().to_string(),
                };
                writeln!(out, "{name}: {} files in a circle", circle.len())?;
                for (i, file) in circle.iter().enumerate() {
                    let next = &circle[(i + 1) % circle.len()];
                    let names: Vec<&str> = imports[file][next].iter().map(String::as_str).collect();
                    writeln!(
                        out,
                        "  {} -> {} ({})",
                        short(file),
                        short(next),
                        names.join(", ")
                    )?;
                }
            }
        }
    }
    if !green {
        writeln!(
            out,
            "expected no two source files that import each other, directly or round about; move what both sides need into a \
             file of its own that imports neither"
        )?;
    }
    Ok(if green {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
