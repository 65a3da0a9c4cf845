//! Prints what is known of a bundle: `cargo run --release -p latco-models --example bundle -- DIR`.
#![allow(clippy::print_stdout)]

use latco_models::{BenchOptions, Bundle, LoadOptions, bench, report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: bundle DIR")?;
    let check = report::check(dir.as_ref(), &LoadOptions::default())?;
    println!("{}", serde_json::to_string(&check)?);
    let bundle = Bundle::load(&dir, &LoadOptions::default())?;
    let options = BenchOptions {
        runs: 2000,
        ..BenchOptions::default()
    };
    println!("{}", serde_json::to_string(&bench(&bundle, &options)?)?);
    Ok(())
}
