//! `evaluate BUNDLE TASK EPISODES SEED [CONFIG]`: closed-loop success without the trainer's
//! dependencies; prints one JSON object.

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_evaluate::{Options, evaluate};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, task, episodes, seed, rest @ ..] = &arguments[..] else {
        return Err("usage: evaluate BUNDLE TASK EPISODES SEED [CONFIG]".into());
    };
    let mut config = Config::default();
    if let Some(path) = rest.first() {
        config = Config::load(Path::new(path))?;
    }
    let bundle = latco_models::Bundle::load(bundle, &Default::default())?;
    let options = Options {
        task: task.clone(),
        episodes: episodes.parse()?,
        seed: seed.parse()?,
        expert: true,
    };
    let evaluation = evaluate(&bundle, &config, &options, |_| ControlFlow::Continue(()))?;
    println!("{}", serde_json::to_string(&evaluation)?);
    Ok(())
}
