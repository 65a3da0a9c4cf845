//! Every `latco bench` command at small sizes: its JSON has the promised fields with sane values.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::time::Duration;

use common::Latco;
use serde_json::Value;

const LONG: Duration = Duration::from_secs(120);
const SIZES: [&str; 12] = [
    "--stoch",
    "4",
    "--deter",
    "16",
    "--hidden",
    "16",
    "--units",
    "12",
    "--action",
    "2",
    "--horizon",
    "8",
];

fn json(arguments: &[&str]) -> Value {
    let ended = Latco::run(arguments, LONG);
    ended.assert_code(0).json()
}

fn number(value: &Value, field: &str) -> f64 {
    let found = value[field].as_f64();
    found.unwrap_or_else(|| panic!("{field} is no number in {value}"))
}

#[test]
fn bench_solver_prints_its_figures() {
    let more = ["--iterations", "60", "--json"];
    let figures = json(&[&["bench", "solver"], &SIZES[..], &more].concat());
    for field in [
        "iteration_ms_median",
        "iteration_ms_p99",
        "model_ms",
        "linearise_ms",
        "solve_ms",
        "multipliers_ms",
        "block_tridiagonal_ms_median",
        "cold_plan_200_iterations_ms",
        "machine_gmac_per_s",
        "least_multiply_adds",
        "arithmetic_limit_ratio",
        "arena_bytes",
    ] {
        let value = number(&figures, field);
        assert!(value.is_finite() && value > 0.0, "{field}: {value}");
    }
    assert_eq!(number(&figures, "allocations_per_iteration"), 0.0);
    assert_eq!(number(&figures, "iterations"), 60.0);
    assert_eq!(number(&figures, "threads"), 1.0);
    let parts: f64 = ["model_ms", "linearise_ms", "solve_ms", "multipliers_ms"]
        .iter()
        .map(|field| number(&figures, field))
        .sum();
    let whole = number(&figures, "iteration_ms_median");
    // generous: other tests run beside it
    assert!((0.3..3.0).contains(&(parts / whole)), "{parts} of {whole}");
    assert!(figures["cpu"]["features"].is_array());
}

#[test]
fn bench_tick_prints_the_figures_of_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    common::configuration(folder.path(), "");
    let bundle = folder.path().join("bundle");
    let figures = json(&[
        "bench",
        "tick",
        "--bundle",
        bundle.to_str().unwrap(),
        "--ticks",
        "20",
        "--sleep-ms",
        "1",
        "--budget-ms",
        "50",
        "--json",
    ]);
    // its task is not simulated
    assert_eq!(figures["frames"], "noise");
    assert_eq!(number(&figures, "ticks"), 20.0);
    assert_eq!(number(&figures, "allocations_per_tick"), 0.0);
    assert!(number(&figures, "tick_ms_p50") <= number(&figures, "tick_ms_p99"));
    assert!(number(&figures, "iterations_median") >= 1.0, "{figures}");
    let causes = figures["stop_causes"].as_object().unwrap();
    assert_eq!(causes.values().filter_map(Value::as_u64).sum::<u64>(), 20);
}

#[test]
fn wrong_sizes_are_refused_with_the_option_s_name() {
    for (arguments, words) in [
        (&["bench", "solver", "--horizon", "0"][..], "--horizon"),
        (&["bench", "solver", "--iterations", "0"], "--iterations"),
        (&["bench", "solver", "--threads", "0"], "--threads"),
        (&["bench", "solver", "--plans", "65"], "--plans"),
        (&["bench", "solver", "--instructions", "mmx"], "avx2"),
        (&["bench", "tick", "--ticks", "0"], "--ticks"),
        (&["bench", "tick", "--budget-ms", "nan"], "--budget-ms"),
        (&["bench", "tick", "--bundle", "nowhere"], "nowhere"),
    ] {
        let ended = Latco::run(arguments, LONG);
        ended.assert_code(2);
        assert!(
            ended.stderr.contains(words),
            "no {words} in {}",
            ended.stderr
        );
    }
}
