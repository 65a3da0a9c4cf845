//! The `golden` program on the published solver's records, on records of a dense reference, and on
//! files it must refuse.

#![allow(
    clippy::unwrap_used,
    reason = "a test; helpers of tests are not recognised as such"
)]

#[path = "golden/reference.rs"]
mod reference;

use std::path::{Path, PathBuf};
use std::process::Command;

use reference::{Record, Sizes, record};

/// Exit status, the JSON object on standard output, standard error.
fn golden(path: &Path) -> (i32, serde_json::Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_golden"))
        .arg(path)
        .arg("--json")
        .output()
        .expect("the golden program starts");
    let json = serde_json::from_slice(&output.stdout).expect("exactly one JSON object");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("no signal"), json, errors)
}

const SMALL: Sizes = Sizes {
    stoch: 2,
    deter: 4,
    hidden: 5,
    units: 3,
    action: 2,
    horizon: 3,
    iterations: 8,
};

fn small() -> Record {
    record(SMALL, 1e-4, numbers(1))
}

/// Pseudo-random numbers, -1..1, the same everywhere.
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn written(record: &Record) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.npz");
    record.write(&path);
    (folder, path)
}

#[test]
fn published_records_are_reproduced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "npz"));
    assert_eq!(files.len(), 2, "{}", folder.display());
    for path in files {
        let (status, json, errors) = golden(&path);
        assert_eq!(status, 0, "{}: {json} {errors}", path.display());
        assert_eq!(json["within"], true);
    }
}

#[test]
fn records_of_the_dense_reference_are_reproduced() {
    // no two sizes equal, so that no two can be confused
    let odd = Sizes {
        stoch: 3,
        deter: 5,
        hidden: 7,
        units: 6,
        action: 4,
        horizon: 2,
        iterations: 9,
    };
    let single = Sizes {
        stoch: 1,
        deter: 1,
        hidden: 1,
        units: 1,
        action: 1,
        horizon: 1,
        ..SMALL
    };
    let cases = [
        (SMALL, 1e-4, 1),
        (SMALL, 1e-2, 2),
        (odd, 1e-2, 3),
        (odd, 1e-4, 4),
    ];
    for (sizes, epsilon, seed) in cases.into_iter().chain([(single, 1e-2, 5)]) {
        let (_folder, path) = written(&record(sizes, epsilon, numbers(seed)));
        let (status, json, errors) = golden(&path);
        assert_eq!(status, 0, "seed {seed}: {json} {errors}");
        assert_eq!(
            json["per_iteration"].as_array().unwrap().len(),
            sizes.iterations
        );
        assert_eq!(
            json["restarted_iterations"].as_array().unwrap().len(),
            0,
            "seed {seed}"
        );
    }
}

#[test]
fn a_changed_number_is_found_at_its_iteration() {
    let changes = [
        ("plans", 1e-3),
        ("lam", 1e-2),
        ("nu", 1e-2),
        ("reward", 1e-3),
    ];
    for (name, change) in changes
        .into_iter()
        .chain([("dyn_viol", 0.1), ("act_viol", 0.1)])
    {
        let mut record = small();
        let values = &mut record.array(name).2;
        let part = values.len() / SMALL.iterations;
        values[5 * part + 1] += change;
        let (_folder, path) = written(&record);
        let (status, json, _) = golden(&path);
        assert_eq!(
            (status, &json["first_iteration_outside"]),
            (1, &5.into()),
            "{name}"
        );
    }
}

#[test]
fn every_mismatch_is_in_one_report() {
    let mut record = small();
    record.0.retain(|(name, ..)| *name != "nu");
    record.array("z0").1 = vec![SMALL.stoch + SMALL.deter, 1];
    record.array("lam").2[3] = f64::NAN;
    record.array("damping").2[0] = -1.0;
    let (_folder, path) = written(&record);
    let (status, json, errors) = golden(&path);
    assert_eq!(status, 2);
    let listed: Vec<&str> = json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error.as_str().unwrap())
        .collect();
    assert_eq!(listed.len(), 4, "{listed:?}");
    for expected in [
        "nu: missing",
        "z0: shape [6, 1], expected [6] from meta",
        "lam: holds NaN, expected finite numbers",
        "damping: -1, expected a positive number",
    ] {
        assert!(listed.contains(&expected), "{expected} in {listed:?}");
        assert!(errors.contains(expected), "{expected} in {errors}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let (folder, path) = written(&small());
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.npz");

    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    let (status, _, errors) = golden(&damaged);
    assert_eq!(status, 2);
    assert!(errors.contains("is not a complete npz file"), "{errors}");

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    std::fs::write(&damaged, &flipped).unwrap();
    let (status, _, errors) = golden(&damaged);
    assert_eq!(status, 2);
    assert!(errors.contains("damaged"), "{errors}");

    let mut record = small();
    record.array("meta").2[1] = 0.0;
    record.write(&damaged);
    let (status, _, errors) = golden(&damaged);
    assert_eq!(status, 2);
    assert!(
        errors.contains("meta: deter is 0, expected a whole number"),
        "{errors}"
    );

    let (status, _, errors) = golden(&folder.path().join("absent.npz"));
    assert_eq!(status, 2);
    assert!(errors.contains("cannot be opened"), "{errors}");
}
