//! The keys of a player on a terminal, as rosbag2's player has them.

use std::io::{IsTerminal, Read, stdin};
use std::sync::Arc;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::player::pace::Control;

/// The help text of the keys.
pub(super) const HELP: &str = "space pauses and resumes, right plays the next message of a pause, up and down change the rate";

/// A reader of keys, which gives the terminal back as it was when it is dropped.
pub(super) struct Keys {
    before: Termios,
}

impl Keys {
    /// Starts reading; `None` where standard input is no terminal, or the terminal belongs to another program
    /// at the moment.
    pub(super) fn read(control: &Arc<Control>) -> Option<Self> {
        if !stdin().is_terminal() || tcgetpgrp(stdin()).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut now = before.clone();
        now.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSANOW, &now).ok()?;
        let control = control.clone();
        // It ends with the process, or when the terminal is closed.
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                let mut typed = Typed::default();
                for byte in stdin().lock().bytes().map_while(Result::ok) {
                    if let Some(key) = typed.byte(byte) {
                        press(key, &control);
                    }
                }
            })
            .ok()?;
        Some(Self { before })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.before);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Space,
    Up,
    Down,
    Right,
}

/// Puts the bytes of one key together.
#[derive(Default)]
struct Typed {
    escape: usize,
}

impl Typed {
    fn byte(&mut self, byte: u8) -> Option<Key> {
        match (self.escape, byte) {
            (_, 0x1b) => {
                self.escape = 1;
                None
            }
            (1, b'[' | b'O') => {
                self.escape = 2;
                None
            }
            (escape, byte) => {
                self.escape = 0;
                match (escape, byte) {
                    (0, b' ') => Some(Key::Space),
                    (2, b'A') => Some(Key::Up),
                    (2, b'B') => Some(Key::Down),
                    (2, b'C') => Some(Key::Right),
                    _ => None,
                }
            }
        }
    }
}

fn press(key: Key, control: &Control) {
    match key {
        Key::Space => {
            let paused = control.toggle();
            tracing::info!(paused, "playing");
        }
        Key::Right => {
            control.play_next();
        }
        Key::Up | Key::Down => {
            let factor = if key == Key::Up { 1.1 } else { 1.0 / 1.1 };
            control.set_rate(control.rate() * factor);
            tracing::info!(rate = control.rate(), "playing");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_terminal_become_keys() {
        let mut typed = Typed::default();
        let keys: Vec<Key> = b" x\x1b[A\x1bOB\x1b[C\x1b[D "
            .iter()
            .filter_map(|byte| typed.byte(*byte))
            .collect();
        assert_eq!(
            keys,
            [Key::Space, Key::Up, Key::Down, Key::Right, Key::Space]
        );
    }
}
