//! Bundles from somebody else: what was changed is refused, what would read other files or never end is refused, and keys say
//! whose bundles are taken.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use latco_models::manifest::MANIFEST_FILE;
use latco_models::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use latco_models::{
    Bundle, BundleError, Graph, LoadOptions, Manifest, SEAL_FILE, SIGNATURE_FILE, SecretKey,
    TrustedKeys, read_manifest, report, seal, sign,
};
use prost::Message;
use support::Fixture;

/// Changes the text of the manifest as an editor does, without a new seal.
fn edit(fixture: &Fixture, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = read_manifest(fixture.dir()).unwrap();
    change(&mut manifest);
    std::fs::write(fixture.path(MANIFEST_FILE), manifest.to_toml().unwrap()).unwrap();
}

#[test]
fn f06_a_changed_manifest_is_refused_until_it_is_sealed_again() {
    type Change = (&'static str, fn(&mut Manifest));
    let changes: [Change; 8] = [
        ("action scale", |m| m.action.scale[0] *= 10.0),
        ("velocity limit", |m| {
            m.joints.velocity_limit_rad_s[1] = 99.0
        }),
        ("position limit", |m| m.joints.position_upper_rad[0] = 9.0),
        ("joint order", |m| m.joints.names.reverse()),
        ("control period", |m| m.control_period_s = 0.5),
        ("joint mean", |m| m.joints.mean[0] = 9.0),
        ("reward range", |m| m.reward.range.high = 2.0),
        ("gate", |m| m.task = "another".to_owned()),
    ];
    for (what, change) in changes {
        let fixture = Fixture::keypoint();
        edit(&fixture, change);
        let mismatches = fixture.refused();
        assert_eq!(mismatches.len(), 1, "{what}: {mismatches:?}");
        assert!(
            mismatches[0].starts_with("manifest.toml was changed: sha256 ")
                && mismatches[0].contains("`latco model seal`"),
            "{what}: {mismatches:?}"
        );
        seal(fixture.dir()).unwrap();
        let again = fixture.load();
        assert!(again.is_ok(), "{what}: {again:?}");
    }
    // A comment alone, too: what is sealed are the bytes.
    let fixture = Fixture::keypoint();
    let text = std::fs::read_to_string(fixture.path(MANIFEST_FILE)).unwrap();
    std::fs::write(fixture.path(MANIFEST_FILE), text + "# mine\n").unwrap();
    assert!(fixture.refused()[0].starts_with("manifest.toml was changed"));
    std::fs::remove_file(fixture.path(SEAL_FILE)).unwrap();
    assert!(fixture.refused()[0].starts_with("manifest.sha256 is missing"));
    edit(&fixture, |m| m.control_period_s = -1.0);
    let error = seal(fixture.dir()).unwrap_err().to_string();
    assert!(error.contains("control_period_s is -1"), "{error}");
    assert!(!fixture.path(SEAL_FILE).exists());
    println!("f06: 8 of 8 changed manifests refused, 8 of 8 accepted once sealed");
}

#[test]
fn f06_every_flipped_bit_of_the_manifest_is_refused() {
    let fixture = Fixture::keypoint();
    let good = std::fs::read(fixture.path(MANIFEST_FILE)).unwrap();
    let mut tried = 0;
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 7);
        std::fs::write(fixture.path(MANIFEST_FILE), &bad).unwrap();
        assert!(
            report::verify(fixture.dir(), TrustedKeys::default()).is_err(),
            "byte {at}"
        );
        tried += 1;
    }
    println!("f06: {tried} of {tried} flipped bits refused");
}

#[test]
fn the_shipped_bundles_are_sealed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bundles");
    let mut bundles = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            report::verify(&path, TrustedKeys::default()).unwrap();
            bundles += 1;
        }
    }
    assert!(bundles >= 7, "{bundles}");
}

#[test]
fn f06_a_signed_bundle_is_taken_only_as_it_was_signed_and_from_whom_it_was_pinned() {
    let fixture = Fixture::keypoint();
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| SecretKey::generate(&keys.path().join(name)).unwrap();
    let (ours, other) = (key("ours"), key("other"));
    let mode = std::fs::metadata(keys.path().join("ours")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    assert!(
        SecretKey::generate(&keys.path().join("ours")).is_err(),
        "it exists"
    );
    let read = SecretKey::read(&keys.path().join("ours")).unwrap();
    assert_eq!(read.public(), ours.public());
    assert_ne!(other.public(), ours.public());
    assert_eq!(ours.public().to_string().parse(), Ok(ours.public()));

    let load = |trusted: &[&SecretKey]| {
        let options = LoadOptions {
            trusted_keys: TrustedKeys(trusted.iter().map(|key| key.public()).collect()),
            ..LoadOptions::default()
        };
        Bundle::load(fixture.dir(), &options)
    };
    let refused = |trusted: &[&SecretKey]| load(trusted).unwrap_err().to_string();
    assert!(refused(&[&ours]).contains("the bundle is not signed, expected a signature by"));
    sign(fixture.dir(), &ours).unwrap();
    assert_eq!(
        load(&[&other, &ours]).unwrap().signer(),
        Some(ours.public())
    );
    assert_eq!(load(&[]).unwrap().signer(), Some(ours.public()));
    assert!(refused(&[&other]).contains("the bundle is signed by"));

    // Changed and sealed by somebody without the key.
    let signature = std::fs::read(fixture.path(SIGNATURE_FILE)).unwrap();
    edit(&fixture, |m| m.action.scale[0] *= 10.0);
    assert!(
        sign(fixture.dir(), &ours)
            .unwrap_err()
            .to_string()
            .contains("was changed")
    );
    seal(fixture.dir()).unwrap();
    assert!(!fixture.path(SIGNATURE_FILE).exists());
    assert!(load(&[]).is_ok() && refused(&[&ours]).contains("not signed"));
    std::fs::write(fixture.path(SIGNATURE_FILE), &signature).unwrap();
    for trusted in [&[][..], &[&ours]] {
        let error = refused(trusted);
        assert!(
            error.contains("manifest.sig is not the signature of manifest.toml"),
            "{error}"
        );
    }
    for damaged in ["", "ed25519 00 00", "rsa a b"] {
        std::fs::write(fixture.path(SIGNATURE_FILE), damaged).unwrap();
        assert!(refused(&[]).contains("manifest.sig is damaged"));
    }
    println!("f06: changed and sealed, but not signed: refused with a pinned key");
}

/// The bundle with another `reward` graph, whose sums are right.
fn with(change: impl FnOnce(&mut GraphProto)) -> Fixture {
    let fixture = Fixture::keypoint();
    let file = Graph::Reward.file();
    let mut model = ModelProto::decode(&*std::fs::read(fixture.path(file)).unwrap()).unwrap();
    change(model.graph.as_mut().unwrap());
    fixture.replace(file, &model.encode_to_vec());
    fixture
}

#[test]
fn f14_what_is_not_arithmetic_within_the_file_is_refused_before_it_is_loaded() {
    let node = |op: &str, domain: &str| NodeProto {
        op_type: op.to_owned(),
        domain: domain.to_owned(),
        ..NodeProto::default()
    };
    for (op, domain, named) in [
        ("Loop", "", "Loop"),
        ("If", "ai.onnx", "If"),
        ("Scan", "", "Scan"),
        ("SequenceMap", "", "SequenceMap"),
        ("ConstantOfShape", "", "ConstantOfShape"),
        ("Add", "com.evil", "com.evil.Add"),
    ] {
        let fixture = with(|graph| graph.node.push(node(op, domain)));
        let mismatches = fixture.refused();
        assert_eq!(mismatches.len(), 1, "{mismatches:?}");
        let expected = format!("reward.onnx has operators that no bundle may have: {named};");
        assert!(mismatches[0].starts_with(&expected), "{mismatches:?}");
    }
    let external = TensorProto {
        name: "weights".to_owned(),
        data_location: 1,
        external_data: vec![b"\x0a\x08location\x12\x0cusr/bin/bash".to_vec()],
        ..TensorProto::default()
    };
    let within = AttributeProto {
        t: Some(external.clone()),
        r#type: 4,
        ..AttributeProto::default()
    };
    let constant = NodeProto {
        attribute: vec![within],
        ..node("Constant", "")
    };
    for fixture in [
        with(|graph| graph.initializer.push(external.clone())),
        with(|graph| graph.initializer[0].data_location = 1),
        with(|graph| graph.node.push(constant)),
    ] {
        let mismatches = fixture.refused();
        assert_eq!(mismatches.len(), 1, "{mismatches:?}");
        assert!(
            mismatches[0].contains("lies in another file"),
            "{mismatches:?}"
        );
    }
    let nested = AttributeProto {
        g: Some(Vec::new()),
        r#type: 5,
        ..AttributeProto::default()
    };
    let fixture = with(|graph| graph.node[0].attribute.push(nested));
    assert!(fixture.refused()[0].contains("graphs or lists of tensors as parameters"));
    println!(
        "f14: 6 foreign operators, 3 kinds of external data, nested graphs: refused before they are loaded"
    );
}

fn node(operator: &str, inputs: &[&str], to: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![to.to_owned()],
        op_type: operator.to_owned(),
        ..NodeProto::default()
    }
}

/// A bundle whose reward needs the result of `work`, the value named `last`. The nodes of `work` are made for the name of the state; they
/// may use the constants `first`, 17 rows of 2048 values, and `more`, 2048 rows.
fn with_work(last: &str, work: impl FnOnce(&str) -> Vec<NodeProto>) -> Fixture {
    const SIZE: i64 = 2048;
    with(|graph| {
        for (name, rows) in [("first", 17), ("more", SIZE)] {
            graph.initializer.push(TensorProto {
                dims: vec![rows, SIZE],
                data_type: 1,
                name: name.to_owned(),
                raw_data: vec![0; (rows * SIZE * 4) as usize],
                ..TensorProto::default()
            });
        }
        let mut nodes = work(&graph.input[0].name);
        nodes.push(node("ReduceMax", &[last], "nothing"));
        let reward = graph.node.iter_mut().find(|node| node.output == ["reward"]);
        let reward = reward.unwrap();
        reward.op_type = "Add".to_owned();
        reward.input.push("nothing".to_owned());
        nodes.append(&mut graph.node);
        graph.node = nodes;
    })
}

/// A graph of allowed operators that computes for a long time.
fn endless() -> Fixture {
    with_work("x6000", |state| {
        let mut nodes = vec![
            node("MatMul", &[state, "first"], "rows"),
            node("ReduceMax", &["rows"], "one"),
            node("Add", &["one", "more"], "x0"),
        ];
        for at in 0..6000 {
            nodes.push(node("Tanh", &[&format!("x{at}")], &format!("x{}", at + 1)));
        }
        nodes
    })
}

#[test]
fn f14_a_graph_that_does_not_end_is_refused_and_one_that_is_given_up_ends() {
    let fixture = endless();
    let mut options = LoadOptions::default();
    options.limit.time = Duration::from_millis(200);
    let began = Instant::now();
    let error = Bundle::load(fixture.dir(), &options).unwrap_err();
    let took = began.elapsed();
    assert!(matches!(error, BundleError::Refused { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("did not end within 0.2 s"), "{error}");

    let options = LoadOptions::default();
    let given_up = options.limit.given_up.clone();
    let stopper = std::thread::spawn(move || {
        let (_open, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(300));
        given_up.store(true, Ordering::SeqCst);
        Instant::now()
    });
    let error = Bundle::load(fixture.dir(), &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no longer wanted"), "{error}");
    let ended = stopper.join().unwrap().elapsed();
    assert!(ended < Duration::from_secs(3), "{ended:?}");
    println!("f14: an endless graph refused after {took:.2?}, given up within {ended:.2?}");
}

/// A graph that takes long to be made: a constant of 16 MB in a thousand products, each of which has it packed for itself.
fn laborious() -> Fixture {
    with_work("x1000", |state| {
        let mut nodes = vec![node("MatMul", &[state, "first"], "x0")];
        for at in 0..1000 {
            let (from, to) = (format!("x{at}"), format!("x{}", at + 1));
            nodes.push(node("MatMul", &[&from, "more"], &to));
        }
        nodes
    })
}

#[test]
fn f14_a_graph_that_takes_long_to_be_made_is_refused_in_time() {
    let fixture = laborious();
    let mut options = LoadOptions::default();
    options.limit.time = Duration::from_millis(300);
    let began = Instant::now();
    let error = Bundle::load(fixture.dir(), &options).unwrap_err();
    let took = began.elapsed();
    assert!(matches!(error, BundleError::Refused { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("its making did not end within 0.3 s"),
        "{error}"
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!("f14: 16 MB of weights in 1,000 products refused after {took:.2?}");
}

#[test]
fn f14_files_that_are_no_files_are_refused_at_once() {
    let fixture = Fixture::keypoint();
    let began = Instant::now();
    let file = fixture.path("decode.onnx");
    std::fs::remove_file(&file).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    assert!(fixture.refused()[0].contains("expected a regular file, found a named pipe"));
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert!(fixture.refused()[0].contains("expected a regular file, found a device"));
    for name in [MANIFEST_FILE, SEAL_FILE, SIGNATURE_FILE] {
        let fixture = Fixture::keypoint();
        let _ = std::fs::remove_file(fixture.path(name));
        std::os::unix::fs::symlink("/dev/zero", fixture.path(name)).unwrap();
        let error = fixture.load().unwrap_err().to_string();
        assert!(error.contains("found a device"), "{error}");
    }
    println!(
        "f14: named pipe and devices refused in {:.2?}",
        began.elapsed()
    );
}
