//! `latco-train eval-node`: success of planners on a robot over ROS, by its topics `episode` and `reward`.

mod drive;
mod recorded;

use std::path::PathBuf;
use std::process::ExitCode;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_evaluate::{Episode, Evaluation, Options, Promises, summarise};
use latco_trainer::progress::Progress;

use super::eval::print_table;
use super::shell::{OrBadInput, check_writable, print_json, stop_flag};
use drive::{Driver, Place};
use recorded::Recorded;

/// Arguments of `latco-train eval-node`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Robot configuration, of which the bundle is evaluated.
    #[arg(long, required_unless_present = "bag")]
    config: Option<PathBuf>,
    /// Planners; by default the one of the configuration.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    planner: Vec<PlannerKind>,
    /// Seeds of the planners and, with `--robot`, of the robot; the episodes of each come one after the other.
    #[arg(long, value_delimiter = ',', value_name = "LIST", default_value = "0")]
    seed: Vec<u64>,
    /// Episodes of each planner and seed.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    /// Command line that starts the robot anew for each planner and seed, in which `{seed}` and `{episodes}` are replaced, and that
    /// ends after its episodes. Without, the robot has to run already.
    #[arg(long, value_name = "COMMAND")]
    robot: Option<String>,
    /// Folder of the recordings and logs, one folder for each planner and seed.
    #[arg(long, default_value = "runs/eval-node")]
    out: PathBuf,
    /// The program `latco`, by default the one beside this program, else the one that the shell finds.
    #[arg(long, value_name = "PROGRAM")]
    latco: Option<PathBuf>,
    /// ROS domain of all processes; by default ROS_DOMAIN_ID, else 0.
    #[arg(long, value_name = "ID")]
    domain: Option<u16>,
    /// All processes talk on 127.0.0.1 only.
    #[arg(long)]
    localhost: bool,
    /// The controller's time is that of `/clock`, by which a robot may go slower than the wall clock.
    #[arg(long)]
    sim_time: bool,
    /// Longest time for each episode by the wall clock, s; a minute more is given for the start.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..86_400))]
    episode_limit_s: u64,
    /// Evaluate these recordings of `latco run` in place of a robot, each for itself.
    #[arg(long, num_args = 1.., conflicts_with_all = ["config", "planner", "robot", "out", "latco", "domain", "localhost", "sim_time"])]
    bag: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What came of the episodes of one planner.
struct Measured {
    evaluation: Evaluation,
    promises: Promises,
    bags: Vec<PathBuf>,
}

/// Drives the robot, or reads recordings.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let measured = match &args.config {
        None => (args.bag.iter())
            .map(|bag| measure(&[(0, bag.clone())], usize::MAX))
            .collect::<anyhow::Result<Vec<_>>>()?,
        Some(config) => drive_all(&args, config)?,
    };
    if args.json {
        let all = measured.iter().map(Measured::to_json);
        print_json(&serde_json::json!({ "evaluations": all.collect::<anyhow::Result<Vec<_>>>()? }));
    } else {
        measured.iter().for_each(Measured::print);
    }
    Ok(ExitCode::SUCCESS)
}

fn drive_all(args: &Args, file: &std::path::Path) -> anyhow::Result<Vec<Measured>> {
    let config = Config::load(file).or_bad_input()?;
    let planners = match &args.planner[..] {
        [] => vec![config.planner.kind],
        given => given.to_vec(),
    };
    check_writable(&args.out)?;
    let stop = stop_flag()?;
    let driver = Driver {
        latco: drive::program(args.latco.as_deref()),
        config: file.to_owned(),
        robot: args.robot.clone(),
        place: Place {
            domain: args.domain,
            is_local: args.localhost,
            has_clock: args.sim_time,
        },
        episodes: args.episodes,
        episode_limit_s: args.episode_limit_s,
        stop,
    };
    let mut progress = Progress::new("runs", (planners.len() * args.seed.len()) as u64);
    let mut measured = Vec::new();
    for kind in planners {
        let mut bags = Vec::new();
        for seed in &args.seed {
            let folder = args.out.join(format!("{}-{seed}", kind.name()));
            bags.push((*seed, driver.run(kind, *seed, &folder)?));
            progress.advance(1, kind.name());
        }
        measured.push(measure(&bags, args.episodes as usize)?);
    }
    progress.finish();
    Ok(measured)
}

/// Evaluates recordings of one planner, of each so many episodes at most; the seeds count up from the one beside it.
fn measure(bags: &[(u64, PathBuf)], episodes: usize) -> anyhow::Result<Measured> {
    let mut all: Vec<Episode> = Vec::new();
    // Of one robot and planner, so that the last recording tells of all what they have in common.
    let mut last = Recorded::default();
    for (seed, bag) in bags {
        let mut recorded = Recorded::read(bag)?;
        recorded.episodes.truncate(episodes);
        for (number, episode) in recorded.episodes.iter_mut().enumerate() {
            episode.seed = seed + number as u64;
        }
        all.append(&mut recorded.episodes);
        last = recorded;
    }
    let options = Options {
        task: last.task.clone(),
        episodes: u32::try_from(all.len()).unwrap_or(u32::MAX),
        seed: bags.first().map_or(0, |(seed, _)| *seed),
        expert: false,
        keep_out: None,
    };
    Ok(Measured {
        evaluation: summarise(&options, &last.task, &last.planner, &all),
        promises: Promises::of(&all, last.lead, last.horizon),
        bags: bags.iter().map(|(_, bag)| bag.clone()).collect(),
    })
}

impl Measured {
    fn to_json(&self) -> anyhow::Result<serde_json::Value> {
        let mut value = serde_json::to_value(&self.evaluation)?;
        value["calibration"] = serde_json::to_value(self.promises)?;
        value["bags"] = serde_json::to_value(&self.bags)?;
        Ok(value)
    }

    #[allow(clippy::print_stdout)]
    fn print(&self) {
        print_table(&self.evaluation, None);
        let Promises {
            plans,
            promised,
            paid,
        } = self.promises;
        match plans {
            0 => println!("promised, paid       no plan whose steps all lie in its episode"),
            _ => println!(
                "promised, paid       {promised:.2}, {paid:.2} on the mean of {plans} plans"
            ),
        }
        println!();
    }
}
