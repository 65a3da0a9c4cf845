//! Damaged and wrong bundles: each is refused with a message that says what is wrong, and none panics.

mod support;

use latco_export::Family;
use latco_models::golden::GOLDEN_FILE;
use latco_models::manifest::MANIFEST_FILE;
use latco_models::onnx::ModelProto;
use latco_models::{
    Bundle, BundleError, Golden, GoldenData, Graph, LoadOptions, read_manifest, report,
};
use prost::Message;
use support::{Fixture, small};

#[test]
fn flipped_byte() {
    let fixture = Fixture::keypoint();
    for file in Graph::ALL.map(Graph::file).into_iter().chain([GOLDEN_FILE]) {
        let good = std::fs::read(fixture.path(file)).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x10;
        std::fs::write(fixture.path(file), &bad).unwrap();
        let mismatches = fixture.refused();
        assert_eq!(mismatches.len(), 1, "{mismatches:?}");
        assert!(
            mismatches[0].starts_with(&format!("{file} is damaged: sha256 ")),
            "{mismatches:?}"
        );
        std::fs::write(fixture.path(file), &good).unwrap();
    }
    fixture.load().unwrap();
}

#[test]
fn wrong_dims_name_every_graph_and_constant() {
    let fixture = Fixture::keypoint();
    fixture.edit_manifest(|manifest| manifest.dims.deter = 13);
    let text = fixture.load().unwrap_err().to_string();
    for part in [
        "mismatches:\n",
        "observe.onnx: input \"state\" is f32 [N, 17], the manifest's sizes give f32 [N, 18]",
        "dynamics.onnx: output \"factors\" is f32 [T, 80], the manifest's sizes give f32 [T, 85]",
        "reward.onnx: output \"gradient\" is f32 [T, 17], the manifest's sizes give f32 [T, 18]",
        "rollout.onnx: input \"state\"",
        "decode.onnx: input \"state\"",
        "constant \"gru_recurrent.kernel\" has shape [12, 36], the manifest's sizes give [13, 39]",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn absurd_dims_are_refused_without_allocating_them() {
    let fixture = Fixture::keypoint();
    fixture.edit_manifest(|manifest| {
        manifest.dims.deter = 4_000_000_000;
        manifest.dims.horizon = 0;
        manifest.image.height = 1 << 40;
    });
    let text = fixture.load().unwrap_err().to_string();
    assert!(
        text.contains("dims.deter is 4000000000, expected 1 to 65536"),
        "{text}"
    );
    assert!(
        text.contains("dims.horizon is 0, expected 1 to 65536"),
        "{text}"
    );
}

#[test]
fn several_mismatches_are_in_one_message() {
    let fixture = Fixture::keypoint();
    std::fs::remove_file(fixture.path("rollout.onnx")).unwrap();
    std::fs::write(fixture.path("decode.onnx"), b"short").unwrap();
    fixture.edit_manifest(|manifest| {
        manifest.control_period_s = -1.0;
        manifest.image.encoding = "bgr8".to_owned();
    });
    let options = LoadOptions {
        expect_joints: Some(vec!["elbow".to_owned(), "shoulder".to_owned()]),
        ..LoadOptions::default()
    };
    let text = Bundle::load(fixture.dir(), &options)
        .unwrap_err()
        .to_string();
    for part in [
        "is refused, 5 mismatches:",
        "control_period_s is -1, expected a positive number of seconds",
        "image.encoding is \"bgr8\", expected \"rgb8\"",
        "the bundle's joints are [\"joint_1\", \"joint_2\"], the robot's are [\"elbow\", \"shoulder\"]: \
         same names in the same order are needed",
        "rollout.onnx is missing",
        "decode.onnx has 5 bytes, the manifest says",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn expected_joints_are_accepted() {
    let fixture = Fixture::keypoint();
    let options = LoadOptions {
        expect_joints: Some(vec!["joint_1".to_owned(), "joint_2".to_owned()]),
        ..LoadOptions::default()
    };
    Bundle::load(fixture.dir(), &options).unwrap();
}

#[test]
fn manifest_problems() {
    let fixture = Fixture::keypoint();
    let path = fixture.path(MANIFEST_FILE);
    let good = std::fs::read_to_string(&path).unwrap();
    let message = |text: &str| {
        std::fs::write(&path, text).unwrap();
        fixture.load().unwrap_err().to_string()
    };
    let unknown = message(&good.replacen("task =", "colour = 1\ntask =", 1));
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    let missing = message(&good.replacen("task = \"random\"", "", 1));
    assert!(missing.contains("missing field `task`"), "{missing}");
    let broken = message("dims = [");
    assert!(
        broken.contains("manifest.toml is not valid: TOML parse error"),
        "{broken}"
    );
    let future = message(&good.replacen("format_version = 2", "format_version = 3", 1));
    assert!(
        future.contains("format_version is 3, this program reads 2"),
        "{future}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(fixture.load(), Err(BundleError::Manifest { .. })));
}

#[test]
fn golden_vectors_refuse_a_changed_weight() {
    let fixture = Fixture::keypoint();
    for (graph, constant) in [
        (Graph::Observe, "posterior.bias"),
        (Graph::Dynamics, "prior_mean.bias"),
        (Graph::Reward, "reward.1.bias"),
        (Graph::Rollout, "prior.bias"),
        (Graph::Decode, "decoder.mlp.2.bias"),
    ] {
        let good = std::fs::read(fixture.path(graph.file())).unwrap();
        let mut model = ModelProto::decode(good.as_slice()).unwrap();
        let tensor = model
            .graph
            .as_mut()
            .unwrap()
            .initializer
            .iter_mut()
            .find(|tensor| tensor.name == constant)
            .unwrap();
        for value in tensor.raw_data.chunks_exact_mut(4) {
            let changed = f32::from_le_bytes(value.try_into().unwrap()) + 0.05;
            value.copy_from_slice(&changed.to_le_bytes());
        }
        fixture.replace(graph.file(), &model.encode_to_vec());
        let mismatches = fixture.refused();
        assert_eq!(mismatches.len(), 1, "{mismatches:?}");
        assert!(
            mismatches[0].starts_with(&format!("golden case 0 of {graph}: output ")),
            "{mismatches:?}"
        );
        fixture.replace(graph.file(), &good);
    }
}

#[test]
fn golden_vectors_must_be_complete() {
    let fixture = Fixture::keypoint();
    let bytes = std::fs::read(fixture.path(GOLDEN_FILE)).unwrap();
    let golden = Golden::from_bytes(&bytes).unwrap();
    let refused = |golden: &Golden| {
        fixture.replace(GOLDEN_FILE, &golden.to_bytes().unwrap());
        fixture.refused()
    };
    let mut without = golden.clone();
    without.cases.retain(|case| case.graph != Graph::Reward);
    assert_eq!(
        refused(&without),
        ["golden.postcard has no case for graph reward"]
    );
    let mut lacking = golden.clone();
    lacking.cases[1].outputs.truncate(2);
    assert_eq!(
        refused(&lacking),
        ["golden case 0 of dynamics: output \"factors\" is missing"]
    );
    let mut nan = golden.clone();
    if let GoldenData::F32(data) = &mut nan.cases[2].outputs[0].data {
        data[0] = f32::NAN;
    }
    assert!(refused(&nan)[0].starts_with("golden case 0 of reward: output \"reward\" element 0"));
    let mut shape = golden;
    shape.cases[0].inputs[0].shape[1] = 3;
    assert!(refused(&shape)[0].starts_with("golden case 0 of observe: \"image\" is u8 "));

    fixture.replace(GOLDEN_FILE, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
    assert!(fixture.refused()[0].starts_with("golden.postcard cannot be read: "));
}

/// Constants of the right shapes under each other's names: only the finite differences can tell.
#[test]
fn swapped_weights_fail_the_jacobian_check() {
    let mut spec = small(Family::Keypoint);
    spec.hidden = spec.deter;
    let fixture = Fixture::new(&spec, 7);
    fixture.load().unwrap();
    fixture.rename_constants(Graph::Dynamics, |name| match name {
        "gru_input.kernel" => Some("gru_recurrent.kernel".to_owned()),
        "gru_recurrent.kernel" => Some("gru_input.kernel".to_owned()),
        _ => None,
    });
    let mismatches = fixture.refused();
    assert_eq!(mismatches.len(), 1);
    assert!(
        mismatches[0]
            .starts_with("the Jacobian of dynamics.onnx differs from its finite differences by "),
        "{mismatches:?}"
    );
}

/// A gradient that points the wrong way, in the graph and in the golden vectors alike: only the finite differences can
/// tell.
#[test]
fn a_gradient_of_the_wrong_sign_fails_the_gradient_check() {
    let fixture = Fixture::keypoint();
    let file = Graph::Reward.file();
    let mut model = ModelProto::decode(&*std::fs::read(fixture.path(file)).unwrap()).unwrap();
    let nodes = &mut model.graph.as_mut().unwrap().node;
    let last = nodes.iter_mut().find(|node| node.output == ["gradient"]);
    last.unwrap().op_type = "Neg".to_owned();
    fixture.replace(file, &model.encode_to_vec());

    let bytes = std::fs::read(fixture.path(GOLDEN_FILE)).unwrap();
    let mut golden = Golden::from_bytes(&bytes).unwrap();
    for case in golden
        .cases
        .iter_mut()
        .filter(|case| case.graph == Graph::Reward)
    {
        let output = case
            .outputs
            .iter_mut()
            .find(|output| output.name == "gradient");
        let GoldenData::F32(gradient) = &mut output.unwrap().data else {
            panic!("the gradient is of f32");
        };
        gradient.iter_mut().for_each(|g| *g = -*g);
    }
    fixture.replace(GOLDEN_FILE, &golden.to_bytes().unwrap());
    let mismatches = fixture.refused();
    assert_eq!(mismatches.len(), 1);
    assert!(
        mismatches[0]
            .starts_with("the gradient of reward.onnx differs from its finite differences by 2.0"),
        "{mismatches:?}"
    );
}

#[test]
fn missing_constant() {
    let fixture = Fixture::keypoint();
    fixture.rename_constants(Graph::Dynamics, |name| {
        (name == "prior_mean.kernel").then(|| "nothing".to_owned())
    });
    assert_eq!(
        fixture.refused(),
        ["dynamics.onnx has no constant \"prior_mean.kernel\""]
    );
}

/// Files cut short or overwritten anywhere, with sums that fit the damage: refused, never a panic.
#[test]
fn damaged_graphs_with_right_sums_never_panic() {
    let fixture = Fixture::keypoint();
    let mut accepted = 0;
    for file in [Graph::Dynamics.file(), Graph::Reward.file(), GOLDEN_FILE] {
        let good = std::fs::read(fixture.path(file)).unwrap();
        for part in 0..12 {
            let at = good.len() * part / 12;
            let mut overwritten = good.clone();
            for byte in overwritten.iter_mut().skip(at).take(3) {
                *byte = byte.wrapping_add(0x5b);
            }
            for bad in [good[..at].to_vec(), overwritten] {
                fixture.replace(file, &bad);
                match fixture.load() {
                    Err(BundleError::Refused { mismatches, .. }) => assert!(!mismatches.is_empty()),
                    Err(BundleError::Session { .. }) => {}
                    // A change that no output feels by more than the tolerance, for example in a node's name.
                    Ok(_) => accepted += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        }
        fixture.replace(file, &good);
    }
    assert!(
        accepted < 12,
        "{accepted} of 72 damaged files were accepted"
    );
}

#[test]
fn check_reports_mismatches_as_values() {
    let fixture = Fixture::keypoint();
    fixture.edit_manifest(|manifest| manifest.action.scale.push(1.0));
    let check = report::check(fixture.dir(), &LoadOptions::default()).unwrap();
    assert!(!check.passed);
    assert_eq!(check.mismatches, ["action.scale has 3 entries, expected 2"]);
    assert!(read_manifest(fixture.dir()).is_ok());
}
