//! Weights, metadata and golden vectors that do not fit together are refused with every contradiction named.
#![allow(clippy::unwrap_used)]

use latco_export::{
    ExportError, Family, RandomSpec, golden, random_weights, write_bundle, write_bundle_of_kind,
};
use latco_models::{DynamicsKind, Graph};
use latco_reference::{Decoder, Dense, Penalty};
use ndarray::{Array1, Array2, arr1, arr2};

fn small() -> RandomSpec {
    RandomSpec {
        family: Family::Keypoint,
        stoch: 3,
        deter: 4,
        hidden: 5,
        units: 5,
        action: 2,
        horizon: 2,
        image: 16,
        joints: 2,
    }
}

#[test]
fn weights_that_do_not_fit() {
    let (mut weights, metadata) = random_weights(&small(), 1);
    let vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    weights.posterior.kernel = Array2::zeros((9, 5));
    weights.step.gru.as_mut().unwrap().recurrent.bias = Array1::zeros(11);
    weights.step.prior.bias[0] = f32::NAN;
    if let Decoder::Patch { patch, .. } = &mut weights.decoder {
        *patch = 7;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    let error = write_bundle(&dir, &weights, &metadata, &vectors).unwrap_err();
    let text = error.to_string();
    for part in [
        "posterior has kernel (9, 5) and bias [5], expected (32, 5) and [5]",
        "gru_recurrent has kernel (4, 12) and bias [11], expected (4, 12) and [12]",
        "the decoder's layers must fit together, start at a state of 7 and end at an image of 16x16x3",
        "some weights are not finite",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!dir.exists(), "nothing may be written");
}

#[test]
fn penalties_that_do_not_fit() {
    let (mut weights, metadata) = random_weights(&small(), 1);
    let vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    let mut refused = |penalty: Penalty| {
        weights.penalty = Some(penalty);
        let error = write_bundle(&dir, &weights, &metadata, &vectors).unwrap_err();
        assert!(!dir.exists(), "nothing may be written");
        error.to_string()
    };
    let (other, _) = random_weights(
        &RandomSpec {
            deter: 5,
            ..small()
        },
        1,
    );
    let penalty = Penalty {
        deviations: other.reward,
        weight: 1.0,
        heads: 2,
        reference: 1.0,
    };
    let text = refused(penalty.clone());
    assert!(
        text.contains("penalty.deviations must be ELU layers from 7"),
        "{text}"
    );
    let (fitting, _) = random_weights(&small(), 1);
    let text = refused(Penalty {
        deviations: fitting.reward,
        weight: -1.0,
        heads: 1,
        reference: 0.0,
    });
    for part in [
        "reward.penalty.heads is 1, expected 2 or more",
        "reward.penalty.weight is -1, expected a positive number",
        "reward.penalty.reference is 0, expected a positive number",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn weights_without_a_gru_have_no_gate_factors() {
    let spec = RandomSpec {
        deter: 0,
        ..small()
    };
    let (weights, metadata) = random_weights(&spec, 1);
    let vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    let kind = DynamicsKind::GruFactors;
    let error = write_bundle_of_kind(&dir, &weights, &metadata, &vectors, kind).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no GRU"), "{text}");
    assert!(!dir.exists(), "nothing may be written");
    let manifest = write_bundle(&dir, &weights, &metadata, &vectors).unwrap();
    assert_eq!(manifest.dynamics.kind, DynamicsKind::Dense);
    assert_eq!((manifest.dims.deter, manifest.dims.state()), (0, 3));
}

#[test]
fn an_image_too_small_for_the_convolutions() {
    let spec = RandomSpec {
        image: 32,
        ..RandomSpec::planet()
    };
    let (weights, _) = random_weights(&spec, 1);
    let text = weights.validate(32, 32).unwrap_err().to_string();
    assert!(text.contains("need a larger image than 32x32"), "{text}");
}

#[test]
fn metadata_that_contradict_the_weights() {
    let (weights, mut metadata) = random_weights(&small(), 1);
    let vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    metadata.joint_names = vec!["a".to_owned(), "a".to_owned(), "b".to_owned()];
    metadata.action_limit = 0.0;
    let folder = tempfile::tempdir().unwrap();
    let error = write_bundle(folder.path(), &weights, &metadata, &vectors).unwrap_err();
    assert!(matches!(error, ExportError::Metadata(_)));
    let text = error.to_string();
    for part in [
        "joints.names has a name twice",
        "action.limit is 0, expected a positive number",
        "joints.mean has 4 entries, expected 6",
        "joints.position_lower_rad has 2 entries, expected 3",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn golden_vectors_need_every_graph_and_input() {
    let (weights, metadata) = random_weights(&small(), 1);
    let vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut without = vectors.clone();
    without.cases.retain(|case| case.graph != Graph::Decode);
    let error = write_bundle(folder.path(), &weights, &metadata, &without).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the golden vectors are wrong: no case for graph decode"
    );
    let mut lacking = vectors;
    lacking.cases[1].inputs.pop();
    let error = write_bundle(folder.path(), &weights, &metadata, &lacking).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the golden vectors are wrong: dynamics: input \"action\" is None, expected [batch] and [2]"
    );
}

/// Outputs that a trainer gives are kept, those it does not give are filled in.
#[test]
fn outputs_of_the_trainer_are_kept() {
    let (weights, metadata) = random_weights(&small(), 1);
    let mut vectors = golden::from_reference(&weights, &metadata, 2, 1).unwrap();
    let dynamics = &mut vectors.cases[1];
    dynamics.outputs.clear();
    dynamics.output("mean", &[2, 7], vec![0.25; 14]);
    let folder = tempfile::tempdir().unwrap();
    write_bundle(folder.path(), &weights, &metadata, &vectors).unwrap();
    let bytes = std::fs::read(folder.path().join("golden.postcard")).unwrap();
    let written = latco_models::Golden::from_bytes(&bytes).unwrap();
    let case = &written.cases[1];
    let mean = &case.find_output("mean").unwrap().data;
    assert_eq!(mean, &latco_models::GoldenData::F32(vec![0.25; 14]));
    assert!(case.find_output("std").is_some() && case.find_output("factors").is_some());
}

#[test]
fn whitening_and_its_inverse() {
    let (mean, std) = (arr1(&[1.0, -2.0]), arr1(&[2.0, 0.5]));
    let x = arr2(&[[5.0, -1.0]]);
    let apply = |layer: &Dense, x: &Array2<f32>| x.dot(&layer.kernel) + &layer.bias;
    let white = apply(&Dense::whiten(&mean, &std), &x);
    assert_eq!(white, arr2(&[[2.0, 2.0]]));
    assert_eq!(apply(&Dense::unwhiten(&mean, &std), &white), x);
}

/// The same seed gives the same files.
#[test]
fn graphs_are_reproducible() {
    let write = || {
        let (weights, metadata) = random_weights(&small(), 4);
        let manifest = metadata.manifest(&weights, DynamicsKind::GruFactors);
        Graph::ALL.map(|graph| latco_export::graph(&weights, &manifest, graph))
    };
    assert_eq!(write(), write());
}
