//! A status that is being put together.

use std::collections::VecDeque;

use latco_bag::messages::KeyValue;

use crate::quantile::quantile;

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) level: u8,
    pub(crate) message: String,
    pub(crate) values: Vec<KeyValue>,
}

impl Part {
    pub(crate) fn new(name: &'static str, level: u8, message: impl Into<String>) -> Self {
        Self {
            name,
            level,
            message: message.into(),
            values: Vec::new(),
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
