//! One picture of each kind, from made-up data: `cargo run --release -p latco-pictures --example
//! gallery -- FOLDER`.

use std::path::PathBuf;

use latco_pictures::{Curves, FilmStrip, Frame, Histogram, Panel, PictureError};

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
        .save(&folder.join("latency.png"))
}
