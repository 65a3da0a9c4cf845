//! Hardware in the loop over DDS: a recording of the demonstration is played to `latco run` in another process, and
//! what it commands is compared with what was commanded then.
//!
//! The planner has as many iterations as the clock gives it, and the belief takes up the commands that were sent: over
//! DDS the commands cannot be equal bit for bit (`latco replay` repeats a recording in that way). What must be the same:
//! the images, bit for bit and with the same times between them; a command for each of them; the rate; and the
//! commands resemble those of the same image far more than those of other images.

use std::path::Path;
use std::time::Duration;

use latco_bag::BagReader;
use latco_bag::messages::{Float64MultiArray, Image};
use latco_testkit::latco::latco_command;
use latco_testkit::paths::workspace;
use latco_testkit::program::Program;
use latco_testkit::run::note;
use latco_testkit::time::{my_turn, wait};

use crate::digest::Hashed;

const LIMIT: Duration = Duration::from_secs(120);
/// After an image's stamp the plan made from it is followed: nearly a control period later.
const FOLLOWED_NS: i64 = 80_000_000;
/// A command older than this is none; they come every 10 ms.
const RECENT_NS: i64 = 40_000_000;
/// Of the Reach robot, rad/s.
const FASTEST: [f64; 3] = [0.35, 0.45, 0.70];

#[test]
fn a_played_recording_gets_the_commands_of_its_images() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    let demo_text = demo.to_string_lossy();
    // Pictures that are played do not answer to commands: a plan that samples anew may go another way than the recorded one, and is
    // surprised then.
    let config = std::fs::read_to_string(workspace().join("configs/reach.toml")).unwrap();
    let config = config
        .replace("[control]\n", "[control]\nsurprise = \"warn\"\n")
        .replace(
            "[planner.latco]\n",
            "[planner.latco]\nwarm_sampling = false\n",
        );
    let config_path = folder.path().join("reach.toml");
    std::fs::write(&config_path, config).unwrap();
    let config = config_path.to_string_lossy();
    let mut command = latco_command(&[
        "demo",
        "--episodes",
        "3",
        "--config",
        &config,
        "--out",
        &demo_text,
        "--domain",
        "46",
        "--json",
    ]);
    Program::start(&mut command)
        .end(LIMIT)
        .assert_code(0)
        .json();
    let (then, now) = (demo.join("bag"), folder.path().join("now"));
    let (then_text, now_text) = (then.to_string_lossy(), now.to_string_lossy());
    let start = |arguments: &[&str]| {
        let mut command = latco_command(arguments);
        Program::start(command.args(["--domain", "47", "--localhost", "--json"]))
    };
    let controller = start(&["run", "--auto", "--config", &config]);
    let recorder = start(&["record", "--out", &now_text]);
    wait(Duration::from_secs(3));
    let inputs = [
        "--topic",
        "camera/image_raw",
        "--topic",
        "joint_states",
        "--topic",
        "episode",
    ];
    let play = start(&[&["play", &then_text, "--delay-s", "3"], &inputs[..]].concat());
    play.end(LIMIT).assert_code(0).json();
    let figures = controller.stop(LIMIT).assert_code(0).json();
    recorder.stop(LIMIT).assert_code(0).json();

    let (then, now) = (Recording::read(&then), Recording::read(&now));
    let shift_ns = now.images[0].0 - then.images[0].0;
    assert_eq!(
        then.images.len(),
        now.images.len(),
        "every image is played and arrives"
    );
    for (old, new) in then.images.iter().zip(&now.images) {
        assert_eq!(
            (old.0 + shift_ns, &old.1),
            (new.0, &new.1),
            "the same image at the same time"
        );
    }
    // The first plan of an episode takes longer; images without a command then are not compared.
    let pairs: Vec<(&[f64], Option<&[f64]>)> = then
        .images
        .iter()
        .filter_map(|(stamp, _)| Some((then.command_at(stamp + FOLLOWED_NS)?, *stamp)))
        .map(|(old, stamp)| (old, now.command_at(stamp + shift_ns + FOLLOWED_NS)))
        .collect();
    let answered = pairs.iter().filter(|(_, new)| new.is_some()).count();
    let both: Vec<_> = pairs
        .iter()
        .filter_map(|(old, new)| Some((*old, (*new)?)))
        .collect();
    let count = both.len();
    let mean = |shift: usize| {
        let differences = (0..count).map(|k| difference(both[k].0, both[(k + shift) % count].1));
        differences.sum::<f64>() / count as f64
    };
    let (paired, others) = (
        mean(0),
        (mean(count / 4) + mean(count / 3) + mean(count / 2)) / 3.0,
    );
    let rates = [&then, &now].map(Recording::commands_per_image);
    note(&format!(
        "played recording: commands for {answered} of {} images; {:.1} and {:.1} commands an image; mean difference {paired:.2} \
         of the largest velocity, of other images {others:.2}",
        pairs.len(),
        rates[0],
        rates[1]
    ));
    assert!(pairs.len() > 20, "{} images", pairs.len());
    assert!(
        answered * 100 >= pairs.len() * 95,
        "{answered} of {}: {figures}",
        pairs.len()
    );
    // Commands go on for half a second after the robot is at rest.
    assert!((rates[0] - rates[1]).abs() < 0.25 * rates[0], "{rates:?}");
    assert!(paired < 0.6 * others, "{paired} {others}");
}

/// The mean over the joints, in parts of their largest velocities.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let parts = a
        .iter()
        .zip(b)
        .zip(FASTEST)
        .map(|((a, b), most)| (a - b).abs() / most);
    parts.sum::<f64>() / FASTEST.len() as f64
}

/// What a bag has of images and commands.
struct Recording {
    /// Stamp, ns, and digest of the pixels.
    images: Vec<(i64, String)>,
    /// When it arrived, ns, and velocities, rad/s.
    commands: Vec<(i64, Vec<f64>)>,
}

impl Recording {
    fn read(bag: &Path) -> Self {
        let (mut images, mut commands) = (Vec::new(), Vec::new());
        for message in BagReader::open(bag).unwrap().messages() {
            let message = message.unwrap();
            match &*message.topic {
                "/camera/image_raw" => {
                    let image: Image = message.decode().unwrap();
                    let stamp_ns = image.header.stamp.to_nanos();
                    let unstamped = Image {
                        header: Default::default(),
                        ..image
                    };
                    images.push((stamp_ns, unstamped.digest()));
                }
                "/commands" => {
                    let command: Float64MultiArray = message.decode().unwrap();
                    commands.push((message.time_ns, command.data));
                }
                _ => {}
            }
        }
        Self { images, commands }
    }

    /// The command in force at a time, ns.
    fn command_at(&self, time_ns: i64) -> Option<&[f64]> {
        let after = self.commands.partition_point(|(at, _)| *at <= time_ns);
        let (at, values) = self.commands.get(after.checked_sub(1)?)?;
        (time_ns - at <= RECENT_NS).then_some(values)
    }

    /// Commands within the control periods of the images, 0.1 s each.
    fn commands_per_image(&self) -> f64 {
        let within = |time: i64| {
            self.images
                .iter()
                .any(|(stamp, _)| (0..100_000_000).contains(&(time - stamp)))
        };
        let count = self.commands.iter().filter(|(at, _)| within(*at)).count();
        count as f64 / self.images.len() as f64
    }
}
