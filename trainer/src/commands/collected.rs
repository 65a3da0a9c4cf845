//! The folder of a collection: its bags, and the settings that they were collected with.

use std::path::Path;

use anyhow::Context;
use latco_bag::{BagReader, topics};
use serde::{Deserialize, Serialize};

use super::shell::BadInput;

/// Name of the file that holds the settings of a collection, beside its bags.
const SETTINGS_FILE: &str = "collect.json";

/// All that decides the content of the bags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) task: String,
    pub(super) policy: String,
    /// Left out where it is the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reward: Option<String>,
    pub(super) seed: u64,
    pub(super) image_size: usize,
    pub(super) episodes_per_bag: u64,
}

/// Makes the folder, or checks that what is there was collected with the same settings.
pub(super) fn prepare_folder(out: &Path, settings: &Settings) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let file = out.join(SETTINGS_FILE);
    if file.exists() {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        let there: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| BadInput(format!("{}: not JSON", file.display())))?;
        let asked = serde_json::to_value(settings)?;
        if there != asked {
            return Err(BadInput::new(format!(
                "{}: holds bags of another collection: expected {asked}, found {there}; \
                 choose another folder for --out",
                out.display()
            )));
        }
        return Ok(());
    }
    let mut entries =
        std::fs::read_dir(out).with_context(|| format!("listing {}", out.display()))?;
    if entries.next().is_some() {
        return Err(BadInput::new(format!(
            "{}: expected an empty folder or one that `latco-train collect` made, found other \
             files; choose another folder for --out",
            out.display()
        )));
    }
    let text = serde_json::to_string_pretty(settings)? + "\n";
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

/// Number of episodes of a bag that is complete, `None` where it must be made (again).
pub(super) fn complete_bag(bag: &Path, episodes: u64) -> anyhow::Result<Option<u64>> {
    // metadata.yaml is written last.
    if !bag.join("metadata.yaml").exists() {
        return Ok(None);
    }
    let reader = BagReader::open(bag)?;
    let marks = reader
        .topic(topics::EPISODE)
        .map_or(0, |topic| topic.messages);
    Ok((marks == episodes && reader.damage().next().is_none()).then_some(episodes))
}
