//! Writing `metadata.yaml`.

use std::fmt::Write;

use crate::storage::Storage;

/// Version of the format: the newest one whose quality of service is a text, which ROS 2 Humble
/// expects and later distributions read as well.
pub(crate) const VERSION: u32 = 8;

/// One topic of a bag.
pub(crate) struct TopicSummary<'a> {
    pub(crate) name: &'a str,
    pub(crate) type_name: &'a str,
    pub(crate) encoding: &'a str,
    pub(crate) type_hash: &'a str,
    pub(crate) offered_qos: &'a str,
    pub(crate) messages: u64,
}

/// What people and recorders say about a bag as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct About {
    /// Words of the recorder's user, `(key, value)`.
    pub(crate) custom_data: Vec<(String, String)>,
    /// Distribution of ROS that recorded the bag; empty where it is not said.
    pub(crate) ros_distro: String,
}

/// What stands under the outermost key, for a bag of one file; `bounds` are the times of the first
/// and the last message in ns.
pub(crate) fn inner(
    storage: Storage,
    file_name: &str,
    topics: &[TopicSummary<'_>],
    bounds: Option<(i64, i64)>,
    about: &About,
) -> String {
    let (start, end) = bounds.unwrap_or((0, 0));
    let duration = end - start;
    let messages: u64 = topics.iter().map(|topic| topic.messages).sum();
    let file = quote(file_name);
    let mut text = format!(
        "version: {VERSION}\n\
         storage_identifier: {}\n\
         duration:\n\
         \x20 nanoseconds: {duration}\n\
         starting_time:\n\
         \x20 nanoseconds_since_epoch: {start}\n\
         message_count: {messages}\n\
         topics_with_message_count:{}\n",
        storage.identifier(),
        if topics.is_empty() { " []" } else { "" }
    );
    for topic in topics {
        let _ = write!(
            text,
            "  - topic_metadata:\n\
             \x20     name: {}\n\
             \x20     type: {}\n\
             \x20     serialization_format: {}\n\
             \x20     offered_qos_profiles: {}\n\
             \x20     type_description_hash: {}\n\
             \x20   message_count: {}\n",
            quote(topic.name),
            quote(topic.type_name),
            topic.encoding,
            quote(topic.offered_qos),
            quote(topic.type_hash),
            topic.messages
        );
    }
    let _ = write!(
        text,
        "compression_format: \"\"\n\
         compression_mode: \"\"\n\
         relative_file_paths:\n\
         \x20 - {file}\n\
         files:\n\
         \x20 - path: {file}\n\
         \x20   starting_time:\n\
         \x20     nanoseconds_since_epoch: {start}\n\
         \x20   duration:\n\
         \x20     nanoseconds: {duration}\n\
         \x20   message_count: {messages}\n"
    );
    let empty = if about.custom_data.is_empty() {
        " ~"
    } else {
        ""
    };
    let _ = writeln!(text, "custom_data:{empty}");
    for (key, value) in &about.custom_data {
        let _ = writeln!(text, "  {}: {}", quote(key), quote(value));
    }
    let _ = writeln!(text, "ros_distro: {}", quote(&about.ros_distro));
    text
}

/// The text of the file around [`inner`].
pub(crate) fn whole(inner: &str) -> String {
    let mut text = String::from("rosbag2_bagfile_information:\n");
    for line in inner.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// A YAML double-quoted scalar.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\U{:08x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
