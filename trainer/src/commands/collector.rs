//! `latco-train collector`: collects for an online run, on this machine or another.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use latco_trainer::online::{Exchange, collect};

use super::shell::{BadInput, OrBadInput};

/// Arguments of `latco-train collector`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Exchange folder of an online run (`latco-train online --exchange`).
    #[arg(long)]
    exchange: PathBuf,
    /// Name of this collector, part of the names of its episodes; another for every machine.
    #[arg(long)]
    name: String,
    /// Folder for what is not handed over yet; by default one in the system's temporary folder.
    #[arg(long)]
    work: Option<PathBuf>,
    /// End when standard input is closed (for a parent process).
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Collects until the run ends.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if args.name.is_empty() || !args.name.chars().all(allowed) {
        return Err(BadInput::new(format!(
            "--name: expected letters, digits, - and _, found {:?}",
            args.name
        )));
    }
    let exchange = Exchange::open(&args.exchange).or_bad_input()?;
    let stop = super::shell::stop_flag()?;
    if args.until_stdin_closes {
        let stop: Arc<AtomicBool> = stop.clone();
        std::thread::Builder::new()
            .name("parent".to_owned())
            .spawn(move || {
                let mut input = std::io::stdin();
                // Ends with the parent, however that ends.
                while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
                stop.store(true, Ordering::Relaxed);
            })
            .context("starting a thread")?;
    }
    let (work, _temporary) = match args.work {
        Some(work) => (work, None),
        None => {
            let folder =
                std::env::temp_dir().join(format!("latco-collector-{}", std::process::id()));
            (folder.clone(), Some(Temporary(folder)))
        }
    };
    std::fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    let done = collect(&exchange, &args.name, &work, &stop)?;
    tracing::info!("collector {}: {done} episodes handed over", args.name);
    Ok(ExitCode::SUCCESS)
}

/// A folder that is removed at the end.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing in it is needed; the system clears it otherwise.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
