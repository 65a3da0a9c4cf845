//! `latco report`: the page of a run.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output::{print_json, print_line};
use crate::report::{ReportOptions, bag_in, write};

/// Write one HTML file that explains a recorded run: what was seen, imagined, done, when and why
///
/// The bag needs the camera's topic and the controller's journal, as `latco record` and `latco demo` record them. The run
/// is repeated from them, so a run that was recorded long ago can be looked into as well. The file needs nothing else:
/// open it in any browser.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// A bag, or the folder of a demonstration
    #[arg(value_name = "BAG")]
    bag: PathBuf,
    /// Folder of the bundle [default: where it was then]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// The journal's topic, if there are several in the bag
    #[arg(long, value_name = "NAME")]
    journal: Option<String>,
    /// The file [default: report.html beside the bag]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(super) fn run(self) -> Result<(), Failure> {
        let bag = bag_in(&self.bag);
        let beside = || {
            let folder = bag.parent().map(PathBuf::from).unwrap_or_default();
            folder.join("report.html")
        };
        let options = ReportOptions {
            out: self.out.unwrap_or_else(beside),
            bag,
            journal: self.journal,
            bundle: self.bundle,
        };
        let written = write(&options).map_err(Failure::usage)?;
        if self.json {
            print_json(&written)
        } else {
            print_line(&format!(
                "{}: {:.1} MB, {} images, {} plans",
                written.file.display(),
                written.bytes as f64 * 1e-6,
                written.images,
                written.plans
            ))
        }
    }
}
