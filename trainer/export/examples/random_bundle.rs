//! Writes a bundle with random weights: `cargo run --release -p latco-export --example random_bundle -- --out DIR`.
//!
//! For benchmarks and for sizing hardware before a model is trained.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use latco_export::{Family, RandomSpec, write_random_bundle};

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    /// PlaNet's sizes with convolutions.
    Planet,
    /// The small keypoint model.
    Keypoint,
}

/// Writes a bundle with random weights.
#[derive(Parser)]
struct Arguments {
    /// Folder of the bundle.
    #[arg(long)]
    out: PathBuf,
    /// Encoder, decoder and the sizes that are not given.
    #[arg(long, value_enum, default_value = "planet")]
    preset: Preset,
    /// Seed of the weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stochastic part of the state.
    #[arg(long)]
    stoch: Option<usize>,
    /// Deterministic part of the state.
    #[arg(long)]
    deter: Option<usize>,
    /// Width of the dense layers.
    #[arg(long)]
    hidden: Option<usize>,
    /// Width of the reward head's layers.
    #[arg(long)]
    units: Option<usize>,
    /// Actions.
    #[arg(long)]
    action: Option<usize>,
    /// Horizon.
    #[arg(long)]
    horizon: Option<usize>,
    /// Side of the image, pixels.
    #[arg(long)]
    image: Option<usize>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let preset = match arguments.preset {
        Preset::Planet => RandomSpec::planet(),
        Preset::Keypoint => RandomSpec::keypoint(),
    };
    let action = arguments.action.unwrap_or(preset.action);
    let spec = RandomSpec {
        stoch: arguments.stoch.unwrap_or(preset.stoch),
        deter: arguments.deter.unwrap_or(preset.deter),
        hidden: arguments.hidden.unwrap_or(preset.hidden),
        units: arguments.units.or(arguments.hidden).unwrap_or(preset.units),
        action,
        horizon: arguments.horizon.unwrap_or(preset.horizon),
        image: arguments.image.unwrap_or(preset.image),
        joints: match preset.family {
            Family::Conv => 0,
            Family::Keypoint => action,
        },
        ..preset
    };
    write_random_bundle(&arguments.out, &spec, arguments.seed)?;
    Ok(())
}
