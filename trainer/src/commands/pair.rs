//! `latco-train eval --pair`: two evaluations of the same episodes, compared.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use latco_envs::Drive;
use latco_envs::statistics::{mcnemar, paired_interval};
use serde::{Deserialize, Serialize};

use super::shell::{BadInput, print_json};

/// What is read of the JSON of an evaluation. Fields that are not named here, such as those of other versions, are left alone.
#[derive(Deserialize)]
struct Evaluated {
    task: String,
    planner: String,
    episodes: u64,
    seed: u64,
    failed_seeds: BTreeSet<u64>,
    mean_return: f64,
    #[serde(default)]
    bundle: Option<String>,
}

/// The comparison of evaluation A with evaluation B. The field names are those of `--json`.
#[derive(Debug, Serialize)]
struct Compared {
    a: String,
    b: String,
    task: String,
    seed: u64,
    episodes: u64,
    /// Numbers of episodes that both, only one, or neither solved.
    both: u64,
    only_a: u64,
    only_b: u64,
    neither: u64,
    /// Share of the episodes that B solves less the one that A solves, with its 95 % interval.
    difference: f64,
    difference_low: f64,
    difference_high: f64,
    /// McNemar's exact test, two-sided.
    p_value: f64,
    mean_return_difference: f64,
}

/// Compares the evaluations in two files.
pub(super) fn run(files: [&Path; 2], json: bool) -> anyhow::Result<ExitCode> {
    let compared = compare(&read(files[0])?, &read(files[1])?)?;
    if json {
        print_json(&serde_json::to_value(&compared)?);
    } else {
        print(&compared);
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(a: &Evaluated, b: &Evaluated) -> anyhow::Result<Compared> {
    // Starts and goals are the same however an arm is driven.
    let task = |of: &Evaluated| Drive::split(&of.task).0.to_owned();
    let differences: Vec<String> = [
        ("task", task(a), task(b)),
        ("seed", a.seed.to_string(), b.seed.to_string()),
        ("episodes", a.episodes.to_string(), b.episodes.to_string()),
    ]
    .into_iter()
    .filter(|(_, a, b)| a != b)
    .map(|(what, a, b)| format!("{what} {a} and {b}"))
    .collect();
    if !differences.is_empty() {
        return Err(BadInput::new(format!(
            "--pair: expected two evaluations of the same episodes, found {}; evaluate again with the same --task, --seed and \
             --episodes",
            differences.join(", ")
        )));
    }
    let only = |one: &Evaluated, other: &Evaluated| {
        other.failed_seeds.difference(&one.failed_seeds).count() as u64
    };
    let (only_a, only_b) = (only(a, b), only(b, a));
    let neither = a.failed_seeds.intersection(&b.failed_seeds).count() as u64;
    let (difference_low, difference_high) = paired_interval(only_a, only_b, a.episodes);
    let name = |of: &Evaluated| {
        let bundle = of.bundle.as_deref().unwrap_or("a bundle");
        format!("{} on {bundle}", of.planner)
    };
    Ok(Compared {
        a: name(a),
        b: name(b),
        task: task(a),
        seed: a.seed,
        episodes: a.episodes,
        both: a.episodes - only_a - only_b - neither,
        only_a,
        only_b,
        neither,
        difference: (only_b as f64 - only_a as f64) / a.episodes as f64,
        difference_low,
        difference_high,
        p_value: mcnemar(only_a, only_b),
        mean_return_difference: b.mean_return - a.mean_return,
    })
}

fn read(file: &Path) -> anyhow::Result<Evaluated> {
    let wrong = |found: String| {
        BadInput::new(format!(
            "--pair: {}: expected what latco-train eval --json prints, found {found}",
            file.display()
        ))
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let read: Evaluated = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let first = latco_envs::EVALUATION_SEED + read.seed;
    let seeds = first..first + read.episodes;
    let stray = read.failed_seeds.iter().find(|seed| !seeds.contains(*seed));
    if read.episodes == 0 {
        return Err(wrong("no episodes".into()));
    }
    if let Some(seed) = stray {
        return Err(wrong(format!(
            "the failed seed {seed}, which is none of its episodes"
        )));
    }
    Ok(read)
}

#[allow(clippy::print_stdout)]
fn print(c: &Compared) {
    println!("{} episodes of {} from seed {}", c.episodes, c.task, c.seed);
    println!("A: {}\nB: {}", c.a, c.b);
    println!("solved by both     {}", c.both);
    println!("solved only by A   {}", c.only_a);
    println!("solved only by B   {}", c.only_b);
    println!("solved by neither  {}", c.neither);
    println!(
        "B less A           {:+.3}  (95 %: {:+.3} to {:+.3}), p = {:.4} by McNemar's exact test",
        c.difference, c.difference_low, c.difference_high, c.p_value
    );
    println!("mean return        {:+.2}", c.mean_return_difference);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &serde_json::Value) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text.to_string()).unwrap();
        file
    }

    fn evaluated(seed: u64, failed: &[u64]) -> serde_json::Value {
        let failed: Vec<u64> = (failed.iter())
            .map(|number| latco_envs::EVALUATION_SEED + number)
            .collect();
        serde_json::json!({ "task": "reach", "planner": "cem", "episodes": 10, "seed": seed, "failed_seeds": failed,
            "mean_return": 2.0, "of_another_version": [1] })
    }

    #[test]
    fn the_same_episodes_are_paired_and_others_refused() {
        let [a, b] = [&[0, 1, 2, 3][..], &[3, 4]].map(|failed| file(&evaluated(0, failed)));
        let read_both = [&a, &b].map(|file| read(file.path()).unwrap());
        let c = compare(&read_both[0], &read_both[1]).unwrap();
        assert_eq!((c.both, c.only_a, c.only_b, c.neither), (5, 1, 3, 1));
        assert!((c.difference - 0.2).abs() < 1e-12 && c.difference_low < 0.0);
        assert!((c.p_value - 0.625).abs() < 1e-12, "{}", c.p_value);

        let later = file(&evaluated(100, &[104]));
        let refused = compare(&read_both[0], &read(later.path()).unwrap()).unwrap_err();
        assert!(refused.to_string().contains("seed 0 and 100"), "{refused}");
        for wrong in [evaluated(0, &[10]), serde_json::json!({"success": 1.0})] {
            let refused = read(file(&wrong).path()).err().unwrap();
            assert!(refused.to_string().contains("--json prints"), "{refused}");
        }
    }
}
