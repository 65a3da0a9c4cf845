//! Pictures hold what was put in, and awkward data neither break them nor pass unnoticed.

use std::path::{Path, PathBuf};

use latco_pictures::{
    Curves, FilmStrip, Frame, HeatMaps, Histogram, Interval, Intervals, Map, Panel, PictureError,
};

struct Saved {
    folder: tempfile::TempDir,
}

impl Saved {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("picture.png")
    }

    fn pixels(&self) -> image::RgbImage {
        image::open(self.path()).expect("a readable PNG").to_rgb8()
    }
}

fn plain(size: usize, colour: [u8; 3]) -> Frame {
    Frame::new(size, size, colour.repeat(size * size)).expect("bytes that fit")
}

fn count(picture: &image::RgbImage, colour: [u8; 3]) -> usize {
    picture.pixels().filter(|pixel| pixel.0 == colour).count()
}

/// Whether it is of a histogram's bar.
fn blue(pixel: &image::Rgb<u8>) -> bool {
    i32::from(pixel.0[2]) > i32::from(pixel.0[0]) + 80
}

fn dark(picture: &image::RgbImage, columns: std::ops::Range<u32>) -> usize {
    let shown = picture
        .enumerate_pixels()
        .filter(|(x, _, _)| columns.contains(x));
    shown
        .filter(|(_, _, pixel)| pixel.0.iter().all(|c| *c < 140))
        .count()
}

#[test]
fn a_film_strip_shows_every_frame_enlarged_without_blending() {
    let saved = Saved::new();
    FilmStrip::new("strip")
        .row("first", &[plain(8, [250, 0, 0]), plain(8, [0, 250, 0])])
        .row("second", &[plain(8, [0, 0, 250])])
        .scale(5)
        .save(&saved.path())
        .unwrap();
    let picture = saved.pixels();
    for colour in [[250, 0, 0], [0, 250, 0], [0, 0, 250]] {
        assert_eq!(count(&picture, colour), 1600, "{colour:?}");
    }
}

#[test]
fn row_titles_are_written_without_fonts_of_the_system() {
    let saved = Saved::new();
    let frame = [plain(16, [200, 200, 0])];
    FilmStrip::new("a")
        .row("imagined", &frame)
        .save(&saved.path())
        .unwrap();
    let with = saved.pixels();
    FilmStrip::new("a")
        .row("", &frame)
        .save(&saved.path())
        .unwrap();
    let without = saved.pixels();
    assert!(
        with.width() > without.width() + 30,
        "{} {}",
        with.width(),
        without.width()
    );
    let left = with.width() - 150;
    assert!(dark(&with, 0..left) > 60, "{}", dark(&with, 0..left));
}

#[test]
fn frames_of_different_sizes_and_short_rows_are_fine() {
    let saved = Saved::new();
    FilmStrip::new("")
        .row("wide", &[Frame::new(40, 10, vec![77; 1200]).unwrap()])
        .row("none", &[])
        .row("one pixel", &vec![plain(1, [1, 2, 3]); 4])
        .columns(["only one label"])
        .save(&saved.path())
        .unwrap();
    assert!(count(&saved.pixels(), [1, 2, 3]) >= 4);
}

#[test]
fn pictures_without_content_are_errors_that_name_them() {
    let saved = Saved::new();
    let strip = FilmStrip::new("strip 7")
        .row("camera", &[])
        .save(&saved.path());
    let curves = Curves::new("strip 7")
        .panel(
            Panel::new("p", "x")
                .line("a", &[f64::NAN, f64::INFINITY])
                .line("b", &[]),
        )
        .save(&saved.path());
    let log = Curves::new("strip 7")
        .panel(Panel::new("p", "x").log_y().line("a", &[-1.0, 0.0]))
        .save(&saved.path());
    let none = Curves::new("strip 7").save(&saved.path());
    let histogram = Histogram::new("strip 7", "ms")
        .samples("a", &[f64::NAN])
        .save(&saved.path());
    for result in [strip, curves, log, none, histogram] {
        let error = result.unwrap_err();
        assert!(matches!(error, PictureError::NoData { .. }), "{error}");
        assert!(error.to_string().contains("strip 7"), "{error}");
    }
    assert!(!saved.path().exists());
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let path = Path::new("/nowhere/at/all.png");
    let error = FilmStrip::new("a")
        .row("", &[plain(4, [0; 3])])
        .save(path)
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all.png"), "{error}");
}

#[test]
fn a_picture_too_large_to_look_at_is_refused() {
    let saved = Saved::new();
    let frames = vec![plain(8, [0; 3]); 400];
    let error = FilmStrip::new("long")
        .row("", &frames)
        .save(&saved.path())
        .unwrap_err();
    assert!(matches!(error, PictureError::TooLarge { .. }), "{error}");
}

#[test]
fn lines_have_their_own_colours() {
    let saved = Saved::new();
    let panel = Panel::new("p", "x")
        .line("up", &[0.0, 1.0])
        .line("flat", &[0.5, 0.5, 0.5]);
    Curves::new("c").panel(panel).save(&saved.path()).unwrap();
    let picture = saved.pixels();
    for colour in [[0, 114, 178], [213, 94, 0]] {
        assert!(
            count(&picture, colour) > 200,
            "{colour:?} {}",
            count(&picture, colour)
        );
    }
}

#[test]
fn values_that_cannot_be_drawn_break_the_line_and_are_counted() {
    let saved = Saved::new();
    let drawn = |values: &[f64]| {
        let panel = Panel::new("p", "x").log_y().line("a", values);
        Curves::new("c").panel(panel).save(&saved.path()).unwrap();
        saved.pixels()
    };
    let whole = drawn(&[1.0, 10.0, 10.0, 10.0, 10.0, 100.0]);
    let broken = drawn(&[1.0, 10.0, f64::NAN, -10.0, 10.0, 100.0]);
    let colour = [0, 114, 178];
    assert!(count(&broken, colour) + 100 < count(&whole, colour));
    // The legend says that values are missing: more ink over the diagram.
    assert!(dark(&broken, 150..300) > dark(&whole, 150..300));
}

#[test]
fn awkward_curves_do_not_panic() {
    let saved = Saved::new();
    let cases: [&[f64]; 12] = [
        &[0.0],
        &[0.0, 0.0],
        &[1.0; 50],
        &[1e-300, 1e300],
        &[f64::MAX, f64::MIN],
        &[1e99, -1e99],
        &[1e16, 1e16 + 2.0],
        &[f64::NAN, 1.0, f64::NAN],
        &[f64::INFINITY, 2.0, f64::NEG_INFINITY],
        &[-1.0, 1.0],
        &[1e-20, 2e-20],
        &[f64::MIN_POSITIVE, 1.0],
    ];
    for values in cases {
        for log in [false, true] {
            let points: Vec<_> = values.iter().map(|v| (*v, *v)).collect();
            let panel = |p: Panel| if log { p.log_y().log_x() } else { p };
            let result = Curves::new("c")
                .panel(panel(Panel::new("", "")).line("", values))
                .panel(panel(Panel::new("p", "x")).points("p", &points))
                .save(&saved.path());
            let drawable = |v: &&f64| v.abs() <= 1e100 && (!log || **v >= 1e-100);
            assert_eq!(
                result.is_ok(),
                values.iter().any(|v| drawable(&v)),
                "{values:?} {log}"
            );
        }
    }
}

#[test]
fn of_awkward_samples_and_limits_a_histogram_draws_those_that_are_finite() {
    let saved = Saved::new();
    let cases: [&[f64]; 6] = [
        &[0.0],
        &[5.0; 300],
        &[-1.0, f64::NAN, 1.0],
        &[1e-30, 2e-30],
        &[0.0, 1e99],
        &[f64::INFINITY, 3.0],
    ];
    for samples in cases {
        let draw = |limit: Option<f64>| {
            let histogram = Histogram::new("h", "ms")
                .samples("a", samples)
                .samples("empty", &[]);
            let histogram = match limit {
                Some(limit) => histogram.limit("deadline", limit),
                None => histogram,
            };
            histogram.save(&saved.path()).unwrap();
            saved.pixels()
        };
        let unlimited = draw(None);
        for limit in [100.0, f64::NAN, -1e50] {
            let picture = draw(Some(limit));
            let bars = picture.pixels().filter(|pixel| blue(pixel)).count();
            assert!(bars > 20, "{samples:?} {limit}: {bars} pixels of bars");
            assert_eq!(picture == unlimited, limit.is_nan(), "{samples:?} {limit}");
        }
    }
}

#[test]
fn histogram_bars_stand_where_the_samples_are() {
    let saved = Saved::new();
    let mut samples = vec![10.0; 90];
    samples.extend([50.0; 10]);
    Histogram::new("h", "ms")
        .samples("a", &samples)
        .save(&saved.path())
        .unwrap();
    let picture = saved.pixels();
    let bar = picture.get_pixel(0, 0).0;
    assert_eq!(bar, [255; 3]);
    let in_half = |low: u32, high: u32| {
        picture
            .enumerate_pixels()
            .filter(|(x, _, p)| (low..high).contains(x) && blue(p))
            .count()
    };
    let (left, right) = (in_half(0, 400), in_half(400, 760));
    assert!(left > 5 * right && right > 100, "{left} {right}");
}

#[test]
fn the_same_data_give_the_same_bytes() {
    let saved = Saved::new();
    let bytes = || {
        Histogram::new("h", "ms")
            .samples("a", &[1.0, 2.0, 4.0])
            .save(&saved.path())
            .unwrap();
        std::fs::read(saved.path()).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_heat_map_has_the_colours_of_its_values_and_grey_without_one() {
    let saved = Saved::new();
    let values = vec![Some(0.0), Some(1.0), None, Some(1.0)];
    let map = |title: &str| Map {
        title: title.into(),
        columns: 2,
        values: values.clone(),
        marks: vec![("goal".into(), (0.5, 0.5))],
    };
    HeatMaps::new("rewards", -1.0..1.0, -1.0..1.0, ("x, m", "y, m"))
        .scale(0.0..1.0)
        .map(map("predicted"))
        .map(map("true"))
        .save(&saved.path())
        .unwrap();
    let picture = saved.pixels();
    let [low, high] = [[24, 28, 66], [250, 231, 60]].map(|colour| count(&picture, colour));
    assert!(low > 10_000 && high > low * 18 / 10, "{low} {high}");
    let empty = HeatMaps::new("none", 0.0..1.0, 0.0..1.0, ("x", "y")).save(&saved.path());
    assert!(matches!(empty, Err(PictureError::NoData { .. })));
}

#[test]
fn intervals_are_drawn_as_long_as_they_are() {
    let saved = Saved::new();
    let value = |series, value, low, high| Interval {
        series,
        value,
        low,
        high,
    };
    let rows = vec![
        (
            "latco".to_owned(),
            vec![value(0, 0.5, 0.0, 1.0), value(1, 0.5, 0.25, 0.75)],
        ),
        ("nothing".to_owned(), vec![value(0, f64::NAN, 0.0, 1.0)]),
    ];
    Intervals::new("shares", "share solved", ["first", "second"])
        .panel("reach", rows)
        .save(&saved.path())
        .unwrap();
    let picture = saved.pixels();
    let [first, second] = [[0, 114, 178], [213, 94, 0]].map(|colour| count(&picture, colour));
    // 2 pixels wide, and a dot each; the second is half as long.
    assert!(second > 300 && first > second + 250, "{first} {second}");
    let empty = Intervals::new("none", "x", ["a"]).save(&saved.path());
    assert!(matches!(empty, Err(PictureError::NoData { .. })));
}
