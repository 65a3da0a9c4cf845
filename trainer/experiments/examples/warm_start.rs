//! `warm_start BUNDLE TASK EPISODES OUT [BUDGETS]`: the experiment without the trainer's
//! dependencies; prints the Markdown table.

use std::ops::ControlFlow;

use latco_experiments::warm_start::{Options, run};
use latco_models::Bundle;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, task, episodes, out, rest @ ..] = &arguments[..] else {
        return Err("usage: warm_start BUNDLE TASK EPISODES OUT [BUDGETS, as 1,5,20]".into());
    };
    let mut options = Options::new(task, out, false);
    options.episodes = episodes.parse()?;
    if let Some(budgets) = rest.first() {
        options.budgets = budgets
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
    }
    let bundle = Bundle::load(bundle, &Default::default())?;
    run(&bundle, &options, |_| ControlFlow::Continue(()))?;
    println!(
        "{}",
        std::fs::read_to_string(options.out.join("warm_start.md"))?
    );
    Ok(())
}
