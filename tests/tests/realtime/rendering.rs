//! The simulators draw fast enough to train from.

use std::hint::black_box;
use std::time::Instant;

use latco_envs::{TASKS, make};

const SIZE: usize = 64;
const BATCHES: u64 = 100;
const FRAMES: u32 = 50;

/// A disc whose edge is smooth: a distance and a mixture of two colours for every pixel.
fn disc(rgb: &mut [u8], radius: f32) {
    let middle = SIZE as f32 / 2.0;
    for (k, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((k % SIZE) as f32 - middle, (k / SIZE) as f32 - middle);
        let inside = (radius - (x * x + y * y).sqrt()).clamp(0.0, 1.0);
        for (channel, colour) in pixel.iter_mut().zip([40.0, 90.0, 200.0]) {
            *channel = (20.0 + inside * colour) as u8;
        }
    }
}

#[test]
#[ignore = "measures time, and so runs alone: make test-realtime"]
fn a_frame_of_every_task_takes_no_longer_than_a_disc() {
    for task in TASKS {
        let mut robot = make(task, SIZE).unwrap();
        let mut rgb = vec![0; SIZE * SIZE * 3];
        // The two take turns in short batches, and the best count: what else runs slows only some of them.
        let (mut frame_s, mut disc_s) = (f64::INFINITY, f64::INFINITY);
        let seconds = |draw: &mut dyn FnMut()| {
            let began = Instant::now();
            for _ in 0..FRAMES {
                draw();
            }
            began.elapsed().as_secs_f64() / f64::from(FRAMES)
        };
        for seed in 0..BATCHES {
            robot.reset(seed % 10);
            frame_s = frame_s.min(seconds(&mut || robot.render(black_box(&mut rgb))));
            disc_s = disc_s.min(seconds(&mut || disc(black_box(&mut rgb), black_box(20.0))));
        }
        let ratio = frame_s / disc_s;
        eprintln!(
            "{task}: {:.0} frames/s, {ratio:.2} times as long as a disc",
            1.0 / frame_s
        );
        assert!(ratio <= 1.0, "{task}: {ratio:.2} times as long as a disc");
    }
}
