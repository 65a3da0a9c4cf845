//! Reading `metadata.yaml`, versions 1 to 9.

use std::path::Path;

use super::render::About;
use crate::error::BagError;
use crate::yaml::Yaml;

/// Name of the file in a bag's folder.
pub(crate) const NAME: &str = "metadata.yaml";

/// The parts of `metadata.yaml` that are used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Metadata {
    /// Paths of the files as written, in the order of recording.
    pub(crate) files: Vec<String>,
    pub(crate) messages: u64,
    pub(crate) about: About,
    /// Topics with their number of messages, `(topic, messages)`.
    pub(crate) topics: Vec<(String, u64)>,
    /// What the publishers of topics offer, `(topic, YAML)`.
    pub(crate) offered_qos: Vec<(String, String)>,
}

impl Metadata {
    /// Reads the file of a bag's folder; `None` where the folder has no such file.
    ///
    /// # Errors
    /// [`BagError::Metadata`] when it cannot be used, [`BagError::Compression`] for a compression
    /// that is not known: then the messages cannot be read either.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, BagError> {
        let path = folder.join(NAME);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BagError::io(path, "reading", error)),
        };
        let wrong = |detail: String| BagError::Metadata {
            path: path.clone(),
            detail,
        };
        let yaml = Yaml::parse(&text).map_err(wrong)?;
        let missing = |key: &str| wrong(format!("expected the key `{key}`, found none"));
        let key = "rosbag2_bagfile_information";
        let info = (yaml.as_ref())
            .and_then(|yaml| yaml.get(key))
            .ok_or_else(|| missing(key))?;
        let get = |key: &str| info.get(key).ok_or_else(|| missing(key));
        let files: Vec<String> = get("relative_file_paths")?
            .list()
            .iter()
            .filter_map(|file| file.text().map(str::to_owned))
            .collect();
        if files.is_empty() {
            return Err(wrong(
                "`relative_file_paths`: expected a list of files, found none".to_owned(),
            ));
        }
        let word = |key: &str| {
            info.get(key)
                .and_then(Yaml::text)
                .unwrap_or("")
                .to_lowercase()
        };
        // What is compressed says so itself; only that it can be unpacked is asked for here.
        match (&*word("compression_mode"), &*word("compression_format")) {
            ("" | "none", _) | ("file" | "message", "zstd") => {}
            (mode, format) => {
                return Err(BagError::Compression {
                    path: path.clone(),
                    found: format!("mode `{mode}`, format `{format}`"),
                });
            }
        }
        let count = |node: &Yaml| {
            let key = "message_count";
            let node = node.get(key).ok_or_else(|| missing(key))?;
            node.number::<u64>()
                .ok_or_else(|| wrong(format!("`{key}`: expected a number, found {node:?}")))
        };
        let (mut topics, mut offered_qos) = (Vec::new(), Vec::new());
        for topic in get("topics_with_message_count")?.list() {
            let name = topic
                .get("topic_metadata")
                .and_then(|data| data.get("name")?.text());
            let name = name.ok_or_else(|| missing("topic_metadata: name"))?;
            // A topic with messages of two types is listed twice.
            let messages = count(topic)?;
            match topics
                .iter_mut()
                .find(|(known, _): &&mut (String, u64)| known == name)
            {
                Some((_, sum)) => *sum += messages,
                None => topics.push((name.to_owned(), messages)),
            }
            let offered = (topic.get("topic_metadata"))
                .and_then(|data| data.get("offered_qos_profiles")?.text())
                .unwrap_or_default();
            offered_qos.push((name.to_owned(), offered.to_owned()));
        }
        Ok(Some(Self {
            files,
            messages: count(info)?,
            offered_qos,
            about: About {
                custom_data: info.get("custom_data").map_or(Vec::new(), Yaml::texts),
                ros_distro: (info.get("ros_distro").and_then(Yaml::text))
                    .unwrap_or_default()
                    .to_owned(),
            },
            topics,
        }))
    }
}
