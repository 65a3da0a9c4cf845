//! Faults that only a monitor sees: everything arrives in time, and it is wrong.

use latco_controller::execute::{Mode, StopReason};

use crate::rig::{FAULT_S, Rig, fault};

#[test]
fn f09_fault_04_the_picture_stays_the_same() {
    let mut rig = Rig::new(&fault("freeze_image", ""));
    rig.run(6.0);
    rig.check("04 frozen picture");
    assert!(rig.stopped_for(StopReason::ImageFrozen));
    let rest_s = rig.rest_s().unwrap();
    assert!(rest_s < 2.5, "{rest_s} s");
}

#[test]
fn f09_fault_14_the_camera_shows_what_the_model_does_not_know() {
    for (what, rest) in [
        ("noise_image", "amount = 1.0"),
        ("occlude_image", "amount = 1.0"),
    ] {
        let mut rig = Rig::new(&fault(what, rest));
        rig.run(4.0);
        rig.check_rest(&format!("14 {what}"), 1.0);
        assert!(rig.stopped_for(StopReason::Surprised), "{what}");
    }
}

#[test]
fn f09_fault_15_the_robot_does_not_follow() {
    let mut rig = Rig::new(&fault("freeze_joints", ""));
    rig.run(5.0);
    rig.check("15 joints stand still");
    assert!(rig.stopped_for(StopReason::NotFollowing));
    let rest_s = rig.rest_s().unwrap();
    assert!(rest_s < 2.0, "{rest_s} s");
}

#[test]
fn f09_fault_31_an_input_that_comes_and_goes_does_not_make_the_robot_stop_and_go_for_ever() {
    let silences: String = (0..12)
        .map(|number| {
            let from_s = FAULT_S + 2.0 * f64::from(number);
            format!("[[fault]]\nkind = \"drop_frames\"\nfrom_s = {from_s}\nfor_s = 0.6\n")
        })
        .collect();
    let mut rig = Rig::new(&silences);
    rig.run(FAULT_S + 24.0);
    rig.check("31 the camera comes and goes");
    let silent = |mode: Mode| mode == Mode::Stop(StopReason::CameraSilent);
    let follows = |mode: Mode| matches!(mode, Mode::Follow { .. });
    let stops = (rig.points.windows(2))
        .filter(|pair| follows(pair[0].mode) && silent(pair[1].mode))
        .count();
    assert!((2..=6).contains(&stops), "stopped {stops} times");
    assert!(
        !rig.follows(),
        "it is held until the camera is there for 10 s"
    );
    rig.run(11.0);
    assert!(rig.follows(), "and goes on by itself then");
}
