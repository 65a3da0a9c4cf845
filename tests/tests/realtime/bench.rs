//! `latco bench loop` and `latco bench soak` in real time, at small sizes.

use std::time::Duration;

use latco_testkit::latco::latco_command;
use latco_testkit::program::Program;
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
    let bench = Program::start(&mut latco_command(arguments));
    bench.end(LONG).assert_code(0).json()
}

fn number(value: &Value, field: &str) -> f64 {
    let found = value[field].as_f64();
    found.unwrap_or_else(|| panic!("{field} is no number in {value}"))
}

#[test]
#[ignore = "measures time, and so runs alone: make test-realtime"]
fn bench_loop_prints_its_figures() {
    for (domain, size, transport) in [("58", "64x64", "raw"), ("59", "640x480", "compressed")] {
        let camera = [
            "--image-size",
            size,
            "--image-transport",
            transport,
            "--frames",
            "40",
        ];
        let more = ["--domain", domain, "--json"];
        let figures = json(&[&["bench", "loop"], &SIZES[..], &camera, &more].concat());
        assert_eq!(number(&figures, "frames"), 40.0);
        // Best effort, and others use the machine too.
        assert!(number(&figures, "lost") <= 2.0, "{figures}");
        let (p50, p99) = (
            number(&figures, "stamp_to_command_ms_p50"),
            number(&figures, "stamp_to_command_ms_p99"),
        );
        assert!(0.0 < p50 && p50 <= p99, "{figures}");
        // What the messages take beside the work on them.
        let work = number(&figures, "belief_ms_p50") + number(&figures, "plan_ms_p50");
        assert!(p50 < 10.0 * work, "{figures}");
        assert!(number(&figures, "commands_received") > 100.0, "{figures}");
    }
}

#[test]
#[ignore = "measures time, and so runs alone: make test-realtime"]
fn bench_soak_prints_its_figures() {
    for rate in ["100", "0"] {
        let more = [
            "--minutes",
            "0.05",
            "--rate-hz",
            rate,
            "--budget-ms",
            "5",
            "--json",
        ];
        let figures = json(&[&["bench", "soak"], &SIZES[..], &more].concat());
        assert!(number(&figures, "ticks") > 20.0, "{figures}");
        assert_eq!(number(&figures, "non_finite"), 0.0, "{figures}");
        assert_eq!(number(&figures, "allocations"), 0.0, "{figures}");
        assert!(
            number(&figures, "late") <= number(&figures, "ticks"),
            "{figures}"
        );
        assert!(number(&figures, "jitter_ms_p999") > 0.0, "{figures}");
        assert!(number(&figures, "commands") > 300.0, "{figures}");
        assert!(
            number(&figures, "command_jitter_ms_p999") < 200.0,
            "{figures}"
        );
        let growth = number(&figures, "rss_growth_bytes");
        assert!(growth.abs() < 64e6, "{figures}");
    }
}
