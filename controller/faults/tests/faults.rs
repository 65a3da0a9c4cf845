//! Each kind of fault, on samples, clocks and ports; and the meter of commands.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use latco_controller::inputs::InputError;
use latco_controller::runtime::ImageIntake;
use latco_controller::time::MonotonicClock;
use latco_controller::{Decorator, Time};
use latco_faults::{
    Effect, Everywhere, Faults, Frame, Injector, JointSample, Sample, Stream, Strike, Target,
};

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap()
}

#[test]
fn a_file_gives_its_faults_or_all_that_is_wrong() {
    let text = "seed = 5\n[[fault]]\nkind = \"delay_frames\"\namount = 80\nfrom_s = 2\nfor_s = 3\nprobability = 0.5\n\
                [[fault]]\nkind = \"nan_joints\"";
    let Faults(faults) = text.parse().unwrap();
    assert_eq!(faults.len(), 2);
    assert_eq!(
        (faults[0].amount, faults[0].from_s, faults[0].for_s),
        (80.0, 2.0, Some(3.0))
    );
    assert_eq!((faults[1].kind.name, faults[1].seed), ("nan_joints", 6));

    let text = "[[fault]]\nkind = \"delay_frames\"\nprobability = 2\n[[fault]]\nkind = \"frozen\"\n[[fault]]\n\
                kind = \"drop_joints\"\namount = 3\nfor_s = -1\n[[fault]]\nkind = \"stop_clock\"\nprobability = 0.5";
    let error = text.parse::<Faults>().unwrap_err().to_string();
    for part in [
        "[[fault]] 1: delay_frames: expected an amount of 0e0 to 6e4 ms, found none",
        "[[fault]] 1: delay_frames: expected probability",
        "[[fault]] 2: expected one of drop_frames, ",
        "found frozen",
        "[[fault]] 3: drop_joints: expected no amount, found 3",
        "[[fault]] 3: drop_joints: expected for_s",
        "[[fault]] 4: stop_clock: a clock has no probability",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = "[[fault]]\nkind = \"drop_frames\"\nevery = 2".parse::<Faults>();
    assert!(error.unwrap_err().to_string().contains("every"));
}

#[test]
fn options_say_how_much_how_long_and_from_when() {
    let mut faults = Faults::default();
    faults.add("drop-frames", "drop_frames", "0.2").unwrap();
    faults
        .add("delay-ms", "delay_frames", "80:3s@500ms")
        .unwrap();
    faults
        .add_lasting("freeze-image", "freeze_image", "3s")
        .unwrap();
    faults.add("occlude", "occlude_image", "0.5@2").unwrap();
    let found: Vec<_> = (faults.0.iter())
        .map(|f| (f.amount, f.probability, f.from_s, f.for_s))
        .collect();
    let expected = [
        (0.0, 0.2, 0.0, None),
        (80.0, 1.0, 0.5, Some(3.0)),
        (0.0, 1.0, 0.0, Some(3.0)),
        (0.5, 1.0, 2.0, None),
    ];
    assert_eq!(found, expected);
    for (text, part) in [
        ("often", "expected a number"),
        ("0.2:soon", "expected a time"),
        ("3", "expected probability"),
    ] {
        let error = faults.add("drop-frames", "drop_frames", text).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(part) && error.contains("--drop-frames"),
            "{error}"
        );
    }
}

#[test]
fn faults_strike_in_their_time_by_their_seed_and_are_counted() {
    let faults: Faults =
        "[[fault]]\nkind = \"drop_frames\"\nfrom_s = 1\nfor_s = 2\nprobability = 0.3\n[[fault]]\n\
                          kind = \"nan_joints\""
            .parse()
            .unwrap();
    let run = |joints_too: bool| {
        let injector = Injector::simulated(&faults);
        assert_eq!(injector.strike(Target::Joints), [], "it has not begun");
        injector.set_time(10.0);
        injector.begin();
        let struck: Vec<bool> = (0..400)
            .map(|k| {
                injector.set_time(10.0 + 0.01 * f64::from(k));
                if joints_too {
                    assert_eq!(injector.strike(Target::Joints).len(), 1);
                }
                !injector.strike(Target::Camera).is_empty()
            })
            .collect();
        (struck, injector.report())
    };
    let (struck, report) = run(true);
    assert!(!struck[..100].contains(&true) && !struck[300..].contains(&true));
    let count = struck.iter().filter(|&&s| s).count();
    assert!((40..80).contains(&count), "{count} of 200 at 0.3");
    assert_eq!(report, [("drop_frames", count as u64), ("nan_joints", 400)]);
    assert_eq!(run(false).0, struck, "whatever else strikes");
}

/// The stamps in ms and first bytes of what arrives of a frame every 100 ms, with the times of arrival in ms.
fn arrivals(faults: &str) -> Vec<(u32, i64, Vec<u8>)> {
    let injector = Injector::simulated(&faults.parse::<Faults>().unwrap());
    let mut stream = Stream::new(injector.clone());
    injector.begin();
    let mut found = Vec::new();
    for ms in (0..600_u32).step_by(10) {
        injector.set_time(f64::from(ms) * 1e-3);
        if ms.is_multiple_of(100) {
            stream.put(Frame {
                stamp: Time(i64::from(ms) * 1_000_000),
                width: 4,
                height: 4,
                pixels: vec![ms as u8 + 1; 48],
            });
        }
        while let Some(frame) = stream.pop() {
            found.push((ms, frame.stamp.0 / 1_000_000, frame.pixels));
        }
    }
    found
}

fn times(faults: &str) -> Vec<(u32, i64)> {
    arrivals(faults)
        .into_iter()
        .map(|(ms, stamp, _)| (ms, stamp))
        .collect()
}

#[test]
fn samples_are_lost_late_doubled_swapped_and_stamped_wrong() {
    let window = "from_s = 0.15\nfor_s = 0.1\n";
    let with = |kind: &str| times(&format!("[[fault]]\nkind = \"{kind}\"\n{window}"));
    let all = |other: &[(u32, i64)]| {
        let mut all = vec![(0, 0), (100, 100)];
        all.extend(other);
        all.extend([(300, 300), (400, 400), (500, 500)]);
        all
    };
    assert_eq!(with("drop_frames"), all(&[]));
    assert_eq!(with("repeat_frames"), all(&[(200, 200), (200, 200)]));
    assert_eq!(
        with("delay_frames\"\namount = 130\n#"),
        [
            (0, 0),
            (100, 100),
            (300, 300),
            (330, 200),
            (400, 400),
            (500, 500)
        ]
    );
    assert_eq!(
        with("swap_frames"),
        [
            (0, 0),
            (100, 100),
            (300, 300),
            (300, 200),
            (400, 400),
            (500, 500)
        ]
    );
    assert_eq!(
        with("shift_frame_stamps\"\namount = -50\n#"),
        all(&[(200, 150)])
    );
}

#[test]
fn pictures_freeze_are_covered_noisy_or_cut() {
    let with = |rest: &str| arrivals(&format!("[[fault]]\n{rest}"));
    let frozen = with("kind = \"freeze_image\"\nfrom_s = 0.15\nfor_s = 0.3");
    let first: Vec<u8> = frozen.iter().map(|(_, _, pixels)| pixels[0]).collect();
    // 501 and 401 in a byte.
    assert_eq!(first, [1, 101, 101, 101, 101, 245]);
    assert!(frozen.iter().all(|(ms, stamp, _)| i64::from(*ms) == *stamp));
    let covered = &with("kind = \"occlude_image\"\namount = 0.25")[1].2;
    assert_eq!(covered.iter().filter(|&&b| b == 0).count(), 12);
    assert_eq!((covered[(4 + 1) * 3], covered[0]), (0, 101));
    let noisy = with("kind = \"noise_image\"\namount = 0.5\nseed = 3");
    let spoiled = noisy[0].2.iter().filter(|&&b| b != 1).count();
    assert!((10..40).contains(&spoiled), "{spoiled} of 48");
    assert_eq!(
        noisy,
        with("kind = \"noise_image\"\namount = 0.5\nseed = 3")
    );
    assert_eq!(
        with("kind = \"truncate_image\"\namount = 0.5")[0].2.len(),
        24
    );
}

#[test]
fn joint_states_are_nan_off_or_in_another_order() {
    let spoil = |effect, amount| {
        let strike = Strike {
            effect,
            amount,
            random: 4,
        };
        let mut sample = JointSample {
            stamp: Time(1),
            positions: vec![1.0, 2.0, 3.0],
            velocities: vec![0.1, 0.2, 0.3],
        };
        sample.spoil(&strike);
        sample
    };
    assert!(spoil(Effect::NotFinite, 0.0).positions[1].is_nan());
    assert_eq!(
        spoil(Effect::Offset, 100.0).positions,
        [101.0, 102.0, 103.0]
    );
    let exchanged = spoil(Effect::Exchange, 0.0);
    assert_eq!(exchanged.positions, [2.0, 1.0, 3.0]);
    assert_eq!(exchanged.velocities, [0.2, 0.1, 0.3]);
}

/// Stamps of images with the times of their arrival.
type Arrived = Arc<Mutex<Vec<(i64, Instant)>>>;

struct Port(Arrived);

impl ImageIntake for Port {
    fn send(&mut self, stamp: Time, _: usize, _: usize, _: &[u8]) -> Result<(), InputError> {
        lock(&self.0).push((stamp.0, Instant::now()));
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (1, 1)
    }
}

#[test]
fn late_images_come_by_themselves_when_their_time_has_come() {
    let faults = "[[fault]]\nkind = \"delay_frames\"\namount = 50\n[[fault]]\nkind = \"jump_clock\"\namount = 1e6";
    let faults: Faults = faults.parse().expect("two faults");
    let decorator = Everywhere(Injector::real(&faults));
    let arrived = Arrived::default();
    let mut port = decorator.images(Box::new(Port(arrived.clone())));
    let inner = Arc::new(MonotonicClock::starting_at(Time(0)));
    let clock = decorator.clock(inner.clone());
    assert_eq!(port.size(), (1, 1));
    port.send(Time(1), 1, 1, &[0; 3]).expect("taken");
    assert_eq!(lock(&arrived).len(), 1, "before it begins nothing is late");
    assert!(clock.now() < Time::from_seconds(900.0));
    decorator.begin();
    assert!(clock.now() > Time::from_seconds(999.0));
    let sent = Instant::now();
    port.send(Time(2), 1, 1, &[0; 3]).expect("taken");
    assert_eq!(lock(&arrived).len(), 1);
    while lock(&arrived).len() < 2 {
        assert!(sent.elapsed() < Duration::from_secs(10), "it never came");
        std::thread::yield_now();
    }
    let (stamp, at) = lock(&arrived)[1];
    assert!(stamp == 2 && at - sent >= Duration::from_millis(50));
    assert_eq!(decorator.report()[0], ("delay_frames", 1));
}
