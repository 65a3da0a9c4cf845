//! Two hosts on one machine: network namespaces that are joined by a cable with delay and losses.

use std::process::Command;
use std::time::Duration;

use latco_testkit::latco::in_network_of;
use latco_testkit::program::Program;
use latco_testkit::run::run;
use latco_testkit::time::wait;

use crate::script;

const SOON: Duration = Duration::from_secs(10);
/// Each interface's script; multicast goes where other hosts are, so that peers are discovered as on any network.
const UP: &str = "ip link set lo up && ip addr add ADDRESS/24 dev eth && ip link set eth up && \
                  ip route add 224.0.0.0/4 dev eth && python3 OFFLOAD eth";

/// The hosts `0` and `1`, with the addresses 10.77.0.1 and 10.77.0.2.
pub struct TwoHosts {
    /// A process in each namespace that keeps it.
    hosts: [Program; 2],
    cable: Program,
    _middle: Program,
}

impl TwoHosts {
    /// Makes them.
    ///
    /// # Panics
    /// Where the machine does not allow it; with the reason.
    pub fn new(delay_ms: f64, seed: u64) -> Self {
        Self::made(delay_ms, seed).unwrap_or_else(|why| {
            panic!(
                "no two hosts in network namespaces (needs unshare, nsenter, ip, python3, veth): {why}"
            )
        })
    }

    fn made(delay_ms: f64, seed: u64) -> Result<Self, String> {
        run(Command::new("unshare").args([
            "--net",
            "--map-root-user",
            "ip",
            "link",
            "show",
            "lo",
        ]))?;
        let first = kept(Command::new("unshare").args(["--net", "--map-root-user"]));
        let second = kept(in_network_of(&first).args(["unshare", "--net"]));
        let middle = kept(in_network_of(&first).args(["unshare", "--net"]));
        wait(Duration::from_millis(300));
        let mut hosts = [first, second];
        for (index, host) in hosts.iter().enumerate() {
            let inside = format!("end{index}");
            let namespace = middle.id().to_string();
            let pair = ["type", "veth", "peer", "name", &inside, "netns", &namespace];
            run(in_network_of(host)
                .args(["ip", "link", "add", "eth"])
                .args(pair))?;
            run(in_network_of(&middle).args(["ip", "link", "set", &inside, "up", "promisc", "on"]))?;
            let up = UP
                .replace("ADDRESS", &format!("10.77.0.{}", index + 1))
                .replace("OFFLOAD", &script("no_offload.py").to_string_lossy());
            run(in_network_of(host).args(["sh", "-c", &up]))?;
        }
        let mut command = in_network_of(&middle);
        command.arg("python3").arg("-u").arg(script("cable.py"));
        command.args(["end0", "end1", &delay_ms.to_string(), &seed.to_string()]);
        let mut cable = Program::start_listening(&mut command);
        cable.says("ready", SOON);
        assert!(hosts.iter_mut().all(Program::is_running));
        Ok(Self {
            hosts,
            cable,
            _middle: middle,
        })
    }

    /// Starts a program on a host.
    pub fn start(&self, host: usize, command: &Command) -> Program {
        let mut inside = in_network_of(&self.hosts[host]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        Program::start(&mut inside)
    }

    /// From now on so many percent of the frames are lost.
    pub fn lose(&mut self, percent: f64) {
        self.cable.tell(&format!("loss {percent}"));
    }

    /// Takes the cable away: frames that entered it, and those of them that were lost.
    pub fn end(mut self) -> (u64, u64) {
        self.cable.tell("end");
        let figures = self.cable.end(SOON).assert_code(0).last_line_json();
        (
            figures["frames"].as_u64().unwrap(),
            figures["lost"].as_u64().unwrap(),
        )
    }
}

/// A process that keeps a namespace.
fn kept(command: &mut Command) -> Program {
    let kept = Program::start(command.args(["sleep", "600"]));
    wait(Duration::from_millis(300));
    kept
}
