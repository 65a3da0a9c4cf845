//! `metadata.yaml` of rosbag2, format version 5.

use std::fmt::Write;

/// One topic of a bag.
pub(crate) struct TopicSummary<'a> {
    pub(crate) name: &'a str,
    pub(crate) type_name: &'a str,
    pub(crate) messages: u64,
}

/// Text of `metadata.yaml` for a bag of one file; `bounds` are the times of the first and the
/// last message in ns.
pub(crate) fn render(
    file_name: &str,
    topics: &[TopicSummary<'_>],
    bounds: Option<(i64, i64)>,
) -> String {
    let (start, end) = bounds.unwrap_or((0, 0));
    let duration = end - start;
    let messages: u64 = topics.iter().map(|topic| topic.messages).sum();
    let file = quote(file_name);
    let mut text = format!(
        "rosbag2_bagfile_information:\n\
         \x20 version: 5\n\
         \x20 storage_identifier: mcap\n\
         \x20 duration:\n\
         \x20   nanoseconds: {duration}\n\
         \x20 starting_time:\n\
         \x20   nanoseconds_since_epoch: {start}\n\
         \x20 message_count: {messages}\n\
         \x20 topics_with_message_count:{}\n",
        if topics.is_empty() { " []" } else { "" }
    );
    for topic in topics {
        let _ = write!(
            text,
            "    - topic_metadata:\n\
             \x20       name: {}\n\
             \x20       type: {}\n\
             \x20       serialization_format: cdr\n\
             \x20       offered_qos_profiles: \"\"\n\
             \x20     message_count: {}\n",
            quote(topic.name),
            quote(topic.type_name),
            topic.messages
        );
    }
    let _ = write!(
        text,
        "  compression_format: \"\"\n\
         \x20 compression_mode: \"\"\n\
         \x20 relative_file_paths:\n\
         \x20   - {file}\n\
         \x20 files:\n\
         \x20   - path: {file}\n\
         \x20     starting_time:\n\
         \x20       nanoseconds_since_epoch: {start}\n\
         \x20     duration:\n\
         \x20       nanoseconds: {duration}\n\
         \x20     message_count: {messages}\n"
    );
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
            control if control.is_control() => {
                let _ = write!(quoted, "\\U{:08x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
