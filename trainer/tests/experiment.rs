//! Experiments through the program: killed and resumed, run in parts and merged, and by the scripts
//! for clusters. Files are compared byte for byte but for measured times, and where plans end by
//! the clock, with the parts that they were merged from.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{latco_train, text};

/// For anything that ends by itself; far more than it takes, for a machine with other things to do.
const LONG: Duration = Duration::from_secs(600);

/// Cells whose plans end by iterations: two runs differ in times alone.
const BY_ITERATIONS: [&[&str]; 2] = [
    &[
        "table3",
        "--settings",
        "paper",
        "--tasks",
        "reach",
        "--episodes",
        "1",
    ],
    &[
        "curves",
        "--tasks",
        "reach,lottery",
        "--plans",
        "2",
        "--iterations",
        "20",
    ],
];

/// Cells whose plans end by the clock.
const BY_TIME: [&[&str]; 3] = [
    &[
        "table1",
        "--quick",
        "--tasks",
        "reach",
        "--episodes",
        "1",
        "--equal-ms",
        "2",
    ],
    &[
        "difficulty",
        "--quick",
        "--tasks",
        "reach",
        "--episodes",
        "1",
        "--equal-ms",
        "2",
        "--rows",
        "latco,cem",
    ],
    &["lottery", "--quick", "--episodes", "1", "--equal-ms", "2"],
];

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The experiment with its results in the folder of that name.
    fn command(&self, what: &[&str], name: &str, more: &[&str]) -> Command {
        let out = self.at(name);
        let all = [&["experiment"][..], what, &["--out", text(&out)], more].concat();
        latco_train(&all)
    }

    fn run(&self, what: &[&str], name: &str, more: &[&str]) {
        succeed(&mut self.command(what, name, more));
    }

    /// The whole file of cells.
    fn cells(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name).join("cells.jsonl")).unwrap()
    }

    /// The same without times.
    fn unmeasured(&self, name: &str) -> String {
        unmeasured(&self.cells(name))
    }
}

fn succeed(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {log}");
}

fn unmeasured(text: &str) -> String {
    const BEGIN: &str = ",\"measured\":{";
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        kept.push_str(&rest[..at]);
        let end = rest[at..].find('}').unwrap();
        rest = &rest[at + end + 1..];
    }
    kept + rest
}

/// Kills the program (SIGKILL) as soon as `ripe` says so.
fn kill_when(command: &mut Command, ripe: impl Fn() -> bool) {
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    while !ripe() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before it was killed: {ended:?}");
        assert!(begin.elapsed() < LONG, "it is never ripe to be killed");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

/// The files of results of an experiment.
fn reported(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|n| !n.starts_with("cells")).collect();
    names.sort();
    names
}

#[test]
fn killed_and_merged_experiments_end_as_one_that_ran_through() {
    for what in BY_ITERATIONS {
        let place = Place::new();
        place.run(what, "whole", &[]);
        let whole = place.unmeasured("whole");
        assert!(whole.lines().count() >= 5, "{what:?}: {whole}");

        let cells = place.at("killed").join("cells.jsonl");
        kill_when(&mut place.command(what, "killed", &[]), || {
            lines(&cells) >= 2
        });
        let before = std::fs::read_to_string(&cells).unwrap();
        assert!(before.lines().count() < whole.lines().count(), "{what:?}");
        place.run(what, "killed", &[]);
        assert!(
            place.cells("killed").starts_with(&before),
            "{what:?}: what was done is not done again"
        );
        assert_eq!(place.unmeasured("killed"), whole, "{what:?}");

        for part in ["0/2", "1/2"] {
            place.run(what, &part.replace('/', "-"), &["--cell", part]);
        }
        let (a, b) = (place.at("1-2"), place.at("0-2"));
        let merge = ["--merge", text(&a), "--merge", text(&b)];
        place.run(what, "merged", &merge);
        assert_eq!(place.unmeasured("merged"), whole, "{what:?}");
        let names = reported(&place.at("whole"));
        assert!(names.len() >= 3, "{names:?}");
        assert_eq!(names, reported(&place.at("merged")));
        if what[0] == "curves" {
            // Nothing in it is measured.
            for name in names {
                let read = |run: &str| std::fs::read(place.at(run).join(&name)).unwrap();
                assert!(read("whole") == read("merged"), "{name} differs");
            }
        }
    }
}

#[test]
fn parts_by_the_clock_are_merged_byte_for_byte() {
    for what in BY_TIME {
        let place = Place::new();
        let parts = ["0/2", "1/2"];
        for part in parts {
            place.run(what, "shared", &["--cell", part]);
        }
        assert!(
            reported(&place.at("shared")).is_empty(),
            "parts report nothing"
        );
        let shared = place.at("shared");
        place.run(what, "other", &["--merge", text(&shared)]);
        place.run(what, "shared", &[]);
        assert_eq!(place.cells("shared"), place.cells("other"), "{what:?}");
        assert_eq!(reported(&shared), reported(&place.at("other")));
        for name in reported(&shared) {
            let read = |run: &str| std::fs::read(place.at(run).join(&name)).unwrap();
            assert!(read("shared") == read("other"), "{what:?}: {name} differs");
        }
        // Every line is one of a part, in the order of the experiment: theirs in turn.
        let part = |k: usize| {
            let file = shared.join(format!("cells-{k}-of-2.jsonl"));
            let text = std::fs::read_to_string(file).unwrap();
            let lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
            lines
        };
        let (first, second) = (part(0), part(1));
        let merged = place.cells("shared");
        let mut count = 0;
        for (k, line) in merged.lines().skip(1).enumerate() {
            let of = if k % 2 == 0 { &first } else { &second };
            assert_eq!(line, of[k / 2], "{what:?}");
            count += 1;
        }
        assert_eq!(count, first.len() + second.len());
    }
}

#[test]
fn scripts_for_clusters_run_every_cell_once() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_latco-train"));
    let what = BY_ITERATIONS[1];
    let place = Place::new();
    place.run(what, "whole", &[]);
    let bash = |arguments: &[&str]| {
        let mut command = Command::new("bash");
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = program.parent().unwrap().display();
        command
            .args(arguments)
            .current_dir(workspace)
            .env("PATH", format!("{bin}:{path}"))
            .env("LATCO_TRAIN", program)
            .env_remove("SLURM_ARRAY_TASK_ID");
        command
    };

    // As Slurm would: three jobs of the array, then the one behind them.
    let out = place.at("slurm");
    let first = [
        "configs/cluster/slurm.sh",
        what[0],
        "3",
        "--out",
        text(&out),
    ];
    let script = [&first[..], &what[1..]].concat();
    for job in ["0", "1", "2"] {
        succeed(bash(&script).env("SLURM_ARRAY_TASK_ID", job));
    }
    assert!(!out.join("cells.jsonl").exists());
    succeed(bash(&script).env("LATCO_STEP", "merge"));
    assert_eq!(place.cells("slurm"), place.cells("whole"));
    let wrong = bash(&["configs/cluster/slurm.sh", "table1", "none"]).output();
    assert_eq!(wrong.unwrap().status.code(), Some(2));

    // As Kubernetes would: the commands of the containers, with the index that it sets.
    let container = |file: &str| {
        let text = std::fs::read_to_string(workspace.join("configs/cluster").join(file)).unwrap();
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with("- exec "));
        line.unwrap().trim_start()[2..].to_owned()
    };
    let options = "--quick --tasks reach --episodes 1 --equal-ms 1";
    let results = place.at("kubernetes");
    let run = |command: &str, index: &str| {
        succeed(
            bash(&["-c", command])
                .env("JOB_COMPLETION_INDEX", index)
                .env("RESULTS", &results)
                .env("OPTIONS", options),
        );
    };
    let pod = container("kubernetes.yaml");
    for index in 0..16 {
        run(&pod, &index.to_string());
    }
    run(&container("kubernetes-merge.yaml"), "");
    let planners = latco_experiments::rows::planners().count();
    assert_eq!(lines(&results.join("table1/cells.jsonl")), 1 + planners);
    assert!(results.join("table1/table1.png").exists());
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let place = Place::new();
    let refused = |what, more: &[&str], says: &str| {
        let output = place
            .command(what, "refused", more)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(says), "{log}");
    };
    refused(BY_ITERATIONS[1], &["--cell", "2/2"], "less than N");
    let merge = ["--merge", "no-such-folder"];
    refused(BY_ITERATIONS[1], &merge, "no-such-folder");
    refused(BY_TIME[0], &["--rows", "cemm"], ", grasp, found cemm");
}

#[test]
fn pictures_of_plans_and_rewards_are_written() {
    let place = Place::new();
    place.run(
        &[
            "film-strip",
            "--task",
            "reach",
            "--iterations",
            "1,5",
            "--samples",
            "50",
        ],
        "film",
        &[],
    );
    place.run(&["reward-map", "--quick", "--task", "key"], "map", &[]);
    for (folder, name) in [("film", "film_strip"), ("map", "reward_map")] {
        let files = reported(&place.at(folder));
        let wanted = ["csv", "md", "png"].map(|end| format!("{name}.{end}"));
        assert_eq!(files, wanted);
    }
}

const TINY: &str = r#"
    horizon = 4
    held_out = 0.1
    [online]
    seed_episodes = 6
    episodes = 14
    hours = 1
    steps_per_episode = 2
    round_episodes = 4
    recent_episodes = 6
    [data]
    image_size = 32
    [autoencoder]
    steps = 6
    batch = 4
    [model]
    stoch = 4
    deter = 8
    hidden = 12
    units = 10
    [training]
    steps = 6
    batch = 4
    sequence = 6
    rollout_steps = 3
    checkpoint_steps = 2
"#;

#[test]
fn runs_that_train_are_killed_resumed_and_merged() {
    let place = Place::new();
    let configs = place.at("train");
    std::fs::create_dir(&configs).unwrap();
    for name in ["online-reach.toml", "reach.toml"] {
        std::fs::write(configs.join(name), TINY).unwrap();
    }
    let tiny = ["--tasks", "reach", "--train-configs", text(&configs)];

    let what = ["learning-curves", "--seeds", "1", "--planners", "latco,cem"];
    let what = [&what[..], &tiny].concat();
    let run = place.at("a").join("training-0-of-2/reach-latco-0");
    let more = ["--cell", "0/2"];
    kill_when(&mut place.command(&what, "a", &more), || {
        lines(&run.join("curve.csv")) >= 8
    });
    let begun = std::fs::read_to_string(run.join("curve.csv")).unwrap();
    place.run(&what, "a", &more);
    let ended = std::fs::read_to_string(run.join("curve.csv")).unwrap();
    assert!(ended.starts_with(&begun[..begun.rfind('\n').unwrap()]));
    place.run(&what, "b", &["--cell", "1/2"]);
    let (a, b) = (place.at("a"), place.at("b"));
    place.run(&what, "merged", &["--merge", text(&b), "--merge", text(&a)]);
    let part = |folder: &Path, k: usize| {
        let file = folder.join(format!("cells-{k}-of-2.jsonl"));
        std::fs::read_to_string(file).unwrap()
    };
    let merged = place.cells("merged");
    let second = part(&b, 1);
    let expected = part(&a, 0) + second.split_once('\n').unwrap().1;
    assert_eq!(merged, expected, "the runs that were made, in order");
    let files = reported(&place.at("merged"));
    assert_eq!(files, ["learning.csv", "learning.md", "learning.png"]);

    let what = [
        "table2",
        "--planners",
        "latco",
        "--offline",
        "8",
        "--collect",
        "6",
    ];
    let how = ["--episodes", "1", "--equal-ms", "2"];
    let what = [&what[..], &how, &tiny].concat();
    let cells = place.at("table2").join("cells.jsonl");
    kill_when(&mut place.command(&what, "table2", &[]), || {
        lines(&cells) >= 2
    });
    let before = std::fs::read_to_string(&cells).unwrap();
    place.run(&what, "table2", &[]);
    assert!(place.cells("table2").starts_with(&before));
    assert_eq!(place.cells("table2").lines().count(), 3);
    let table = std::fs::read_to_string(place.at("table2").join("table2.md")).unwrap();
    assert!(
        !table.contains("not run") && table.contains("Thermos"),
        "{table}"
    );
    // The model that goes on online is that of the offline data, not one trained anew.
    let losses = |run: &str| {
        let training = place.at("table2").join("training").join(run);
        std::fs::read(training.join("rounds/0001/losses.csv")).unwrap()
    };
    assert!(losses("reach-offline") == losses("reach-online-latco"));
}
