//! One picture of each kind, from made-up data: `cargo run --release -p latco-pictures --example
//! gallery -- FOLDER`.

use std::path::PathBuf;

use latco_pictures::{
    Curves, FilmStrip, Frame, HeatMaps, Histogram, Interval, Intervals, Map, Panel, PictureError,
};

/// A blurred disc on a dark ground.
fn disc(size: usize, x: f64, colour: [f64; 3]) -> Result<Frame, PictureError> {
    let mut rgb = Vec::with_capacity(size * size * 3);
    for row in 0..size {
        for column in 0..size {
            let (dx, dy) = (column as f64 - x, row as f64 - size as f64 / 2.0);
            let share = 1.0 / (1.0 + (dx.hypot(dy) - size as f64 / 5.0).exp());
            rgb.extend(colour.map(|c| (25.0 + (c - 25.0) * share) as u8));
        }
    }
    Frame::new(size, size, rgb)
}

fn main() -> Result<(), PictureError> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));

    let row = |size: usize, count: usize, colour| -> Result<Vec<Frame>, PictureError> {
        (0..count)
            .map(|k| disc(size, 0.2 * size as f64 + 0.08 * (size * k) as f64, colour))
            .collect()
    };
    FilmStrip::new("Reach, seed 1000003: the tip moves to the goal")
        .row("camera", &row(64, 8, [235.0, 60.0, 80.0])?)
        .row("imagined plan", &row(32, 6, [60.0, 120.0, 250.0])?)
        .row("executed", &row(64, 8, [60.0, 220.0, 120.0])?)
        .columns((0..8).map(|k| format!("step {}", 5 * k)))
        .save(&folder.join("film.png"))?;

    let iterations = || (0..60).map(f64::from);
    let violation: Vec<f64> = iterations()
        .map(|k| 3.0 * (-k / 6.0).exp() + 2e-5)
        .collect();
    let mean: Vec<f64> = violation.iter().map(|v| v / 7.0).collect();
    let multiplier: Vec<f64> = iterations().map(|k| 1.12f64.powf(k)).collect();
    let reward: Vec<f64> = iterations()
        .map(|k| 9.0 / (1.0 + (8.0 - k / 2.0).exp()))
        .collect();
    let mut broken = reward.clone();
    broken[20..26].fill(f64::NAN);
    Curves::new("one plan: 60 iterations of LatCo")
        .panel(
            Panel::new("dynamics violation (squared)", "iteration")
                .log_y()
                .line("largest over the horizon", &violation)
                .line("mean over the horizon", &mean),
        )
        .panel(
            Panel::new("multipliers", "iteration")
                .log_y()
                .line("dynamics", &multiplier),
        )
        .panel(
            Panel::new("predicted reward (sum over the horizon)", "iteration")
                .line("plan's states", &reward)
                .line(
                    "rolled out",
                    &broken.iter().map(|r| r * 0.8).collect::<Vec<_>>(),
                ),
        )
        .panel(Panel::new("nothing finite", "iteration").line("empty", &[f64::NAN]))
        .save(&folder.join("curves.png"))?;

    // A skewed distribution with a tail, without random numbers.
    let samples: Vec<f64> = (1..=2000)
        .map(|k| 18.0 + 5.0 * (1.0 / (1.0 - f64::from(k) / 2001.0)).ln())
        .collect();
    let longer: Vec<f64> = samples
        .iter()
        .map(|s| s + 12.0 + (s * 91.0).sin() * 4.0)
        .collect();
    Histogram::new("latency of 2000 ticks", "ms")
        .samples("planning", &samples)
        .samples("image stamp to command", &longer)
        .limit("deadline", 100.0)
        .save(&folder.join("latency.png"))?;

    let share = |series, value: f64| Interval {
        series,
        value,
        low: (value - 0.12).max(0.0),
        high: (value + 0.09).min(1.0),
    };
    let rows = |scale: f64| {
        let names = ["latco", "gaussian_latco", "cem", "shooting_gd"];
        let row = |(k, name): (usize, &str)| {
            let value = scale * (1.0 - 0.2 * k as f64);
            (
                name.to_owned(),
                vec![share(0, value), share(1, 0.8 * value)],
            )
        };
        names.into_iter().enumerate().map(row).collect()
    };
    Intervals::new(
        "Planners on tasks, 100 episodes",
        "share of episodes solved, 95 % Wilson interval",
        ["equal_time", "paper"],
    )
    .panel("reach", rows(0.95))
    .panel("push", rows(0.6))
    .save(&folder.join("intervals.png"))?;

    let side = 25;
    let at = |k: usize| 2.0 * (k as f64 + 0.5) / side as f64 - 1.0;
    let value = |number: usize, sharp: f64| {
        let (x, y) = (at(number % side), at(number / side));
        (x.hypot(y) < 0.95).then(|| (-sharp * (x - 0.4).hypot(y - 0.2)).exp())
    };
    let map = |title: &str, sharp: f64| Map {
        title: title.to_owned(),
        columns: side,
        values: (0..side * side)
            .map(|number| value(number, sharp))
            .collect(),
        marks: vec![("goal".to_owned(), (0.4, 0.2))],
    };
    HeatMaps::new(
        "push: reward by the place of the puck",
        -1.0..1.0,
        -1.0..1.0,
        ("x, m", "y, m"),
    )
    .scale(0.0..1.0)
    .map(map("predicted reward", 3.0))
    .map(map("true reward", 12.0))
    .save(&folder.join("rewards.png"))
}
