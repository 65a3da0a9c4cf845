//! What the thresholds of a shipped bundle see.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_envs::PolicyKind;
use latco_evaluate::{ImageFault, SurpriseOptions, try_surprise};
use latco_models::Bundle;

#[test]
fn faults_of_the_image_exceed_the_threshold_and_undisturbed_driving_does_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/bundles/reach");
    let bundle = Bundle::load(folder, &Default::default()).unwrap();
    let options = SurpriseOptions {
        hours: 0.2499,
        faulty: 60,
        seed: 0,
    };
    let mut policy = PolicyKind::Mixture.make();
    let trial = try_surprise(&bundle, policy.as_mut(), &options, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(trial.episodes.len(), 180);
    let stop = bundle.manifest().surprise.as_ref().unwrap().stop;
    assert!(trial.episodes.iter().all(|l| l.calibrated <= stop));
    let caught = |fault: ImageFault| {
        let index = ImageFault::ALL.iter().position(|f| *f == fault).unwrap();
        let scores = &trial.faults[index];
        assert_eq!(scores.len(), 60);
        scores.iter().filter(|l| l.calibrated > stop).count()
    };
    for fault in ImageFault::ALL {
        if fault == ImageFault::Frozen {
            continue;
        }
        assert!(
            caught(fault) >= 57,
            "{}: {} of 60",
            fault.name(),
            caught(fault)
        );
    }
    // An old picture beside new joint states is no surprise to this model: the monitor of frozen images is for that.
    assert!(caught(ImageFault::Frozen) <= 6);
    assert!(trial.episodes.iter().all(|l| !l.is_frozen));
    let index = ImageFault::ALL
        .iter()
        .position(|f| *f == ImageFault::Frozen);
    let seen = trial.faults[index.unwrap()].iter().filter(|l| l.is_frozen);
    let seen = seen.count();
    println!("a frozen picture: {seen} of 60 by the monitor of frozen images");
    // Where the robot hardly moves, nothing says that the picture should change.
    assert!(seen >= 54, "{seen} of 60");
}
