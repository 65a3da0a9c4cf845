//! A status that is being put together.

use std::collections::VecDeque;

use latco_bag::messages::{DiagnosticStatus, KeyValue};

use crate::quantile::quantile;

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) level: u8,
    pub(crate) message: String,
    pub(crate) values: Vec<KeyValue>,
    /// Name of what is wrong, for a word in the log when it begins; the figures in the message change.
    pub(crate) fault: Option<&'static str>,
}

impl Part {
    pub(crate) fn new(name: &'static str, level: u8, message: impl Into<String>) -> Self {
        Self {
            name,
            level,
            message: message.into(),
            values: Vec::new(),
            fault: None,
        }
    }

    /// Says that nothing can be told by stamps, as simulated time is awaited; what was computed with it is no figure.
    pub(crate) fn no_clock(&mut self) {
        self.level = DiagnosticStatus::ERROR;
        self.message = "no /clock: use_sim_time is set and /clock has not come, so that nothing is new or old; start what \
                        publishes it, or set use_sim_time to false"
            .to_owned();
        self.fault = Some("no /clock");
        for value in self
            .values
            .iter_mut()
            .filter(|value| value.key == "delay_ms")
        {
            "-".clone_into(&mut value.value);
        }
    }

    pub(crate) fn add(&mut self, key: &str, value: impl ToString) {
        self.values.push(KeyValue {
            key: key.to_owned(),
            value: value.to_string(),
        });
    }

    pub(crate) fn add_ms(&mut self, key: &str, samples: Option<&VecDeque<f64>>, q: f64) {
        let samples: Vec<f64> = samples.into_iter().flatten().copied().collect();
        let value = quantile(&samples, q).map_or("-".to_owned(), |v| format!("{v:.1}"));
        self.add(key, value);
    }
}
