//! `latco-fuzz TARGET`: changes good input at random and has it read, again and again; prints what came of it as one JSON line.
//!
//! It runs on stable Rust and knows nothing of the branches that an input takes; `cargo fuzz` would, and needs a nightly compiler.
//! Each execution depends on seed and number alone, so that one can be repeated: `--seed 0 --first 4711 --executions 1`. What was
//! found is kept in `corpus/TARGET/`, and is read first, unchanged.

mod meter;
mod mutate;
mod seeds;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chacha20::ChaCha8Rng;
use clap::Parser;
use rand::SeedableRng;
use serde_json::json;

use targets::Target;

/// Longest time that one input may take.
const LONGEST: Duration = Duration::from_secs(2);
/// Most Rust memory that reading one input may take, whatever it says of its size: a little more than the largest chunk of a bag
/// that is unpacked. The largest image that is decoded has 32 million pixels of 4 bytes.
const MOST_BYTES: u64 = 600 << 20;
/// Inputs that are kept of what went wrong.
const KEPT: u64 = 5;

#[global_allocator]
static METER: meter::Meter = meter::Meter;

/// Panics, also those that the program itself catches.
static PANICS: AtomicU64 = AtomicU64::new(0);

#[derive(Parser)]
struct Arguments {
    /// What is read: a name, or `list` for all names
    target: String,
    /// Inputs
    #[arg(long, default_value_t = 1_000_000)]
    executions: u64,
    /// End after so many seconds at the latest
    #[arg(long, default_value_t = f64::INFINITY)]
    seconds: f64,
    /// Number from which all changes follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of the first input
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Folder into which inputs are written that went wrong
    #[arg(long, default_value = "target/fuzz")]
    out: PathBuf,
}

/// What came of all inputs.
#[derive(Default)]
struct Found {
    executions: u64,
    accepted: u64,
    panics: u64,
    slow: u64,
    greedy: u64,
    slowest: Duration,
    most_bytes: u64,
}

impl Found {
    fn faults(&self) -> u64 {
        self.panics + self.slow + self.greedy
    }

    /// Reads one input; what went wrong with it.
    fn read(&mut self, target: &mut Target, input: &[u8]) -> Option<&'static str> {
        let before = meter::begin();
        let (result, mut took) = read_once(target, input);
        let bytes = meter::peak_since(before);
        // A machine that is busy with something else takes its time once, a slow reader each time.
        for _ in 0..2 {
            if took > LONGEST {
                took = took.min(read_once(target, input).1);
            }
        }
        self.executions += 1;
        self.slowest = self.slowest.max(took);
        self.most_bytes = self.most_bytes.max(bytes);
        let Ok(accepted) = result else {
            self.panics += 1;
            return Some("panic");
        };
        self.accepted += u64::from(accepted);
        if took > LONGEST {
            self.slow += 1;
            return Some("slow");
        }
        if bytes > MOST_BYTES {
            self.greedy += 1;
            return Some("greedy");
        }
        None
    }
}

/// Reads an input: whether it was accepted, an error when the reader panicked, and the time that it took.
fn read_once(target: &mut Target, input: &[u8]) -> (std::thread::Result<bool>, Duration) {
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    (result, began.elapsed())
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.target == "list" {
        let names: Vec<&str> = targets::NAMES.to_vec();
        return print(&json!(names));
    }
    let mut target = Target::new(&arguments.target)?;
    std::panic::set_hook(Box::new(|panic| {
        if PANICS.fetch_add(1, Ordering::Relaxed) < KEPT {
            eprintln!("{panic}");
        }
    }));
    let mut found = Found::default();
    let began = Instant::now();
    for (name, input) in corpus(&arguments.target)? {
        if let Some(fault) = found.read(&mut target, &input) {
            eprintln!("{name}: {fault}");
        }
    }
    for number in arguments.first..arguments.first.saturating_add(arguments.executions) {
        if began.elapsed().as_secs_f64() > arguments.seconds {
            break;
        }
        let mut random =
            ChaCha8Rng::seed_from_u64(arguments.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let input = mutate::mutant(&target.seeds, target.is_text, &mut random);
        let fault = found.read(&mut target, &input);
        if let Some(fault) = fault
            && found.faults() <= KEPT
        {
            std::fs::create_dir_all(&arguments.out)?;
            let name = format!("{}-{fault}-{}-{number}", arguments.target, arguments.seed);
            std::fs::write(arguments.out.join(&name), &input)?;
            eprintln!(
                "{name}: {} bytes, in {}",
                input.len(),
                arguments.out.display()
            );
        }
    }
    let took = began.elapsed().as_secs_f64();
    print(&json!({
        "target": arguments.target,
        "executions": found.executions,
        "accepted": found.accepted,
        "panics": found.panics,
        "panics_contained": PANICS.load(Ordering::Relaxed) - found.panics,
        "slow": found.slow,
        "greedy": found.greedy,
        "slowest_ms": found.slowest.as_secs_f64() * 1e3,
        "most_mb": found.most_bytes as f64 / 1e6,
        "executions_per_s": found.executions as f64 / took.max(1e-9),
        "took_s": took,
    }))?;
    anyhow::ensure!(found.faults() == 0, "{} inputs went wrong", found.faults());
    Ok(())
}

/// Names and contents of the inputs that are kept in the repository.
fn corpus(target: &str) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).join(target);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        files.push((path.display().to_string(), std::fs::read(&path)?));
    }
    files.sort();
    Ok(files)
}

fn print(value: &serde_json::Value) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{value}")?;
    Ok(())
}
