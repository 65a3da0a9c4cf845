//! The options by which a simulated robot has faults.

use std::path::PathBuf;

use clap::Args;
use latco_faults::{Faults, FaultsError, Target};

/// What goes wrong with camera and joint states from the first command on. After a value may stand how long, and from when:
/// 0.2:3s@5s.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults (docs/faults.md)")]
pub(super) struct FaultArgs {
    /// Lose this share of the images; 0.2:3s@5s: for 3 s, from 5 s on
    #[arg(long, value_name = "SHARE[:FOR][@FROM]")]
    drop_frames: Option<String>,
    /// Publish images so many ms late
    #[arg(long, value_name = "MS[:FOR][@FROM]")]
    delay_ms: Option<String>,
    /// Let the picture stand still for so long, with new stamps
    #[arg(long, value_name = "FOR[@FROM]")]
    freeze_image: Option<String>,
    /// Cover this share of the picture, in its middle
    #[arg(long, value_name = "SHARE[:FOR][@FROM]")]
    occlude: Option<String>,
    /// Put a NaN into this share of the joint states
    #[arg(long, value_name = "SHARE[:FOR][@FROM]")]
    nan_joints: Option<String>,
    /// Inject the faults of this file as well
    #[arg(long, value_name = "FILE")]
    inject: Option<PathBuf>,
}

impl FaultArgs {
    /// The faults that are asked for; their random numbers come from `seed` unless the file has seeds of its own.
    ///
    /// # Errors
    /// [`FaultsError`] for wrong values, and for faults of what a robot does not have.
    pub(super) fn faults(&self, seed: u64) -> Result<Faults, FaultsError> {
        let mut faults = Faults::default();
        for (option, name, text) in [
            ("drop-frames", "drop_frames", &self.drop_frames),
            ("delay-ms", "delay_frames", &self.delay_ms),
            ("occlude", "occlude_image", &self.occlude),
            ("nan-joints", "nan_joints", &self.nan_joints),
        ] {
            if let Some(text) = text {
                faults.add(option, name, text)?;
            }
        }
        if let Some(text) = &self.freeze_image {
            faults.add_lasting("freeze-image", "freeze_image", text)?;
        }
        faults.set_seed(seed);
        if let Some(file) = &self.inject {
            faults.0.extend(Faults::load(file)?.0);
        }
        let where_else = "not of a simulated robot, which has camera and joint states; give it to latco run --inject";
        faults.only(&[Target::Camera, Target::Joints], where_else)?;
        if !faults.0.is_empty() {
            tracing::warn!(faults = faults.0.len(), "faults are injected on purpose");
        }
        Ok(faults)
    }
}
