//! Bundles of format 1 become those of today, byte for byte, and are refused with the command until then.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use latco_models::manifest::MANIFEST_FILE;
use latco_models::{BundleError, Graph, Manifest, SEAL_FILE, convert};
use support::Fixture;

/// The name that a constant had in format 1.
fn of_format_1(name: &str) -> Option<String> {
    let (layer, kind) = name.split_once('.')?;
    Some(match layer {
        "input" => format!("img1.{kind}"),
        "gru_input" => format!("gru.input_{kind}"),
        "gru_recurrent" => format!("gru.recurrent_{kind}"),
        "prior" => format!("img2.{kind}"),
        // As the manifest names it: it may have been any name.
        "prior_mean" if kind == "kernel" => "mean half".to_owned(),
        "prior_mean" | "prior_std" => format!("img3{}.{kind}", &layer[5..]),
        "posterior" => format!("obs1.{kind}"),
        "posterior_mean" | "posterior_std" => format!("obs2{}.{kind}", &layer[9..]),
        _ => return None,
    })
}

/// A random bundle as format 1 had it, but for `change`.
fn old(change: impl FnOnce(&Fixture)) -> Fixture {
    let fixture = Fixture::keypoint();
    for graph in Graph::ALL {
        fixture.rename_constants(graph, of_format_1);
    }
    change(&fixture);
    fixture.edit_manifest(|manifest| manifest.format_version = 1);
    let text = std::fs::read_to_string(fixture.path(MANIFEST_FILE)).unwrap();
    let initialisers = "\n[dynamics.initialisers]\ninput_kernel = \"img1.kernel\"\n\
                        gru_input_kernel = \"gru.input_kernel\"\n\
                        gru_recurrent_kernel = \"gru.recurrent_kernel\"\n\
                        prior_kernel = \"img2.kernel\"\nmean_kernel = \"mean half\"\n";
    std::fs::write(fixture.path(MANIFEST_FILE), text + initialisers).unwrap();
    fixture
}

#[test]
fn a_bundle_of_format_1_is_that_of_today_after_its_conversion() {
    let (old, today) = (old(|_| ()), Fixture::keypoint());
    let error = old.load().unwrap_err();
    let command = format!("latco model convert {} --out NEW", old.dir().display());
    assert!(matches!(error, BundleError::Manifest { .. }) && error.to_string().contains(&command));

    let before = std::fs::read(old.path("dynamics.onnx")).unwrap();
    let sum = {
        let text = std::fs::read_to_string(old.path(MANIFEST_FILE)).unwrap();
        let text = text.split("\n[dynamics.initialisers]").next().unwrap();
        Manifest::from_toml(text).unwrap().sum()
    };
    let folder = tempfile::tempdir().unwrap();
    convert(old.dir(), &folder.path().join("new")).unwrap();
    assert_eq!(before, std::fs::read(old.path("dynamics.onnx")).unwrap());
    convert(old.dir(), old.dir()).unwrap();
    for file in std::fs::read_dir(today.dir()).unwrap() {
        let name = file.unwrap().file_name();
        if name == MANIFEST_FILE || name == SEAL_FILE {
            continue;
        }
        let expected = std::fs::read(today.dir().join(&name)).unwrap();
        for found in [old.dir().join(&name), folder.path().join("new").join(&name)] {
            assert!(std::fs::read(&found).unwrap() == expected, "{found:?}");
        }
    }
    let mut manifest = old.load().unwrap().manifest().clone();
    assert!(manifest.is_known_by(&sum) && manifest.is_known_by(&manifest.sum()));
    let expected = today.load().unwrap().manifest().clone();
    assert!(!expected.is_known_by(&sum), "another sum");
    manifest.converted_from = None;
    assert_eq!(manifest, expected);
    let again = convert(old.dir(), old.dir()).unwrap_err().to_string();
    assert!(again.contains("is of format 2, expected 1"), "{again}");
}

#[test]
fn what_cannot_be_converted_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let refused = |old: &Fixture| {
        let error = convert(old.dir(), &new).unwrap_err().to_string();
        assert!(!new.exists());
        error
    };
    let damaged = old(|_| ());
    std::fs::write(damaged.path("reward.onnx"), b"no graph").unwrap();
    let error = refused(&damaged);
    assert!(error.contains("reward.onnx has 8 bytes"), "{error}");

    // A field that this program has no name for: 15 of the model.
    let foreign = old(|fixture| {
        let mut bytes = std::fs::read(fixture.path("observe.onnx")).unwrap();
        bytes.extend([0x7a, 0x01, 0x00]);
        fixture.replace("observe.onnx", &bytes);
    });
    let error = refused(&foreign);
    assert!(
        error.contains("observe.onnx has contents that this program does not know"),
        "{error}"
    );
}
