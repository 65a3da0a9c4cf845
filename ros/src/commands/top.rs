//! `latco top`: running nodes on a terminal.

use std::io::{IsTerminal, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use latco_bag::messages::DiagnosticArray;
use rustix::termios::tcgetwinsize;

use super::failure::Failure;
use super::network::NetworkArgs;
use super::output::{print_line, seconds};
use crate::middleware::{NodeBuilder, RunningNode, Stop, qos};
use crate::top::{Heard, draw};

/// Time between two screens.
const EVERY: Duration = Duration::from_millis(500);

/// Watch running nodes on a terminal: rates, ages, latencies, plan, stops, faults
///
/// Shows what every node in the domain says of itself on /diagnostics, also nodes that are not ours. Ctrl-C ends it. Where
/// standard output is no terminal, it prints one screen a time, without colours.
#[derive(Debug, Args)]
pub(super) struct Top {
    /// Print one screen when something was heard, and end; exit status 1 when nothing was heard for --wait-s
    #[arg(long)]
    once: bool,
    /// Longest time to wait for a first report with --once
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    wait_s: f64,
    /// Characters in a line [default: those of the terminal, else 80]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..))]
    width: Option<u16>,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Top {
    pub(super) fn run(self, stop: &Stop) -> Result<(), Failure> {
        let wait = seconds("--wait-s", self.wait_s)?;
        let network = self.network.network()?;
        let name = format!("latco_top_{}", std::process::id());
        let mut node = NodeBuilder::open(network, "/", &name).map_err(Failure::failed)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let sink = heard.clone();
        node.subscribe::<DiagnosticArray>("/diagnostics", qos::anything(), move |message| {
            if let Some(message) = message {
                let mut heard = sink.lock().unwrap_or_else(PoisonError::into_inner);
                heard.take(message.status, Instant::now());
            }
        })
        .map_err(Failure::failed)?;
        let _node = RunningNode::start(node).map_err(Failure::failed)?;
        let look = |screen: (usize, usize), colours| {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            (
                heard.is_empty(),
                draw(&heard, Instant::now(), screen, colours),
            )
        };
        if self.once {
            return self.one_screen(stop, wait, |screen| look(screen, false));
        }
        let on_terminal = std::io::stdout().is_terminal();
        while !stop.wait(EVERY) {
            let (_, lines) = look(self.screen(), on_terminal);
            if on_terminal {
                show(&lines).map_err(Failure::failed)?;
            } else {
                print_line(&(lines.join("\n") + "\n"))?;
            }
        }
        Ok(())
    }

    fn one_screen(
        &self,
        stop: &Stop,
        wait: Duration,
        look: impl Fn((usize, usize)) -> (bool, Vec<String>),
    ) -> Result<(), Failure> {
        let until = Instant::now() + wait;
        loop {
            let (is_empty, lines) = look((self.screen().0, usize::MAX));
            if !is_empty {
                return print_line(&lines.join("\n"));
            }
            if stop.wait(EVERY) || Instant::now() > until {
                return Err(Failure::failed(anyhow::anyhow!(
                    "expected a report on /diagnostics within {} s, heard none; is a node running in this domain (--domain, \
                     ROS_DOMAIN_ID), and does --localhost agree?",
                    self.wait_s
                )));
            }
        }
    }

    /// Columns and rows of the screen.
    fn screen(&self) -> (usize, usize) {
        let size = tcgetwinsize(std::io::stdout())
            .ok()
            .filter(|size| size.ws_col > 0);
        let columns = self.width.or(size.map(|size| size.ws_col)).unwrap_or(80);
        let rows = size.map_or(usize::MAX, |size| usize::from(size.ws_row));
        (usize::from(columns), rows)
    }
}

/// Draws over the screen before.
fn show(lines: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "\u{1b}[H")?;
    for (number, line) in lines.iter().enumerate() {
        let end = if number + 1 < lines.len() { "\r\n" } else { "" };
        write!(out, "{line}\u{1b}[K{end}")?;
    }
    write!(out, "\u{1b}[J")?;
    out.flush()
}
