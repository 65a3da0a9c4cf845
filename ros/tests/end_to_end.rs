//! The loop over real DDS on the loopback interface, between processes.

#![allow(clippy::unwrap_used)] // in tests and what they share

mod common;

use std::path::Path;
use std::time::Duration;

use common::{
    FakeRobot, Latco, Operator, configuration, eventually, my_turn, start_controller, wait,
};
use latco_testkit::latco::command;

const LONG: Duration = Duration::from_secs(90);

#[test]
fn robot_and_controller_meet_and_play_an_episode() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let trace = folder.path().join("trace");
    let controller = start_controller(&config, 21, &["--trace", trace.to_str().unwrap()]);
    let sim = [
        "sim",
        "--episodes",
        "1",
        "--image-size",
        "32",
        "--domain",
        "21",
        "--localhost",
        "--json",
    ];
    let robot = Latco::run(&sim, LONG);
    let robot = robot.assert_code(0).json();
    assert_eq!(robot["episodes"], 1, "{robot}");
    assert!(robot["commands_received"].as_u64() > Some(50), "{robot}");
    assert_eq!(robot["commands_refused"], 0, "{robot}");
    controller.terminate();
    let controller = controller.end(LONG);
    let controller = controller.assert_code(0).json();
    assert!(controller["images"].as_u64() > Some(5), "{controller}");
    assert!(controller["plans"].as_u64() > Some(5), "{controller}");
    assert_eq!(
        controller["resets"], 1,
        "the episode's mark arrived: {controller}"
    );
    assert!(
        controller["stamp_to_command_ms_p99"].as_f64() > Some(0.0),
        "{controller}"
    );
    let trace = latco_ros::controller::trace::RunTrace::read(&trace).unwrap();
    assert!(
        trace
            .plans()
            .any(|(tick, plan)| tick.episode == Some(0) && !plan.states.is_empty())
    );
}

#[test]
fn trajectories_are_followed_as_well_whatever_the_camera() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "[control]\noutput = \"joint_trajectory\"\n");
    let controller = start_controller(&config, 22, &[]);
    let large = ["--image-size", "640x480", "--image-transport", "compressed"];
    for camera in [&["--image-size", "32"][..], &large] {
        let sim = ["sim", "--episodes", "1", "--domain", "22", "--localhost"];
        let robot = Latco::run(&[&sim[..], camera, &["--json"]].concat(), LONG);
        let robot = robot.assert_code(0).json();
        assert!(robot["commands_received"].as_u64() > Some(5), "{robot}");
        assert_eq!(robot["commands_refused"], 0, "{robot}");
    }
    controller.terminate();
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    assert_eq!(summary["images_refused"], 0, "{summary}");
}

#[test]
fn jpegs_of_any_size_drive_a_robot_and_damaged_ones_are_reported() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let more = "[topics]\nimage_transport = \"compressed\"\n";
    let config = configuration(folder.path(), more);
    let mut robot = FakeRobot::new(28);
    robot.compresses = true;
    let mut controller = start_controller(&config, 28, &[]);
    robot.until_moved(&mut controller);

    let mut cut = robot.good_jpeg();
    cut.data.truncate(cut.data.len() / 2);
    let mut bitmap = robot.good_jpeg();
    bitmap.data = b"BM and more".to_vec();
    let mut bomb = robot.good_jpeg();
    let frame = bomb.data.windows(2).position(|w| w == [0xff, 0xc0]);
    bomb.data[frame.unwrap() + 5..][..4].fill(0xff);
    let expectations = [
        ("truncated", cut),
        ("jpeg or png", bitmap),
        ("65535 x 65535", bomb),
    ];
    for (number, (words, image)) in expectations.into_iter().enumerate() {
        robot.compressed.send(image);
        let wanted = (number + 1).to_string();
        let counted = eventually(LONG, || {
            robot.figure("images_refused").as_deref() == Some(&wanted)
        });
        assert!(counted, "{words}: {:?}", robot.last_status());
        let reported = robot.figure("last_image_error").unwrap_or_default();
        assert!(
            reported.contains(words),
            "expected {words:?} in {reported:?}"
        );
    }
    controller.terminate();
    let summary = controller.end(LONG);
    let summary = summary.assert_code(0).json();
    assert_eq!(summary["images_refused"], 3, "{summary}");
    assert!(summary["images"].as_u64() > Some(1), "{summary}");
}

#[test]
fn fault_05_bad_inputs_are_counted_ignored_and_reported() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let robot = FakeRobot::new(23);
    let mut controller = start_controller(&config, 23, &[]);
    robot.until_moved(&mut controller);

    let mut empty = robot.good_image();
    empty.height = 0;
    empty.data.clear();
    let mut short_rows = robot.good_image();
    short_rows.step = 12;
    let mut strange = robot.good_image();
    strange.encoding = "yuv420".into();
    let mut cut = robot.good_image();
    cut.data.truncate(100);
    let mut nan = robot.good_joints();
    nan.position[1] = f64::NAN;
    let mut far = robot.good_joints();
    far.position[0] = 1e30;
    let mut renamed = robot.good_joints();
    renamed.name[2] = "gripper".into();
    let expectations = [
        ("32 x 0", empty),
        ("step", short_rows),
        ("yuv420", strange),
        ("expected 3072 bytes", cut),
    ];
    for (number, (words, image)) in expectations.into_iter().enumerate() {
        robot.image.send(image);
        let wanted = (number + 1).to_string();
        let counted = eventually(LONG, || {
            robot.figure("images_refused").as_deref() == Some(&wanted)
        });
        assert!(counted, "{words}: {:?}", robot.last_status());
        let reported = robot.figure("last_image_error").unwrap_or_default();
        assert!(
            reported.contains(words),
            "expected {words:?} in {reported:?}"
        );
    }
    // One without a joint is a part of the joint states: that the other part does not come is seen after a while.
    for (words, joints) in [
        ("finite", nan),
        ("which its limits of", far),
        ("`joint_3` last came", renamed),
    ] {
        let reported = || robot.figure("last_joints_error").unwrap_or_default();
        let is_told = eventually(LONG, || {
            robot.joints.send(joints.clone());
            wait(Duration::from_millis(20));
            reported().contains(words)
        });
        assert!(is_told, "expected {words:?} in {:?}", reported());
    }

    // And the loop goes on.
    let before: u64 = robot.figure("plans").unwrap().parse().unwrap();
    for _ in 0..5 {
        robot.period();
    }
    let goes_on = eventually(LONG, || {
        robot
            .figure("plans")
            .is_some_and(|p| p.parse::<u64>().unwrap() > before)
    });
    assert!(goes_on, "{:?}", robot.last_status());
    assert!(
        robot
            .commands
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .all(|v| v.is_finite())
    );
    controller.terminate();
    let ended = controller.end(LONG);
    let summary = ended.assert_code(0).json();
    assert_eq!(summary["images_refused"], 4, "{summary}");
    assert!(
        summary["joint_states_refused"].as_u64() >= Some(2),
        "{summary}"
    );
    assert!(ended.stderr.contains("image ignored"), "{}", ended.stderr);
}

#[test]
fn fault_30_sigterm_while_moving_brakes_to_rest_and_says_so() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    // Slow brakes, so that they are seen.
    let limits = "[robot]\njoint_names = [\"joint_1\", \"joint_2\", \"joint_3\"]\n\
                  max_acceleration_rad_s2 = [0.5, 0.5, 0.5]\n";
    let config = configuration(folder.path(), limits);
    let robot = FakeRobot::new(24);
    let mut controller = start_controller(&config, 24, &[]);
    robot.until_moved(&mut controller);
    robot.period();
    let before = robot.commands.lock().unwrap().len();
    controller.terminate();
    controller.end(LONG).assert_code(0);
    assert!(
        eventually(LONG, || robot.last_command() == Some(vec![0.0; 3])),
        "{:?}",
        robot.last_command()
    );
    let braking: Vec<Vec<f64>> =
        robot.commands.lock().unwrap()[before.saturating_sub(1)..].to_vec();
    for pair in braking.windows(2) {
        for joint in 0..3 {
            // 0.5 rad/s^2 at 100 Hz, and a tick that came late.
            let change = (pair[1][joint] - pair[0][joint]).abs();
            assert!(change <= 0.5 * 0.04 + 1e-9, "no jump: {pair:?}");
        }
    }
    assert!(
        eventually(LONG, || robot
            .last_status()
            .is_some_and(|s| s.message == "ended")),
        "{:?}",
        robot.last_status()
    );
}

#[test]
#[ignore = "needs network namespaces: make test-interop"]
fn two_processes_need_no_multicast() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let script = format!(
        "ip link set lo up; {latco} run --auto --config {config} --localhost --domain 25 & \
         {latco} sim --episodes 1 --image-size 32 --localhost --domain 25 --json; status=$?; \
         kill $!; wait $!; exit $status",
        latco = env!("CARGO_BIN_EXE_latco"),
        config = config.display()
    );
    let script = format!("timeout 60 sh -c '{script}'");
    let alone = ["--net", "--map-root-user", "sh", "-c", &script];
    let output = command(Path::new("unshare"), &alone).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("\"episodes\":1"), "{text}");
}

#[test]
fn fault_33_a_stopped_and_continued_controller_notices_that_its_middleware_died() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let robot = FakeRobot::new(26);
    let mut controller = start_controller(&config, 26, &[]);
    robot.until_moved(&mut controller);
    // The threads of rustdds wait in `epoll_wait` nearly always, which a stop interrupts; one that did not at the first does later.
    let died = eventually(LONG, || {
        controller.suspend_and_continue();
        wait(Duration::from_secs(1));
        !controller.is_running()
    });
    assert!(died, "{}", controller.output());
    let ended = controller.end(LONG);
    ended.assert_code(3);
    assert!(ended.stderr.contains("DDS threads"), "{}", ended.stderr);
}

#[test]
fn the_services_stop_and_release_the_robot() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let robot = FakeRobot::new(27);
    let mut controller = start_controller(&config, 27, &[]);
    let mut operator = Operator::new(27);
    robot.until_moved(&mut controller);

    let reply = operator.call("/latco/estop");
    assert!(reply.success, "{reply:?}");
    let stopped = |robot: &FakeRobot| {
        robot.period();
        robot.last_command() == Some(vec![0.0; 3])
            && robot
                .last_status()
                .is_some_and(|s| s.message == "stopped: emergency_stop")
    };
    assert!(
        eventually(LONG, || stopped(&robot)),
        "{:?}",
        robot.last_status()
    );
    // Latched: images go on, nothing moves.
    robot.commands.lock().unwrap().clear();
    for _ in 0..10 {
        robot.period();
    }
    assert!(!robot.moved(), "{:?}", robot.last_command());

    let reply = operator.call("/latco/reset");
    assert!(reply.success, "{reply:?}");
    robot.until_moved(&mut controller);
    controller.terminate();
    controller.end(LONG).assert_code(0);
}

#[test]
fn goal_pictures_come_while_the_robot_moves_and_what_is_none_is_told() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "[goal]\nweight = 1.0\n");
    let robot = FakeRobot::new(46);
    let mut controller = start_controller(&config, 46, &[]);
    robot.until_moved(&mut controller);
    assert_eq!(robot.figure("goal_distance"), None, "there is no goal yet");

    let mut none = robot.good_jpeg();
    none.data = b"BM and more".to_vec();
    robot.goals.send(none);
    let told = eventually(LONG, || robot.figure("last_goal_error").is_some());
    assert!(told, "{:?}", robot.last_status());
    let error = robot.figure("last_goal_error").unwrap_or_default();
    assert!(error.contains("jpeg or png"), "{error}");

    robot.goals.send(robot.good_jpeg());
    let taken = eventually(LONG, || {
        robot.period();
        robot.figure("goal_distance").is_some()
    });
    assert!(taken, "{:?}", robot.last_status());
    controller.terminate();
    let ended = controller.end(LONG);
    let summary = ended.assert_code(0).json();
    assert_eq!(summary["goals_taken"], 1, "{summary}");
    assert_eq!(summary["goals_refused"], 1, "{summary}");
    assert!(
        summary["goal"]["distance"].as_f64() > Some(0.0),
        "{summary}"
    );
}
