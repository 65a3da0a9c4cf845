//! Predicted and true reward by the place of what the task is about (figure 12 of the paper).
//!
//! For every place of a grid the robot is put there, the model looks at the still picture a few times
//! from nothing, and the reward of its belief is read.

use std::path::PathBuf;

use latco_envs::tabletop::TIP;
use latco_envs::tasks::lottery::HEAD;
use latco_envs::{EVALUATION_SEED, Robot};
use latco_evaluate::check_fit;
use latco_models::Bundle;
use latco_pictures::{HeatMaps, Map};

use crate::options::Common;
use crate::table::{Table, Value, count, fixed, text};
use crate::{ExperimentError, write_file};

/// What is put everywhere on the table; where something has to be touched before, what.
const THINGS: [(&str, &str, Option<&str>); 5] = [
    ("reach", TIP, None),
    ("key", TIP, Some("button")),
    ("push", "puck", None),
    ("stick", "puck", None),
    ("lottery", HEAD, None),
];
/// The table is seen from -1 to 1 in both directions, m.
const TABLE: std::ops::Range<f64> = -1.0..1.0;
/// Number of looks at each still picture.
const LOOKS: usize = 3;
/// Number of states that are looked at together.
const ROWS: usize = 32;

/// Arguments of `latco-train experiment reward-map`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What all experiments take; its seed is the evaluation episode of which everything else is left as it is.
    #[command(flatten)]
    pub common: Common,
    /// Simulated task; the paper's is Pushing.
    #[arg(long, default_value = "push")]
    pub task: String,
    /// Folder of the model bundle [default: models/bundles/TASK].
    #[arg(long)]
    pub bundle: Option<PathBuf>,
    /// Places along each side of the table [default: 50, quick 25].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub grid: Option<u32>,
}

/// Rewards over the table in one situation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewards {
    /// The situation in words.
    pub situation: String,
    /// Predicted and true reward, row by row from the lowest y; none out of reach.
    pub values: Vec<Option<(f64, f64)>>,
}

impl Rewards {
    /// Means of the prediction where the true reward is (more than 0.5) and where it is not, and how
    /// many places these are.
    #[must_use]
    pub fn means(&self) -> ((f64, usize), (f64, usize)) {
        let of = |rewarded: bool| {
            let all = self.values.iter().flatten();
            let these = all.filter(|(_, truth)| (*truth > 0.5) == rewarded);
            let (sum, count) = these.fold((0.0, 0), |(sum, n), (predicted, _)| {
                (sum + predicted, n + 1)
            });
            (sum / f64::from(count.max(1)), count as usize)
        };
        (of(true), of(false))
    }
}

/// Measures, and writes `reward_map.png`, `.csv` and `.md`.
///
/// # Errors
/// [`ExperimentError::NoMap`] for a task without one, and others.
pub fn run(args: &Args) -> Result<Vec<Rewards>, ExperimentError> {
    let Args { common, task, .. } = args;
    let grid = common.or(args.grid, 25, 50) as usize;
    let usual = PathBuf::from("models/bundles").join(task);
    let bundle = &Bundle::load(args.bundle.as_ref().unwrap_or(&usual), &Default::default())?;
    let mut robot = latco_envs::make(task, bundle.manifest().image.width)?;
    check_fit(bundle, robot.as_ref())?;
    let Some((_, thing, before)) = THINGS.iter().find(|(known, ..)| *known == *task) else {
        return Err(ExperimentError::NoMap {
            task: task.clone(),
            known: THINGS.map(|(task, ..)| task).join(", "),
        });
    };
    let mut look = Look::new(bundle)?;
    let mut all = Vec::new();
    for touched in [None, *before] {
        if touched.is_none() && !all.is_empty() {
            continue;
        }
        let situation = match (touched, before) {
            (Some(first), _) => format!("{thing} moved, {first} touched before"),
            (None, Some(first)) => format!("{thing} moved, {first} not touched"),
            (None, None) => format!("{thing} moved"),
        };
        let mut values = Vec::new();
        for place in places(grid) {
            robot.reset(EVALUATION_SEED + common.seed);
            if let Some(first) = touched {
                let objects = robot.objects();
                if let Some(object) = objects.iter().find(|object| object.name == first) {
                    robot.put(TIP, object.place);
                }
            }
            values.push(match robot.put(thing, place) {
                true => Some(look.add(robot.as_ref())?),
                false => None,
            });
        }
        let predicted = look.finish()?;
        all.push(Rewards {
            situation,
            values: (values.iter())
                .map(|value| value.map(|(number, truth)| (predicted[number], truth)))
                .collect(),
        });
    }
    robot.reset(EVALUATION_SEED + common.seed);
    write(bundle, (args, grid), robot.as_ref(), thing, &all)?;
    Ok(all)
}

/// Middles of the cells of the grid, row by row from the lowest.
fn places(grid: usize) -> impl Iterator<Item = [f64; 2]> {
    let middle =
        move |k: usize| TABLE.start + (TABLE.end - TABLE.start) * (k as f64 + 0.5) / grid as f64;
    (0..grid * grid).map(move |k| [middle(k % grid), middle(k / grid)])
}

/// Still pictures through the model, many at once.
struct Look<'a> {
    bundle: &'a Bundle,
    observe: latco_models::Observe,
    reward: latco_models::Reward,
    /// Number of robots that were added and not looked at yet.
    waiting: usize,
    predicted: Vec<f64>,
}

impl<'a> Look<'a> {
    fn new(bundle: &'a Bundle) -> Result<Self, ExperimentError> {
        Ok(Self {
            observe: bundle.observe(ROWS)?,
            reward: bundle.reward(ROWS)?,
            bundle,
            waiting: 0,
            predicted: Vec::new(),
        })
    }

    /// Adds a robot as it stands; gives the number of its prediction, and the true reward.
    fn add(&mut self, robot: &dyn Robot) -> Result<(usize, f64), ExperimentError> {
        let (row, side) = (self.waiting, robot.image_size());
        let pixels = side * side * 3;
        robot.render(&mut self.observe.image_mut()[row * pixels..][..pixels]);
        if let Some(joints) = self.observe.joints_mut() {
            let width = 2 * robot.joints();
            robot.write_joints(&mut joints[row * width..][..width]);
        }
        let number = self.predicted.len() + self.waiting;
        self.waiting += 1;
        if self.waiting == ROWS {
            self.look()?;
        }
        Ok((number, robot.reward()))
    }

    fn look(&mut self) -> Result<(), ExperimentError> {
        self.observe.state_mut().fill(0.0);
        self.observe.action_mut().fill(0.0);
        for _ in 0..LOOKS {
            self.observe.run()?;
            let mean = self.observe.mean().to_vec();
            self.observe.state_mut().copy_from_slice(&mean);
        }
        (self.reward.state_mut()).copy_from_slice(self.observe.mean());
        self.reward.run()?;
        let head = self.bundle.manifest().reward;
        let rewards = self.reward.reward()[..self.waiting].iter();
        (self.predicted).extend(rewards.map(|output| f64::from(head.expected(*output))));
        self.waiting = 0;
        Ok(())
    }

    /// All predictions since the last time.
    fn finish(&mut self) -> Result<Vec<f64>, ExperimentError> {
        if self.waiting > 0 {
            self.look()?;
        }
        Ok(std::mem::take(&mut self.predicted))
    }
}

fn write(
    bundle: &Bundle,
    (args, grid): (&Args, usize),
    robot: &dyn Robot,
    thing: &str,
    all: &[Rewards],
) -> Result<(), ExperimentError> {
    let values = all.iter().flat_map(|rewards| {
        let places = places(grid).zip(&rewards.values);
        places.map(move |(place, value)| (rewards, place, *value))
    });
    let (task, seed, out) = (&args.task, args.common.seed, args.common.out("reward-map"));
    let path = out.join("reward_map.csv");
    write_file(&path, &place_columns().csv(values))?;
    let text = format!(
        "# Reward by place (figure 12 of the paper)\n\nTask {task}, evaluation episode {seed}: the {thing} is put at {grid} x {grid} places, the \
         model looks {LOOKS} times at the still picture, and the reward of its belief is read. Grey in the plot: out of reach. \
         The paper's map is of the puck in Meta-World's Pushing: 1 at the goal, low elsewhere, with a slope between.\n\n{}",
        situation_columns().markdown(all)
    );
    write_file(&out.join("reward_map.md"), &text)?;

    let range = bundle.manifest().reward.range;
    let marks: Vec<(String, (f64, f64))> = (robot.objects().iter())
        .filter(|object| object.name != thing)
        .map(|object| (object.name.to_owned(), (object.place[0], object.place[1])))
        .collect();
    let mut picture = HeatMaps::new(
        format!("{task}: reward by the place of the {thing}, evaluation episode {seed}"),
        TABLE,
        TABLE,
        ("x, m", "y, m"),
    )
    .scale(f64::from(range.low)..f64::from(range.high));
    for rewards in all {
        let map = |title: &str, of: fn((f64, f64)) -> f64| Map {
            title: format!("{title}, {}", rewards.situation),
            columns: grid,
            values: rewards.values.iter().map(|value| value.map(of)).collect(),
            marks: marks.clone(),
        };
        picture = picture
            .map(map("predicted reward", |(predicted, _)| predicted))
            .map(map("true reward", |(_, truth)| truth));
    }
    picture.save(&out.join("reward_map.png"))?;
    Ok(())
}

type AtPlace<'a> = (&'a Rewards, [f64; 2], Option<(f64, f64)>);

fn place_columns<'a>() -> Table<'a, AtPlace<'a>> {
    Table::new()
        .column("situation", "", |(all, ..): &AtPlace| text(&all.situation))
        .column("x_m", "", |(_, [x, _], _)| fixed(*x, 2))
        .column("y_m", "", |(_, [_, y], _)| fixed(*y, 2))
        .column("predicted", "", |(.., value)| {
            Value::or_none(value.map(|(predicted, _)| fixed(predicted, 3)))
        })
        .column("true", "", |(.., value)| {
            Value::or_none(value.map(|(_, truth)| fixed(truth, 3)))
        })
}

fn situation_columns<'a>() -> Table<'a, &'a Rewards> {
    let mean = |(mean, places)| fixed(mean, 3).with(count(places));
    Table::new()
        .column("", "situation", |all: &&Rewards| text(&all.situation))
        .column("", "predicted where the reward is (places)", move |all| {
            mean(all.means().0)
        })
        .column("", "predicted elsewhere (places)", move |all| {
            mean(all.means().1)
        })
}
