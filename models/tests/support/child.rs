//! What tests of this crate run in a process of its own, since a process loads one ONNX Runtime only:
//! `models-child load BUNDLE PROVIDERS` says on what a bundle works, or why on nothing;
//! `models-child run BUNDLE GRAPH RUNS` runs a graph of a bundle so often.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use latco_models::{Bundle, LoadOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["load", bundle, providers] => load(Path::new(bundle), providers),
        ["run", bundle, graph, runs] => run(Path::new(bundle), graph, runs.parse()?),
        _ => Err("expected: load BUNDLE PROVIDERS, or run BUNDLE GRAPH RUNS".into()),
    }
}

fn load(bundle: &Path, providers: &str) -> Result<(), Box<dyn Error>> {
    let options = LoadOptions {
        providers: providers.parse()?,
        ..LoadOptions::default()
    };
    let said = match Bundle::load(bundle, &options) {
        Ok(bundle) => format!("works on {}", bundle.provider()),
        Err(error) => error.to_string(),
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

fn run(bundle: &Path, graph: &str, runs: usize) -> Result<(), Box<dyn Error>> {
    let bundle = Bundle::load(bundle, &LoadOptions::default())?;
    let horizon = bundle.manifest().dims.horizon;
    let mut observe = bundle.observe(1)?;
    let mut dynamics = bundle.dynamics(horizon)?;
    let mut reward = bundle.reward(horizon)?;
    let mut rollout = bundle.rollout(1)?;
    let mut decode = bundle.decode(1)?;
    for _ in 0..runs {
        match graph {
            "observe" => observe.run()?,
            "dynamics" => dynamics.run()?,
            "reward" => reward.run()?,
            "rollout" => rollout.run()?,
            "decode" => decode.run()?,
            other => return Err(format!("there is no graph {other}").into()),
        }
    }
    Ok(())
}
