//! What goes wrong, from when, for how long and how often.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

use crate::kind::{KINDS, Kind, Target};

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What it does.
    pub kind: &'static Kind,
    /// The amount, in the unit of its kind; 0 for a kind without.
    pub amount: f64,
    /// Time at which it begins, in seconds after the injector has begun.
    pub from_s: f64,
    /// How long it lasts in seconds; `None`: for ever.
    pub for_s: Option<f64>,
    /// Share of the images, joint states or calls that it strikes while it lasts.
    pub probability: f64,
    /// Seed of its random numbers.
    pub seed: u64,
}

/// All that goes wrong.
///
/// As a file:
/// ```toml
/// seed = 7
///
/// [[fault]]
/// kind = "delay_frames"
/// amount = 80
/// from_s = 2
/// for_s = 3
/// probability = 0.5
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(pub Vec<Fault>);

/// The reason why faults are refused.
#[derive(Debug, Error)]
pub enum FaultsError {
    /// The file cannot be read.
    #[error("cannot read the faults {0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The text is not TOML, or has other keys.
    #[error("faults: {0}")]
    Parse(#[from] Box<toml::de::Error>),
    /// Values are wrong: every one of them.
    #[error("faults:{}", .0.iter().fold(String::new(), |text, line| text + "\n  " + line))]
    Values(Vec<String>),
    /// An option of a command line is wrong.
    #[error("{0}")]
    Option(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    fault: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: String,
    amount: Option<f64>,
    #[serde(default)]
    from_s: f64,
    for_s: Option<f64>,
    probability: Option<f64>,
    seed: Option<u64>,
}

impl Entry {
    /// Makes the fault, or says all that is wrong.
    fn fault(&self, seed: u64) -> Result<Fault, Vec<String>> {
        let Some(kind) = Kind::find(&self.kind) else {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            return Err(vec![format!(
                "expected one of {}, found {}",
                known.join(", "),
                self.kind
            )]);
        };
        let mut wrong = Vec::new();
        match (&kind.amount, self.amount) {
            (Some(needed), found) if !found.is_some_and(|a| needed.range.contains(&a)) => {
                let found = found.map_or("none".to_owned(), |found| found.to_string());
                wrong.push(format!(
                    "{}: expected an amount of {:e} to {:e} {}, found {found}",
                    kind.name,
                    needed.range.start(),
                    needed.range.end(),
                    needed.unit
                ));
            }
            (None, Some(found)) => wrong.push(format!(
                "{}: expected no amount, found {found}; how often it strikes is its probability",
                kind.name
            )),
            _ => {}
        }
        for (key, value, most) in [
            ("from_s", Some(self.from_s), 1e9),
            ("for_s", self.for_s, 1e9),
            ("probability", self.probability, 1.0),
        ] {
            if let Some(value) = value.filter(|value| !(0.0..=most).contains(value)) {
                let name = kind.name;
                wrong.push(format!(
                    "{name}: expected {key} of 0 to {most:e}, found {value}"
                ));
            }
        }
        if kind.target == Target::Clock && self.probability.is_some() {
            wrong.push(format!(
                "{}: a clock has no probability: it is wrong from from_s for for_s",
                kind.name
            ));
        }
        if wrong.is_empty() {
            Ok(Fault {
                kind,
                amount: self.amount.unwrap_or(0.0),
                from_s: self.from_s,
                for_s: self.for_s,
                probability: self.probability.unwrap_or(1.0),
                seed: self.seed.unwrap_or(seed),
            })
        } else {
            Err(wrong)
        }
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let file: File = toml::from_str(text).map_err(Box::new)?;
        let (mut faults, mut wrong) = (Vec::new(), Vec::new());
        for (number, entry) in file.fault.iter().enumerate() {
            match entry.fault(file.seed.wrapping_add(number as u64)) {
                Ok(fault) => faults.push(fault),
                Err(all) => {
                    wrong.extend(all.iter().map(|w| format!("[[fault]] {}: {w}", number + 1)));
                }
            }
        }
        if wrong.is_empty() {
            Ok(Self(faults))
        } else {
            Err(FaultsError::Values(wrong))
        }
    }
}

impl Faults {
    /// Reads a file.
    ///
    /// # Errors
    /// [`FaultsError`] with all that is wrong.
    pub fn load(path: &Path) -> Result<Self, FaultsError> {
        std::fs::read_to_string(latco_models::shipped(path))
            .map_err(|error| FaultsError::Read(path.to_owned(), error))?
            .parse()
    }

    /// Adds the fault `name` that an option of a command line asks for: a number, which is its amount or, for a kind without, its
    /// probability; then optionally `:` and how long it lasts, `@` and when it begins (`0.2:3s@500ms`).
    ///
    /// # Errors
    /// [`FaultsError::Option`].
    pub fn add(&mut self, option: &str, name: &str, text: &str) -> Result<(), FaultsError> {
        let (number, window) = text.split_at(text.find([':', '@']).unwrap_or(text.len()));
        let value = number.parse().map_err(|_| {
            FaultsError::Option(format!("--{option}: expected a number such as 0.2, perhaps with how long and from when (0.2:3s@5s), found {text}"))
        })?;
        let needs = Kind::find(name).is_some_and(|kind| kind.amount.is_some());
        let value = (needs.then_some(value), (!needs).then_some(value));
        self.add_entry(
            option,
            name,
            value,
            window.strip_prefix(':').unwrap_or(window),
        )
    }

    /// Adds the fault `name` that lasts as long as `text` says, optionally with `@` and when it begins (`3s@5s`).
    ///
    /// # Errors
    /// [`FaultsError::Option`].
    pub fn add_lasting(&mut self, option: &str, name: &str, text: &str) -> Result<(), FaultsError> {
        self.add_entry(option, name, (None, None), text)
    }

    fn add_entry(
        &mut self,
        option: &str,
        name: &str,
        (amount, probability): (Option<f64>, Option<f64>),
        window: &str,
    ) -> Result<(), FaultsError> {
        let (lasts, begins) = window.split_once('@').unwrap_or((window, ""));
        let seconds = |text: &str| -> Result<Option<f64>, FaultsError> {
            let (digits, factor) = match text.strip_suffix("ms") {
                Some(digits) => (digits, 1e-3),
                None => (text.strip_suffix('s').unwrap_or(text), 1.0),
            };
            match digits.parse::<f64>() {
                Ok(value) => Ok(Some(value * factor)),
                Err(_) if text.is_empty() => Ok(None),
                Err(_) => Err(FaultsError::Option(format!(
                    "--{option}: expected a time such as 3s or 500ms, found {text:?}"
                ))),
            }
        };
        let entry = Entry {
            kind: name.to_owned(),
            amount,
            from_s: seconds(begins)?.unwrap_or(0.0),
            for_s: seconds(lasts)?,
            probability,
            seed: None,
        };
        let fault = entry
            .fault(self.0.len() as u64)
            .map_err(|wrong| FaultsError::Option(format!("--{option}: {}", wrong.join("; "))))?;
        self.0.push(fault);
        Ok(())
    }

    /// Sets the seeds of all faults to `seed` and the numbers after it.
    pub fn set_seed(&mut self, seed: u64) {
        for (number, fault) in self.0.iter_mut().enumerate() {
            fault.seed = seed.wrapping_add(number as u64);
        }
    }

    /// Refuses faults of what is not there, in words that say where it is.
    ///
    /// # Errors
    /// [`FaultsError::Values`] with every fault that strikes none of `targets`.
    pub fn only(&self, targets: &[Target], otherwise: &str) -> Result<(), FaultsError> {
        let others = self.0.iter().filter(|f| !targets.contains(&f.kind.target));
        let wrong: Vec<String> = others
            .map(|f| format!("{}: {otherwise}", f.kind.name))
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(FaultsError::Values(wrong))
        }
    }
}
