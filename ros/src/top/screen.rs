//! The text of the screen.

use std::time::{Duration, Instant};

use latco_bag::messages::DiagnosticStatus;

use super::heard::Heard;

/// A node that has been silent for so long is gone.
const FORGET: Duration = Duration::from_secs(30);
/// A status of this age is told with it: nodes report once a second.
const OLD: Duration = Duration::from_secs(3);
/// Width of the column of names.
const NAME: usize = 16;

/// The lines of the screen, none wider than `width` characters and no more than `height`. With `colours` the levels are
/// coloured by the escape sequences of terminals.
#[must_use]
pub fn draw(
    heard: &Heard,
    now: Instant,
    (width, height): (usize, usize),
    colours: bool,
) -> Vec<String> {
    let nodes = heard.nodes(now, FORGET);
    let mut lines = Vec::new();
    if nodes.is_empty() {
        lines.push(cut("no node reports on /diagnostics yet", width));
    }
    for (node, parts) in nodes {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(cut(node, width));
        for (subject, part) in parts {
            let status = &part.status;
            let age = now.duration_since(part.at);
            let mut message = status.message.clone();
            if age > OLD {
                message = format!("{message} (heard {} s ago)", age.as_secs());
            }
            let (word, colour) = level(status.level);
            let text = cut(&format!("  {word:5} {subject:NAME$} {message}"), width);
            lines.push(if colours {
                paint(&text, word, colour)
            } else {
                text
            });
            lines.extend(values(status, width));
        }
    }
    if lines.len() > height && height > 0 {
        let more = lines.len() - (height - 1);
        lines.truncate(height - 1);
        lines.push(cut(&format!("… {more} lines more"), width));
    }
    lines
}

/// Key and value pairs, as many to a line as there is room for.
fn values(status: &DiagnosticStatus, width: usize) -> Vec<String> {
    let indent = " ".repeat(9 + NAME);
    let mut lines = Vec::new();
    let mut line = String::new();
    for pair in &status.values {
        let text = format!("{} {}", pair.key, pair.value);
        let long = line.chars().count() + 3 + text.chars().count() + indent.len() > width;
        if !line.is_empty() && long {
            lines.push(cut(&format!("{indent}{line}"), width));
            line.clear();
        }
        if !line.is_empty() {
            line.push_str("   ");
        }
        line.push_str(&text);
    }
    if !line.is_empty() {
        lines.push(cut(&format!("{indent}{line}"), width));
    }
    lines
}

fn level(level: u8) -> (&'static str, &'static str) {
    match level {
        DiagnosticStatus::OK => ("ok", "32"),
        DiagnosticStatus::WARN => ("warn", "33"),
        DiagnosticStatus::ERROR => ("error", "31"),
        _ => ("stale", "35"),
    }
}

/// The text with the first `word` in a colour.
fn paint(text: &str, word: &str, colour: &str) -> String {
    text.replacen(word, &format!("\u{1b}[{colour}m{word}\u{1b}[0m"), 1)
}

/// The text in at most `width` characters, without control characters: what a node says is not to move the cursor.
fn cut(text: &str, width: usize) -> String {
    let clean: Vec<char> = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.len() <= width {
        return clean.into_iter().collect();
    }
    let mut short: String = clean[..width.saturating_sub(1)].iter().collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_bag::messages::KeyValue;

    fn heard(now: Instant) -> Heard {
        let status = |name: &str, level, message: &str, values: &[(&str, &str)]| DiagnosticStatus {
            level,
            name: name.into(),
            message: message.into(),
            values: (values.iter())
                .map(|(key, value)| KeyValue {
                    key: (*key).into(),
                    value: (*value).into(),
                })
                .collect(),
            ..DiagnosticStatus::default()
        };
        let mut heard = Heard::default();
        heard.take(
            vec![
                status(
                    "latco: lifecycle",
                    0,
                    "active",
                    &[("state", "active"), ("bundle", "models/bundles/reach")],
                ),
                status(
                    "latco: camera",
                    DiagnosticStatus::STALE,
                    "expected images within 1000 ms, the newest is 2310 ms old\u{1b}[2J",
                    &[
                        ("rate_hz", "0.0"),
                        ("taken", "153"),
                        ("refused", "0"),
                        ("publishers", "1"),
                    ],
                ),
            ],
            now,
        );
        heard
    }

    #[test]
    fn the_screen_fits_80_columns() {
        let now = Instant::now();
        let lines = draw(&heard(now), now, (80, 24), false);
        assert_eq!(
            lines.join("\n"),
            "latco\n  ok    lifecycle        active\n                         state active   bundle models/bundles/reach\n  \
             stale camera           expected images within 1000 ms, the newest is 2310 ms …\n                         \
             rate_hz 0.0   taken 153   refused 0   publishers 1"
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_wide_screen_shows_it_all_and_a_node_cannot_move_the_cursor() {
        let now = Instant::now();
        let lines = draw(&heard(now), now, (200, 24), false);
        assert!(
            lines[3].ends_with("the newest is 2310 ms old [2J"),
            "{lines:?}"
        );
        assert!(!lines.concat().contains('\u{1b}'));
        let coloured = draw(&heard(now), now, (200, 24), true);
        assert!(
            coloured[3].contains("\u{1b}[35mstale\u{1b}[0m"),
            "{coloured:?}"
        );
    }

    #[test]
    fn what_is_old_is_told_with_its_age_and_forgotten_later() {
        let then = Instant::now();
        let heard = heard(then);
        let later = draw(&heard, then + Duration::from_secs(7), (80, 24), false);
        assert!(later[1].contains("heard 7 s ago"), "{later:?}");
        let gone = draw(&heard, then + Duration::from_secs(60), (80, 24), false);
        assert_eq!(gone, ["no node reports on /diagnostics yet"]);
    }

    #[test]
    fn a_low_screen_says_how_much_is_left_out() {
        let now = Instant::now();
        let lines = draw(&heard(now), now, (80, 3), false);
        assert_eq!((lines.len(), lines[2].as_str()), (3, "… 3 lines more"));
    }
}
