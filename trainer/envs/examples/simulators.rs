//! Speed of robots in other processes, one JSON line each: `cargo run --release -p latco-envs --example simulators --
//! [WORKERS [TASK...]]`. The plane of the tests does nothing, so that its step is what the bridge costs. On a machine that is busy
//! with other work, `frames_per_cpu_s` says what one core would do alone.

use std::time::{Duration, Instant};

use latco_envs::statistics::percentile;
use latco_envs::{EnvError, PolicyKind, make};

const SIZE: usize = 64;
const LASTS: Duration = Duration::from_secs(15);
const TASKS: [&str; 5] = [
    "trainer/envs/tests/bridge/plane.toml",
    "configs/robots/metaworld-reach.toml",
    "configs/robots/metaworld-button.toml",
    "configs/robots/pusht.toml",
    "configs/robots/fetch-reach.toml",
];

/// One process that was driven for a while.
struct Driven {
    lasted_s: f64,
    cpu_s: f64,
    /// What each step took, without drawing.
    steps_ms: Vec<f64>,
}

/// Drives one process; each step has its frame.
fn drive(task: &str, worker: u64) -> Result<Driven, EnvError> {
    let mut robot = make(task, SIZE)?;
    let mut policy = PolicyKind::Random.make();
    let mut rgb = vec![0; SIZE * SIZE * 3];
    let mut action = vec![0.0; robot.actions()];
    robot.reset(worker);
    robot.render(&mut rgb);
    let (begin, begin_s, mut steps_ms) = (Instant::now(), cpu_s(), Vec::new());
    for seed in 0.. {
        policy.begin(robot.as_ref(), seed);
        for _ in 0..robot.episode_steps() {
            policy.act(robot.as_ref(), &mut action);
            let step = Instant::now();
            robot.step(&action);
            steps_ms.push(step.elapsed().as_secs_f64() * 1e3);
            robot.render(&mut rgb);
        }
        if let Some(error) = robot.failure() {
            return Err(error);
        }
        if begin.elapsed() >= LASTS {
            break;
        }
        robot.reset(1000 * worker + seed);
    }
    Ok(Driven {
        lasted_s: begin.elapsed().as_secs_f64(),
        cpu_s: cpu_s() - begin_s,
        steps_ms,
    })
}

/// CPU time of this thread and of the processes that it started, s.
fn cpu_s() -> f64 {
    let started = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let processes = started.split_whitespace().chain(["thread-self"]);
    let times = processes.flat_map(|process| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The fields after the name of the program, from the third on; times are in 1/100 s.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        times.filter_map(|t| t.parse().ok()).collect::<Vec<f64>>()
    });
    times.sum::<f64>() / 100.0
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn main() -> Result<(), EnvError> {
    let mut arguments = std::env::args().skip(1);
    let workers = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(2);
    let mut tasks: Vec<String> = arguments.collect();
    if tasks.is_empty() {
        tasks = TASKS.map(str::to_owned).to_vec();
    }
    for task in tasks {
        let driven: Vec<_> = std::thread::scope(|scope| {
            let task = &task;
            let threads: Vec<_> = (0..workers)
                .map(|worker| scope.spawn(move || drive(task, worker)))
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("a worker's thread panics never"))
                .collect()
        });
        let (mut rate, mut spent_s, mut steps_ms) = (0.0, 0.0, Vec::new());
        for outcome in driven {
            let driven = outcome?;
            rate += driven.steps_ms.len() as f64 / driven.lasted_s;
            spent_s += driven.cpu_s;
            steps_ms.extend(driven.steps_ms);
        }
        let per_cpu_s = steps_ms.len() as f64 / spent_s;
        let p50 = percentile(&mut steps_ms, 0.5);
        let p99 = percentile(&mut steps_ms, 0.99);
        println!(
            r#"{{"bench":"simulators","task":"{task}","workers":{workers},"image_size":{SIZE},"frames_per_s":{rate:.0},"frames_per_cpu_s":{per_cpu_s:.0},"step_ms_p50":{p50:.3},"step_ms_p99":{p99:.3}}}"#
        );
    }
    Ok(())
}
