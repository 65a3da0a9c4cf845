//! `latco-circles`: fails where source files of the workspace import each other, and says which and by what names.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use latco_circles::{circles, files_in_circles, imports};

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
    let allowed = allowed(&workspace.join("tests/circles/allowed.txt"))?;

    let mut out = stdout().lock();
    let mut green = true;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let mut count = 0;
        for target in package["targets"].as_array().into_iter().flatten() {
            let root = Path::new(target["src_path"].as_str().unwrap_or_default());
            let imports = imports(root)?;
            count += files_in_circles(&imports);
            for circle in circles(&imports) {
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
        let most = allowed.get(name).copied().unwrap_or(0);
        if count > most {
            green = false;
            writeln!(
                out,
                "{name}: expected at most {most} files in circles, found {count}; move what both sides need into a file of \
                 its own that imports neither"
            )?;
        } else if count < most {
            writeln!(
                out,
                "{name}: {count} files in circles are left; lower the {most} in tests/circles/allowed.txt"
            )?;
        }
    }
    Ok(if green {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many files in circles each package still may have: lines of a package and a number.
fn allowed(list: &Path) -> Result<BTreeMap<String, usize>> {
    let Ok(text) = fs::read_to_string(list) else {
        return Ok(BTreeMap::new());
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (package, most) = line
                .split_once(' ')
                .with_context(|| format!("expected a package and a number, found {line:?}"))?;
            Ok((package.to_owned(), most.trim().parse()?))
        })
        .collect()
}
