//! The page of a run: one HTML file that explains what the controller saw, planned and did, from a bag alone.
//!
//! ```text
//! seen      the journal is repeated, and every image and plan is kept as it passes
//! heard     commands, states of the node, episode marks and rewards are read from the bag
//! strips    frames, imagined plans and iterates are decoded and compressed, within a budget of bytes
//! planners  other planners plan for some of the images again
//! page      everything as one file: no picture, script or font is fetched from elsewhere
//! ```

mod answers;
mod episodes;
mod heard;
mod page;
mod planners;
mod rows;
mod seen;
mod strips;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::replay::Journal;

/// Options of a report.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// The bag.
    pub bag: PathBuf,
    /// The journal's topic, where there are several in the bag.
    pub journal: Option<String>,
    /// Folder of the bundle; without it the one where it was then.
    pub bundle: Option<PathBuf>,
    /// The file to write.
    pub out: PathBuf,
}

/// The figures of a report, as `--json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Number of images that were repeated.
    pub images: usize,
    /// Number of plans that are shown with their pictures.
    pub plans_shown: usize,
    /// Number of plans.
    pub plans: usize,
    /// Number of plans whose single iterations are shown.
    pub plans_by_iteration: usize,
    /// Number of images that could not be repeated.
    pub skipped: u64,
}

/// Writes the page of the run that is recorded in a bag.
///
/// # Errors
/// An error when the bag has no journal, the bundle is another one, or the page cannot be written.
pub fn write(options: &ReportOptions) -> anyhow::Result<Written> {
    let journal = Journal::open(&options.bag, options.journal.as_deref())?;
    let (config, bundle) = journal.setting(options.bundle.as_deref(), |_| {})?;
    let (seen, skipped) = seen::look(&journal, &config, &bundle)?;
    anyhow::ensure!(
        !seen.is_empty(),
        "{}: expected images after a reset of the controller, found none to report on ({skipped} without one)",
        options.bag.display()
    );
    let heard = heard::listen(&options.bag)?;
    let strips = strips::draw(&seen, &config, &bundle)?;
    let planners = planners::compare(&seen, &config, &bundle)?;
    let page = page::Page {
        bag: &options.bag,
        config: &config,
        bundle: &bundle,
        seen: &seen,
        heard: &heard,
        strips: &strips,
        planners: &planners,
        skipped,
    };
    let text = page.render()?;
    write_file(&options.out, &text)?;
    Ok(Written {
        file: options.out.clone(),
        bytes: text.len() as u64,
        images: seen.len(),
        plans_shown: strips.plans.iter().flatten().count(),
        plans: seen.iter().filter(|s| s.plan.is_some()).count(),
        plans_by_iteration: strips.iterates.len(),
        skipped,
    })
}

/// Finds the bag in what a user names: a bag, or a folder of `latco demo` that has one.
#[must_use]
pub fn bag_in(path: &Path) -> PathBuf {
    let inside = path.join("bag");
    if path.is_dir() && !path.join("metadata.yaml").is_file() && inside.is_dir() {
        inside
    } else {
        path.to_path_buf()
    }
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    use anyhow::Context as _;
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing the report {}", path.display()))
}
