//! `ros/install.sh`: what it installs runs from anywhere, and ROS 2 finds it.

#![allow(clippy::unwrap_used)] // in tests

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::install;

#[test]
fn the_installed_command_runs_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("opt/latco");
    let installed = install(prefix.to_str().unwrap(), None);
    assert!(installed.status.success(), "{installed:?}");
    // Twice: over what is there.
    assert!(install(prefix.to_str().unwrap(), None).status.success());

    let share = prefix.join("share/latco");
    for file in ["package.xml", "launch/latco.launch.py"] {
        assert!(share.join(file).is_file(), "{file}");
    }
    let index = prefix.join("share/ament_index/resource_index/packages/latco");
    assert!(index.is_file(), "ros2 pkg finds it by this file");
    assert!(
        prefix.join("lib/latco/latco").is_file(),
        "ros2 run looks here"
    );

    let configs: Vec<PathBuf> = (std::fs::read_dir(share.join("configs")).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    assert!(configs.len() >= 4, "{configs:?}");
    for config in configs {
        let text = std::fs::read_to_string(&config).unwrap();
        let path = text.lines().find(|l| l.starts_with("path = ")).unwrap();
        let bundle = path.split('"').nth(1).unwrap();
        assert!(Path::new(bundle).join("manifest.toml").is_file(), "{path}");
    }
    // Without the repository, its environment or its working directory; what comes with the program is found by its name.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let mut command = Command::new(prefix.join("bin/latco"));
        command.args(arguments.split(' ')).current_dir(&elsewhere);
        let ended = command.env_remove("ORT_DYLIB_PATH").output().unwrap();
        assert!(ended.status.success(), "{arguments}: {ended:?}");
    };
    run("model check models/bundles/reach");
    run("config check configs/reach.toml");
    run(
        "plan --bundle models/bundles/reach --task reach --config configs/reach.toml --iterations 2",
    );
    assert!(elsewhere.path().join("plan-output").is_dir());
}

#[test]
fn a_package_is_made_for_another_place_than_it_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let installed = install("/usr", Some(folder.path()));
    assert!(installed.status.success(), "{installed:?}");
    let unit = folder.path().join("usr/lib/systemd/system/latco@.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/latco run"), "{unit}");
    let config = folder.path().join("usr/share/latco/configs/reach.toml");
    let config = std::fs::read_to_string(config).unwrap();
    assert!(
        config.contains("path = \"/usr/share/latco/models/bundles/reach\""),
        "{config}"
    );

    let refused = install("relative/path", Some(folder.path()));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("absolute"),
        "{said}"
    );
}
