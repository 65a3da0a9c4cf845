//! Faults of images and joint states.

use latco_controller::execute::StopReason;

use crate::rig::{FAULT_S, Rig, fault};

/// Time to brake from the highest speed at 2 rad/s2, and to build that up, s.
const BRAKES_S: f64 = 0.7;

#[test]
fn fault_01_the_camera_is_silent_or_slow() {
    let mut rig = Rig::new(&fault("drop_frames", ""));
    rig.run(4.0);
    rig.check_rest("01 camera silent", 0.1 + 0.3 + BRAKES_S);
    assert!(rig.stopped_for(StopReason::CameraSilent));
    // The plan is followed until the images are too old.
    assert!(rig.fastest(FAULT_S + 0.1, FAULT_S + 0.25) > 0.1);

    // With a period more they stay below the limit of age, 300 ms.
    for delay in [80, 150] {
        let mut rig = Rig::new(&fault("delay_frames", &format!("amount = {delay}")));
        rig.run(3.0);
        rig.check(&format!("01 images {delay} ms late"));
        assert!(rig.followed_share(FAULT_S) > 0.5, "{delay} ms");
    }
    let mut rig = Rig::new(&fault("drop_frames", "probability = 0.5"));
    rig.run(4.0);
    rig.check("01 half of the images");
    assert!(rig.followed_share(FAULT_S) > 0.2);
}

#[test]
fn fault_02_the_joint_states_are_silent() {
    let mut rig = Rig::new(&fault("drop_joints", ""));
    rig.run(3.0);
    rig.check_rest("02 joints silent", 0.2 + BRAKES_S);
    assert!(rig.stopped_for(StopReason::JointsSilent));
}

#[test]
fn fault_03_stamps_lie_in_the_future_or_the_past_repeat_or_are_out_of_order() {
    let mut good = Rig::new("");
    good.run(3.0);
    good.check("03 no fault");
    let images = good.faulty.controller().counts().images;

    let mut rig = Rig::new(&fault("shift_frame_stamps", "amount = 10000"));
    rig.run(3.0);
    rig.check_rest("03 images 10 s ahead", 0.1 + 0.3 + BRAKES_S);
    assert!(rig.faulty.controller().counts().future > 10);
    let mut rig = Rig::new(&fault("shift_frame_stamps", "amount = -1000"));
    rig.run(3.0);
    // Those before the fault's beginning are older than what came before; later ones are old.
    rig.check_rest("03 images 1 s late", 0.1 + 1.0 + 0.3 + BRAKES_S);
    assert!(rig.faulty.controller().counts().older > 5);
    // A repeated frame never steps the filter twice.
    let mut rig = Rig::new(&fault("repeat_frames", ""));
    rig.run(3.0);
    rig.check("03 images twice");
    assert_eq!(rig.faulty.controller().counts().images, images);
    assert!(rig.follows());
    let mut rig = Rig::new(&fault("swap_frames", "probability = 0.3"));
    rig.run(3.0);
    rig.check("03 images out of order");
    assert!(rig.followed_share(FAULT_S) > 0.5);

    // F2: a joint state from the future blinds nobody.
    let mut rig = Rig::new(&fault("shift_joint_stamps", "amount = 10000\nfor_s = 0.05"));
    rig.run(3.0);
    rig.check("03 joint states 10 s ahead, for 50 ms");
    assert!(rig.faulty.counts().refused_joints >= 5);
    assert!(rig.follows(), "the later ones are believed");
    let mut rig = Rig::new(&fault("shift_joint_stamps", "amount = 10000"));
    rig.run(3.0);
    rig.check_rest("03 joint states 10 s ahead", 0.2 + BRAKES_S);
    for kind in ["repeat_joints", "swap_joints"] {
        let mut rig = Rig::new(&fault(kind, "probability = 0.5"));
        rig.run(3.0);
        rig.check(&format!("03 {kind}"));
        assert!(rig.faulty.counts().refused_joints > 20 && rig.follows());
    }
}

#[test]
fn fault_06_numbers_that_come_in_are_nan_or_impossible() {
    let mut rig = Rig::new(&fault("nan_joints", ""));
    rig.run(3.0);
    rig.check_rest("06 NaN", 0.2 + BRAKES_S);
    assert!(rig.faulty.controller().counts().non_finite > 100);
    let mut rig = Rig::new(&fault("nan_joints", "probability = 0.5"));
    rig.run(3.0);
    rig.check("06 NaN in half of the joint states");
    assert!(rig.follows());
    // F5: far outside of the limits, in a fifth of them and in all.
    for amount in ["1e30", "100.0", "1.0"] {
        let with = |rest: &str| {
            let mut rig = Rig::new(&fault(
                "offset_joints",
                &format!("amount = {amount}\n{rest}"),
            ));
            rig.run(3.0);
            rig
        };
        let rig = with("probability = 0.2");
        rig.check(&format!("06 a fifth is {amount} rad off"));
        let (refused, last) = (rig.faulty.counts().refused_joints, rig.last());
        assert!(
            refused > 20 && rig.follows(),
            "{amount}: {refused} {last:?}"
        );
        let furthest = rig.points.iter().flat_map(|p| &p.positions);
        assert!(furthest.fold(0.0_f64, |most, p| p.abs().max(most)) < 3.2);
        if amount != "1.0" {
            let belief = rig.faulty.controller().counts().impossible;
            assert!(belief > 20, "{amount}: the belief has refused {belief}");
            with("").check_rest(&format!("06 all are {amount} rad off"), 0.2 + BRAKES_S);
        }
    }
}

#[test]
fn fault_23_joints_come_in_another_order() {
    // A driver that exchanges two of them while it runs.
    let mut rig = Rig::new(&fault("exchange_joints", "for_s = 0.15"));
    rig.run(3.0);
    rig.check("23 two joints change places");
    assert!(
        rig.faulty.counts().refused_joints > 5,
        "they cannot have moved so far"
    );
}
