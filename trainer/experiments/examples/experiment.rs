//! `experiment NAME BUNDLES CONFIGS OUT TASK[,TASK...] COUNT`: an experiment without the trainer's
//! dependencies; COUNT are episodes (tables, warm-start), plans (curves), or places along a side
//! (reward-map). Its files are in OUT.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use latco_controller::Config;
use latco_experiments::figures::{film, optimisation, reward_map};
use latco_experiments::tables::{self, Setting, Table};
use latco_experiments::{Progress, warm_start};
use latco_models::Bundle;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, bundles, configs, out, tasks, count] = &arguments[..] else {
        return Err("usage: experiment NAME BUNDLES CONFIGS OUT TASKS COUNT".into());
    };
    let (bundles, configs, out) = (Path::new(bundles), Path::new(configs), PathBuf::from(out));
    let tasks: Vec<String> = tasks.split(',').map(str::to_owned).collect();
    let count: u32 = count.parse()?;
    let task = tasks[0].clone();
    let bundle = || Bundle::load(bundles.join(&task), &Default::default());
    let config = || Config::load(&configs.join(format!("{task}.toml")));
    let told = &mut |progress: &Progress| {
        eprintln!("{}/{} {}", progress.done, progress.total, progress.cell);
        ControlFlow::Continue(())
    };
    match name.as_str() {
        "curves" => {
            let options = optimisation::Options {
                tasks,
                bundles: bundles.to_path_buf(),
                configs: configs.to_path_buf(),
                iterations: 100,
                plans: count,
                seed: 0,
                out,
                part: None,
            };
            optimisation::Optimisation::new(options)?.run(told)?;
        }
        "film-strip" => {
            let options = film::Options {
                config: config()?,
                planners: film::PLANNERS.to_vec(),
                iterations: film::ITERATIONS.to_vec(),
                samples: 1000,
                seed: u64::from(count),
                task: task.clone(),
                out,
            };
            film::run(&bundle()?, &options, told)?;
        }
        "reward-map" => {
            let options = reward_map::Options {
                task: task.clone(),
                grid: count as usize,
                seed: 0,
                out,
            };
            reward_map::run(&bundle()?, &options)?;
        }
        "warm-start" => {
            let mut options = warm_start::Options::new(&task, out, true);
            (options.episodes, options.config) = (count, config()?);
            warm_start::run(&bundle()?, &options, told)?;
        }
        name => {
            let all = [
                Table::Planners,
                Table::Ablations,
                Table::Difficulty,
                Table::Lottery,
            ];
            let table = all.into_iter().find(|table| table.name() == name);
            let options = tables::Options {
                table: table.ok_or("no such experiment")?,
                settings: vec![Setting::EqualTime],
                tasks,
                bundles: bundles.to_path_buf(),
                configs: configs.to_path_buf(),
                equal_ms: 30.0,
                episodes: count,
                seed: 0,
                out,
                part: None,
            };
            let grid = options.grid()?;
            grid.run(told, |cells| options.report(cells))?;
        }
    }
    Ok(())
}
