//! The page of a run in Debian's Chromium, without a window.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use latco_testkit::latco::{command, latco_command, latco_train};
use latco_testkit::program::Program;
use latco_testkit::time::my_turn;

const LIMIT: Duration = Duration::from_secs(120);

/// What Chromium prints when it opens the page at a place, and a picture of it.
fn open(page: &Path, place: &str, folder: &Path) -> (String, Vec<u8>) {
    let address = format!("file://{}#{place}", page.display());
    let common = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        "--window-size=1200,2600",
    ];
    let dumped = Command::new("chromium")
        .args(common)
        .args(["--dump-dom", &address])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&dumped.stderr).into_owned();
    let said: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
    assert!(said.is_empty(), "the page complains: {said:?}");
    let shot = folder.join("shot.png");
    let taken = Command::new("chromium")
        .args(common)
        .arg(format!("--screenshot={}", shot.display()))
        .arg(&address)
        .output()
        .unwrap();
    assert!(taken.status.success(), "{taken:?}");
    (
        String::from_utf8_lossy(&dumped.stdout).into_owned(),
        std::fs::read(shot).unwrap(),
    )
}

#[test]
#[ignore = "needs Chromium (apt-get install chromium): make test-interop"]
fn the_page_of_a_run_is_drawn_and_its_sliders_change_it() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let out_text = out.to_string_lossy();
    let mut command = latco_command(&[
        "demo",
        "--episodes",
        "2",
        "--out",
        &out_text,
        "--domain",
        "48",
        "--json",
    ]);
    Program::start(&mut command).end(LIMIT).assert_code(0);
    let page = out.join("report.html");
    let (first, first_picture) = open(&page, "image=1", folder.path());
    let (later, later_picture) = open(&page, "image=12", folder.path());
    for (image, dom) in [(1, &first), (12, &later)] {
        assert!(
            dom.contains(&format!(">{image} of ")),
            "the slider stands at image {image}"
        );
        // Every chart has axes and lines, and every strip is a canvas that was given its size.
        assert!(
            dom.matches("<polyline").count() >= 5,
            "charts of image {image}"
        );
        assert!(
            dom.matches("<canvas width=").count() >= 3 || dom.matches("height=\"32\"").count() >= 3
        );
        assert!(dom.matches("<dt>").count() >= 5 && !dom.contains(">undefined"));
    }
    assert_ne!(first_picture, later_picture);
}

#[test]
#[ignore = "needs Chromium (apt-get install chromium): make test-interop"]
fn the_page_of_a_training_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path();
    let report = serde_json::json!({
        "task": "reach", "recipe": "two_stage", "seed": 0, "train_episodes": 20, "train_frames": 1000, "held_out_episodes": 2,
        "parameters": 1234, "training_s": 5.0, "data_hash": "0f", "gates_passed": false, "problems": ["bag a < b: damaged"],
        "gates": [{ "name": "plan_calibration", "value": 0.25, "threshold": 0.5, "higher_is_better": true, "note": "3 plans" }],
    });
    std::fs::write(run.join("report.json"), report.to_string()).unwrap();
    let rows = (1..50).map(|step| {
        format!(
            "world,{step},loss,{}\nworld,{step},held_out_loss,1\n",
            9.0 / f64::from(step)
        )
    });
    let losses = format!("stage,step,name,value\n{}", rows.collect::<String>());
    std::fs::write(run.join("losses.csv"), losses).unwrap();
    std::fs::create_dir(run.join("pictures")).unwrap();
    let strip = latco_testkit::paths::workspace().join("docs/film-strip.png");
    std::fs::copy(strip, run.join("pictures/world-open_loop.png")).unwrap();

    let point = |iterations: u32, promised: u32| {
        serde_json::json!({
            "iterations": iterations, "predicted_return": promised, "true_return": 1, "promised": promised, "kept": 1,
        })
    };
    let curve = serde_json::json!({ "planner": "latco", "plans": 9, "points": [point(0, 2), point(200, 7)] });
    std::fs::write(run.join("exploitation.json"), curve.to_string()).unwrap();

    let mut write = command(&latco_train(), &["report", &run.to_string_lossy()]);
    Program::start(&mut write).end(LIMIT).assert_code(0);
    let (dom, _) = open(&run.join("report.html"), "losses", run);
    assert_eq!(
        dom.matches("<polyline").count(),
        2 + 4,
        "learned and held out, and the four lines of the exploitation curve"
    );
    assert_eq!(dom.matches("<dt>").count(), 6);
    for text in [
        "its plans do not do what they promise",
        "world: open loop",
        "1 of 2 get it without iterations, and 1 of 7 after 200",
        "bag a &lt; b: damaged",
    ] {
        assert!(dom.contains(text), "{text}: {dom}");
    }
}

#[test]
#[ignore = "needs Chromium (apt-get install chromium): make test-interop"]
fn the_page_of_a_race_is_drawn_and_its_slider_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_string_lossy().into_owned();
    let mut race = command(
        &latco_train(),
        &[
            "experiment",
            "race",
            "--quick",
            "--equal-ms",
            "5",
            "--out",
            &out,
        ],
    );
    race.current_dir(latco_testkit::paths::workspace());
    Program::start(&mut race).end(LIMIT).assert_code(0);
    let page = folder.path().join("race.html");
    let (first, first_picture) = open(&page, "step=1", folder.path());
    let (_, later_picture) = open(&page, "step=9", folder.path());
    assert!(first.contains(">1 of 50, at 0.0 s"), "{first}");
    // Four lanes of a camera and two strips, and three charts of four lines.
    assert_eq!(first.matches("<canvas").count(), 4 * 3);
    assert_eq!(first.matches("<polyline").count(), 4 * 3);
    assert_ne!(first_picture, later_picture);
}
