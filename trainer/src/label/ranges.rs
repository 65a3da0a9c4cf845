//! Time ranges with a reward, from a TOML file.
//!
//! ```toml
//! [[range]]
//! from_s = 12.5     # from the first message of the bag, or of `episode`
//! to_s = 14.0       # not included
//! reward = 1.0      # by default 1
//! episode = 3       # optional: times count from the mark of this episode
//! ```

use std::path::Path;

use serde::Deserialize;

use super::error::LabelError;

/// One range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Begin, s.
    pub from_s: f64,
    /// End, s; not included.
    pub to_s: f64,
    /// Reward of the images in it.
    #[serde(default = "one")]
    pub reward: f64,
    /// Number of the episode from whose mark the times count; without, they count from the first
    /// message of the bag.
    pub episode: Option<i64>,
}

fn one() -> f64 {
    1.0
}

/// All ranges of a file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranges {
    /// In the order of the file.
    #[serde(default)]
    pub range: Vec<Range>,
}

/// A range on the clock of a bag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) from_ns: i64,
    pub(super) to_ns: i64,
    pub(super) reward: f64,
}

impl Ranges {
    /// Reads a file.
    ///
    /// # Errors
    /// [`LabelError::Ranges`]; whether the ranges make sense is only known with a bag.
    pub fn read(path: &Path) -> Result<Self, LabelError> {
        let failed = |reason: String| LabelError::Ranges {
            path: path.to_path_buf(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        toml::from_str(&text).map_err(|e| {
            failed(format!(
                "expected tables [[range]] with from_s, to_s, and reward and episode if wanted: {e}"
            ))
        })
    }

    /// The ranges on the clock of a bag with these episodes (number and time of the mark) and
    /// times of the first and last message; or everything that is wrong.
    pub(super) fn place(
        &self,
        episodes: &[(i64, i64)],
        (first, last): (i64, i64),
    ) -> Result<Vec<Span>, Vec<String>> {
        let mut wrong = Vec::new();
        if self.range.is_empty() {
            wrong.push("expected at least one [[range]], found none".to_owned());
        }
        let mut spans: Vec<(usize, Span)> = Vec::new();
        for (index, range) in self.range.iter().enumerate() {
            let name = format!("range {} ({} to {} s)", index + 1, range.from_s, range.to_s);
            let mut sound = true;
            let mut complain = |problem: String| {
                wrong.push(format!("{name}: {problem}"));
                sound = false;
            };
            if !range.reward.is_finite() {
                complain(format!("expected a finite reward, found {}", range.reward));
            }
            // Also false for numbers that are not finite.
            let in_order = range.from_s < range.to_s && range.from_s.abs().max(range.to_s) < 1e9;
            if !in_order {
                complain("expected times with from_s < to_s".to_owned());
            }
            // The part of the bag that its times can lie in.
            let (from, to) = match range.episode {
                None => (first, last),
                Some(number) => match episodes.iter().position(|(known, _)| *known == number) {
                    Some(at) => {
                        let next = episodes.get(at + 1).map_or(last, |(_, time)| *time);
                        (episodes[at].1, next)
                    }
                    None => {
                        complain(format!(
                            "expected an episode of the bag, found {number}; there are {}",
                            numbers(episodes)
                        ));
                        continue;
                    }
                },
            };
            let length_s = (to - from) as f64 * 1e-9;
            if in_order && (range.from_s < 0.0 || range.to_s > length_s + 1.0) {
                let what = match range.episode {
                    None => "the bag".to_owned(),
                    Some(number) => format!("episode {number}"),
                };
                complain(format!(
                    "expected times within {what}, which takes {length_s:.3} s"
                ));
            }
            if sound {
                let at = |seconds: f64| from + (seconds * 1e9).round() as i64;
                let span = Span {
                    from_ns: at(range.from_s),
                    to_ns: at(range.to_s),
                    reward: range.reward,
                };
                spans.push((index, span));
            }
        }
        spans.sort_by_key(|(_, span)| span.from_ns);
        for pair in spans.windows(2) {
            let [(a, before), (b, after)] = pair else {
                continue;
            };
            if after.from_ns < before.to_ns {
                wrong.push(format!(
                    "ranges {} and {} overlap: expected one reward at a time",
                    a.min(b) + 1,
                    a.max(b) + 1
                ));
            }
        }
        if wrong.is_empty() {
            Ok(spans.into_iter().map(|(_, span)| span).collect())
        } else {
            Err(wrong)
        }
    }
}

fn numbers(episodes: &[(i64, i64)]) -> String {
    let numbers: Vec<String> = episodes.iter().map(|(n, _)| n.to_string()).collect();
    match numbers.as_slice() {
        [] => "none".to_owned(),
        few if few.len() <= 20 => few.join(", "),
        many => format!("{}, ... {}", many[..10].join(", "), many[many.len() - 1]),
    }
}
