//! Which joints of a recording the robot is, where the user names none.

/// Messages of joint states that are looked at.
const MESSAGES: usize = 100;
/// Time from the first message within which commands are waited for, ns.
const WAIT_NS: i64 = 20_000_000_000;

/// Names of joints at the beginning of a recording.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Names in one message, each set once.
    sets: Vec<Vec<String>>,
    messages: usize,
    first_ns: Option<i64>,
    /// Number of values of a command without names.
    width: Option<usize>,
    /// Names of a command.
    commanded: Option<Vec<String>>,
}

impl Seen {
    pub(super) fn joint_state(&mut self, names: &[String]) {
        self.messages += 1;
        if !self.sets.iter().any(|known| known == names) {
            self.sets.push(names.to_vec());
        }
    }

    pub(super) fn command(&mut self, width: usize) {
        self.width.get_or_insert(width);
    }

    pub(super) fn named_command(&mut self, names: &[String]) {
        self.commanded.get_or_insert_with(|| names.to_vec());
    }

    /// Whether the beginning of the recording is over at `time_ns`.
    pub(super) fn is_enough(&mut self, time_ns: i64, has_states: bool, has_commands: bool) -> bool {
        let first_ns = *self.first_ns.get_or_insert(time_ns);
        let has_command = !has_commands || self.width.is_some() || self.commanded.is_some();
        let has_states = !has_states || self.messages >= MESSAGES;
        has_states && has_command || time_ns.saturating_sub(first_ns) > WAIT_NS
    }

    /// The joints: those that commands name; else all that were seen, if commands have as many values; else those of the
    /// largest message. Joints of larger messages come first.
    pub(super) fn joints(mut self) -> Vec<String> {
        self.sets
            .sort_by_key(|names| std::cmp::Reverse(names.len()));
        let mut all: Vec<String> = Vec::new();
        for name in self.sets.iter().flatten() {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        if let Some(commanded) = self.commanded {
            let is_joint = |name: &String| all.is_empty() || all.contains(name);
            return commanded.into_iter().filter(is_joint).collect();
        }
        match self.width {
            Some(width) if width != all.len() => self.sets.into_iter().next().unwrap_or_default(),
            _ => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joints(width: Option<usize>, sets: &[&[&str]]) -> Vec<String> {
        let names = |set: &[&str]| {
            set.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let mut seen = Seen::default();
        sets.iter().for_each(|set| seen.joint_state(&names(set)));
        width.into_iter().for_each(|width| seen.command(width));
        seen.joints()
    }

    #[test]
    fn the_joints_are_those_that_the_commands_move() {
        assert_eq!(joints(None, &[&["b", "a"]]), ["b", "a"]);
        assert_eq!(joints(Some(2), &[&["gripper"], &["a", "b"]]), ["a", "b"]);
        assert_eq!(
            joints(Some(3), &[&["gripper"], &["a", "b"]]),
            ["a", "b", "gripper"]
        );
        assert_eq!(joints(None, &[&["a", "b"], &["c"]]), ["a", "b", "c"]);
        let mut seen = Seen::default();
        seen.joint_state(&["b".into(), "a".into(), "gripper".into()]);
        seen.named_command(&["a".into(), "b".into()]);
        assert_eq!(seen.joints(), ["a", "b"]);
    }
}
